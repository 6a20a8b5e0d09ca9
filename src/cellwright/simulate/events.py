"""VES 7.2.1 batches: fault events and heartbeats, one file for each interval."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from cellwright.simulate.network import AMF, SMF, UPF, dice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

    from cellwright.simulate.faults import Alarm
    from cellwright.simulate.story import Story
    from cellwright.simulate.subscribers import Subscribers

INTERVAL: Final = timedelta(minutes=5)
_OFFSET: Final = "UTC+01:00"
_PLANTED_SHARE: Final = 0.08  # of fault events name a subscriber
_VENDORS: Final = {"gnb": "Norrland Radio", "amf": "Corewerk", "smf": "Corewerk", "upf": "Corewerk", "rtr": "Pathline"}
_PRIORITIES: Final = {"CRITICAL": "High", "MAJOR": "High", "MINOR": "Medium", "WARNING": "Low", "NORMAL": "Normal"}


def ves_files(story: Story) -> Iterator[tuple[str, bytes]]:
    """Yield (path, batch) for each interval; an event is in the file of the interval it was sent in."""
    random = dice(story.seed, "ves")
    ids = {element: str(UUID(int=random.getrandbits(128), version=4)) for element in story.network.elements}
    events = sorted(_fault_events(story, ids, random), key=lambda event: event[0])
    beat, moment, position = 0, story.start, 0
    while moment < story.end:
        until = moment + INTERVAL
        batch = [_heartbeat(element, ids[element], moment, beat) for element in story.network.elements]
        while position < len(events) and events[position][0] < until:
            batch.append(events[position][1])
            position += 1
        yield f"ves/{moment:%Y%m%dT%H%M}Z.json", _json({"eventList": batch})
        beat, moment = beat + 1, until


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _fault_events(story: Story, ids: dict[str, str], random: Random) -> Iterator[tuple[datetime, dict[str, Any]]]:
    for fault in story.faults:
        for alarm in fault.alarms:
            details = _details(alarm, story.subscribers, random)
            yield alarm.raised, _fault_event(alarm, details, ids, alarm.raised, cleared=False)
            yield alarm.cleared, _fault_event(alarm, details, ids, alarm.cleared, cleared=True)


def _fault_event(
    alarm: Alarm, details: dict[str, str], ids: dict[str, str], sent: datetime, *, cleared: bool
) -> dict[str, Any]:
    severity = "NORMAL" if cleared else alarm.kind.severity
    element = alarm.place.element
    header = _header(element, ids[element], "fault", alarm.raised, sent)
    header |= {
        "eventId": alarm.event_id,
        "eventName": f"Fault_{_kind(element)}_{alarm.kind.condition}",
        "sequence": int(cleared),
        "priority": _PRIORITIES[severity],
    }
    fields = {
        "faultFieldsVersion": "4.0",
        "alarmCondition": alarm.kind.condition,
        "eventSourceType": alarm.place.part_class,
        "specificProblem": alarm.kind.problem,
        "eventSeverity": severity,
        "vfStatus": "Active",
        "alarmAdditionalInformation": details,
    }
    if alarm.place.part:
        fields["alarmInterfaceA"] = alarm.place.part
    return {"commonEventHeader": header, "faultFields": fields}


def _heartbeat(element: str, source_id: str, moment: datetime, beat: int) -> dict[str, Any]:
    header = _header(element, source_id, "heartbeat", moment, moment)
    header |= {
        "eventId": f"heartbeat-{element}",
        "eventName": f"Heartbeat_{_kind(element)}",
        "sequence": beat,
        "priority": "Normal",
    }
    fields = {"heartbeatFieldsVersion": "3.0", "heartbeatInterval": int(INTERVAL.total_seconds())}
    return {"commonEventHeader": header, "heartbeatFields": fields}


def _header(element: str, source_id: str, domain: str, started: datetime, sent: datetime) -> dict[str, Any]:
    return {
        "version": "4.1",
        "vesEventListenerVersion": "7.2.1",
        "domain": domain,
        "reportingEntityName": "oam-1",
        "sourceId": source_id,
        "sourceName": element,
        "nfVendorName": _VENDORS[element.partition("-")[0]],
        "nfNamingCode": _kind(element),
        "nfcNamingCode": "oam",
        "startEpochMicrosec": _epoch_us(started),
        "lastEpochMicrosec": _epoch_us(sent),
        "timeZoneOffset": _OFFSET,
    }


def _kind(element: str) -> str:
    return element.partition("-")[0]


def _epoch_us(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


def _details(alarm: Alarm, subscribers: Subscribers, random: Random) -> dict[str, str]:
    details = {"shelf": str(random.randint(1, 4)), "slot": str(random.randint(1, 12))}
    if random.random() >= _PLANTED_SHARE:
        return details
    subscriber = subscribers.any(random)
    match alarm.place.element:
        case element if element in {AMF, SMF}:
            return details | {"lastSupi": subscribers.plant(subscriber, "supi")}
        case element if element == UPF:
            return details | {"lastUe": subscribers.plant(subscriber, "ipv4")}
    return details | {"lastImsi": subscribers.plant(subscriber, "imsi")}
