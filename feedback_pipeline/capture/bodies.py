"""Request bodies: read up to a limit, parsed strictly, with what no text of ours can hold refused by field."""

import json
import zlib
from collections.abc import Iterator
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import jiter
import orjson
from starlette.requests import ClientDisconnect, Request

from feedback_pipeline.capture.problems import ProblemError, invalid, place

MAX_FIELDS = 100
_NUL_ESCAPED = b"\\u0000"


async def read(request: Request, limit: int) -> bytes:
    """The body.

    Raises:
        ProblemError: it is larger than `limit` bytes (413); no more than that is read.
    """
    too_large = ProblemError(
        413, "too_large", f"the body is larger than {limit} bytes", headers={"Connection": "close"}
    )
    declared = request.headers.get("content-length")
    if declared is not None and declared.isdecimal() and int(declared) > limit:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise too_large
    except ClientDisconnect:
        raise ProblemError(400, "malformed", "the body was cut off") from None
    return bytes(body)


def decompressed(body: bytes, encoding: str, limit: int) -> bytes:
    """A body as it was before `Content-Encoding`.

    Raises:
        ProblemError: it would be larger than `limit` bytes (413; no more than that is unpacked), is damaged (400), or
            the encoding is not known (415).
    """
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ProblemError(415, "unsupported_encoding", "send gzip, or no Content-Encoding")
    unpacker = zlib.decompressobj(wbits=47 if encoding != "deflate" else 15)  # 47: gzip or zlib, by its header
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise ProblemError(400, "malformed", f"the body is no {encoding}") from None
    if len(unpacked) > limit:
        raise ProblemError(413, "too_large", f"the body is larger than {limit} bytes when unpacked")
    if not unpacker.eof:
        raise ProblemError(400, "malformed", "the body was cut off")
    return unpacked


def parse(body: bytes, content_type: str) -> Any:
    """The value in a body: JSON, or a form's fields as an object.

    Raises:
        ProblemError: malformed, too deep, a repeated key, a NUL or a lone surrogate; named by field where there is one.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return _form(_pairs(body))
    if kind == "multipart/form-data":
        return _form(_parts(body, content_type))
    if kind not in {"", "application/json"} and not kind.endswith("+json"):
        raise ProblemError(
            415,
            "unsupported_media_type",
            "send application/json, application/x-www-form-urlencoded or multipart/form-data",
        )
    return parse_json(body)


def parse_json(body: bytes) -> Any:
    """The value of a JSON text; see `parse`."""
    try:
        value = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise _malformed(body, str(error)) from None
    if _NUL_ESCAPED in body or b"\x00" in body:
        refuse_unstorable(value)
    return value


def refuse_unstorable(value: Any) -> None:
    """Refuses strings that PostgreSQL cannot hold.

    Raises:
        ProblemError: a string holds NUL or a lone surrogate.
    """
    for path, text in _strings(value):
        if "\x00" in text:
            raise invalid(place(path), "contains a NUL character")
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise invalid(place(path), "contains a lone surrogate")


def to_json(value: Any, field: str) -> str:
    """The compact JSON text of a value that came in.

    Raises:
        ProblemError: it holds a number beyond 64 bits.
    """
    try:
        return orjson.dumps(value).decode()
    except (orjson.JSONEncodeError, UnicodeDecodeError):
        raise invalid(field, "holds a number or a text that JSON cannot carry between systems") from None


def _malformed(body: bytes, reason: str) -> ProblemError:
    if "surrogate" in reason or "hex escape" in reason or "unicode" in reason.lower():
        try:
            refuse_unstorable(json.loads(body))
        except ProblemError as named:
            return named
        except (ValueError, RecursionError):
            pass  # malformed in another way as well: the general answer holds
    code = "duplicate_key" if "duplicate" in reason.lower() else "malformed"
    return ProblemError(400, code, f"the body is not valid JSON: {_without_content(reason)}")


def _without_content(reason: str) -> str:
    """The parser's message without the caller's words."""
    head, quote, tail = reason.partition('"')
    return head.strip() + (f" … {tail.rpartition(chr(34))[2].strip()}" if quote else "")


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise ProblemError(400, "malformed", "the form cannot be read") from None


def _parts(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """The fields of a multipart form (RFC 7578); files are refused."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("ascii", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    parts = list(message.iter_parts()) if message.is_multipart() else []
    if not 0 < len(parts) <= MAX_FIELDS:
        raise ProblemError(400, "malformed", "the form cannot be read")
    pairs = []
    for part in parts:
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes) or part.get_filename() is not None:
            raise ProblemError(400, "malformed", "the form holds what is no field of text")
        try:
            pairs.append((name, content.decode()))
        except UnicodeDecodeError:
            raise ProblemError(400, "malformed", "the form is not UTF-8") from None
    return pairs


def _form(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, text in pairs:
        if name in fields:
            raise ProblemError(400, "duplicate_key", "the form names a field twice")
        fields[name] = {"true": True, "false": False}.get(text, text) if name == "rating" else text
    if fields.get("comment") == "":
        del fields["comment"]
    refuse_unstorable(fields)
    return fields


def _strings(value: Any) -> Iterator[tuple[tuple[int | str, ...], str]]:
    waiting: list[tuple[tuple[int | str, ...], Any]] = [((), value)]
    while waiting:
        path, item = waiting.pop()
        if isinstance(item, str):
            yield path, item
        elif isinstance(item, list):
            waiting += [((*path, index), element) for index, element in enumerate(item)]
        elif isinstance(item, dict):
            for key, element in item.items():
                yield (*path, "(name)"), key
                waiting.append(((*path, key), element))
