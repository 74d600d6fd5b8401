"""Earlier versions that a bucket keeps of objects that were replaced or deleted, where words would outlive an erasure.

A bucket with versioning answers a deletion by hiding the object. S3 and what speaks its protocol are asked for hidden
versions, and these are deleted for good. Elsewhere, and where asking is not allowed, the receipt says so.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from upath import UPath

from feedback_pipeline.tables.parquet import is_local

S3 = ("s3", "s3a")
_AT_ONCE = 1000
"""Versions that one request may delete."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Hidden:
    """What became of hidden versions.

    Attributes:
        removed: versions and marks of deletion that were deleted for good.
        kept: why hidden versions may still be there; None where there are none.
    """

    removed: int
    kept: str | None


def remove_hidden(root: UPath, touched: Sequence[date]) -> Hidden:
    """Deletes hidden versions below a folder.

    Args:
        root: the data folder or bucket.
        touched: days, Mondays and firsts of months whose files are meant; of files named after no day all are.
    """
    if is_local(root):
        return Hidden(0, None)
    if root.protocol not in S3:
        return Hidden(0, f"versions and deleted objects that a bucket of {root.protocol}:// may keep")
    bucket, prefix, _ = root.fs.split_path(root.path)
    keys = {day.isoformat() for day in touched}
    try:
        hidden = [one for one in _hidden(root.fs, bucket, f"{prefix.rstrip('/')}/" if prefix else "")
                  if keys.intersection(found := _DATE.findall(one["Key"])) or not found]  # fmt: skip
        for start in range(0, len(hidden), _AT_ONCE):
            part = hidden[start : start + _AT_ONCE]
            answer = root.fs.call_s3("delete_objects", Bucket=bucket, Delete={"Objects": part, "Quiet": True})
            if errors := answer.get("Errors"):
                code = errors[0].get("Code")
                return Hidden(start + len(part) - len(errors), f"{len(errors)} earlier versions in the bucket ({code})")
    except (PermissionError, NotImplementedError) as error:
        return Hidden(0, f"versions that the bucket may keep: it does not list them for us ({type(error).__name__})")
    return Hidden(len(hidden), None)


def _hidden(fs: Any, bucket: str, prefix: str) -> Iterator[dict[str, str]]:
    """Key and version of what is not the newest below a prefix, and of marks of deletion."""
    place: dict[str, str] = {}
    while True:
        page = fs.call_s3("list_object_versions", Bucket=bucket, Prefix=prefix, **place)
        for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
            is_mark = "Size" not in one
            if is_mark or not one["IsLatest"]:
                yield {"Key": one["Key"], "VersionId": one["VersionId"]}
        if not page.get("IsTruncated"):
            return
        place = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
