"""A bucket that keeps what was replaced and deleted keeps nothing of a forgotten person."""

import hashlib
from datetime import date

import pytest
from s3fs import S3FileSystem
from upath import UPath

from feedback_pipeline.erasure import versions
from feedback_pipeline.erasure.versions import Hidden, remove_hidden
from feedback_pipeline.tables.parquet import location, remove_file, replaced_file

WORDS = (b"hers", b"hers and his", b"his", b"of a day before", b"of a day", b"of another before", b"of another")
DAY, OTHER = date(2026, 9, 7), date(2026, 9, 8)


def write(root: UPath, name: str, words: bytes) -> None:
    with replaced_file(root / name) as file:
        file.write(words)


def kept(bucket: str) -> list[tuple[str, bytes]]:
    """Every version there is, hidden or not, with its words, and marks of deletion."""
    said = {hashlib.md5(words, usedforsecurity=False).hexdigest(): words for words in WORDS}
    page = S3FileSystem().call_s3("list_object_versions", Bucket=bucket.removeprefix("s3://"))
    found = [(one["Key"], said[one["ETag"].strip('"')]) for one in page.get("Versions", ())]
    return sorted([*found, *((one["Key"], b"gone") for one in page.get("DeleteMarkers", ()))])


@pytest.fixture
def versioned(bucket: str) -> str:
    name = bucket.removeprefix("s3://")
    S3FileSystem().call_s3("put_bucket_versioning", Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return bucket


def test_hidden_versions_of_the_days_that_were_touched_are_deleted_for_good(
    versioned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = location(f"{versioned}/loop")
    for words in (b"hers", b"hers and his", b"his"):
        write(root, f"clean_interactions/{DAY}.parquet", words)
    write(root, f"training_files/{DAY}/sft/train.jsonl", b"hers")
    remove_file(root / f"training_files/{DAY}/sft/train.jsonl")
    write(root, "exports/default/week.jsonl", b"hers")
    remove_file(root / "exports/default/week.jsonl")
    for words in (b"of a day before", b"of a day"):
        write(root, f"clean_interactions/{OTHER}.parquet", words)
    for words in (b"of another before", b"of another"):
        write(location(versioned), "loophole/a.txt", words)
    assert b"hers" in {words for _, words in kept(versioned)}
    monkeypatch.setattr(versions, "_AT_ONCE", 2)
    assert remove_hidden(root, [DAY]) == Hidden(
        6, None
    )  # three versions, one file with its mark twice, less the living
    assert kept(versioned) == [
        (f"loop/clean_interactions/{DAY}.parquet", b"his"),
        (f"loop/clean_interactions/{OTHER}.parquet", b"of a day"),
        (f"loop/clean_interactions/{OTHER}.parquet", b"of a day before"),
        ("loophole/a.txt", b"of another"),
        ("loophole/a.txt", b"of another before"),
    ]
    assert remove_hidden(root, [DAY]) == Hidden(0, None)


def test_where_it_cannot_be_looked_the_receipt_is_told(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remove_hidden(location(bucket), [DAY]) == Hidden(0, None)  # a bucket without versions
    assert "bucket of memory://" in str(remove_hidden(UPath("memory://elsewhere"), [DAY]).kept)

    def refused(*_: object, **__: object) -> None:
        raise PermissionError("AccessDenied")

    monkeypatch.setattr(S3FileSystem, "call_s3", refused)
    assert "does not list them for us (PermissionError)" in str(remove_hidden(location(bucket), [DAY]).kept)
