"""What people allow: to be collected, analysed, trained on. Obeyed from the moment it is written.

Collection is refused at every intake (imports, the API, batches); use is looked up whenever a day is computed, and the
days a change touches are computed again.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.store.database import Database
from feedback_pipeline.store.statements import query


class UnknownTenantError(ValueError):
    """There is no such tenant; the message names it."""


@dataclass(frozen=True)
class Consent:
    """What a person allows; all of it where they never said otherwise.

    Attributes:
        collect: answers and votes of theirs may be stored.
        use_for_analysis: they may enter statistics and reports.
        use_for_training: they may enter training files.
        answers, votes: rows of theirs in the store.
    """

    collect: bool = True
    use_for_analysis: bool = True
    use_for_training: bool = True
    answers: int = 0
    votes: int = 0

    @property
    def known(self) -> bool:
        """The store holds rows of the person."""
        return bool(self.answers or self.votes)


def read(database: Database, pseudonymiser: Pseudonymiser, tenant: str, user: str) -> Consent:
    """What a person allows now.

    Raises:
        UnknownTenantError: there is no such tenant.
        ValueError: the user id is empty.
    """
    parameters = {"tenant": tenant, "pseudonyms": pseudonymiser.all_versions(tenant, user)}
    with database.engine.connect() as connection:
        _require_tenant(connection, tenant)
        row = connection.execute(sa.text(query("read_consent")), parameters).one()
    return Consent(**row._mapping)


def record(
    database: Database,
    pseudonymiser: Pseudonymiser,
    tenant: str,
    user: str,
    *,
    collect: bool | None = None,
    use_for_analysis: bool | None = None,
    use_for_training: bool | None = None,
) -> Consent:
    """Writes down what a person allows, under every pseudonym they may have; None leaves a consent as it is.

    A person who was never seen can be recorded too: the consent then holds from their first row. Whoever allows no
    collection allows no use either, unless they say so; rows collected before stay until they are forgotten.

    Raises:
        UnknownTenantError: there is no such tenant.
        ValueError: the user id is empty.
    """
    before = read(database, pseudonymiser, tenant, user)
    withdrawn = collect is False
    allowed = {
        "collect": before.collect if collect is None else collect,
        "use_for_analysis": _decided(use_for_analysis, before.use_for_analysis, withdrawn),
        "use_for_training": _decided(use_for_training, before.use_for_training, withdrawn),
    }
    rows = [{"tenant": tenant, "user_key": name, **allowed} for name in pseudonymiser.all_versions(tenant, user)]
    with database.engine.begin() as connection:
        connection.execute(sa.text(query("record_wishes")), rows)
    return read(database, pseudonymiser, tenant, user)


def names(database: Database) -> frozenset[str]:
    """Every pseudonym that a consent is written under, those of people who were forgotten included."""
    with database.engine.connect() as connection:
        return frozenset(connection.execute(sa.text("SELECT user_key FROM consent")).scalars())


def _decided(said: bool | None, before: bool, withdrawn: bool) -> bool:
    if said is not None:
        return said
    return before and not withdrawn


def _require_tenant(connection: sa.Connection, tenant: str) -> None:
    if not connection.execute(sa.text("SELECT 1 FROM tenant WHERE name = :tenant"), {"tenant": tenant}).scalar():
        known = connection.execute(sa.text("SELECT name FROM tenant ORDER BY name LIMIT 10")).scalars().all()
        raise UnknownTenantError(f"there is no tenant {tenant!r}; there are: {', '.join(known)}")
