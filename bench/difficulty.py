"""Trains the difficulty score of the gateway, and says how often it errs on kinds of requests it has not seen.

Data: `difficulty_requests.py`, requests written for this and labelled by their kind; no collection of real ones is
used. Errors are shares of requests on the wrong side of 0.5: on two sets of kinds held back, one such as people ask
(`unseen kinds`) and one against the grain, long and plain or short and hard (`contrary kinds`); and with each training
kind left out in turn (`kind left out`). The bootstrap draws kinds, not requests, as those of one kind err together.
Simple baselines on the same kinds: the most frequent label, and a threshold on the words of prose, set where it errs
least on the training kinds. Time is per request, of processor time. `--write FILE` writes weights and
errors for the package.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cellwright.gateway.routing.difficulty import features
from difficulty_requests import (
    CONTRARY_DIFFICULT,
    CONTRARY_SIMPLE,
    DIFFICULT,
    SIMPLE,
    UNSEEN_DIFFICULT,
    UNSEEN_SIMPLE,
    request,
)
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Table = NDArray[np.float64]

REQUESTS: Final = 60  # of each kind
QUICK: Final = 10
RIDGE: Final = 60.0  # on weights of standardised features: one request's worth for each of the 60 of a kind
STEPS: Final = 30  # of Newton's method, which is done after ten
DRAWS: Final = 2000  # of the bootstrap
HALF: Final = 0.5
MASKED: Final = 0.7  # of the cues in the copy of each request that is trained on beside it
LENGTH: Final = "words of prose"


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} requests of each kind in place of {REQUESTS}")
    parser.add_argument("--write", type=Path, help="where the weights of the first seed go")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    count = QUICK if options.quick else REQUESTS
    found = [measure(seed, count) for seed in range(1, options.seeds + 1)]
    rows = summary(found)
    if options.write:
        write(options.write, found[0])
    for row in rows:
        peers = ", ".join(f"{name} {value:.3g}" for name, value in row.peers.items())
        print(f"{row.case:14} {row.figure:24} {row.ours:8.3g} {row.unit:6} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, one thread"
        print(json.dumps({"bench": "difficulty", "machine": machine, "rows": [asdict(row) for row in rows]}))


class Set:
    """Requests of some kinds: features (n, d) float64, labels (n,) float64 in {0, 1}, kinds (n,) int64."""

    def __init__(self, kinds: Sequence[tuple[str, float]], chance: random.Random, count: int) -> None:
        self.bodies = [request(kind, chance) for kind, _ in kinds for _ in range(count)]
        found = [features(body) for body in self.bodies]
        self.names = tuple(found[0])
        self.x = np.array([list(each.values()) for each in found])
        self.y = np.repeat(np.array([label for _, label in kinds]), count)
        self.kind = np.repeat(np.arange(len(kinds)), count)


def kinds(simple: Sequence[str], difficult: Sequence[str]) -> list[tuple[str, float]]:
    """Return kinds with their label."""
    return [(kind, 0.0) for kind in simple] + [(kind, 1.0) for kind in difficult]


def measure(seed: int, count: int) -> dict[str, Any]:
    """Return weights and errors of one seed."""
    chance = random.Random(seed)  # noqa: S311 - reproducible
    seen = Set(kinds(SIMPLE, DIFFICULT), chance, count)
    unseen = Set(kinds(UNSEEN_SIMPLE, UNSEEN_DIFFICULT), chance, count)
    contrary = Set(kinds(CONTRARY_SIMPLE, CONTRARY_DIFFICULT), chance, count)
    bias, weights = train(*masked(seen.x, seen.y, seen.names, seed))
    left_out = np.concatenate([_left_out(seen, kind) for kind in range(int(seen.kind.max()) + 1)])
    wrong = _wrong(unseen, bias, weights)
    started = time.process_time()
    for body in unseen.bodies:
        features(body)
    spent = time.process_time() - started
    return {
        "names": seen.names,
        "bias": bias,
        "weights": weights,
        "unseen": float(wrong.mean()),
        "interval": interval(wrong, unseen.kind, seed),
        "passed as simple": float(wrong[unseen.y > 0].mean()),
        "held as difficult": float(wrong[unseen.y == 0].mean()),
        "unseen by length": length_error(seen, unseen),
        "contrary": float(_wrong(contrary, bias, weights).mean()),
        "contrary by length": length_error(seen, contrary),
        "left out": float(left_out.mean()),
        "seen": float(_wrong(seen, bias, weights).mean()),
        "us": spent / len(unseen.bodies) * 1e6,
    }


def _wrong(found: Set, bias: float, weights: Table) -> NDArray[np.bool_]:
    """Return which requests are on the wrong side."""
    return np.asarray((found.x @ weights + bias > 0) != (found.y > 0))


def train(x: Table, y: Table) -> tuple[float, Table]:
    """Return bias and weights of a logistic regression with a ridge, by Newton's method on standardised features."""
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale == 0] = 1.0
    z = np.column_stack([np.ones(len(x)), (x - mean) / scale])
    penalty = np.diag([0.0] + [RIDGE] * x.shape[1])
    beta = np.zeros(z.shape[1])
    for _ in range(STEPS):
        p = 1.0 / (1.0 + np.exp(-z @ beta))
        gradient = z.T @ (y - p) - penalty @ beta
        beta += np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + penalty, gradient)
    weights = beta[1:] / scale
    return float(beta[0] - weights @ mean), weights


def masked(x: Table, y: Table, names: Sequence[str], seed: int) -> tuple[Table, Table]:
    """Return the requests, and as many again without the cues of words: a cue that no list has must not decide."""
    cues = np.array([name.startswith("words of") and name != LENGTH for name in names])
    keep = np.random.default_rng(seed).random((len(x), int(cues.sum()))) > MASKED
    bare = x.copy()
    bare[:, cues] *= keep
    return np.concatenate([x, bare]), np.concatenate([y, y])


def _left_out(seen: Set, kind: int) -> NDArray[np.bool_]:
    """Return which requests of a kind are on the wrong side when it was not trained on."""
    rest = seen.kind != kind
    bias, weights = train(*masked(seen.x[rest], seen.y[rest], seen.names, kind))
    return np.asarray((seen.x[~rest] @ weights + bias > 0) != (seen.y[~rest] > 0))


def length_error(seen: Set, unseen: Set) -> float:
    """Return the error of the best threshold on the words of prose."""
    column = seen.names.index(LENGTH)
    cuts = np.quantile(seen.x[:, column], np.linspace(0, 1, 51))
    errors = [float(((seen.x[:, column] > cut) != (seen.y > 0)).mean()) for cut in cuts]
    cut = cuts[int(np.argmin(errors))]
    return float(((unseen.x[:, column] > cut) != (unseen.y > 0)).mean())


def interval(wrong: NDArray[np.bool_], kind: NDArray[np.int64], seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the error when kinds are drawn anew."""
    by_kind = np.array([wrong[kind == each].mean() for each in range(int(kind.max()) + 1)])
    chance = np.random.default_rng(seed)
    drawn = by_kind[chance.integers(0, len(by_kind), (DRAWS, len(by_kind)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def summary(found: Sequence[dict[str, Any]]) -> list[Row]:
    """Return the figures over all seeds: the median, and the least and the most."""

    def row(case: str, figure: str, key: str, unit: str = "share", **peers: float) -> Row:
        values = sorted(float(each[key]) for each in found)
        middle = values[len(values) // 2]
        return Row(
            case, figure, unit, middle, peers, higher_is_better=False, spread=f"{values[0]:.3g} to {values[-1]:.3g}"
        )

    first = found[0]
    low, high = first["interval"]
    by_length, contrary_by_length = float(first["unseen by length"]), float(first["contrary by length"])
    return [
        row("unseen kinds", "error", "unseen", length=by_length, always_one=HALF),
        Row("unseen kinds", "error, 95 % over kinds", "share", low, {"to": high}, higher_is_better=False),
        row("unseen kinds", "difficult, held as simple", "passed as simple"),
        row("unseen kinds", "simple, held as difficult", "held as difficult"),
        row("contrary kinds", "error", "contrary", length=contrary_by_length, always_one=HALF),
        row("kind left out", "error", "left out"),
        row("seen kinds", "error", "seen"),
        row("features", "time", "us", "us"),
    ]


def write(path: Path, found: dict[str, Any]) -> None:
    """Write what the package ships."""
    low, high = found["interval"]
    features_ = {name: round(float(weight), 4) for name, weight in zip(found["names"], found["weights"], strict=True)}
    errors = {
        "unseen kinds": round(found["unseen"], 3),
        "unseen kinds, low": round(low, 3),
        "unseen kinds, high": round(high, 3),
        "contrary kinds": round(found["contrary"], 3),
        "kind left out": round(found["left out"], 3),
    }
    data = {"bias": round(found["bias"], 4), "features": features_, "errors": errors}
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
