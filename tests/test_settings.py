"""Settings: sensible without any, precise about wrong ones."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from feedback_pipeline.cli.settings_page import page
from feedback_pipeline.environment import declared
from feedback_pipeline.settings import CaptureSettings, Settings, SettingsError, TrainingFormat


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


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "token_key"
    secret.write_text("s" * 40 + "\n")
    read = Settings.from_environment({"FEEDBACK_TOKEN_KEY_FILE": str(secret)})
    assert read.capture.token_key == "s" * 40
    assert read.sources["capture.token_key"] == "FEEDBACK_TOKEN_KEY_FILE"
    assert read.unknown == ()
    password = tmp_path / "password"
    password.write_text("a/b")
    parts = {"POSTGRES_HOST": "db", "POSTGRES_PASSWORD_FILE": str(password)}
    assert Settings.from_environment(parts).database_url == "postgresql://postgres:a%2Fb@db:5432/feedback"


def test_a_secret_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"OPENAI_API_KEY_FILE names .*, which cannot be read: No such file"):
        Settings.from_environment({"OPENAI_API_KEY_FILE": str(tmp_path / "missing")})
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingsError, match=r"OPENAI_API_KEY_FILE names .*, which is empty"):
        Settings.from_environment({"OPENAI_API_KEY_FILE": str(tmp_path / "empty")})
    with pytest.raises(SettingsError, match="are both set"):
        Settings.from_environment({"OPENAI_API_KEY": "sk-x", "OPENAI_API_KEY_FILE": str(tmp_path / "empty")})


def test_a_variable_that_means_nothing_is_named_with_the_nearest_that_does() -> None:
    env = {"FEEDBACK_JUGE_MODEL": "x", "FEEDBACK_QQQQ": "1", "FEEDBACK_HOME": "/tmp/x", "PATH": "/bin"}
    assert Settings.from_environment(env).unknown == (
        ("FEEDBACK_JUGE_MODEL", "FEEDBACK_JUDGE_MODEL"),
        ("FEEDBACK_QQQQ", None),
    )


def test_every_setting_is_shown_with_its_source_and_default() -> None:
    shown = {one.name: one for one in Settings.from_environment({"FEEDBACK_LATENESS": "5"}).shown()}
    assert (shown["lateness_days"].value, shown["lateness_days"].source) == ("5", "FEEDBACK_LATENESS")
    assert shown["lateness_days"].default == "3"
    assert shown["start"].source == "default"
    assert shown["capture.body_bytes"].group == "The capture API"
    assert shown.keys() == {one.name for one in declared(Settings)}


def test_what_is_shown_of_a_setting_is_read_back_as_the_same_value() -> None:
    given = {
        "FEEDBACK_KEEP_RAW": "yes", "FEEDBACK_MAIL_TO": "a@b.example, c@d.example", "FEEDBACK_JUDGE_COST_CAP": "2.5",
        "FEEDBACK_TRUSTED_PROXIES": "10.0.0.1", "FEEDBACK_START": "2026-01-05",
    }  # fmt: skip
    first = Settings.from_environment(given)
    again = {one.variables[0]: one.value for one in first.shown() if one.source != "default"}
    assert Settings.from_environment(again) == first


def test_defaults_of_a_group_made_by_itself_are_those_of_an_empty_environment() -> None:
    assert CaptureSettings() == Settings.from_environment({}).capture


def test_the_reference_page_is_what_the_declarations_say() -> None:
    written = Path(__file__).parent.parent / "docs" / "settings.md"
    assert written.read_text() == page(), "python -m feedback_pipeline.cli.settings_page > docs/settings.md"


def test_the_page_says_of_every_setting_what_it_takes() -> None:
    takes = {row.split(" | ")[0].strip("| "): row.split(" | ")[1] for row in page().splitlines() if row[:3] == "| `"}
    assert takes["`FEEDBACK_APPROVAL_TARGET`"] == "a number between 0 and 1"
    assert takes["`FEEDBACK_TRAINING_FORMATS`"].endswith("`vertex`, `weighted`")
    assert all(takes.values()), "a reader's docstring says what it takes"
    assert "number" not in {text.removeprefix("a ") for text in takes.values()}, "a number has a range"


def test_settings_load_without_anything_heavy() -> None:
    code = (
        "import sys; from feedback_pipeline.settings import Settings; Settings.from_environment({});"
        "print([m for m in ('pydantic', 'yaml', 'polars', 'sqlalchemy', 'dagster') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
