"""Rows of `alarm_events` and `logs` from notifications.

What raises and clears: linkDown and linkUp (RFC 2863 clause 4), alarmActiveState and alarmClearState (RFC 3877 clause
4.2), rising and falling thresholds (RFC 2819 clause 5) and sessions of BGP (RFC 4273 clause 4). A restart and a failed
authentication raise what nothing clears: event types and causes are those of ITU-T X.733, X.736 and M.3100 as RFC 3877
numbers them, where a restart is lossOfRealTime of severity warning. A trap that says no severity has none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.instants import LAST_US
from cellwright.telemetry.formats.names import join_dn, rdn
from cellwright.telemetry.formats.snmp_names import NOTIFICATIONS, name_of

if TYPE_CHECKING:
    from cellwright.telemetry.formats.snmp_messages import Notification

_NEW: Final = "notifyNewAlarm"
_CLEARED: Final = "notifyClearedAlarm"
_INDETERMINATE: Final = "INDETERMINATE"
# RFC 3877, 5.2, ituAlarmEntry: the severity is the last index of the alarm's model.
_SEVERITIES: Final = MappingProxyType(
    {"1": "CLEARED", "2": _INDETERMINATE, "3": "WARNING", "4": "MINOR", "5": "MAJOR", "6": "CRITICAL"}
)
_NO_RESOURCE: Final = "0.0"
_OID: Final = "1.3.6.1."
_MODELLED: Final = "alarmActiveState"
_MODEL_COLUMN: Final = 12  # arcs of alarmModelTable's entry and column, before the index


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a notification means as an alarm; those of one problem raise and clear each other's."""

    problem: str  # the name of what raises it
    event_type: str | None = None
    cause: str | None = None
    severity: str = _INDETERMINATE
    family: str = ""  # how the names of the objects begin whose index tells what the alarm is of
    object_class: str | None = None  # of that, within the managed element
    clears: bool = False


_RESTART: Final = ("PROCESSING_ERROR_ALARM", "lossOfRealTime", "WARNING")
_RAISING: Final = (
    _Meaning(
        "linkDown",
        "COMMUNICATIONS_ALARM",
        "communicationsSubsystemFailure",
        family="if",
        object_class="interface",
    ),
    _Meaning(
        "bgpBackwardTransNotification",
        "COMMUNICATIONS_ALARM",
        "communicationsProtocolError",
        family="bgpPeer",
        object_class="bgpPeer",
    ),
    _Meaning("risingAlarm", "QUALITY_OF_SERVICE_ALARM", "thresholdCrossed", family="alarm"),
    _Meaning("coldStart", *_RESTART),
    _Meaning("warmStart", *_RESTART),
    _Meaning("authenticationFailure", "SECURITY_SERVICE_OR_MECHANISM_VIOLATION", "authenticationFailure", "WARNING"),
    _Meaning(_MODELLED, object_class="resource"),
)
_CLEARING: Final = {
    "linkUp": "linkDown",
    "bgpEstablishedNotification": "bgpBackwardTransNotification",
    "fallingAlarm": "risingAlarm",
    "alarmClearState": _MODELLED,
}


def _meanings() -> dict[str, _Meaning]:
    raising = {meaning.problem: meaning for meaning in _RAISING}
    return raising | {name: replace(raising[problem], clears=True) for name, problem in _CLEARING.items()}


_MEANINGS: Final = MappingProxyType(_meanings())


def row_of(notification: Notification, source: str, us: int) -> tuple[str, dict[str, object]]:
    """Return (table, row) of a notification that came from the address `source`, `us` microseconds after 1970."""
    meaning = _MEANINGS.get(NOTIFICATIONS.get(notification.trap, ""))
    agent = notification.agent or source
    received = us if 0 <= us <= LAST_US else None
    if meaning is not None:
        return "alarm_events", _alarm_row(notification, meaning, agent, received)
    return "logs", {
        "ts": received,
        "body": name_of(notification.trap),
        "host": agent,
        "app": "snmp",
        "msgid": notification.trap,
        "attributes": _texts(notification),
        "dq_flags": ["receipt-time", *notification.flags],
    }


def _alarm_row(notification: Notification, meaning: _Meaning, agent: str, received: int | None) -> dict[str, object]:
    found = _Objects(notification)
    if meaning.problem == _MODELLED:
        index, problem, severity = _modelled(found)
    else:
        index, problem, severity = found.index(meaning.family), meaning.problem, meaning.severity
    is_unnamed = bool(meaning.family) and not index
    part = rdn(meaning.object_class, index) if meaning.object_class and index else None
    return {
        "alarm_id": "/".join(filter(None, (agent, problem, index))),
        "notification_type": _CLEARED if meaning.clears else _NEW,
        "event_ts": received,
        "raised_ts": None if meaning.clears else received,
        "cleared_ts": received if meaning.clears else None,
        "event_type": meaning.event_type,
        "probable_cause": meaning.cause,
        "perceived_severity": "CLEARED" if meaning.clears else severity,
        "specific_problem": problem,
        "object_dn": join_dn(rdn("ManagedElement", agent), part),
        "additional": _texts(notification),
        "dq_flags": ["receipt-time", *notification.flags, *(["no-index"] if is_unnamed else [])],
    }


class _Objects:
    """The variables of a notification by the name of their object; the first of a name counts."""

    def __init__(self, notification: Notification) -> None:
        self._found: dict[str, tuple[str, str]] = {}  # instance and value
        for oid, text in notification.variables:
            name, _, instance = name_of(oid).partition(".")
            self._found.setdefault(name, (instance, text))

    def text(self, name: str) -> str:
        """Return the value of an object, empty when it is not there."""
        return self._found.get(name, ("", ""))[1]

    def index(self, family: str) -> str:
        """Return the value of the family's index object, or else the instance of its first object."""
        instances = (instance for name, (instance, _) in self._found.items() if family and name.startswith(family))
        return self.text(f"{family}Index") or next(filter(None, instances), "")


def _modelled(found: _Objects) -> tuple[str, str, str]:
    """Return (resource, problem, severity) of an alarm of ALARM-MIB: model and state are in the index of its model."""
    resource = name_of(found.text("alarmActiveResourceId").removeprefix(_NO_RESOURCE))
    arcs = found.text("alarmActiveModelPointer").split(".")
    if len(arcs) < _MODEL_COLUMN + 2:
        return resource, _MODELLED, _INDETERMINATE
    model = "-".join(arcs[_MODEL_COLUMN:-1])  # with points it might look like an address
    return resource, f"alarmModel-{model}", _SEVERITIES.get(arcs[-1], _INDETERMINATE)


def _texts(notification: Notification) -> list[tuple[str, str]]:
    """Return the variables by name, a name that comes again numbered, and what the message itself says."""
    texts = {"snmp.version": notification.version, "snmp.trap": name_of(notification.trap)}
    if notification.uptime is not None:
        texts["snmp.sysUpTime"] = notification.uptime
    if notification.is_inform:
        texts["snmp.inform"] = "true"
    seen: dict[str, int] = {}
    for oid, text in notification.variables:
        name = name_of(oid)
        seen[name] = seen.get(name, 0) + 1
        texts[name if seen[name] == 1 else f"{name}#{seen[name]}"] = name_of(text) if text.startswith(_OID) else text
    return list(texts.items())
