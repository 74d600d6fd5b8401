"""OpenTelemetry's export format over HTTP (OTLP 1.x): requests as protobuf or JSON, as plain values.

The protobuf messages are declared here, field by field, as far as they are read; what else a request holds is passed
over, as protobuf has it. Field numbers: opentelemetry-proto, `trace/v1/trace.proto`, `logs/v1/logs.proto`,
`common/v1/common.proto`, `resource/v1/resource.proto` and the collector's services.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import jiter
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

MAX_DEPTH = 32
"""Lists and objects inside each other, in a value of an attribute."""

_PACKAGE = "feedback_otlp"
_STRING, _BYTES, _BOOL, _INT, _DOUBLE, _FIXED = 9, 12, 8, 3, 1, 6
_KINDS = {"string": _STRING, "bytes": _BYTES, "bool": _BOOL, "int64": _INT, "double": _DOUBLE, "fixed64": _FIXED}
# message → (field, number, type; a trailing * is repeated; a message's name is its own type)
_MESSAGES: Mapping[str, tuple[tuple[str, int, str], ...]] = {
    "ArrayValue": (("values", 1, "AnyValue*"),),
    "KeyValueList": (("values", 1, "KeyValue*"),),
    "AnyValue": (
        ("string_value", 1, "string"), ("bool_value", 2, "bool"), ("int_value", 3, "int64"),
        ("double_value", 4, "double"), ("array_value", 5, "ArrayValue"), ("kvlist_value", 6, "KeyValueList"),
        ("bytes_value", 7, "bytes"),
    ),
    "KeyValue": (("key", 1, "string"), ("value", 2, "AnyValue")),
    "Resource": (("attributes", 1, "KeyValue*"),),
    "Scope": (("name", 1, "string"),),
    "Event": (("time_unix_nano", 1, "fixed64"), ("name", 2, "string"), ("attributes", 3, "KeyValue*")),
    "Span": (
        ("trace_id", 1, "bytes"), ("span_id", 2, "bytes"), ("parent_span_id", 4, "bytes"), ("name", 5, "string"),
        ("start_time_unix_nano", 7, "fixed64"), ("end_time_unix_nano", 8, "fixed64"), ("attributes", 9, "KeyValue*"),
        ("events", 11, "Event*"),
    ),
    "ScopeSpans": (("scope", 1, "Scope"), ("spans", 2, "Span*")),
    "ResourceSpans": (("resource", 1, "Resource"), ("scope_spans", 2, "ScopeSpans*")),
    "TraceRequest": (("resource_spans", 1, "ResourceSpans*"),),
    "LogRecord": (
        ("time_unix_nano", 1, "fixed64"), ("body", 5, "AnyValue"), ("attributes", 6, "KeyValue*"),
        ("trace_id", 9, "bytes"), ("span_id", 10, "bytes"), ("observed_time_unix_nano", 11, "fixed64"),
        ("event_name", 12, "string"),
    ),
    "ScopeLogs": (("scope", 1, "Scope"), ("log_records", 2, "LogRecord*")),
    "ResourceLogs": (("resource", 1, "Resource"), ("scope_logs", 2, "ScopeLogs*")),
    "LogRequest": (("resource_logs", 1, "ResourceLogs*"),),
    "PartialSuccess": (("rejected", 1, "int64"), ("error_message", 2, "string")),
    "Response": (("partial_success", 1, "PartialSuccess"),),
}  # fmt: skip
_HEXADECIMAL = re.compile(r"([0-9a-fA-F]{16}){0,2}")
"""An id of a span, of a trace, or none."""
_ONE_OF = {"AnyValue": "value"}


class MalformedError(ValueError):
    """The bytes are no such request."""


class Event(NamedTuple):
    """Something that happened within a span."""

    name: str
    attributes: dict[str, Any]


class Span(NamedTuple):
    """One operation; times in nanoseconds since 1970 (0: not said), ids in hexadecimal digits."""

    trace_id: str
    span_id: str
    name: str
    started: int
    ended: int
    attributes: dict[str, Any]
    events: tuple[Event, ...]
    service: str | None


class Record(NamedTuple):
    """One log record; an event has a name."""

    trace_id: str
    span_id: str
    event: str
    time: int
    attributes: dict[str, Any]
    body: Any
    service: str | None


def read_spans(body: bytes, *, as_json: bool) -> Iterator[Span]:
    """The spans of an ExportTraceServiceRequest.

    Raises:
        MalformedError: it is none.
    """
    return _json_spans(_json(body)) if as_json else _spans(_message("TraceRequest", body))


def read_records(body: bytes, *, as_json: bool) -> Iterator[Record]:
    """The records of an ExportLogsServiceRequest.

    Raises:
        MalformedError: it is none.
    """
    return _json_records(_json(body)) if as_json else _records(_message("LogRequest", body))


def response(rejected: int, why: str) -> bytes:
    """An Export…ServiceResponse in protobuf; empty where nothing was rejected."""
    made = request_class("Response")()
    if rejected:
        made.partial_success.rejected, made.partial_success.error_message = rejected, why
    serialized: bytes = made.SerializeToString()
    return serialized


# Protobuf


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="feedback_otlp.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name in _ONE_OF:
            message.oneof_decl.add(name=_ONE_OF[name])
        for field, number, written in fields:
            kind = written.removesuffix("*")
            made = message.field.add(name=field, number=number, label=3 if written.endswith("*") else 1)
            if kind in _KINDS:
                made.type = _KINDS[kind]
            else:
                made.type, made.type_name = 11, f".{_PACKAGE}.{kind}"
            if name in _ONE_OF:
                made.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


@cache
def request_class(name: str) -> Any:
    """The class of a message of this format, as far as it is declared here."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def _message(name: str, body: bytes) -> Any:
    try:
        return request_class(name).FromString(body)
    except DecodeError as error:
        raise MalformedError("the body is no such protobuf message") from error


def _spans(request: Any) -> Iterator[Span]:
    for resource in request.resource_spans:
        service = _service(_attributes(resource.resource.attributes))
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    span.trace_id.hex(), span.span_id.hex(), span.name, span.start_time_unix_nano,
                    span.end_time_unix_nano, _attributes(span.attributes),
                    tuple(Event(event.name, _attributes(event.attributes)) for event in span.events), service,
                )  # fmt: skip


def _records(request: Any) -> Iterator[Record]:
    for resource in request.resource_logs:
        service = _service(_attributes(resource.resource.attributes))
        for scope in resource.scope_logs:
            for one in scope.log_records:
                attributes = _attributes(one.attributes)
                yield Record(
                    one.trace_id.hex(), one.span_id.hex(), one.event_name or _named(attributes),
                    one.time_unix_nano or one.observed_time_unix_nano, attributes, _value(one.body, 0), service,
                )  # fmt: skip


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        value = pair.value
        # texts first: nearly all are
        found[pair.key] = value.string_value or _value(value, 0)
    return found


def _value(value: Any, depth: int) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or depth > MAX_DEPTH:
        return None
    if kind == "array_value":
        return [_value(item, depth + 1) for item in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: _value(pair.value, depth + 1) for pair in value.kvlist_value.values}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return getattr(value, kind)


# JSON


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        value = jiter.from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedError("the body is not valid JSON") from error
    if not isinstance(value, dict):
        raise MalformedError("the body is no object")
    return value


def _json_spans(request: Mapping[str, Any]) -> Iterator[Span]:
    for resource in _listed(request, "resourceSpans"):
        service = _service(_json_attributes(_held(resource, "resource")))
        for scope in _listed(resource, "scopeSpans"):
            for span in _listed(scope, "spans"):
                yield Span(
                    _id(span, "traceId"), _id(span, "spanId"), _text(span, "name"), _nanos(span, "startTimeUnixNano"),
                    _nanos(span, "endTimeUnixNano"), _json_attributes(span),
                    tuple(Event(_text(event, "name"), _json_attributes(event)) for event in _listed(span, "events")),
                    service,
                )  # fmt: skip


def _json_records(request: Mapping[str, Any]) -> Iterator[Record]:
    for resource in _listed(request, "resourceLogs"):
        service = _service(_json_attributes(_held(resource, "resource")))
        for scope in _listed(resource, "scopeLogs"):
            for one in _listed(scope, "logRecords"):
                attributes = _json_attributes(one)
                yield Record(
                    _id(one, "traceId"), _id(one, "spanId"), _text(one, "eventName") or _named(attributes),
                    _nanos(one, "timeUnixNano") or _nanos(one, "observedTimeUnixNano"), attributes,
                    _json_value(one.get("body"), 0), service,
                )  # fmt: skip


def _held(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    held = value.get(name)
    if held is None:
        return {}
    if not isinstance(held, dict):
        raise MalformedError(f"{name} is no object")
    return held


def _listed(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    held = value.get(name)
    if held is None:
        return []
    if not isinstance(held, list) or not all(isinstance(item, dict) for item in held):
        raise MalformedError(f"{name} is no list of objects")
    return held


def _text(value: Mapping[str, Any], name: str) -> str:
    held = value.get(name, "")
    if not isinstance(held, str):
        raise MalformedError(f"{name} is no text")
    return held


def _id(value: Mapping[str, Any], name: str) -> str:
    """Hexadecimal digits, as OTLP has them in JSON; base64, as some send them, too."""
    text = _text(value, name)
    if _HEXADECIMAL.fullmatch(text):
        return text.lower()
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        raise MalformedError(f"{name} is no id") from None


def _nanos(value: Mapping[str, Any], name: str) -> int:
    held = value.get(name, 0)
    try:
        number = int(held)
    except (TypeError, ValueError):
        raise MalformedError(f"{name} is no number") from None
    return number if 0 <= number < 1 << 64 else 0


def _json_attributes(value: Mapping[str, Any]) -> dict[str, Any]:
    return {_text(pair, "key"): _json_value(pair.get("value"), 0) for pair in _listed(value, "attributes")}


def _json_value(value: Any, depth: int) -> Any:
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        return None
    if "intValue" in value:
        return _whole(value["intValue"])
    if "arrayValue" in value:
        return [_json_value(item, depth + 1) for item in _listed(_held(value, "arrayValue"), "values")]
    if "kvlistValue" in value:
        pairs = _listed(_held(value, "kvlistValue"), "values")
        return {_text(pair, "key"): _json_value(pair.get("value"), depth + 1) for pair in pairs}
    held = next(
        (value[name] for name in ("stringValue", "boolValue", "doubleValue", "bytesValue") if name in value), None
    )
    return held if isinstance(held, str | bool | int | float) else None


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _service(attributes: Mapping[str, Any]) -> str | None:
    name = attributes.get("service.name")
    return name if isinstance(name, str) and name and not name.startswith("unknown_service") else None


def _named(attributes: Mapping[str, Any]) -> str:
    name = attributes.get("event.name")
    return name if isinstance(name, str) else ""
