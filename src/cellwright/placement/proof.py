"""The least cost of an assignment, proved by branch and bound (HiGHS), from a plan that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cellwright.placement.assignment_candidates import Ground, room_of
from cellwright.placement.assignment_problem import SitePlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.placement.assignment_problem import Problem

PRECISION: Final = 1e-9  # of the cost: a gap below it is none
ROUNDING: Final = 1e-6  # replicas: what the bound of a whole number may be off
WHOLE: Final = 0.5  # replicas: a smaller gap proves a whole number


@dataclass(frozen=True, slots=True)
class Proof:
    """How good the best known plan is."""

    cost: float  # price per hour of the plan
    bound: float  # placing as many replicas costs at least this
    gap: float  # (cost - bound) / cost; 0: nothing is cheaper; inf: no bound
    optimal: bool  # no plan places more replicas, and none that places as many is cheaper, within the gap asked for
    plan: SitePlan  # never worse than the start


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The admitted cells of the price matrix, a variable each."""

    row: NDArray[np.int64]
    site: NDArray[np.int64]


def prove(problem: Problem, start: SitePlan, seconds: float, gap: float = 0.0) -> Proof:
    """Return the best plan found within `seconds` from `start`, and what it is proved to be within.

    Where replicas have no site, half of the time goes to proving that no more can be placed; the rest to the cost.
    `gap` is the relative gap that is good enough. HiGHS keeps the time: the answer of a search that is cut short may
    differ from run to run.
    """
    admitted = np.isfinite(Ground.of(problem).screened)
    cells = _Cells(*np.nonzero(admitted))
    if not len(cells.row):
        return Proof(start.cost, start.cost, 0.0, optimal=True, plan=start)
    possible = replace(problem, count=np.where(admitted.any(1), problem.count, 0))
    best, spent, most = start, 0.0, True
    if start.unplaced.sum() > (problem.count - possible.count).sum():
        counts, bound, spent = _search(possible, cells, best, _Goal(seconds / 2, 0.0))
        best = _better(problem, best, counts, cells)
        most = bound - ROUNDING > -_placed(best) - 1
    counts, bound, _ = _search(possible, cells, best, _Goal(max(seconds - spent, 0.0), gap, _placed(best)))
    best = _better(problem, best, counts, cells)
    if _placed(best) == _placed(start):
        bound = max(bound, start.bound)
    bound = min(bound, best.cost)
    left = (best.cost - bound) / abs(best.cost) if best.cost else 0.0
    left = 0.0 if left <= PRECISION else left
    best = replace(best, bound=bound)
    return Proof(best.cost, bound, left, optimal=most and left <= gap, plan=best)


def _placed(plan: SitePlan) -> int:
    return int(plan.count.sum())


@dataclass(frozen=True, slots=True)
class _Goal:
    """What a search is for: the most replicas if `placed` is None, else the cheapest plan of that many."""

    seconds: float
    gap: float
    placed: int | None = None


def _search(
    problem: Problem, cells: _Cells, start: SitePlan, goal: _Goal
) -> tuple[NDArray[np.int64] | None, float, float]:
    """Return what HiGHS finds, (n_cells,) or None, its bound and the seconds it took."""
    import highspy  # noqa: PLC0415 - only who asks for a proof pays for loading the solver

    solver: Any = getattr(highspy, "Highs")()  # noqa: B009 - the library's class is untyped
    options = {
        "output_flag": False,
        "time_limit": goal.seconds,
        "mip_rel_gap": goal.gap,
        "mip_abs_gap": 0.0 if goal.placed is not None else WHOLE,
        "random_seed": 0,
        "threads": 1,
    }
    for name, value in options.items():
        solver.setOptionValue(name, value)
    solver.passModel(_model(highspy, problem, cells, goal.placed))
    known = highspy.HighsSolution()
    known.col_value = _counts_of(start, cells, problem.cost.shape[1]).astype(np.float64).tolist()
    solver.setSolution(known)
    solver.run()
    info = solver.getInfo()
    found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    counts = np.rint(np.asarray(solver.getSolution().col_value)).astype(np.int64) if found else None
    return counts, float(info.mip_dual_bound), float(solver.getRunTime())


def _model(highspy: Any, problem: Problem, cells: _Cells, placed: int | None) -> Any:  # noqa: ANN401 - untyped library
    """Return the model: a whole number a cell, a limit a row, a limit a site and resource, and how many in all."""
    n_rows, n_sites = problem.cost.shape
    n_resources, n_cells = problem.demand.shape[1], len(cells.row)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = n_cells, n_rows + n_sites * n_resources + (placed is not None)
    model.col_cost_ = -np.ones(n_cells) if placed is None else problem.cost[cells.row, cells.site].astype(np.float64)
    model.col_lower_, model.col_upper_ = np.zeros(n_cells), problem.count[cells.row].astype(np.float64)
    limits = [problem.count.astype(np.float64), problem.capacity.ravel()]
    floors = [np.full(n_rows + n_sites * n_resources, -np.inf)]
    columns = [cells.row, *(n_rows + cells.site * n_resources + each for each in range(n_resources))]
    values = [np.ones(n_cells), *problem.demand[cells.row].T]
    if placed is not None:
        limits.append(np.array([float(placed)]))
        floors.append(np.array([float(placed)]))
        columns.append(np.full(n_cells, model.num_row_ - 1))
        values.append(np.ones(n_cells))
    model.row_lower_, model.row_upper_ = np.concatenate(floors), np.concatenate(limits)
    model.integrality_ = [highspy.HighsVarType.kInteger] * n_cells
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = np.arange(n_cells + 1, dtype=np.int32) * len(columns)
    model.a_matrix_.index_ = np.stack(columns, 1).ravel().astype(np.int32)
    model.a_matrix_.value_ = np.stack(values, 1).ravel()
    return model


def _counts_of(plan: SitePlan, cells: _Cells, n_sites: int) -> NDArray[np.int64]:
    """Return how many replicas `plan` has in each cell, (n_cells,)."""
    counts = np.zeros(len(cells.row), np.int64)
    place = np.searchsorted(cells.row * n_sites + cells.site, plan.row * n_sites + plan.site)
    counts[place] = plan.count
    return counts


def _better(problem: Problem, known: SitePlan, counts: NDArray[np.int64] | None, cells: _Cells) -> SitePlan:
    """Return the plan of `counts` (n_cells,) if it is sound and better than the known one, else that one."""
    if counts is None:
        return known
    row, site, count = (part[counts > 0] for part in (cells.row, cells.site, counts))
    unplaced = problem.count - np.bincount(row, count, len(problem.count)).astype(np.int64)
    load = [np.bincount(site, each, len(problem.capacity)) for each in (problem.demand[row] * count[:, None]).T]
    cost = float((problem.cost[row, site] * count).sum())
    sound = (np.stack(load, 1) <= room_of(problem)).all() and (unplaced >= 0).all()
    if not sound or (unplaced.sum(), cost) >= (known.unplaced.sum(), known.cost):
        return known
    return SitePlan(row, site, count, unplaced, cost, -math.inf)
