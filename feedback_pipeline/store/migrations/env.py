"""Alembic's entry point: runs the revisions on the connection that `upgrade` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="alembic_version")
with context.begin_transaction():
    context.run_migrations()
