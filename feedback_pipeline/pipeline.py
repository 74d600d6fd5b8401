"""What assets, sensors and commands work with: the settings, the database, the tables. Opened when first used."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from feedback_pipeline.cleaning.verdicts import DEFAULT_POLICY, VerdictPolicy, read_policy
from feedback_pipeline.privacy import consent
from feedback_pipeline.privacy.names import Names, open_names
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database, keep_key_fingerprints, key_fingerprints, open_database
from feedback_pipeline.tables.parquet import ParquetFolder


@dataclass(frozen=True)
class Pipeline:
    """One process's view of the pipeline. Nothing is opened before it is needed: loading definitions is free."""

    settings: Settings
    _clock: datetime | None = field(default=None, repr=False)

    @cached_property
    def database(self) -> Database:
        return open_database(self.settings)

    @cached_property
    def pseudonymiser(self) -> Pseudonymiser:
        """The keys pseudonyms are made with.

        Raises:
            MissingKeyError: there are none, in production or beside a store with pseudonyms.
            WrongKeyError: the store holds pseudonyms made with other keys.
        """
        # a store that has pseudonyms needs the keys that these were made with: none is made up beside it
        written = key_fingerprints(self.database)
        production = self.settings.environment == "production" or bool(written)
        opened = Pseudonymiser.open(self.settings.home, production=production)
        keep_key_fingerprints(self.database, opened.fingerprints(), opened.verify)
        # one key knows everybody by one name
        return opened.keeping(consent.names(self.database)) if len(opened.keys) > 1 else opened

    @cached_property
    def verdict_policy(self) -> VerdictPolicy:
        """What each signal says.

        Raises:
            PolicyError: the file of `FEEDBACK_VERDICTS` is not there or cannot be used; the message says why.
        """
        file = self.settings.verdicts_file
        return DEFAULT_POLICY if file is None else read_policy(file)

    @cached_property
    def names(self) -> Names | None:
        """What finds names of people and places in the few texts that are shown; None unless a model is supplied.

        Raises:
            NamesError: the model or the extra is not installed.
        """
        model = self.settings.names_model
        return None if model is None else open_names(model)

    def split_key(self) -> str:
        """The secret that training splits are keyed with: from the oldest key, so that a rotation moves no row."""
        return self.pseudonymiser.oldest("feedback-pipeline", "training splits")

    @property
    def frames(self) -> ParquetFolder:
        return ParquetFolder(self.settings.data_url)

    def with_settings(self, settings: Settings) -> "Pipeline":
        """This pipeline with other settings; itself where they are the same. An open database is kept where it is."""
        if settings == self.settings:
            return self
        other = replace(self, settings=settings)
        same = (settings.database_url, settings.home) == (self.settings.database_url, self.settings.home)
        if same and "database" in self.__dict__:
            other.__dict__["database"] = self.database
        return other

    def now(self) -> datetime:
        """The time, in UTC."""
        return self._clock or datetime.now(UTC)

    def today(self) -> date:
        """The day in the configured zone."""
        return self.now().astimezone(self.settings.zone).date()

    def is_closed(self, week: date) -> bool:
        """Whether the week that starts on this Monday is closed: `lateness_days` have passed since its end."""
        return self.today() >= week + timedelta(days=7 + self.settings.lateness_days)
