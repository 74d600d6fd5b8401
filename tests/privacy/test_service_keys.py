"""The capture API names people as everything else does: with the data's own keys, and as their consents are written."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from feedback_pipeline.console.app import create_app
from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.privacy import consent
from feedback_pipeline.privacy.pseudonyms import KEY_FILE, MissingKeyError, WrongKeyError
from feedback_pipeline.settings import Settings
from feedback_pipeline.store.database import Database
from tests.support.erasure_world import ADA, BEN


def test_it_does_not_start_with_keys_the_data_was_not_written_with(settings: Settings, database: Database) -> None:
    assert Pipeline(settings).pseudonymiser.current == "k1"
    path = settings.home / KEY_FILE
    path.write_text(json.dumps({"current": "k1", "keys": {"k1": "00" * 32}}))
    with pytest.raises(WrongKeyError, match="another key k1"):
        create_app(settings)


def test_in_production_it_does_not_make_up_a_key(settings: Settings, database: Database, tmp_path: Path) -> None:
    production = replace(settings, environment="production", home=tmp_path / "empty",
                         capture=replace(settings.capture, token_key="t" * 40))  # fmt: skip
    with pytest.raises(MissingKeyError, match=KEY_FILE):
        create_app(production)


def test_after_a_rotation_whoever_has_a_wish_keeps_the_name_it_is_written_under(
    settings: Settings, database: Database
) -> None:
    before = Pipeline(settings)
    named = {user: before.pseudonymiser.pseudonym("default", user) for user in (ADA, BEN)}
    consent.record(database, before.pseudonymiser, "default", ADA, collect=False)
    before.pseudonymiser.rotate(settings.home)
    intake = create_app(settings).state.service.intake
    assert intake.pseudonym("default", ADA) == named[ADA]
    assert intake.pseudonym("default", BEN).startswith("k2:")
