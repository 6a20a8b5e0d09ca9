"""Events of every edition of VES, and a reader that is slow and plainly right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from format_kit import Outcome, read

from cellwright.telemetry.formats.ves import Ves, _read_text
from cellwright.telemetry.formats.ves_documents import split_pieces
from cellwright.telemetry.formats.ves_gather import Gathered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch

EDITIONS: Final = ("5", "6", "7")
HEADER: Final = {
    "eventName": "Fault_x",
    "eventId": "1",
    "sequence": 0,
    "priority": "High",
    "reportingEntityName": "oam",
    "reportingEntityId": "cc305d54",
    "sourceName": "gnb-1",
    "sourceId": "de305d54",
    "nfNamingCode": "ibcx",
    "startEpochMicrosec": 1_772_323_200_000_000,
    "lastEpochMicrosec": 1.7723232e15,
}
_VERSIONS: Final[dict[str, dict[str, Any]]] = {
    "5": {"version": 3.0},
    "6": {"version": 3.0},
    "7": {"version": "4.1", "vesEventListenerVersion": "7.2.1"},
}


def block_of(edition: str, domain: str) -> tuple[str, dict[str, Any]]:
    """Return the block of a domain, and the name it has in an edition, with all that the editions say otherwise."""
    is_text = edition == "7"

    def version(*numbers: float) -> str | float:
        number = numbers[EDITIONS.index(edition)]
        return str(number) if is_text else number

    def texts(**named: str) -> Any:  # noqa: ANN401 - a list or an object
        return named if edition != "5" else [{"name": name, "value": text} for name, text in named.items()]

    blocks: dict[str, tuple[str, dict[str, Any]]] = {
        "fault": (
            "faultFields",
            {
                "faultFieldsVersion": version(2.0, 3.0, 4.0),
                "alarmAdditionalInformation": texts(shelf="1", pool="a|b"),
                "alarmCondition": "LinkDown",
                "eventSourceType": "port",
                "specificProblem": "Loss of signal",
                "eventSeverity": "MAJOR",
                "vfStatus": "Active",
            },
        ),
        "thresholdCrossingAlert": (
            "thresholdCrossingAlertFields",
            {
                "thresholdCrossingFieldsVersion": version(2.0, 3.0, 4.0),
                "additionalFields": texts(room="7"),
                "additionalParameters": [
                    {"criticality": "MAJ", "thresholdCrossed": "cpu"}
                    | ({"name": "percent", "value": "91"} if edition == "5" else {"hashMap": {"percent": "91"}})
                ],
                "alertAction": "SET",
                "alertDescription": "hot",
                "alertType": "CARD-ANOMALY",
                "collectionTimestamp": "now",
                "eventSeverity": "MINOR",
                "eventStartTimestamp": "then",
            },
        ),
        "syslog": (
            "syslogFields",
            {
                "syslogFieldsVersion": version(3.0, 3.0, 4.0),
                "additionalFields": {"a": "b", "c": "d=e"} if is_text else "a=b|c=d=e",
                "eventSourceType": "host",
                "syslogMsg": "text",
                "syslogTag": "tag",
            },
        ),
        "heartbeat": (
            "heartbeatFields",
            {
                "heartbeatFieldsVersion": version(1.0, 2.0, 3.0),
                "heartbeatInterval": 20,
                "additionalFields": texts(a="b"),
            },
        ),
        "measurement": ("measurementFields", _measurement(texts, version(2.0, 3.0, 4.0))),
        "pnfRegistration": ("pnfRegistrationFields", {"pnfRegistrationFieldsVersion": version(1.0, 1.0, 2.0)}),
        "other": ("otherFields", {"otherFieldsVersion": version(1.1, 2.0, 3.0)}),
        "stateChange": (
            "stateChangeFields",
            {
                "stateChangeFieldsVersion": version(2.0, 3.0, 4.0),
                "newState": "inService",
                "oldState": "maintenance",
                "stateInterface": "xe-0",
            },
        ),
    }
    name, block = blocks[domain]
    if edition == "5" and domain == "measurement":
        return "measurementsForVfScalingFields", _as_5(block)
    return name, block


def _measurement(texts: Any, version: str | float) -> dict[str, Any]:  # noqa: ANN401 - as above
    return {
        "measurementFieldsVersion": version,
        "measurementInterval": 60,
        "additionalFields": texts(used="12", state="on"),
        "additionalMeasurements": [{"name": "licence", "hashMap": texts(free="3.5", kind="x")}],
        "featureUsageArray": {"nine": "9"},
        "codecUsageArray": [{"codecIdentifier": "711", "numberInUse": 4}],
        "concurrentSessions": 5,
        "cpuUsageArray": [{"cpuIdentifier": "0", "percentUsage": 12.5, "cpuIdle": 87.5}],
        "filesystemUsageArray": [
            {
                "filesystemName": "/",
                "blockConfigured": 1,
                "blockIops": 2,
                "blockUsed": 3,
                "ephemeralConfigured": 4,
                "ephemeralIops": 5,
                "ephemeralUsed": 6,
            }
        ],
        "latencyDistribution": [{"countsInTheBucket": 7, "lowEndOfLatencyBucket": 0.5}],
        "nicPerformanceArray": [{"nicIdentifier": "eth0", "valuesAreSuspect": "true", "receivedOctetsDelta": 9}],
        "requestRate": 1.5,
    }


def _as_5(block: dict[str, Any]) -> dict[str, Any]:
    (nic,) = block.pop("nicPerformanceArray")
    (measured,) = block.pop("additionalMeasurements")
    return block | {
        "measurementsForVfScalingVersion": block.pop("measurementFieldsVersion"),
        "additionalMeasurements": [{"name": measured["name"], "arrayOfFields": measured["hashMap"]}],
        "featureUsageArray": [{"featureIdentifier": "9", "featureUtilization": 9}],
        "vNicPerformanceArray": [{"vNicIdentifier": nic.pop("nicIdentifier")} | nic],
        "vnfcScalingMetric": 2,
    }


def event_of(edition: str, domain: str, /, **header: object) -> dict[str, Any]:
    """Return an event as an edition has it."""
    name, block = block_of(edition, domain)
    spelt = "measurementsForVfScaling" if edition == "5" and domain == "measurement" else domain
    return {"commonEventHeader": HEADER | _VERSIONS[edition] | {"domain": spelt} | header, name: block}


class EachAlone(Ves):
    """VES read one event at a time: slow, and plainly right."""

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        gathered = Gathered()
        for piece in split_pieces(stream):
            yield from _read_text(gathered, piece)
            if gathered.facts.full():
                yield from gathered.take()
        yield from gathered.take()


def read_both_ways(data: bytes) -> Outcome:
    """Return what is read of a file by the column, which is what is read of it one event at a time; nothing is lost."""
    outcome = read(Ves(), data)
    assert outcome == read(EachAlone(), data)
    assert outcome.ordinals() == list(range(outcome.facts))
    return outcome
