"""The names under which measurements leave: OpenTelemetry's, as Prometheus text. No other place maps ours to theirs.

Names, units and attributes: OpenTelemetry semantic conventions for generative AI (status: development; checked at
semantic conventions 1.42, in the repository semantic-conventions-genai). What these have no name for begins with
`cellwright`. To its clients the gateway is a server, to its backends it is a client. Text: Prometheus exposition
format, version 0.0.4, with OpenTelemetry's names as its compatibility specification writes them.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.gateway.metering import series
from cellwright.gateway.model import NANO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cellwright.gateway.metering.series import Labels, Measure, Series

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_US_PER_S: Final = 1_000_000


class Instrument(NamedTuple):
    """How one measure is called, by what its amounts are divided, and what its detail says."""

    name: str
    unit: str  # UCUM
    parts: int  # of the unit in which amounts are kept
    detail: str | None
    description: str


INSTRUMENTS: Final[Mapping[Measure, Instrument]] = MappingProxyType(
    {
        series.REQUESTS: Instrument(
            "cellwright.gateway.requests", "{request}", 1, "http.response.status_code", "Requests that held a key."
        ),
        series.TOKENS: Instrument(
            "gen_ai.client.token.usage", "{token}", 1, "gen_ai.token.type", "Tokens in and out of each request."
        ),
        series.CACHED: Instrument(
            "cellwright.gateway.tokens.cached", "{token}", 1, None, "Tokens in that the backend had cached."
        ),
        series.SAVED: Instrument(
            "cellwright.gateway.tokens.saved", "{token}", 1, None, "Tokens in that the edge filter saved."
        ),
        series.ESTIMATED: Instrument(
            "cellwright.gateway.requests.estimated",
            "{request}",
            1,
            None,
            "Requests whose tokens were counted by the gateway.",
        ),
        series.COST: Instrument(
            "cellwright.gateway.cost", "{currency}", NANO, "cellwright.currency", "What requests cost at list price."
        ),
        series.UNPRICED: Instrument(
            "cellwright.gateway.requests.unpriced", "{request}", 1, None, "Requests whose cost is unknown."
        ),
        series.DURATION: Instrument(
            "gen_ai.server.request.duration", "s", _US_PER_S, "error.type", "Requests as their clients see them."
        ),
        series.UPSTREAM: Instrument(
            "gen_ai.client.operation.duration", "s", _US_PER_S, "error.type", "Time that requests waited for backends."
        ),
        series.OVERHEAD: Instrument(
            "cellwright.gateway.overhead", "s", _US_PER_S, None, "Time that requests spent in the gateway itself."
        ),
        series.FIRST_TOKEN: Instrument(
            "gen_ai.server.time_to_first_token", "s", _US_PER_S, None, "Time to the first token of streams."
        ),
        series.PER_TOKEN: Instrument(
            "gen_ai.server.time_per_output_token", "s", _US_PER_S, None, "Time for each token after the first one."
        ),
    }
)
ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tenant": "cellwright.tenant",
        "model": "gen_ai.request.model",
        "route": "cellwright.route",
        "tier": "cellwright.tier",
        "backend": "cellwright.backend",
        "operation": "gen_ai.operation.name",
    }
)
PROVIDER: Final = "gen_ai.provider.name"
PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {"openai": "openai", "anthropic": "anthropic", "bedrock": "aws.bedrock", "reasoner": "cellwright"}
)
"""What each type of backend is called there; another keeps its own name."""

_SUFFIXES: Final[Mapping[str, str]] = MappingProxyType({"s": "_seconds"})
_OUTSIDE: Final = re.compile(r"[^a-zA-Z0-9_:]")
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def prometheus(found: Iterable[Series], types: Mapping[str, str]) -> str:
    """Return series as Prometheus text; `types` holds the type of each backend by its name."""
    by_measure: dict[Measure, list[Series]] = {}
    for item in found:
        by_measure.setdefault(item.measure, []).append(item)
    lines = (line for measure, items in by_measure.items() for line in _family(measure, items, types))
    return "".join(f"{line}\n" for line in lines)


def _family(measure: Measure, items: Sequence[Series], types: Mapping[str, str]) -> Iterator[str]:
    instrument = INSTRUMENTS[measure]
    name = _OUTSIDE.sub("_", instrument.name) + _SUFFIXES.get(instrument.unit, "")
    if not measure.bounds:
        name += "_total"
    yield f"# HELP {name} {instrument.description}"
    yield f"# TYPE {name} {'histogram' if measure.bounds else 'counter'}"
    for item in items:
        labels = _labels(attributes(item, types))
        if measure.bounds:
            yield from _histogram(name, labels, item, instrument.parts)
        else:
            yield f"{name}{{{labels}}} {_number(item.total, instrument.parts)}"


def _histogram(name: str, labels: str, item: Series, parts: int) -> Iterator[str]:
    below = 0
    bounds = [_number(bound, parts) for bound in item.measure.bounds]
    for bound, count in zip([*bounds, "+Inf"], item.counts, strict=True):
        below += count
        yield f'{name}_bucket{{{labels},le="{bound}"}} {below}'
    yield f"{name}_sum{{{labels}}} {_number(item.total, parts)}"
    yield f"{name}_count{{{labels}}} {below}"


def attributes(item: Series, types: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of a series by OpenTelemetry's names; what is empty is left out."""
    named = _named(item.labels)
    backend_type = types.get(named["backend"], "")
    found = {ATTRIBUTES[name]: value for name, value in named.items()}
    found[PROVIDER] = PROVIDERS.get(backend_type, backend_type)
    if detail := INSTRUMENTS[item.measure].detail:
        found[detail] = item.detail
    return {name: value for name, value in found.items() if value}


def _named(labels: Labels) -> dict[str, str]:
    return dict(zip(series.LABELS, labels, strict=True))


def _labels(pairs: Mapping[str, str]) -> str:
    return ",".join(f'{_OUTSIDE.sub("_", name)}="{value.translate(_ESCAPES)}"' for name, value in pairs.items())


def _number(amount: int, parts: int) -> str:
    """Return an amount in whole units, exactly."""
    whole, rest = divmod(amount, parts)
    digits = f"{rest:0{len(str(parts)) - 1}}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)
