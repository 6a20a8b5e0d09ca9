"""OTLP over HTTP (OpenTelemetry Protocol 1.x): logs and metrics, durable before they are accepted."""

from __future__ import annotations

import zlib
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson

from cellwright.telemetry.listeners.http import Answer, Answers, HttpDoor, Route
from cellwright.telemetry.listeners.otlp_protobuf import MalformedError, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.telemetry.listener import Intake, ListenerSpec


def _status(status: int, code: int, message: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Return an error as OTLP/HTTP shapes it: a google.rpc.Status in JSON."""
    return Answer(status, orjson.dumps({"code": code, "message": message}), headers)


_RETRY: Final = (b"retry-after", b"5")
_ANSWERS: Final = Answers(
    kept=Answer(200, b"{}"),
    unknown_path=_status(404, 5, "the paths are /v1/logs and /v1/metrics"),
    wrong_method=_status(405, 12, "only POST is allowed here", (b"allow", b"POST")),
    not_admitted=_status(401, 16, "who sends is not known here", (b"www-authenticate", b'Basic realm="otlp"')),
    too_large=_status(413, 3, "the message is larger than this listener takes"),
    too_slow=_status(408, 4, "the body did not arrive in time"),
    full=_status(429, 8, "the spool is full: come again later", _RETRY),
    broken=_status(503, 14, "what was sent could not be stored", _RETRY),
)
_MEMBERS: Final = {"/v1/logs": "resourceLogs", "/v1/metrics": "resourceMetrics"}
_MESSAGES: Final = {"resourceLogs": "ExportLogsServiceRequest", "resourceMetrics": "ExportMetricsServiceRequest"}
_JSON: Final = b"application/json"
_KINDS: Final = (_JSON, b"application/x-protobuf")
_PACKINGS: Final = (b"identity", b"gzip")


class OtlpListener(HttpDoor):
    """The listener; whatever the encoding, requests are kept as JSON."""

    format = "otlp"

    def __init__(self, spec: ListenerSpec, intake: Intake) -> None:
        routes = {
            path: Route(partial(_checked, member, spec.most_bytes), _ANSWERS) for path, member in _MEMBERS.items()
        }
        super().__init__(spec, intake, _ANSWERS, routes)

    def content(self, records: Sequence[bytes]) -> bytes:
        """Return the requests, a line for each."""
        return b"".join(record + b"\n" for record in records)


def _checked(member: str, most: int, body: bytes, headers: Mapping[bytes, bytes]) -> list[bytes] | Answer:
    """Return the request as one line of JSON, or what is wrong with it."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    packed = headers.get(b"content-encoding", b"identity").strip().lower()
    if kind not in _KINDS or packed not in _PACKINGS:
        return _status(415, 3, "expected application/x-protobuf or application/json, as it is or in gzip")
    try:
        plain = body if packed == b"identity" else _unpacked(body, most)
        request = orjson.loads(plain) if kind == _JSON else as_json(_MESSAGES[member], plain)
    except OverflowError:
        return _ANSWERS.too_large
    except (orjson.JSONDecodeError, MalformedError, zlib.error):
        return _status(400, 3, f"the body is no {kind.decode()} that can be read")
    if not isinstance(request, dict) or not isinstance(request.get(member, []), list):
        return _status(400, 3, f"expected an object with a list {member}")
    return [orjson.dumps(request)] if request.get(member) else []


def _unpacked(body: bytes, most: int) -> bytes:
    """Return what gzip packed; raise zlib.error, and OverflowError where it is more than `most` bytes."""
    stream = zlib.decompressobj(wbits=31)  # RFC 1952 alone
    plain = stream.decompress(body, most + 1)
    if len(plain) > most:
        raise OverflowError
    if not stream.eof:
        raise zlib.error
    return plain
