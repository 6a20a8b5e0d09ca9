"""OTLP over HTTP (OpenTelemetry Protocol 1.x): logs and metrics in JSON, durable before they are accepted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import orjson

from cellwright.telemetry.listeners.http import Answer, Answers, HttpDoor

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


class OtlpListener(HttpDoor):
    """The listener; of encodings it reads JSON, and says so to who sends another."""

    format = "otlp"

    def __init__(self, spec: ListenerSpec, intake: Intake) -> None:
        checks = {path: partial(_checked, member) for path, member in _MEMBERS.items()}
        super().__init__(spec, intake, _ANSWERS, checks)

    def content(self, records: Sequence[bytes]) -> bytes:
        """Return the requests, a line for each."""
        return b"".join(record + b"\n" for record in records)


def _checked(member: str, body: bytes, headers: Mapping[bytes, bytes]) -> list[bytes] | Answer:
    """Return the request as one line, or what is wrong with it."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json" or headers.get(b"content-encoding", b"identity") != b"identity":
        expected = "application/json without compression (set the exporter's protocol to http/json)"
        return _status(415, 3, f"expected {expected}")
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _status(400, 3, "the body is no JSON")
    if not isinstance(request, dict) or not isinstance(request.get(member, []), list):
        return _status(400, 3, f"expected an object with a list {member}")
    return [orjson.dumps(request)] if request.get(member) else []
