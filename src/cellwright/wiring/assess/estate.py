"""From answers to estate documents: every assumed figure says so, every rule nobody has checked is marked."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cellwright.estate.documents.parts import API_VERSION
from cellwright.estate.model import Boundary
from cellwright.inventory.documents import link_document, site_document, to_yaml
from cellwright.wiring.assess.ask_tokens import ASSUMPTION
from cellwright.wiring.estates import load_estate
from cellwright.wiring.files import storage_errors, write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from cellwright.estate.model import ComputePrices, Estate, Latencies
    from cellwright.wiring.assess.ask_data import Ruled
    from cellwright.wiring.assess.ask_latency import Function
    from cellwright.wiring.assess.interview import Interview

    Plain = dict[str, object]

ESTATE: Final = "estate"
_TENANT: Final = "operator"
_VALID: Final = timedelta(days=180)  # how long an assumption may stand before it is checked again
_HEADING: Final = "Written by `cellwright assess` from your answers. Figures that nobody has measured are assumptions."


def documents(found: Interview, today: date) -> dict[str, str]:
    """Return the text of each file of the estate by name; what nobody has checked is valid for half a year."""
    network = found.network
    kinds: dict[str, Sequence[Mapping[str, object]]] = {
        "sites.yaml": [site_document(site) for site in network.sites],
        "links.yaml": [link_document(link) for link in network.links],
        "datasets.yaml": [
            _document("Dataset", each.dataset.name, {
                "class": each.dataset.sensitivity.value,
                "home": each.dataset.home,
                "volume": f"{each.dataset.volume_gb:.10g} GB",
                "bound": each.dataset.bound,
            }, {"classified-because": each.because})
            for each in found.data
        ],
        "regulations.yaml": [_regulation(rule, today) for rule in found.rules],
        "workloads.yaml": [_workload(function, found.functions) for function in found.functions],
        "tenants.yaml": [_document("Tenant", _TENANT, {"displayName": "The operator"})],
        "prices.yaml": _price_books(found, today),
        "measurements.yaml": [_measurement(each, today) for each in found.functions if each.measured],
    }  # fmt: skip
    return {name: to_yaml(parts, _HEADING) for name, parts in kinds.items() if parts}


def write_assessment(out: Path, found: Interview, today: date) -> Estate:
    """Put the estate into the folder ESTATE below `out` in one step, if it is valid, and return it.

    Raises EstateError with every problem where the answers do not make an estate; the folder stays as it was.
    """
    target = out / ESTATE
    staging, old = (out / f".{ESTATE}.{os.getpid()}.{kind}" for kind in ("tmp", "old"))
    try:
        for name, text in documents(found, today).items():
            write_atomically(staging / name, text)
        loaded = load_estate(staging, today)
        with storage_errors("write", target):
            if target.exists():
                target.replace(old)
            staging.replace(target)
    finally:
        if old.exists() and not target.exists():
            old.replace(target)
        for left in (staging, old):
            shutil.rmtree(left, ignore_errors=True)
    return loaded


def _document(kind: str, name: str, spec: Plain, labels: Mapping[str, str] | None = None) -> Plain:
    metadata: Plain = {"name": name, **({"labels": dict(labels)} if labels else {})}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


def _evidence(source: str, today: date) -> Plain:
    return {"source": source, "checked": today.isoformat(), "expires": (today + _VALID).isoformat()}


def _regulation(rule: Ruled, today: date) -> Plain:
    name = f"{rule.country}-{rule.sensitivity}".lower().replace("_", "-")
    spec: Plain = {
        "jurisdictions": [rule.country],
        "classes": [rule.sensitivity.value],
        "boundary": rule.boundary.value,
        "effect": rule.effect.value,
        **({"members": list(rule.members)} if rule.boundary is Boundary.BLOC else {}),
        **({"url": rule.url} if rule.url else {}),
        **_evidence(rule.source, today),
    }
    return _document("Regulation", name, spec, {} if rule.reviewed else {"review": "to be reviewed"})


def _workload(function: Function, all_of_them: Sequence[Function]) -> Plain:
    kind = function.archetype
    amount, every, within = kind.transfer
    names = {each.name for each in all_of_them}
    calls = [{"workload": callee, "traffic": "0.5 GB/h", "p99": "60 ms"} for callee in kind.calls if callee in names]
    latency: Plain = {"users": function.users}
    if function.p99_ms is not None:
        latency["p99"] = f"{function.p99_ms:.10g} ms"
    spec: Plain = {
        "phase": kind.phase.value,
        "tenant": _TENANT,
        "description": f"{kind.what[:1].upper()}{kind.what[1:]} (demand and service time: assumptions)",
        "demand": dict(kind.demand),
        "consumes": [{"dataset": function.dataset, "transfer": amount, "every": every, "within": within}],
        "latency": latency,
        "serviceTime": {"p50": kind.service[0], "p99": kind.service[1]},
        "readiness": {"skills": list(kind.skills), "onCall": kind.on_call.value},
        **({"calls": calls} if calls else {}),
    }
    return _document("Workload", kind.name, spec)


def _price_books(found: Interview, today: date) -> list[Plain]:
    costs = found.costs
    assumed = "Assumption of the guided path; replace it with your contract"
    own = "The operator's own figures, typed into the guided path"
    compute: Plain = {
        "currency": found.network.currency,
        **_evidence(assumed if costs.source == ASSUMPTION else own, today),
        "compute": [_compute(prices) for prices in costs.compute],
    }
    tokens: Plain = {
        "currency": costs.token_currency,
        **_evidence("The operator's answer, or an assumption of the size of public list prices", today),
        "tokens": [
            {
                "model": costs.token_prices.model,
                "inputPerMillion": costs.token_prices.input_per_million,
                "outputPerMillion": costs.token_prices.output_per_million,
            }
        ],
    }
    return [_document("PriceBook", "compute", compute), _document("PriceBook", "cloud-tokens", tokens)]


def _compute(prices: ComputePrices) -> Plain:
    return {
        "tier": prices.tier.value,
        "coreHour": prices.core_hour,
        "memoryGibHour": prices.memory_gib_hour,
        "gpuHour": dict(prices.gpu_hour),
        "ingressGb": prices.ingress_gb,
    }


def _measurement(function: Function, today: date) -> Plain:
    measured = function.measured
    if measured is None:
        raise ValueError(function.name)
    spec: Plain = {
        "workload": function.name,
        "users": function.users,
        "site": measured.site,
        "roundTrip": _percentiles(measured.round_trip),
        **({"firstToken": _percentiles(measured.first_token)} if measured.first_token else {}),
        "source": "Typed into the guided path by the operator",
        "checked": today.isoformat(),
    }
    return _document("Measurement", function.name, spec)


def _percentiles(found: Latencies) -> Plain:
    known = (("p50", found.p50_ms), ("p95", found.p95_ms), ("p99", found.p99_ms))
    return {key: f"{value:.10g} ms" for key, value in known if value is not None}
