"""The estate that ships as an example."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cellwright.estate.parsing import parse
from cellwright.placement.changes import with_dataset, with_workload
from cellwright.placement.planning import plan

if TYPE_CHECKING:
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Placement, Plan

FOLDER = Path(__file__).parents[2] / "examples" / "operator"


@cache
def operator() -> Estate:
    files = sorted(FOLDER.glob("*.yaml"))
    parsed = parse([(path.name, path.read_text(encoding="utf-8")) for path in files])
    assert parsed.estate is not None, parsed.diagnostics
    return parsed.estate


@cache
def operator_plan() -> Plan:
    return plan(operator())


def with_data(name: str, **changed: object) -> Estate:
    """The operator with one dataset changed."""
    return with_dataset(operator(), replace(operator().datasets[name], **changed))


def with_job(name: str, **changed: object) -> Estate:
    """The operator with one workload changed."""
    return with_workload(operator(), replace(operator().workloads[name], **changed))


def placed(estate: Estate, workload: str) -> Placement:
    placement = (operator_plan() if estate is operator() else plan(estate)).placement(workload)
    assert placement is not None
    return placement
