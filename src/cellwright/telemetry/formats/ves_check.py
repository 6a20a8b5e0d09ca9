"""Says whether a decoded value is a VES event, or where it is not, without quoting it."""

from __future__ import annotations

import ipaddress
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from cellwright.telemetry.formats import ves_model as model
from cellwright.telemetry.formats.ves_editions import EDITIONS, declared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.telemetry.formats.ves_editions import Edition


class Checked(NamedTuple):
    """A valid event; `block` holds the fields of its own domain, None where the domain is not looked into."""

    header: model.Header
    block: msgspec.Struct | None
    fields: dict[str, Any]  # of its own domain, as they are spelt


class Flaw(NamedTuple):
    """Why a value is no valid event; the reason names the place and what was expected there."""

    code: str
    reason: str


class _Domain(NamedTuple):
    attribute: str
    block: type[msgspec.Struct]
    required: bool


_MEASUREMENT: Final = _Domain("measurement_fields", model.Measurement, required=True)
_DOMAINS: Final = MappingProxyType(
    {
        "fault": _Domain("fault_fields", model.Fault, required=True),
        "heartbeat": _Domain("heartbeat_fields", model.Heartbeat, required=False),
        "measurement": _MEASUREMENT,
        "measurementsForVfScaling": _MEASUREMENT,
        "pnfRegistration": _Domain("pnf_registration_fields", model.Registration, required=False),
        "stndDefined": _Domain("stnd_defined_fields", model.StandardDefined, required=True),
        "syslog": _Domain("syslog_fields", model.Syslog, required=True),
        "thresholdCrossingAlert": _Domain(
            "threshold_crossing_alert_fields", model.ThresholdCrossingAlert, required=True
        ),
    }
)
OWN_BLOCKS: Final = MappingProxyType({name: one.attribute for name, one in _DOMAINS.items() if one.required})
"""The attribute of an event that the domain demands."""
MEASUREMENT_DOMAINS: Final = frozenset(name for name, one in _DOMAINS.items() if one is _MEASUREMENT)
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`(?: - at `(\S+)`)?")
_TYPE: Final = re.compile(r"Expected `([^`]+)`(?: (>=|<=) (\S+))?(?:, got `[^`]+`)?(?: - at `(\S+)`)?")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `([^`]*)`")
_AT: Final = re.compile(r" - at `(\$\S*)`$")
_HEADER: Final = "commonEventHeader"


def check_event(value: object, path: str) -> Checked | Flaw:
    """Return the event that a value at a JSON path is, its header and block as VES 7 has them, or the first flaw in it.

    Like the ONAP schemas it refuses unknown names in the header and the blocks of 7, and takes them before; unlike
    them, it takes null for absent, wants the block of the domain where rows come from it, leaves the entries of
    measurement lists open, and wants members that a later version added as that has them.
    """
    editions = declared(value)
    checked = _check(editions[0], value, path)
    for other in editions[1:]:
        if isinstance(checked, Flaw):
            again = _check(other, value, path)
            checked = checked if isinstance(again, Flaw) else again
    return checked


def _check(edition: Edition, value: object, path: str) -> Checked | Flaw:
    try:
        event = msgspec.convert(value, edition.types[model.Event])
    except msgspec.ValidationError as error:
        return _flaw(edition, str(error), path, value, model.Event)
    header: model.Header = edition.renewed(model.Header, event.common_event_header)
    domain = _DOMAINS.get(header.domain)
    if domain is None:
        return Checked(header, None, {})
    fields, field = getattr(event, domain.attribute), edition.spellings[domain.attribute]
    if fields is None:
        if not domain.required:
            return Checked(header, None, {})
        return Flaw("missing-field", f"{path}.{field} is required{_otherwise(edition, domain, value)}")
    block = _check_block(edition, domain, fields, f"{path}.{field}")
    return block if isinstance(block, Flaw) else Checked(header, edition.renewed(domain.block, block), fields)


def _check_block(edition: Edition, domain: _Domain, fields: dict[str, Any], path: str) -> msgspec.Struct | Flaw:
    try:
        block = msgspec.convert(fields, edition.types[domain.block])
    except msgspec.ValidationError as error:
        return _flaw(edition, str(error), path, fields, domain.block)
    match block:
        case model.Measurement():
            flaw = next(_measurement_flaws(edition, block, path), None)
        case model.Registration():
            flaw = next(_address_flaws(block, path), None)
        case _:
            flaw = None
    return flaw or block


def _measurement_flaws(edition: Edition, block: model.Measurement, path: str) -> Iterator[Flaw]:
    for attribute, names in edition.required.items():
        for index, entry in enumerate(getattr(block, attribute)):
            for name in names:
                if name not in entry:
                    place = f"{path}.{edition.spellings[attribute]}[{index}].{name}"
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


def _flaw(edition: Edition, message: str, path: str, value: Any, struct: type[msgspec.Struct]) -> Flaw:  # noqa: ANN401 - what was to be converted
    """Return the flaw that a message of msgspec speaks of, without the value that some of its messages quote."""
    if missing := _MISSING.fullmatch(message):
        return Flaw("missing-field", f"{_place(path, missing[2])}.{missing[1]} is required")
    if wrong := _TYPE.fullmatch(message):
        limit = f" {wrong[2]} {wrong[3]}" if wrong[2] else ""
        hint = _elsewhere(edition, wrong[4], value, struct)
        return Flaw("wrong-type", f"{_place(path, wrong[4])}: expected {wrong[1]}{limit}{hint}")
    at = _AT.search(message)
    place = _place(path, at[1] if at else None)
    if unknown := _UNKNOWN.match(message):
        known = [other for other in EDITIONS if unknown[1] in other.spellings.values()]
        hint = _but_declared(f"{unknown[1]} is of", known, edition)
        return Flaw("unknown-field", f"{place} has a name that VES 7.2.1 does not know{hint}")
    allowed = edition.allowed.get(place.rpartition(".")[2])
    expected = f"expected one of {', '.join(allowed)}" if allowed else "not an allowed value"
    hint = _elsewhere(edition, at[1] if at else None, value, struct)
    return Flaw("wrong-value", f"{place}: {expected}{hint}")


def _but_declared(said: str, others: list[Edition], edition: Edition) -> str:
    """Return what follows a flaw that would be none in other editions: what the header declares may be the mistake."""
    names = " and ".join(sorted(other.name for other in others))
    return f"; {said} VES {names}, but the header declares VES {edition.name}" if others else ""


def _otherwise(edition: Edition, domain: _Domain, event: Any) -> str:  # noqa: ANN401 - an object of JSON
    """Return in which other editions the block of the domain has a name that stands there."""
    own = edition.spellings[domain.attribute]
    others = [other for other in EDITIONS if own != other.spellings[domain.attribute] in event]
    return _but_declared(f"{others[0].spellings[domain.attribute]} is of", others, edition) if others else ""


def _elsewhere(edition: Edition, within: str | None, value: Any, struct: type[msgspec.Struct]) -> str:  # noqa: ANN401 - as above
    """Return in which other editions a member is right as it stands."""
    steps = [step.partition("[")[0] for step in (within or "").split(".")[1:]]
    if struct is model.Event and steps[:1] == [_HEADER]:
        steps, value, struct = steps[1:], value[_HEADER], model.Header
    if not steps:
        return ""
    others = [other for other in EDITIONS if other is not edition and _is_right(other, struct, steps[0], value)]
    return _but_declared("so it stands in", others, edition)


def _is_right(edition: Edition, struct: type[msgspec.Struct], name: str, value: dict[str, Any]) -> bool:
    kinds = [field.type for field in msgspec.structs.fields(edition.types[struct]) if field.encode_name == name]
    try:
        msgspec.convert(value[name], kinds[0])
    except (IndexError, KeyError, msgspec.ValidationError):
        return False
    return True


def _place(path: str, within: str | None) -> str:
    return path + (within or "$").removeprefix("$")
