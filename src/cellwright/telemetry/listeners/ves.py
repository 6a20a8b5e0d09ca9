"""VES events over HTTP (ONAP VES Event Listener 7.2.1): single events and batches, durable before they are accepted."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import orjson

from cellwright.telemetry.formats.ves import Ves
from cellwright.telemetry.listeners.http import Answer, Answers, HttpDoor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.telemetry.listener import Intake, ListenerSpec

_VERSIONS: Final = ((b"x-latestversion", b"7.2.1"), (b"x-minorversion", b"2"), (b"x-patchversion", b"1"))
_RETRY_S: Final = b"5"


def _fault(status: int, kind: str, code: str, text: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Return an error as the specification shapes it: requestError with a service or a policy exception."""
    body = {"requestError": {kind: {"messageId": code, "text": text, "variables": []}}}
    return Answer(status, orjson.dumps(body), (*_VERSIONS, *headers))


_ANSWERS: Final = Answers(
    kept=Answer(202, headers=_VERSIONS),
    unknown_path=_fault(404, "serviceException", "SVC0001", "the path is none of /eventListener/v7[/eventBatch]"),
    wrong_method=_fault(405, "serviceException", "SVC0001", "only POST is allowed here", (b"allow", b"POST")),
    not_admitted=_fault(
        401, "policyException", "POL2000", "Unauthorized user", (b"www-authenticate", b'Basic realm="ves"')
    ),
    too_large=_fault(413, "policyException", "POL9003", "the message is larger than this listener takes"),
    too_slow=_fault(408, "serviceException", "SVC0001", "the body did not arrive in time"),
    full=_fault(
        429, "serviceException", "SVC1000", "No server resources: come again later", (b"retry-after", _RETRY_S)
    ),
    broken=_fault(503, "serviceException", "SVC1000", "No server resources: the event could not be stored"),
)
_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")  # line ends in JSON are space between its parts
_PATHS: Final = ("/eventListener/v5", "/eventListener/v6", "/eventListener/v7")


class VesListener(HttpDoor):
    """The listener; an event that is not valid is refused with the place of its flaw, and its whole batch with it."""

    format = Ves.name

    def __init__(self, spec: ListenerSpec, intake: Intake) -> None:
        paths = (*_PATHS, *(f"{path}/eventBatch" for path in _PATHS))
        super().__init__(spec, intake, _ANSWERS, dict.fromkeys(paths, self._checked))
        self._ves = Ves()

    def content(self, records: Sequence[bytes]) -> bytes:
        """Return the documents, a line for each."""
        return b"\n".join(records)

    def _checked(self, body: bytes, _: Mapping[bytes, bytes]) -> list[bytes] | Answer:
        """Return the body as one line, or what is wrong with it."""
        document, facts = body.strip().translate(_ONE_LINE), 0
        for batch in self._ves.parse(io.BytesIO(document)):
            if batch.quarantined:
                flaw = batch.quarantined[0]
                return _fault(400, "serviceException", "SVC0002", f"{flaw.code}: {flaw.reason}")
            facts += sum(rows.num_rows for rows in batch.tables.values()) + sum(each.facts for each in batch.filtered)
        if not facts:
            return _fault(400, "serviceException", "SVC0002", "the body holds no event")
        return [document]
