"""Data gravity: bound data keeps the workload at its home, other data must arrive in time.

The time is that of the transfer over the narrowest link of the widest path, without protocol overhead and without other
traffic: a lower bound, so what it rules out is truly ruled out. It may be as long as `within` says, but never longer
than the period: data that takes more than an hour to move every hour piles up without end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cellwright.placement.changes import Change, new_link, with_dataset, with_workload
from cellwright.placement.filters import Filter
from cellwright.placement.plan import Dimension, Violation
from cellwright.placement.wording import number, round_span_up, round_up, span
from cellwright.units import VOLUME, transfer_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.estate.model import Consumption, Estate, Site
    from cellwright.placement.terrain import Case

BOUND: Final = "gravity.bound"
TRANSFER_TIME: Final = "gravity.transfer-time"
_S: Final = 1000.0  # milliseconds
_DIGITS: Final = 6
_NEW_LINK_MS: Final = 10.0


def judge(case: Case, site: Site) -> Iterator[Violation]:
    """Yield violations for each dataset that is bound elsewhere or cannot arrive at `site` in time."""
    for use in case.workload.consumes:
        dataset, home = case.data(use.dataset)
        if site.name == home.name:
            continue
        if dataset.bound:
            message = f"{dataset.name} is bound to {home.name}: the model has to come to the data, not to {site.name}"
            yield Violation(Dimension.GRAVITY, BOUND, dataset.name, site.name, home.name, "", message, "dataset")
        if use.transfer_gb > 0:
            yield from _transfer(case, site, use, home.name)


def _transfer(case: Case, site: Site, use: Consumption, home: str) -> Iterator[Violation]:
    """Yield a violation where a period's data needs longer than it may, or has no path at all."""
    pipe = case.terrain.paths.pipe(home, site.name)
    limit_s = _limit_ms(use) / _S
    moved = VOLUME.format(use.transfer_gb)
    if pipe is None:
        message = f"no path of links brings {moved} of {use.dataset} from {home} to {site.name}"
        yield _late(use, None, limit_s, message, "links of the estate")
        return
    needed_s = round(transfer_s(use.transfer_gb, pipe.gbps), _DIGITS)
    if needed_s > limit_s:
        message = (
            f"{moved} of {use.dataset} need {span(needed_s * _S)} from {home} to {site.name} over "
            f"{number(pipe.gbps)} Gbit/s, and must arrive within {span(_limit_ms(use))}"
            f"{', before the next are due' if use.every_ms < use.within_ms else ''}"
        )
        yield _late(use, needed_s, limit_s, message, f"link {pipe.narrowest}")


def _limit_ms(use: Consumption) -> float:
    return min(use.within_ms, use.every_ms)


def _late(use: Consumption, measured_s: float | None, limit_s: float, message: str, source: str) -> Violation:
    return Violation(Dimension.GRAVITY, TRANSFER_TIME, use.dataset, measured_s, limit_s, "s", message, source)


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
        return with_dataset(estate, replace(estate.datasets[name], bound=False))

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
