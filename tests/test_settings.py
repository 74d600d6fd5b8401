"""Settings: sensible without any, precise about wrong ones."""

from pathlib import Path

import pytest

from feedback_pipeline.settings import Settings, SettingsError


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
    shown = Settings.from_environment({"FEEDBACK_DATABASE_URL": "postgres://me:secret@db/feedback"}).described()
    assert shown["database_url"] == "postgresql://me:…@db/feedback"
    assert "secret" not in str(shown)
