"""The store: PostgreSQL, embedded or given; its tables, migrations, queries and bulk paths.

In: rows declared in `rows.py`, redacted and pseudonymised. Out: days of rows as frames. History is kept: votes are
events that are superseded or withdrawn, never overwritten.
"""
