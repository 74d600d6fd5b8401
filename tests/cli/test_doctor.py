"""What `feedback doctor` says of settings, keys and extras before anything is started."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from feedback_pipeline import extras
from feedback_pipeline.cli import health
from feedback_pipeline.settings import Settings


def said(settings: Settings) -> dict[str, str]:
    return {f"{one.level} {one.what}": one.found for one in health.examine(settings)}


def test_production_without_keys_is_refused_as_by_serve(settings: Settings, tmp_path: Path) -> None:
    production = replace(settings, environment="production", home=tmp_path / "empty")
    found = said(production)
    assert "no pseudonym keys at" in found["error pseudonym keys"]
    assert "set FEEDBACK_TOKEN_KEY" in found["error token key"]
    assert "no approval key at" in found["error approval key"]
    assert not any(path.name.endswith((".key", ".json")) for path in production.home.iterdir())  # none was made up


def test_production_with_its_keys_is_well(settings: Settings, tmp_path: Path) -> None:
    home = tmp_path / "kept"
    home.mkdir(mode=0o700)
    for name, text in {"keys.json": f'{{"current": "k1", "keys": {{"k1": "{"ab" * 32}"}}}}',
                       "approval.key": "cd" * 32}.items():  # fmt: skip
        (home / name).write_text(text)
        (home / name).chmod(0o600)
    given = replace(settings, environment="production", home=home,
                    capture=replace(settings.capture, token_key="t" * 40))  # fmt: skip
    found = said(given)
    assert {"ok pseudonym keys", "ok token key", "ok approval key"} <= found.keys()


def test_a_variable_that_means_nothing_is_a_warning_with_the_one_meant(settings: Settings) -> None:
    mistaken = replace(settings, unknown=(("FEEDBACK_JUGE_MODEL", "FEEDBACK_JUDGE_MODEL"),))
    finding = next(one for one in health.examine(mistaken) if one.what == "settings")
    assert (finding.level, finding.found) == ("warn", "FEEDBACK_JUGE_MODEL is set and means nothing")
    assert finding.advice == "did you mean FEEDBACK_JUDGE_MODEL?"


def test_an_extra_that_is_asked_for_and_missing_is_an_error_with_the_command(settings: Settings) -> None:
    asked = replace(settings, names_model="en:en_core_web_sm")
    findings = [one for one in health.examine(asked) if one.what == "extras"]
    if extras.missing("names"):
        assert findings[0].level == "error"
        assert findings[0].advice.startswith("pip install 'feedback-pipeline[names]'")
    else:
        assert findings == []


def test_a_module_of_an_extra_is_led_back_to_it() -> None:
    assert "feedback-pipeline[s3]" in (extras.advice("s3fs.core") or "")
    assert extras.advice("numpy") is None
    assert extras.advice(None) is None


def test_a_folder_that_others_may_read_is_a_warning_with_the_command(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir(mode=0o700, exist_ok=True)
    assert "ok home" in said(settings)
    apart = tmp_path / "tables"
    apart.mkdir(mode=0o755)
    finding = next(one for one in health.examine(replace(settings, data_url=str(apart))) if one.what == "home")
    assert (finding.level, finding.found, finding.advice) == ("warn", f"{apart}: others may read it",
                                                              f"chmod -R go-rwx '{apart}'")  # fmt: skip
    settings.home.chmod(0o750)
    assert said(settings)["warn home"] == f"{settings.home}: others may read it"


def test_what_a_command_writes_is_its_owners_alone_whatever_the_mask(settings: Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "feedback_pipeline.cli", "pseudonyms", "show"],
        env=os.environ | {"FEEDBACK_HOME": str(settings.home), "FEEDBACK_DATABASE_URL": str(settings.database_url)},
        umask=0, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = [settings.home, *settings.home.rglob("*")]
    assert {path.name for path in written} >= {settings.home.name, "keys.json"}
    assert [path for path in written if path.stat().st_mode & 0o077] == []
