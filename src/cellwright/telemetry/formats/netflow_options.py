"""What the options of an exporter say of its flows: how they were sampled, and when the exporter started.

Sources: RFC 5477 clause 8.2 (packet interval and space, size and population, probability); the registry of IANA for
samplingInterval (34), samplerRandomInterval (50) and systemInitTimeMilliseconds (160); RFC 3954 clause 6.1 (scopes).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_LARGEST: Final = (1 << 63) - 1
_SAMPLERS: Final = 4096  # of one observation domain; further ones are not kept
_DOUBLE_BYTES: Final = 8
_WHOLE_RATES: Final = ("samplingInterval", "samplerRandomInterval")
_SAMPLER_NAMES: Final = ("selectorId", "samplerId")
_INTERFACE_NAMES: Final = ("scope.interface", "ingressInterface")
RATE_NAMES: Final = frozenset(
    (
        *_WHOLE_RATES,
        "samplingPacketInterval",
        "samplingPacketSpace",
        "samplingSize",
        "samplingPopulation",
        "samplingProbability",
    )
)
"""Elements that tell a rate, in options or in a flow's own record."""

SYSTEM: Final = "scope.system"
"""What an options record of NetFlow v9 has that speaks of the whole exporter (RFC 3954, 6.1)."""

Selector = tuple[str, int]


def rate_of(values: Mapping[str, bytes]) -> int | None:
    """Return N of "one packet in N", rounded to a whole number, None when the elements do not say."""
    numbers = {name: int.from_bytes(values[name]) for name in RATE_NAMES & values.keys()}
    for name in _WHOLE_RATES:
        if numbers.get(name):
            return _bounded(numbers[name], 1)
    interval = numbers.get("samplingPacketInterval", 0)
    if interval and "samplingPacketSpace" in numbers:
        return _bounded(interval + numbers["samplingPacketSpace"], interval)
    if numbers.get("samplingSize"):
        return _bounded(numbers.get("samplingPopulation", 0), numbers["samplingSize"])
    return _by_probability(values.get("samplingProbability", b""))


def _bounded(population: int, sample: int) -> int | None:
    rate = (2 * population + sample) // (2 * sample)
    return rate if 0 < rate <= _LARGEST else None


def _by_probability(raw: bytes) -> int | None:
    if len(raw) != _DOUBLE_BYTES:
        return None
    probability = struct.unpack(">d", raw)[0]
    return round(1 / probability) if 1 / _LARGEST < probability <= 1 else None


def selectors_of(values: Mapping[str, bytes]) -> list[Selector]:
    """Return by what a record names its sampling, the most specific first."""
    found = [("sampler", int.from_bytes(values[name])) for name in _SAMPLER_NAMES if name in values]
    return found + [("interface", int.from_bytes(values[name])) for name in _INTERFACE_NAMES if name in values]


class Options:
    """What the options of one observation domain said so far."""

    def __init__(self) -> None:
        self._rates: dict[Selector | None, int] = {}
        self.started_us: int | None = None  # when the exporter's clock began, microseconds since 1970

    def learn(self, values: Mapping[str, bytes]) -> None:
        """Take in an options record: raw values by the names of their elements."""
        if "systemInitTimeMilliseconds" in values:
            self.started_us = int.from_bytes(values["systemInitTimeMilliseconds"]) * 1000
        rate = rate_of(values)
        selector = next(iter(selectors_of(values)), None)
        if rate is not None and (selector in self._rates or len(self._rates) < _SAMPLERS):
            self._rates[selector] = rate

    @property
    def is_silent(self) -> bool:
        """Return whether nothing was said of sampling."""
        return not self._rates

    @property
    def is_uniform(self) -> bool:
        """Return whether one rate holds for all flows, or none is known."""
        return len(set(self._rates.values())) <= 1

    def rate(self, selectors: list[Selector]) -> tuple[int | None, bool]:
        """Return (rate of a flow, whether several may hold): by its sampler or interface, or the domain's only one."""
        if self.is_uniform:
            return next(iter(self._rates.values()), None), False
        named = [self._rates[selector] for selector in selectors if selector in self._rates]
        if named or None in self._rates:
            return (named[0] if named else self._rates[None]), False
        return None, True
