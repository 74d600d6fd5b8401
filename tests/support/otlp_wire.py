"""OTLP requests in protobuf, encoded here by hand: what the service reads was not written by its own tables."""

import struct
from collections.abc import Mapping
from typing import Any


def varint(number: int) -> bytes:
    out = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def field(number: int, value: bytes | str | int) -> bytes:
    """A field of length-delimited bytes, or a varint."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def fixed64(number: int, value: int) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<Q", value)


def any_value(value: Any) -> bytes:
    match value:
        case bool():
            return field(2, int(value))
        case str():
            return field(1, value)
        case int():
            return field(3, value)
        case float():
            return varint(4 << 3 | 1) + struct.pack("<d", value)
        case list():
            return field(5, b"".join(field(1, any_value(item)) for item in value))
        case dict():
            return field(6, attributes(1, value))
        case _:
            return b""


def attributes(number: int, held: Mapping[str, Any]) -> bytes:
    return b"".join(field(number, field(1, name) + field(2, any_value(value))) for name, value in held.items())


def span(trace: str, identity: str, held: Mapping[str, Any], started: int, ended: int, name: str = "chat") -> bytes:
    return (
        field(1, bytes.fromhex(trace)) + field(2, bytes.fromhex(identity)) + field(5, name) + field(6, 3)
        + fixed64(7, started) + fixed64(8, ended) + attributes(9, held) + field(15, field(3, 1))
    )  # fmt: skip


def traces(*spans: bytes, service: str = "shop") -> bytes:
    resource = field(1, attributes(1, {"service.name": service}))
    scope = field(1, field(1, "made.by.hand")) + b"".join(field(2, one) for one in spans)
    return field(1, resource + field(2, scope))
