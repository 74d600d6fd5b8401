"""Settings: sensible without any, precise about wrong ones."""

from pathlib import Path
from typing import get_args

import pytest

from feedback_pipeline.settings import Settings, SettingsError, TrainingFormat


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FEEDBACK_DATABASE_URL", "mysql://x/y", "starts with mysql://, expected postgresql://"),
        ("FEEDBACK_TIMEZONE", "Mars/Olympus", "not an IANA zone"),
        ("FEEDBACK_START", "2026-09-08", "a Tuesday; weeks start on Monday"),
        ("FEEDBACK_START", "soon", "expected a date such as"),
        ("FEEDBACK_LATENESS", "-1", "a whole number of at least 0"),
        ("FEEDBACK_EXECUTOR", "threads", "expected one of in_process, multiprocess"),
        ("FEEDBACK_ENV", "prod", "expected one of development, production"),
        ("FEEDBACK_AUTOMATION", "maybe", "expected 1 or 0"),
        ("FEEDBACK_APPROVAL_TARGET", "80", "a number between 0 and 1"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.from_environment({name: value})
    assert said in str(caught.value)


def test_everything_has_a_default_below_the_home(tmp_path: Path) -> None:
    settings = Settings.from_environment({"FEEDBACK_HOME": str(tmp_path)})
    assert settings.database_url is None
    assert settings.data_url == str(tmp_path / "data")
    assert settings.timezone == "UTC"


def test_the_old_postgres_variables_are_understood() -> None:
    settings = Settings.from_environment({"POSTGRES_HOST": "db", "POSTGRES_USER": "me", "POSTGRES_PASSWORD": "a/b@c"})
    assert settings.database_url == "postgresql://me:a%2Fb%40c@db:5432/feedback"


def test_what_is_shown_to_people_holds_no_password() -> None:
    shown = Settings.from_environment({"FEEDBACK_DATABASE_URL": "postgres://me:swordfish@db/feedback"}).described()
    assert shown["database_url"] == "postgresql://me:…@db/feedback"
    assert "swordfish" not in str(shown)
    secret = Settings.from_environment({"FEEDBACK_TOKEN_KEY": "sword" * 8, "POSTHOG_API_KEY": "phc_sword"})
    assert secret.capture.token_key == "sword" * 8
    assert "sword" not in f"{secret!r}{secret.described()}"
    assert secret.described()["capture.token_key"] == "set"


def test_training_formats_are_chosen_by_name_and_unknown_ones_are_refused() -> None:
    def chosen(text: str) -> tuple[str, ...]:
        return Settings.from_environment({"FEEDBACK_TRAINING_FORMATS": text}).training_formats

    assert chosen("") == ("openai", "promptfoo", "trl")
    assert chosen(" trl, azure ") == ("azure", "trl")
    assert set(chosen("all")) == set(get_args(TrainingFormat))
    with pytest.raises(SettingsError, match="FEEDBACK_TRAINING_FORMATS names 'yolo', expected all, or some of azure"):
        chosen("trl,yolo")
    with pytest.raises(SettingsError, match="names nothing"):
        chosen(" , ")
