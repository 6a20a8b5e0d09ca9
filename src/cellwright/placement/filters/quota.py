"""Tenant quota: what all replicas of a tenant take together stays within its bounds, wherever they are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.changes import Change, from_to, with_tenant
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Finding
from cellwright.placement.terrain import Held
from cellwright.placement.wording import listing, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Estate, Site
    from cellwright.placement.plan import Violation
    from cellwright.placement.terrain import Case

CODE: Final = "quota."
_NOBODY: Final = Held()
_DIGITS: Final = 9  # of a GiB: sums of decimal sizes stay decimal


def judge(case: Case) -> Iterator[Finding]:
    """Yield each bound that one more replica, or a whole gang, would pass, at every site alike."""
    tenant = case.tenant
    if tenant is None:
        return
    held, demand, quota = case.standing.tenants.get(tenant.name, _NOBODY), case.variant.shape.demand, tenant.quota
    more = case.together
    wanted = (
        ("cores", float(held.cores + more * demand.cores), quota.cores, "cores"),
        ("memory", round(held.memory_gib + more * demand.memory_gib, _DIGITS), quota.memory_gib, "GiB"),
        ("gpus", float(held.gpus + more * demand.gpus), quota.gpus, "GPUs"),
    )
    for resource, total, bound, unit in wanted:
        if bound is not None and total > bound:
            yield Finding(
                dimension=Dimension.QUOTA,
                code=CODE + resource,
                subject=resource,
                limit=float(bound),
                unit=unit,
                message=(
                    f"with {case.workload.name} tenant {tenant.name} would take {number(total)} {unit}, its quota is "
                    f"{number(bound)} (already placed: {listing(held.holders)})"
                ),
                source=f"tenant {tenant.name}",
                at=np.ones(len(case.sites), dtype=np.bool_),
                measured=total,
            )


def relax(case: Case, _: Site, violation: Violation) -> Change | None:
    """Return the change that raises one bound of the tenant's quota."""
    needed, name = float(violation.measured or 0), case.workload.tenant

    def apply(estate: Estate) -> Estate:
        tenant = estate.tenants[name]
        quota = tenant.quota
        raised = {
            "cores": replace(quota, cores=math.ceil(needed)),
            "gpus": replace(quota, gpus=math.ceil(needed)),
            "memory": replace(quota, memory_gib=needed),
        }
        return with_tenant(estate, replace(tenant, quota=raised[violation.subject]))

    before = float(violation.limit or 0)
    text = from_to(f"quota of tenant {name}", before, needed, violation.unit)
    return Change(violation.code, name, before, needed, violation.unit, text, apply)


FILTER: Final = Filter(Dimension.QUOTA, judge, relax, heeds_others=True)
