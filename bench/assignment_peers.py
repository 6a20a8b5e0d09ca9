"""What the assignment is measured against: HiGHS here, CP-SAT in an environment of its own, and the greedy choice.

All get the same problem: a whole number for each admitted cell, a limit for each row, site and resource, and a price
for each replica without a site that is four times the dearest admitted one. Run as a program, it is CP-SAT's side: it
reads a problem from a file of arrays and prints what it found.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.placement.assignment import Problem

REFUSAL: Final = 4.0  # in the dearest admitted price
GAP: Final = 1e-4
UNITS: Final = 100_000  # CP-SAT counts in whole numbers: a EUR


class Answer(NamedTuple):
    """A peer's cost without refusals (inf: no plan), replicas without a site, bound with refusals, seconds."""

    cost: float
    unplaced: int
    bound: float
    seconds: float


def refusal_of(problem: Problem) -> float:
    """Return the price of a replica without a site."""
    return REFUSAL * float(problem.cost.max(where=np.isfinite(problem.cost), initial=0.0))


def greedy(problem: Problem) -> Answer:
    """Return what comes of letting each replica in turn, dearest first, take the cheapest site that has room."""
    started = time.perf_counter()
    free, left = problem.capacity.copy(), problem.count.copy()
    cost = 0.0
    for row in np.argsort(-np.where(np.isfinite(problem.cost), problem.cost, 0.0).max(1), kind="stable").tolist():
        for site in np.argsort(problem.cost[row], kind="stable").tolist():
            if not left[row] or not np.isfinite(problem.cost[row, site]):
                break
            with np.errstate(divide="ignore", invalid="ignore"):
                fits = np.where(problem.demand[row] > 0, free[site] / problem.demand[row], np.inf).min()
            taken = int(min(left[row], np.floor(fits)))
            free[site] -= taken * problem.demand[row]
            left[row] -= taken
            cost += taken * float(problem.cost[row, site])
    return Answer(cost, int(left.sum()), -math.inf, time.perf_counter() - started)


def highs(problem: Problem, limit: float) -> Answer:
    """Return what HiGHS proves or finds within `limit` seconds on one thread."""
    import highspy  # noqa: PLC0415 - only where the peer is run

    row, site = np.nonzero(np.isfinite(problem.cost))
    n_rows, n_resources = problem.demand.shape
    refusal = refusal_of(problem)
    index = np.stack([row, *(n_rows + site * n_resources + each for each in range(n_resources))], 1)
    value = np.stack([np.ones(len(row)), *problem.demand[row].T], 1)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(row) + n_rows, n_rows + problem.capacity.size
    model.col_cost_ = np.concatenate([problem.cost[row, site], np.full(n_rows, refusal)])
    model.col_lower_ = np.zeros(model.num_col_)
    model.col_upper_ = np.concatenate([problem.count[row], problem.count]).astype(float)
    count = problem.count.astype(float)
    model.row_lower_ = np.concatenate([count, np.full(problem.capacity.size, -np.inf)])
    model.row_upper_ = np.concatenate([count, problem.capacity.ravel()])
    model.integrality_ = [highspy.HighsVarType.kInteger] * model.num_col_
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    starts = np.arange(len(row) + 1) * index.shape[1]
    model.a_matrix_.start_ = np.concatenate([starts, starts[-1] + 1 + np.arange(n_rows)]).astype(np.int32)
    model.a_matrix_.index_ = np.concatenate([index.ravel(), np.arange(n_rows)]).astype(np.int32)
    model.a_matrix_.value_ = np.concatenate([value.ravel(), np.ones(n_rows)])
    solver = highspy.Highs()
    for name, option in {"output_flag": False, "time_limit": limit, "mip_rel_gap": GAP, "threads": 1}.items():
        solver.setOptionValue(name, option)
    solver.passModel(model)
    started = time.perf_counter()
    solver.run()
    seconds = time.perf_counter() - started
    info = solver.getInfo()
    if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return Answer(math.inf, 0, info.mip_dual_bound, seconds)
    unplaced = round(float(np.sum(np.array(solver.getSolution().col_value)[len(row) :])))
    return Answer(info.objective_function_value - refusal * unplaced, unplaced, info.mip_dual_bound, seconds)


def cp_sat(problem: Problem, limit: float, python: str) -> Answer:
    """Return what CP-SAT finds within `limit` seconds on one worker, run by the interpreter `python`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "problem.npz"
        np.savez(path, cost=problem.cost, count=problem.count, demand=problem.demand, capacity=problem.capacity)
        done = subprocess.run(
            [python, __file__, str(path), str(limit), str(refusal_of(problem))],
            capture_output=True,
            text=True,
            check=True,
        )
    return Answer(*json.loads(done.stdout.splitlines()[-1]))


def _solve(arrays: dict[str, NDArray[Any]], limit: float, refusal: float) -> Answer:
    """Return CP-SAT's answer; it counts demands in hundredths."""
    from ortools.sat.python import cp_model  # noqa: PLC0415 - only in an environment that has it

    cost, count, demand, capacity = (arrays[name] for name in ("cost", "count", "demand", "capacity"))
    model = cp_model.CpModel()
    row, site = np.nonzero(np.isfinite(cost))
    cells = [model.new_int_var(0, int(count[each]), "") for each in row]
    spare = [model.new_int_var(0, int(each), "") for each in count]
    by_row: list[list[Any]] = [[each] for each in spare]
    by_site: list[list[int]] = [[] for _ in capacity]
    for cell, (at, to) in enumerate(zip(row.tolist(), site.tolist(), strict=True)):
        by_row[at].append(cells[cell])
        by_site[to].append(cell)
    for parts, whole in zip(by_row, count.tolist(), strict=True):
        model.add(sum(parts) == whole)
    for to, members in enumerate(by_site):
        for resource in range(demand.shape[1]):
            weights = [round(100 * demand[row[each], resource]) for each in members]
            model.add(
                cp_model.LinearExpr.weighted_sum([cells[each] for each in members], weights)
                <= int(100 * capacity[to, resource])
            )
    prices = [round(UNITS * each) for each in cost[row, site]] + [round(UNITS * refusal)] * len(spare)
    model.minimize(cp_model.LinearExpr.weighted_sum(cells + spare, prices))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = limit
    solver.parameters.num_workers = 1
    solver.parameters.relative_gap_limit = GAP
    started = time.perf_counter()
    status = solver.solve(model)
    seconds = time.perf_counter() - started
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return Answer(math.inf, 0, -math.inf, seconds)
    unplaced = sum(solver.value(each) for each in spare)
    total = solver.objective_value / UNITS
    return Answer(total - refusal * unplaced, unplaced, solver.best_objective_bound / UNITS, seconds)


if __name__ == "__main__":
    with np.load(sys.argv[1]) as stored:
        print(json.dumps(_solve(dict(stored), float(sys.argv[2]), float(sys.argv[3]))))
