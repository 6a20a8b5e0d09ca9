"""Says whether a decoded value is a VES 7.x event, or where it is not, without quoting it."""

from __future__ import annotations

import ipaddress
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from cellwright.telemetry.formats import ves_model as model

if TYPE_CHECKING:
    from collections.abc import Iterator


class Checked(NamedTuple):
    """A valid event; `block` holds the fields of its own domain, None where the domain is not looked into."""

    header: model.Header
    block: msgspec.Struct | None


class Flaw(NamedTuple):
    """Why a value is no valid event; the reason names the place and what was expected there."""

    code: str
    reason: str


class _Domain(NamedTuple):
    field: str
    attribute: str
    block: type[msgspec.Struct]
    required: bool


_DOMAINS: Final = MappingProxyType(
    {
        "fault": _Domain("faultFields", "fault_fields", model.Fault, required=True),
        "heartbeat": _Domain("heartbeatFields", "heartbeat_fields", model.Heartbeat, required=False),
        "measurement": _Domain("measurementFields", "measurement_fields", model.Measurement, required=True),
        "pnfRegistration": _Domain(
            "pnfRegistrationFields", "pnf_registration_fields", model.Registration, required=False
        ),
        "stndDefined": _Domain("stndDefinedFields", "stnd_defined_fields", model.StandardDefined, required=True),
        "syslog": _Domain("syslogFields", "syslog_fields", model.Syslog, required=True),
        "thresholdCrossingAlert": _Domain(
            "thresholdCrossingAlertFields",
            "threshold_crossing_alert_fields",
            model.ThresholdCrossingAlert,
            required=True,
        ),
    }
)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`(?: - at `(\S+)`)?")
_TYPE: Final = re.compile(r"Expected `([^`]+)`(?: (>=|<=) (\S+))?(?:, got `[^`]+`)?(?: - at `(\S+)`)?")
_AT: Final = re.compile(r" - at `(\$\S*)`$")
# What an entry of these lists must say, ONAP VES Event Listener 7.2.1, 4.3 (measurement datatypes).
REQUIRED_MEMBERS: Final = MappingProxyType(
    {
        "additional_measurements": ("name", "hashMap"),
        "additional_objects": ("objectName", "objectInstances"),
        "codec_usage_array": ("codecIdentifier", "numberInUse"),
        "cpu_usage_array": ("cpuIdentifier", "percentUsage"),
        "disk_usage_array": ("diskIdentifier",),
        "filesystem_usage_array": ("filesystemName", "blockConfigured", "blockUsed", "ephemeralConfigured"),
        "huge_pages_array": ("hugePagesIdentifier",),
        "latency_distribution": ("countsInTheBucket",),
        "machine_check_exception_array": ("vmIdentifier",),
        "memory_usage_array": ("vmIdentifier", "memoryFree", "memoryUsed"),
        "nic_performance_array": ("nicIdentifier", "valuesAreSuspect"),
        "process_stats_array": ("processIdentifier",),
    }
)


def check_event(value: object, path: str) -> Checked | Flaw:
    """Return the event that a value at a JSON path is, or the first flaw found in it.

    Like the ONAP schema it refuses unknown names in the header and the blocks; unlike it, it takes null for absent,
    wants the block of the domain where rows come from it, and leaves the entries of measurement lists open.
    """
    try:
        event = msgspec.convert(value, model.Event)
    except msgspec.ValidationError as error:
        return _flaw(str(error), path)
    header = event.common_event_header
    domain = _DOMAINS.get(header.domain)
    if domain is None:
        return Checked(header, None)
    fields = getattr(event, domain.attribute)
    if fields is None:
        return Flaw("missing-field", f"{path}.{domain.field} is required") if domain.required else Checked(header, None)
    return _check_block(header, domain, fields, f"{path}.{domain.field}")


def _check_block(header: model.Header, domain: _Domain, fields: dict[str, Any], path: str) -> Checked | Flaw:
    try:
        block = msgspec.convert(fields, domain.block)
    except msgspec.ValidationError as error:
        return _flaw(str(error), path)
    match block:
        case model.Measurement():
            flaw = next(_measurement_flaws(block, path), None)
        case model.Registration():
            flaw = next(_address_flaws(block, path), None)
        case _:
            flaw = None
    return flaw or Checked(header, block)


def _measurement_flaws(block: model.Measurement, path: str) -> Iterator[Flaw]:
    for attribute, names in REQUIRED_MEMBERS.items():
        for index, entry in enumerate(getattr(block, attribute)):
            for name in names:
                if name not in entry:
                    place = f"{path}.{model.member_name(model.Measurement, attribute)}[{index}].{name}"
                    yield Flaw("missing-field", f"{place} is required")


def has_wrong_address(block: model.Registration) -> bool:
    """Return whether one of the addresses is none."""
    return next(_address_flaws(block, ""), None) is not None


def _address_flaws(block: model.Registration, path: str) -> Iterator[Flaw]:
    families = (
        ("oamV4IpAddress", block.oam_v4_ip_address, ipaddress.IPv4Address),
        ("oamV6IpAddress", block.oam_v6_ip_address, ipaddress.IPv6Address),
    )
    for name, text, family in families:
        if text is not None and not _is_address(text, family):
            yield Flaw("wrong-value", f"{path}.{name}: expected an IP address of version {name[4]}")


def _is_address(text: str, family: type[ipaddress.IPv4Address | ipaddress.IPv6Address]) -> bool:
    try:
        family(text)
    except ValueError:
        return False
    return True


def _flaw(message: str, path: str) -> Flaw:
    """Return the flaw that a message of msgspec speaks of, without the value that some of its messages quote."""
    if missing := _MISSING.fullmatch(message):
        return Flaw("missing-field", f"{_place(path, missing[2])}.{missing[1]} is required")
    if wrong := _TYPE.fullmatch(message):
        limit = f" {wrong[2]} {wrong[3]}" if wrong[2] else ""
        return Flaw("wrong-type", f"{_place(path, wrong[4])}: expected {wrong[1]}{limit}")
    at = _AT.search(message)
    place = _place(path, at[1] if at else None)
    if message.startswith("Object contains unknown field"):
        return Flaw("unknown-field", f"{place} has a name that VES 7.2.1 does not know")
    allowed = model.ALLOWED.get(place.rpartition(".")[2])
    expected = f"expected one of {', '.join(allowed)}" if allowed else "not an allowed value"
    return Flaw("wrong-value", f"{place}: {expected}")


def _place(path: str, within: str | None) -> str:
    return path + (within or "$").removeprefix("$")
