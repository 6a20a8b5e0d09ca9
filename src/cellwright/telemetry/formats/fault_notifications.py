"""Fault supervision notifications of 3GPP management services in JSON (TS 28.532, 11.2), outside VES."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cellwright.telemetry.formats.fault_notifications_rows import ALARM_NOTIFICATIONS, notification_row
from cellwright.telemetry.formats.gathered import GatheredFacts
from cellwright.telemetry.formats.json_documents import (
    Item,
    Layout,
    quarantine_document,
    read_documents,
    split_pieces,
    top_keys,
)
from cellwright.telemetry.formats.json_tokens import DOCUMENTS, OTHER, count_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch
    from cellwright.telemetry.formats.json_documents import Document, Piece

_TYPE: Final = "notificationType"
_NOTIFIES: Final = re.compile(rb'"notificationType"\s{0,99}:\s{0,99}"notify[A-Z]')
_STARTS: Final = ("href", "notificationId", "notificationType", "eventTime", "systemDN", "objectInstance", "alarmId")
_LAYOUT: Final = Layout(
    starts=frozenset(_STARTS),
    children=MappingProxyType({("", ""): {"{": "notification"}}),
    items=frozenset(("notification",)),
)
_OTHERS: Final = frozenset(
    (
        "notifyAlarmListRebuilt",
        "notifyAlarmListRebuiltGeneral",
        "notifyComments",
        "notifyEvent",
        "notifyFilePreparationError",
        "notifyFileReady",
        "notifyHeartbeat",
        "notifyMOIAttributeValueChanges",
        "notifyMOIChanges",
        "notifyMOICreation",
        "notifyMOIDeletion",
        "notifyPotentialFaultyAlarmList",
        "notifyThresholdCrossing",
    )
)
"""Notifications of TS 28.532 that do not say how one alarm stands; they are left out, by name."""


class FaultNotifications:
    """A fact is a notification: an object on its own, on a line, or in an array."""

    name = "fault-notifications"

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether the head is JSON whose outermost objects say what they notify of."""
        return _TYPE in top_keys(head) and _NOTIFIES.search(head) is not None

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of outermost objects, counted from braces and texts."""
        return sum(_count(piece.raw) for piece in split_pieces(stream, _LAYOUT))

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; an invalid notification is quarantined alone, damaged JSON up to the next document."""
        facts = GatheredFacts()

        def add(piece: Piece, document: Document) -> Iterator[None]:
            if isinstance(document.tree, Item):
                _add(facts, piece, document.tree)
            elif not document.broken:
                quarantine_document(facts, piece, document, "expected a notification", 1)
            yield

        yield from read_documents(facts, stream, _LAYOUT, _count, add)


def _add(facts: GatheredFacts, piece: Piece, item: Item) -> None:
    flaw = item.flaw or _flaw(item.value)
    kind = item.value.get(_TYPE)
    if flaw:
        raw = piece.cut(item.start, item.end)
        facts.quarantine("invalid-notification", flaw, raw, line=piece.line_at(item.start))
    elif kind in ALARM_NOTIFICATIONS:
        facts.row("alarm_events", notification_row(item.value))
    else:
        facts.leave_out(f"3gpp-{kind}" if kind in _OTHERS else "3gpp-other-notification")


def _flaw(notification: dict[str, Any]) -> str | None:
    """Return what an object lacks to be a notification of an alarm."""
    kind = notification.get(_TYPE)
    if not isinstance(kind, str):
        return "expected a notificationType that is text"
    if kind in ALARM_NOTIFICATIONS and not isinstance(notification.get("alarmId"), str | int):
        return "expected an alarmId"
    return None


class _Rules:
    """Every object or scalar around which only arrays stand is a fact."""

    def nested(self, around: str, key: str, mark: bytes) -> str:  # noqa: ARG002 - keys mean nothing here
        """Return the role of an object or array."""
        if around != DOCUMENTS:
            return OTHER
        return DOCUMENTS if mark == b"[" else "notification"

    def scalar(self, around: str, key: str, raw: bytes, *, quoted: bool) -> int:  # noqa: ARG002 - only the place counts
        """Return 1 outside notifications."""
        return int(around == DOCUMENTS)

    def closed(self, role: str, facts: int) -> int:
        """Return 1 for a notification."""
        return 1 if role == "notification" else facts


_RULES: Final = _Rules()


def _count(raw: bytes) -> int:
    return count_tokens(_RULES, raw)
