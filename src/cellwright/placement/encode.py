"""A Plan as a JSON document and back; the same plan always becomes the same bytes.

What stands against sites is kept once, in `findings`, however many workloads it concerns: each finding names the sites
it holds for as runs of indexes into `sites`, and what was measured there. A line holds one site, finding or placement.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the decoder reads these annotations
from itertools import groupby
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec
import numpy as np

from cellwright.errors import CellwrightError, Diagnostic
from cellwright.estate.model import Phase, Tier  # noqa: TC001 - the decoder reads these annotations
from cellwright.placement.plan import CostItem, Dimension, Finding, Placement, Plan, PlannedSite, Rejections
from cellwright.placement.slots import Seating  # noqa: TC001 - the decoder reads these annotations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

API_VERSION: Final = "cellwright.io/v1alpha1"
KIND: Final = "Plan"
_HINT: Final = "make a plan with: cellwright plan ESTATE -o json --out FILE"


class _Header(msgspec.Struct):
    """The two keys every document begins with."""

    apiVersion: str | None = None  # noqa: N815 - the key's spelling is the document's
    kind: str | None = None


class _Call(msgspec.Struct):
    """A called workload and where it is."""

    workload: str
    site: str | None
    tier: Tier | None


class _Finding(msgspec.Struct):
    """One constraint and the sites that violate it; `measured` is one value, or one for each of these sites."""

    dimension: Dimension
    code: str
    subject: str
    measured: list[float | str | None] | float | str | None
    limit: float | str | None
    unit: str
    message: str
    source: str
    sites: list[tuple[int, int]]  # first and last index of each run


class _Replica(msgspec.Struct):
    """One replica and its machine."""

    replica: int
    node: str | None
    seating: Seating | None


class _Placement(msgspec.Struct):
    """Replicas of one workload that are placed alike."""

    workload: str
    phase: Phase
    tenant: str
    users: str
    site: str | None
    tier: Tier | None
    quantisation: str | None
    cost_per_hour: float | None
    currency: str
    cost_items: tuple[CostItem, ...]
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    latency_source: str
    decided_by: Dimension
    decided_because: str
    eliminated: Mapping[Dimension, int]
    calls: tuple[_Call, ...]
    findings: list[int]  # indexes into the document's findings, in order of precedence
    replicas: int  # of the workload in all
    placed: list[_Replica]


class _Document(msgspec.Struct):
    """A whole plan as the document spells it."""

    apiVersion: str  # noqa: N815 - the key's spelling is the document's
    kind: str
    estate_sha256: str
    currency: str
    valid_until: str | None
    sites: tuple[PlannedSite, ...]
    findings: list[_Finding]
    placements: list[_Placement]


def to_json(plan: Plan) -> str:
    """Return the plan as JSON that ends in a newline."""
    return "".join(json_lines(plan))


def json_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines of the plan's JSON one by one: a plan of a whole network need not be in memory twice."""
    numbers: dict[int, int] = {}
    found = [_numbered(each, numbers) for placement in plan.placements for each in placement.rejections.findings]
    yield "{\n"
    for key, value in (
        ("apiVersion", API_VERSION),
        ("kind", KIND),
        ("estate_sha256", plan.estate_sha256),
        ("currency", plan.currency),
        ("valid_until", plan.valid_until),
    ):
        yield f"{_text(key)}: {_text(value)},\n"
    yield from _listed("sites", (_text(site) for site in plan.sites), ",\n")
    yield from _listed("findings", (_text(_finding(each)) for each in found if each), ",\n")
    groups = (list(alike) for _, alike in groupby(plan.placements, key=lambda placement: id(placement.rejections)))
    yield from _listed("placements", (_text(_placement(alike, plan.currency, numbers)) for alike in groups), "\n")
    yield "}\n"


def to_builtins(plan: Plan) -> dict[str, object]:
    """Return the plan in terms of JSON: what `to_json` writes and what a YAML writer needs."""
    document: dict[str, object] = msgspec.json.decode(to_json(plan))
    return document


def from_json(text: str | bytes, name: str = "plan") -> Plan:
    """Return the plan in `text`; raise CellwrightError that says what is wrong with the document called `name`."""
    try:
        header = msgspec.json.decode(text, type=_Header)
        if header.kind != KIND or header.apiVersion != API_VERSION:
            _refuse_kind(header, name)
        document = msgspec.json.decode(text, type=_Document)
    except msgspec.ValidationError as error:
        raise CellwrightError.of("plan-shape", f"{name} is not a plan: {error}", hint=_HINT) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CellwrightError.of("plan-json", f"{name} is not JSON: {error}", hint=_HINT) from None
    try:
        return _plan(document)
    except (IndexError, ValueError, KeyError):
        message = f"{name} is not a plan: a finding or placement names a site or finding that it does not hold"
        raise CellwrightError.of("plan-shape", message, hint=_HINT) from None


def _refuse_kind(header: _Header, name: str) -> NoReturn:
    """Raise that a document is of another kind or version."""
    message = f"{name} is a document of kind {header.kind!r}, apiVersion {header.apiVersion!r}"
    raise CellwrightError(Diagnostic("plan-kind", message, expected=f"kind {KIND!r}, {API_VERSION!r}", hint=_HINT))


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _listed(key: str, lines: Iterable[str], end: str) -> Iterator[str]:
    """Yield a key and its list, one line an entry."""
    yield f"{_text(key)}: ["
    mark = "\n"
    for line in lines:
        yield mark + line
        mark = ",\n"
    yield f"\n]{end}"


def _numbered(found: Finding, numbers: dict[int, int]) -> Finding | None:
    """Return a finding that has no number yet, and give it one."""
    if id(found) in numbers:
        return None
    numbers[id(found)] = len(numbers)
    return found


def _finding(found: Finding) -> _Finding:
    at = np.flatnonzero(found.at)
    breaks = np.flatnonzero(np.diff(at) > 1)
    firsts, lasts = at[np.concatenate([[0], breaks + 1])], at[np.concatenate([breaks, [len(at) - 1]])]
    told = [found.measured_at(site) for site in at.tolist()]
    measured = told[0] if all(value == told[0] for value in told) else told
    return _Finding(
        found.dimension,
        found.code,
        found.subject,
        measured,
        found.limit,
        found.unit,
        found.message,
        found.source,
        list(zip(firsts.tolist(), lasts.tolist(), strict=True)),
    )


def _placement(alike: Sequence[Placement], currency: str, numbers: Mapping[int, int]) -> _Placement:
    first = alike[0]
    return _Placement(
        workload=first.workload,
        phase=first.phase,
        tenant=first.tenant,
        users=first.users,
        site=first.site,
        tier=first.tier,
        quantisation=first.quantisation,
        cost_per_hour=first.cost_per_hour,
        currency=currency,
        cost_items=first.cost_items,
        latency_p50_ms=first.latency_p50_ms,
        latency_p99_ms=first.latency_p99_ms,
        latency_source=first.latency_source,
        decided_by=first.decided_by,
        decided_because=first.decided_because,
        eliminated=dict(first.eliminated),
        calls=tuple(_Call(*call) for call in first.calls),
        findings=[numbers[id(found)] for found in first.rejections.findings],
        replicas=first.replicas,
        placed=[_Replica(each.replica, each.node, each.seating) for each in alike],
    )


def _plan(document: _Document) -> Plan:
    sites = document.sites
    findings = [_read_finding(found, len(sites)) for found in document.findings]
    index = {site.name: number for number, site in enumerate(sites)}
    placements = (
        placement for group in document.placements for placement in _read_placements(group, sites, findings, index)
    )
    return Plan(document.estate_sha256, document.currency, document.valid_until, sites, tuple(placements))


def _read_finding(found: _Finding, sites: int) -> Finding:
    at = np.zeros(sites, dtype=np.bool_)
    for first, last in found.sites:
        if not 0 <= first <= last < sites:
            raise IndexError(first)
        at[first : last + 1] = True
    return Finding(
        found.dimension,
        found.code,
        found.subject,
        found.limit,
        found.unit,
        found.message,
        found.source,
        at,
        _read_measured(found.measured, at),
    )


def _read_measured(
    measured: list[float | str | None] | float | str | None, at: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | tuple[str, ...] | float | str | None:
    """Return what was measured, aligned with all sites."""
    if not isinstance(measured, list):
        return measured
    if any(isinstance(value, str) for value in measured):
        words = [""] * len(at)
        for site, value in zip(np.flatnonzero(at).tolist(), measured, strict=True):
            words[site] = str(value)
        return tuple(words)
    figures = np.full(len(at), np.nan)
    figures[at] = [np.nan if value is None else value for value in measured]
    return figures


def _read_placements(
    group: _Placement, sites: tuple[PlannedSite, ...], findings: Sequence[Finding], index: Mapping[str, int]
) -> Iterator[Placement]:
    chosen = None if group.site is None else index[group.site]
    rejections = Rejections(sites, tuple(findings[number] for number in group.findings), chosen)
    for each in group.placed:
        yield Placement(
            workload=group.workload,
            phase=group.phase,
            tenant=group.tenant,
            site=group.site,
            tier=group.tier,
            node=each.node,
            cost_per_hour=group.cost_per_hour,
            cost_items=group.cost_items,
            latency_p50_ms=group.latency_p50_ms,
            latency_p99_ms=group.latency_p99_ms,
            decided_by=group.decided_by,
            decided_because=group.decided_because,
            eliminated=group.eliminated,
            calls=tuple((call.workload, call.site, call.tier) for call in group.calls),
            rejections=rejections,
            replica=each.replica,
            replicas=group.replicas,
            users=group.users,
            latency_source=group.latency_source,
            quantisation=group.quantisation,
            seating=each.seating,
        )
