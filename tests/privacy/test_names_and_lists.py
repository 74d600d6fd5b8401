"""Tags and reasons are text too: identifiers in them are replaced, and the person's own id is left out (F.23)."""

import polars as pl

from feedback_pipeline.ingest.intake import PrivacyRules
from feedback_pipeline.privacy.pseudonyms import Pseudonymiser
from feedback_pipeline.privacy.redaction import redact_frame

KEYS = Pseudonymiser("k1", {"k1": b"k" * 32})


def frame(tags: list[list[str] | None]) -> pl.DataFrame:
    rows = len(tags)
    return pl.DataFrame(
        {
            "tenant": ["default"] * rows,
            "user_key": [KEYS.pseudonym("default", "ada-4711")] * rows,
            "comment": ["write to bob@example.com"] + [None] * (rows - 1),
            "tags": tags,
        },
        schema_overrides={"tags": pl.List(pl.String), "comment": pl.String},
    )


def test_identifiers_in_lists_are_replaced_and_numbered_with_the_texts() -> None:
    given = frame([["good", "bob@example.com", "+49 171 1234567"], [], None, ["fine"]])
    redacted = redact_frame(given, ("comment",), lists=("tags",))
    assert redacted.frame["tags"].to_list() == [["good", "[EMAIL_1]", "[PHONE_1]"], [], None, ["fine"]]
    assert redacted.frame["comment"].to_list() == ["write to [EMAIL_1]", None, None, None]
    assert redacted.counts == {"EMAIL": 2, "PHONE": 1}
    assert redacted.frame.columns == given.columns


def test_the_persons_own_id_is_no_tag() -> None:
    privacy = PrivacyRules(redact_frame, KEYS.pseudonyms)
    given = frame([["ada-4711", "slow"], ["ada-4711"], None, [], ["ben"]])
    assert privacy.without_own_id(given, ("tags",))["tags"].to_list() == [["slow"], [], None, [], ["ben"]]
