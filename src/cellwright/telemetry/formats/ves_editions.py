"""The editions of VES that are read: 7 as `ves_model` has it, and what 6 and 5 say otherwise.

Sources: ONAP VES Event Listener 5.4.1 with schema 28.4.1, 7.2.1 with schema 30.2.1, and for 6.0 (schema 29.0) the
changes from 5.4.1 to 6.0 to 7.0 that the revision history of 7.1 lists. Before 7 events are open to names that are not
known, versions are numbers, and the header need not have a vesEventListenerVersion.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from types import GenericAlias, MappingProxyType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from cellwright.telemetry.formats import ves_model as model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Pair(Struct, frozen=True, gc=False):
    """A name with its text, as 5 lists them."""

    name: str
    value: str


class NamedPairs(Struct, frozen=True, gc=False, rename="camel"):
    """One of the additionalMeasurements of 5."""

    name: str
    array_of_fields: list[Pair]


class Counter(Struct, frozen=True, gc=False, rename="camel"):
    """One counter beyond its threshold in 5."""

    criticality: Literal["CRIT", "MAJ"]
    name: str
    threshold_crossed: str
    value: str


def _as_it_is(value: object) -> object:
    return value


class Kind(NamedTuple):
    """What a member is, and how values that are spelt so become those of 7."""

    type: Any
    spelt: type | tuple[type, ...] = ()
    renew: Callable[[Any], Any] = _as_it_is


def texts_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return texts by name; texts of one name are put together, none is lost."""
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    return {name: "|".join(several) for name, several in texts.items()}


def _split(text: str) -> dict[str, str]:
    """Return the pairs of "name=value|name=value", all of the text under one name where it is not spelt so."""
    parts = [part.partition("=") for part in text.split("|") if part]
    if not all(sign for _, sign, _ in parts):
        return {"additionalFields": text}
    return texts_of((name, value) for name, _, value in parts)


def _crossings(counters: list[Counter]) -> list[model.Crossing]:
    return [model.Crossing(one.criticality, {one.name: one.value}, one.threshold_crossed) for one in counters]


_NUMBER: Final = Kind(model.Number)
_PAIRS: Final = Kind(list[Pair], list, lambda pairs: texts_of((pair.name, pair.value) for pair in pairs))
_NOT_TOLD: Final = ""  # the unit of an offset that is a number is nowhere said: flagged like any that cannot be read
_DOMAINS_5: Final = Literal[
    "fault",
    "heartbeat",
    "measurementsForVfScaling",
    "mobileFlow",
    "other",
    "sipSignaling",
    "stateChange",
    "syslog",
    "thresholdCrossingAlert",
    "voiceQuality",
]
_DOMAINS_6: Final = Literal[
    "fault",
    "heartbeat",
    "measurement",
    "mobileFlow",
    "notification",
    "other",
    "pnfRegistration",
    "sipSignaling",
    "stateChange",
    "syslog",
    "thresholdCrossingAlert",
    "voiceQuality",
]
_SIX: Final[Mapping[type[Struct], Mapping[str, Kind]]] = {
    model.Header: {
        "domain": Kind(_DOMAINS_6),
        "time_zone_offset": Kind(model.Number | str | None, (int, float), lambda _: _NOT_TOLD),
        "version": _NUMBER,
        "ves_event_listener_version": Kind(Annotated[str, msgspec.Meta(pattern="^[56]")] | None),
    },
    model.Fault: {"fault_fields_version": _NUMBER},
    model.Heartbeat: {"heartbeat_fields_version": _NUMBER},
    model.Measurement: {"measurement_fields_version": _NUMBER},
    model.Registration: {"pnf_registration_fields_version": _NUMBER},
    model.Syslog: {"additional_fields": Kind(str, str, _split), "syslog_fields_version": _NUMBER},
    model.ThresholdCrossingAlert: {"threshold_crossing_fields_version": _NUMBER},
}
_FIVE: Final[Mapping[type[Struct], Mapping[str, Kind]]] = {
    **_SIX,
    model.Header: {**_SIX[model.Header], "domain": Kind(_DOMAINS_5)},
    model.Fault: {**_SIX[model.Fault], "alarm_additional_information": _PAIRS},
    model.Heartbeat: {**_SIX[model.Heartbeat], "additional_fields": _PAIRS},
    model.Measurement: {
        **_SIX[model.Measurement],
        "additional_fields": Kind(list[Pair]),
        "additional_measurements": Kind(list[NamedPairs]),
        "feature_usage_array": Kind(model.Entries),
    },
    model.ThresholdCrossingAlert: {
        **_SIX[model.ThresholdCrossingAlert],
        "additional_fields": _PAIRS,
        "additional_parameters": Kind(list[Counter], list, _crossings),
    },
}
_NAMES_5: Final = MappingProxyType(
    {
        "measurement_fields": "measurementsForVfScalingFields",
        "measurement_fields_version": "measurementsForVfScalingVersion",
        "nfc_scaling_metric": "vnfcScalingMetric",
        "nic_performance_array": "vNicPerformanceArray",
    }
)
"""How 5 spells members that are named otherwise since."""
_REQUIRED_5: Final = MappingProxyType(
    {
        attribute: members
        for attribute, members in model.REQUIRED_MEMBERS.items()
        if attribute != "additional_measurements"
    }
    | {
        "feature_usage_array": ("featureIdentifier", "featureUtilization"),
        "nic_performance_array": ("vNicIdentifier", "valuesAreSuspect"),
    }
)
_FIRST_OF_6: Final = MappingProxyType(
    {"faultFieldsVersion": 3, "heartbeatFieldsVersion": 2, "thresholdCrossingFieldsVersion": 3}
)
_NOT_REQUIRED: Final = "ves_event_listener_version"  # before 7
_HOLDING: Final = (list, Union, UnionType)
_STRUCTS: Final = (  # each behind those that it holds
    model.Header,
    model.Fault,
    model.Heartbeat,
    model.Measurement,
    model.Registration,
    model.StandardDefined,
    model.Syslog,
    model.Crossing,
    model.ThresholdCrossingAlert,
    model.Event,
    model.PlainEvent,
)


@dataclass(frozen=True, slots=True)
class Edition:
    """One major version of VES; its types are those of 7, or theirs with some members otherwise."""

    name: str
    types: Mapping[type[Struct], Any]
    renewals: Mapping[type[Struct], tuple[tuple[str, Kind], ...]]  # members to be made those of 7, by the type there
    spellings: Mapping[str, str]  # how JSON spells attributes
    shape: type[Struct]  # of measurementFields whose entries say what they must
    required: Mapping[str, tuple[str, ...]]  # what entries of the lists of measurementFields say, by attribute
    allowed: Mapping[str, tuple[str, ...]]  # the values that members of an enumeration may have, by their name in JSON

    def renewed(self, struct: type[Struct], record: Any) -> Any:  # noqa: ANN401 - of whichever type it came
        """Return a record of this edition with members as 7 has them; `struct` is its type there."""
        changes = {
            name: kind.renew(value)
            for name, kind in self.renewals.get(struct, ())
            if isinstance(value := getattr(record, name), kind.spelt)
        }
        return msgspec.structs.replace(record, **changes) if changes else record


def _edition(
    name: str,
    kinds: Mapping[type[Struct], Mapping[str, Kind]],
    names: Mapping[str, str],
    required: Mapping[str, tuple[str, ...]],
) -> Edition:
    types: dict[type[Struct], type[Struct]] = {}
    for struct in _STRUCTS:
        types[struct] = _older(struct, kinds.get(struct, {}), names, types) if kinds else struct
    entries = {
        attribute: msgspec.defstruct(f"_{attribute}", [(member, Any) for member in members])
        for attribute, members in required.items()
    }
    measurement = types[model.Measurement]
    fields: list[tuple[str, Any, Any]] = [
        (
            field.name,
            GenericAlias(list, (entries[field.name],)),
            msgspec.field(default_factory=list, name=field.encode_name),
        )
        for field in msgspec.structs.fields(measurement)
        if field.name in entries
    ]
    shape = msgspec.defstruct("_MeasurementShape", fields, bases=(measurement,))
    spellings = {field.name: field.encode_name for one in types.values() for field in msgspec.structs.fields(one)}
    renewals = {
        struct: tuple((member, kind) for member, kind in members.items() if kind.spelt)
        for struct, members in kinds.items()
    }
    return Edition(name, types, renewals, spellings, shape, required, _allowed(types.values()))


def _older(
    struct: type[Struct],
    kinds: Mapping[str, Kind],
    names: Mapping[str, str],
    types: Mapping[type[Struct], type[Struct]],
) -> type[Struct]:
    """Return a type that is open to other names, with the members as an older edition has them."""
    fields: list[tuple[str, Any, Any]] = []
    for field in msgspec.structs.fields(struct):
        kind = kinds[field.name].type if field.name in kinds else _within(field.type, types)
        if kind is not field.type or field.name in names:
            default = None if field.name == _NOT_REQUIRED else field.default
            spelt = names.get(field.name, field.encode_name)
            told: dict[str, Any] = {"default": default, "default_factory": field.default_factory, "name": spelt}
            fields.append((field.name, kind, msgspec.field(**told)))
    return msgspec.defstruct(
        struct.__name__,
        fields,
        bases=(struct,),
        forbid_unknown_fields=False,
        frozen=True,
        gc=False,
        omit_defaults=True,
    )


def _within(kind: Any, types: Mapping[type[Struct], type[Struct]]) -> Any:  # noqa: ANN401 - types of any form
    """Return a type with older types in place of those of 7."""
    if kind in types:
        return types[kind]
    inside = get_args(kind)
    parts = tuple(_within(part, types) for part in inside) if get_origin(kind) in _HOLDING else inside
    if all(part is other for part, other in zip(parts, inside, strict=True)):
        return kind
    return GenericAlias(list, parts) if get_origin(kind) is list else reduce(or_, parts)


def _allowed(structs: Iterable[type[Struct]]) -> dict[str, tuple[str, ...]]:
    return {
        field.encode_name: get_args(field.type)
        for struct in structs
        for field in msgspec.structs.fields(struct)
        if get_origin(field.type) is Literal
    }


SEVEN: Final = _edition("7", {}, {}, model.REQUIRED_MEMBERS)
SIX: Final = _edition("6", _SIX, {}, model.REQUIRED_MEMBERS)
FIVE: Final = _edition("5", _FIVE, _NAMES_5, _REQUIRED_5)
EDITIONS: Final = (SEVEN, FIVE, SIX)


def declared(event: object) -> tuple[Edition, ...]:
    """Return the editions that an event may be of by what its header declares, the likeliest first.

    The headers of 5 and 6 differ in their domains alone; blocks of 6 have higher versions, but no schema demands it.
    """
    header = event.get("commonEventHeader") if isinstance(event, dict) else None
    if not isinstance(header, dict) or not _is_number(header.get("version")):
        return (SEVEN,)
    said = header.get("vesEventListenerVersion")
    if isinstance(said, str) and not said.startswith(("5", "6")):
        return (SEVEN,)
    return (SIX, FIVE) if _speaks_like_6(header, event) else (FIVE, SIX)


def _speaks_like_6(header: Mapping[str, object], event: Any) -> bool:  # noqa: ANN401 - an object of JSON
    domain = header.get("domain")
    if isinstance(domain, str) and domain not in get_args(_DOMAINS_5):
        return True
    blocks = [block for block in event.values() if isinstance(block, dict)]
    return any(
        _is_number(block.get(name)) and block[name] >= first for block in blocks for name, first in _FIRST_OF_6.items()
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
