"""Data gravity: bound data keeps the workload at its home, other data must arrive in time.

The time is that of the transfer over the narrowest link of the widest path, without protocol overhead and without other
traffic: a lower bound, so what it rules out is truly ruled out. It may be as long as `within` says, but never longer
than the period: data that takes more than an hour to move every hour piles up without end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.placement.changes import Change, new_link, with_dataset, with_workload
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Finding
from cellwright.placement.reckoned import Reckoned
from cellwright.placement.wording import number, round_span_up, round_up, span
from cellwright.units import VOLUME, transfer_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cellwright.estate.model import Consumption, Estate, Site
    from cellwright.placement.plan import Violation
    from cellwright.placement.terrain import Case, Terrain

BOUND: Final = "gravity.bound"
TRANSFER_TIME: Final = "gravity.transfer-time"
_S: Final = 1000.0  # milliseconds
_DIGITS: Final = 6  # of a second
_HALF_DIGIT: Final = 5e-7
_NEW_LINK_MS: Final = 10.0


def judge(case: Case) -> Iterator[Finding]:
    """Yield where each dataset cannot be because it is bound elsewhere, and where it cannot arrive in time."""
    uses = dict.fromkeys(case.workload.consumes)
    for name in dict.fromkeys(use.dataset for use in uses):
        dataset, home = case.data(name)
        if dataset.bound:
            message = f"{name} is bound to {home.name}: the model has to come to the data, not to {{site}}"
            at = elsewhere(case.terrain, home.name)[case.scope]
            names = case.terrain.names[case.scope]
            yield Finding(Dimension.GRAVITY, BOUND, name, home.name, "", message, "dataset", at, names)
    yield from (_late(case, use) for use in uses if use.transfer_gb > 0)


def elsewhere(terrain: Terrain, name: str) -> NDArray[np.bool_]:
    """Return every site but one, (n_sites,) bool; not to be written to."""
    answers = terrain.answers()
    if (elsewhere, name) not in answers:
        at = np.ones(len(terrain.sites), dtype=np.bool_)
        at[terrain.index[name]] = False
        answers[elsewhere, name] = at
    found: NDArray[np.bool_] = answers[elsewhere, name]
    return found


def _late(case: Case, use: Consumption) -> Finding:
    """Return where a period's data needs longer than it may, or has no path at all."""
    home, limit_s, moved = case.data(use.dataset)[1].name, _limit_ms(use) / _S, VOLUME.format(use.transfer_gb)
    pipes = case.pipes_gbps(home)
    need, due = f"{moved} of {use.dataset} need", f"must arrive within {span(_limit_ms(use))}"
    due += ", before the next are due" if use.every_ms < use.within_ms else ""

    def reckon(site: int) -> float | None:
        gbps = float(pipes[site])
        return round(transfer_s(use.transfer_gb, gbps), _DIGITS) if gbps else None

    def detail(site: int) -> tuple[str, str]:
        name, needed_s = case.sites[site].name, reckon(site)
        pipe = case.terrain.paths.pipe(home, name)
        if pipe is None or needed_s is None:
            return f"no path of links brings {moved} of {use.dataset} from {home} to {name}", "links of the estate"
        over = f"{span(needed_s * _S)} from {home} to {name} over {number(pipe.gbps)} Gbit/s"
        return f"{need} {over}, and {due}", f"link {pipe.narrowest}"

    return Reckoned(
        dimension=Dimension.GRAVITY,
        code=TRANSFER_TIME,
        subject=use.dataset,
        limit=limit_s,
        unit="s",
        message=f"{need} {{measured}} from {home} to {{site}}, and {due}",
        source="links of the estate",
        at=pipes < use.transfer_gb * 8.0 / (limit_s + _HALF_DIGIT),  # the bandwidth that would just do
        detail=detail,
        reckon=reckon,
    )


def _limit_ms(use: Consumption) -> float:
    return min(use.within_ms, use.every_ms)


def relax(case: Case, site: Site, violation: Violation) -> Change | None:
    """Return the change that frees a bound dataset, gives a transfer more time, or builds the missing path."""
    if violation.code == BOUND:
        return _unbind(case, violation.subject)
    if violation.measured is None:
        return _path(case, site, violation.subject)
    return _more_time(case, violation)


def _unbind(case: Case, name: str) -> Change:
    """Return the change that makes a copy of a bound dataset possible."""

    def apply(estate: Estate) -> Estate:
        known = estate.datasets.get(name)  # None: a change that would have derived it was left out
        return with_dataset(estate, replace(known, bound=False)) if known else estate

    home = case.estate.datasets[name].home
    text = f"dataset {name} no longer bound to {home}: an export or a feed of it exists"
    return Change(BOUND, name, "bound", "free", "", text, apply)


def _path(case: Case, site: Site, name: str) -> Change:
    """Return the thinnest link over which the data arrives in time."""
    uses = (use for use in case.workload.consumes if use.dataset == name and _limit_ms(use) > 0)
    needed = max((use.transfer_gb * 8.0 * _S / _limit_ms(use) for use in uses), default=1.0)
    return new_link(TRANSFER_TIME, case.estate.datasets[name].home, site.name, _NEW_LINK_MS, round_up(needed))


def _more_time(case: Case, violation: Violation) -> Change:
    """Return the change that lets a transfer take as long as it needs."""
    before_ms, after_ms = float(violation.limit or 0) * _S, round_span_up(float(violation.measured or 0) * _S)
    uses = [use for use in case.workload.consumes if use.dataset == violation.subject]
    rarer = [use for use in uses if before_ms <= use.every_ms < after_ms]

    def apply(estate: Estate) -> Estate:
        workload = estate.workloads[case.workload.name]
        consumes = tuple(
            replace(use, within_ms=max(use.within_ms, after_ms), every_ms=max(use.every_ms, after_ms))
            if use.dataset == violation.subject
            else use
            for use in workload.consumes
        )
        return with_workload(estate, replace(workload, consumes=consumes))

    text = f"within of dataset {violation.subject} from {span(before_ms)} to {span(after_ms)}"
    if rarer:
        text += f", and every from {span(rarer[0].every_ms)} to {span(after_ms)}"
    return Change(TRANSFER_TIME, violation.subject, before_ms / _S, after_ms / _S, "s", text, apply)


FILTER: Final = Filter(Dimension.GRAVITY, judge, relax, needs=lambda case: case.workload.consumes)
