"""A Plan as a JSON document and back; the same plan always becomes the same bytes."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the decoder reads these annotations
from typing import Final, NoReturn

import msgspec

from cellwright.errors import CellwrightError, Diagnostic
from cellwright.estate.model import Phase, Tier  # noqa: TC001 - the decoder reads these annotations
from cellwright.placement.plan import CostItem, Dimension, Placement, Plan, PlannedSite, Rejection

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


class _Workload(msgspec.Struct):
    """One placement as the document spells it."""

    workload: str
    phase: Phase
    tenant: str
    site: str | None
    tier: Tier | None
    node: str | None
    cost_per_hour: float | None
    currency: str
    cost_items: tuple[CostItem, ...]
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    decided_by: Dimension
    decided_because: str
    eliminated: Mapping[Dimension, int]
    calls: tuple[_Call, ...]
    rejections: tuple[Rejection, ...]


class _Document(msgspec.Struct):
    """A whole plan as the document spells it."""

    apiVersion: str  # noqa: N815 - the key's spelling is the document's
    kind: str
    estate_sha256: str
    currency: str
    valid_until: str | None
    sites: tuple[PlannedSite, ...]
    workloads: tuple[_Workload, ...]


def to_json(plan: Plan) -> str:
    """Return the plan as indented JSON that ends in a newline."""
    return msgspec.json.format(msgspec.json.encode(_document(plan)), indent=2).decode() + "\n"


def to_builtins(plan: Plan) -> dict[str, object]:
    """Return the plan in terms of JSON: what `to_json` writes and what a YAML writer needs."""
    document: dict[str, object] = msgspec.json.decode(msgspec.json.encode(_document(plan)))
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
    return Plan(
        document.estate_sha256,
        document.currency,
        document.valid_until,
        document.sites,
        tuple(_placement(workload) for workload in document.workloads),
    )


def _refuse_kind(header: _Header, name: str) -> NoReturn:
    """Raise that a document is of another kind or version."""
    message = f"{name} is a document of kind {header.kind!r}, apiVersion {header.apiVersion!r}"
    raise CellwrightError(Diagnostic("plan-kind", message, expected=f"kind {KIND!r}, {API_VERSION!r}", hint=_HINT))


def _document(plan: Plan) -> _Document:
    workloads = tuple(_workload(placement, plan.currency) for placement in plan.placements)
    return _Document(API_VERSION, KIND, plan.estate_sha256, plan.currency, plan.valid_until, plan.sites, workloads)


def _workload(placement: Placement, currency: str) -> _Workload:
    return _Workload(
        workload=placement.workload,
        phase=placement.phase,
        tenant=placement.tenant,
        site=placement.site,
        tier=placement.tier,
        node=placement.node,
        cost_per_hour=placement.cost_per_hour,
        currency=currency,
        cost_items=placement.cost_items,
        latency_p50_ms=placement.latency_p50_ms,
        latency_p99_ms=placement.latency_p99_ms,
        decided_by=placement.decided_by,
        decided_because=placement.decided_because,
        eliminated=dict(placement.eliminated),
        calls=tuple(_Call(*call) for call in placement.calls),
        rejections=placement.rejections,
    )


def _placement(workload: _Workload) -> Placement:
    return Placement(
        workload=workload.workload,
        phase=workload.phase,
        tenant=workload.tenant,
        site=workload.site,
        tier=workload.tier,
        node=workload.node,
        cost_per_hour=workload.cost_per_hour,
        cost_items=workload.cost_items,
        latency_p50_ms=workload.latency_p50_ms,
        latency_p99_ms=workload.latency_p99_ms,
        decided_by=workload.decided_by,
        decided_because=workload.decided_because,
        eliminated=workload.eliminated,
        calls=tuple((call.workload, call.site, call.tier) for call in workload.calls),
        rejections=workload.rejections,
    )
