"""VES events over HTTP (ONAP VES Event Listener 5 to 7): single ones and batches, durable before they are accepted."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Final

import orjson

from cellwright.telemetry.formats.ves import Ves
from cellwright.telemetry.listeners.http import Answer, Answers, HttpDoor, Route

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cellwright.telemetry.listener import Intake, ListenerSpec

_RETRY_S: Final = b"5"
_ONE_LINE: Final = bytes.maketrans(b"\r\n", b"  ")  # line ends in JSON are space between its parts
_PATHS: Final = {"/eventListener/v5": None, "/eventListener/v6": b"6.0.0", "/eventListener/v7": b"7.2.1"}
"""The version that answers on each path; services say it in headers since 6.0 (6.1.2 of the specification)."""


class _Words:
    """What a service of one version says."""

    def __init__(self, version: bytes | None) -> None:
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        if version is not None:
            _, minor, patch = version.split(b".")
            self._headers = ((b"x-latestversion", version), (b"x-minorversion", minor), (b"x-patchversion", patch))

    def service(self, status: int, code: str, text: str, *headers: tuple[bytes, bytes]) -> Answer:
        """Return an error that the service has with a request."""
        return self._error(status, "serviceException", code, text, headers)

    def policy(self, status: int, code: str, text: str, *headers: tuple[bytes, bytes]) -> Answer:
        """Return an error that the operator's policy has with a request."""
        return self._error(status, "policyException", code, text, headers)

    def _error(self, status: int, kind: str, code: str, text: str, headers: tuple[tuple[bytes, bytes], ...]) -> Answer:
        body = {"requestError": {kind: {"messageId": code, "text": text, "variables": []}}}
        return Answer(status, orjson.dumps(body), (*self._headers, *headers))

    def answers(self) -> Answers:
        """Return what is said of any request."""
        return Answers(
            kept=Answer(202, headers=self._headers),
            unknown_path=self.service(404, "SVC0001", "the path is none of /eventListener/v7[/eventBatch], v6 and v5"),
            wrong_method=self.service(405, "SVC0001", "only POST is allowed here", (b"allow", b"POST")),
            not_admitted=self.policy(401, "POL2000", "Unauthorized user", (b"www-authenticate", b'Basic realm="ves"')),
            too_large=self.policy(413, "POL9003", "the message is larger than this listener takes"),
            too_slow=self.service(408, "SVC0001", "the body did not arrive in time"),
            full=self.service(429, "SVC1000", "No server resources: come again later", (b"retry-after", _RETRY_S)),
            broken=self.service(503, "SVC1000", "No server resources: the event could not be stored"),
        )


class VesListener(HttpDoor):
    """The listener; an event that is not valid is refused with the place of its flaw, and its whole batch with it.

    Events say their version themselves: the path only tells in which version the sender is answered.
    """

    format = Ves.name

    def __init__(self, spec: ListenerSpec, intake: Intake) -> None:
        routes: dict[str, Route] = {}
        for path, version in _PATHS.items():
            words = _Words(version)
            routes[path] = routes[f"{path}/eventBatch"] = Route(partial(self._checked, words), words.answers())
        super().__init__(spec, intake, words.answers(), routes)  # elsewhere in the words of the last one, the latest
        self._ves = Ves()

    def content(self, records: Sequence[bytes]) -> bytes:
        """Return the documents, a line for each."""
        return b"\n".join(records)

    def _checked(self, words: _Words, body: bytes, _: Mapping[bytes, bytes]) -> list[bytes] | Answer:
        """Return the body as one line, or what is wrong with it."""
        document, facts = body.strip().translate(_ONE_LINE), 0
        for batch in self._ves.parse(io.BytesIO(document)):
            if batch.quarantined:
                flaw = batch.quarantined[0]
                return words.service(400, "SVC0002", f"{flaw.code}: {flaw.reason}")
            facts += sum(rows.num_rows for rows in batch.tables.values()) + sum(each.facts for each in batch.filtered)
        if not facts:
            return words.service(400, "SVC0002", "the body holds no event")
        return [document]
