"""What the tests of the edge filter share: raw records that name subscribers, and a desk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cellwright.gateway.filter_policy import EdgeSpec
from cellwright.wiring.edge import EdgeDesk
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from cellwright.wiring.settings import Settings

MAPPING = Path(__file__).parents[2] / "examples" / "mappings" / "alarm-list.yaml"
SUBSCRIBER = "262019876543210"
HEADER = "alarm_id,device_id,start_timestamp,end_timestamp"
_START_US = 1_770_000_000_000_000


def settings(folder: Path) -> Settings:
    """Return settings whose files lie in a folder."""
    named = {"CELLWRIGHT_KEY_FILE": str(folder / "pseudonym.key"), "XDG_STATE_HOME": str(folder / "state")}
    return replace(read_settings(named, folder), data=folder / "none")


def desk(folder: Path, **spec: Any) -> EdgeDesk:  # noqa: ANN401 - the fields of EdgeSpec
    """Return a desk that reads every installed format and the alarm list."""
    return EdgeDesk(EdgeSpec(**({"mappings": (str(MAPPING),)} | spec)), settings(folder), folder)


def event(number: int) -> dict[str, Any]:
    """Return a VES fault of one of seven elements that names a subscriber."""
    at = _START_US + number * 1_000_000
    header = {
        "domain": "fault",
        "eventId": f"fault-{number}",
        "eventName": "Fault_Cell_LossOfSignal",
        "eventType": "equipmentAlarm",
        "lastEpochMicrosec": at,
        "startEpochMicrosec": at,
        "priority": "High",
        "reportingEntityName": f"gNB-{number % 7}",
        "sequence": number,
        "sourceName": f"gNB-{number % 7}",
        "version": "4.1",
        "vesEventListenerVersion": "7.2.1",
    }
    fields = {
        "alarmCondition": "lossOfSignal",
        "eventSeverity": "MAJOR",
        "eventSourceType": "cell",
        "faultFieldsVersion": "4.0",
        "specificProblem": f"no signal for IMSI {SUBSCRIBER}",
        "vfStatus": "Active",
    }
    return {"commonEventHeader": header, "faultFields": fields}


def batch(events: int) -> str:
    """Return a VES batch as somebody would paste it."""
    return orjson.dumps({"eventList": [event(number) for number in range(events)]}, option=orjson.OPT_INDENT_2).decode()


def lines(events: int) -> str:
    """Return VES events one a line."""
    return "\n".join(orjson.dumps({"event": event(number)}).decode() for number in range(events))


def syslog(records: int) -> str:
    """Return syslog records that name a subscriber."""
    return "\n".join(
        f"<134>1 2026-02-02T02:40:{number % 60:02}Z amf-1 amf - - - registration of imsi-{SUBSCRIBER} rejected"
        for number in range(records)
    )


def table(alarms: int) -> str:
    """Return a table of alarms whose columns a mapping explains."""
    rows = (f"{number % 5},{number % 7},{number * 10},{number * 10 + 600}" for number in range(alarms))
    return "\n".join((HEADER, *rows))
