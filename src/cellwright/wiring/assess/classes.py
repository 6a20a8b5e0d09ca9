"""A proposal for the class of a dataset from its name and the names of its fields; a person confirms it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import SensitivityClass

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLASS: Final = SensitivityClass

_IDENTIFIERS: Final = """
imsi supi suci msisdn gpsi imei imeisv pei iccid guti tmsi subscriber customer email phone birth iban
"""
"""Words that name a person or a device: identifiers of 3GPP TS 23.003, and everyday customer data."""

_SPEAKING: Final = """
subscriber_pii: subscriber subscribers customer customers crm billing invoice hss udm udr
location: location locations position latitude longitude gps trace traces trajectory mobility
location: ecgi ncgi cgi tai lac lat lon
signalling: signalling signaling nas ngap s1ap gtp pfcp diameter sip cdr cdrs xdr ipdr amf smf upf teid
signalling: procedure session sessions
trouble_ticket: ticket tickets complaint complaints helpdesk resolution workorder case
network_configuration: configuration config inventory topology cmdb neighbour parameter firmware vlan
network_configuration: alarm alarms fault faults syslog documentation
model_artefact: model models weights checkpoint adapter lora
anonymised: anonymised anonymized anonymous digest digests
aggregated_kpi: kpi kpis pm counter counters aggregate aggregated statistics throughput prb utilisation utilization
aggregated_kpi: traffic
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A class and why."""

    sensitivity: SensitivityClass
    because: str


def _words(text: str) -> frozenset[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return frozenset(word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word)


def _hints() -> dict[SensitivityClass, frozenset[str]]:
    """Return the words that speak for each class, the most telling class first."""
    found: dict[SensitivityClass, frozenset[str]] = {}
    for line in _SPEAKING.strip().splitlines():
        kind, _, words = line.partition(":")
        found[_CLASS(kind)] = found.get(_CLASS(kind), frozenset()) | _words(words)
    return found


_HINTS: Final = _hints()
IDENTIFIERS: Final = _words(_IDENTIFIERS)


def propose(name: str, fields: str) -> Proposal:
    """Return the class that words speak for; identifiers weigh most, and where nothing speaks the strictest holds."""
    called, inside = _words(name), _words(fields)
    told = _first(called)
    identifiers = sorted((called | inside) & IDENTIFIERS)
    if identifiers and inside & IDENTIFIERS:
        keeps = told if told in {_CLASS.SIGNALLING, _CLASS.LOCATION} else _CLASS.SUBSCRIBER_PII
        return Proposal(keeps or _CLASS.SUBSCRIBER_PII, f"its fields name people or devices: {', '.join(identifiers)}")
    where = sorted(inside & _HINTS[_CLASS.LOCATION])
    if where and told is not _CLASS.SIGNALLING:
        return Proposal(_CLASS.LOCATION, f"its fields say where somebody is: {', '.join(where)}")
    if told is not None:
        return Proposal(told, f"its name says so: {', '.join(sorted(called & _HINTS[told]))}")
    found = _first(inside)
    if found is not None:
        return Proposal(found, f"its fields say so: {', '.join(sorted(inside & _HINTS[found]))}")
    return Proposal(_CLASS.SUBSCRIBER_PII, "nothing tells: the strictest class, until somebody has looked")


def _first(words: Iterable[str]) -> SensitivityClass | None:
    """Return the class that some words speak for; data that was anonymised says so beside what it was."""
    found = {kind for kind, hints in _HINTS.items() if hints & set(words)}
    if _CLASS.ANONYMISED in found:
        return _CLASS.ANONYMISED
    return next((kind for kind in _HINTS if kind in found), None)
