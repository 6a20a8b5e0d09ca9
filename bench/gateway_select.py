"""What the choice of a backend costs a request: processor time, and how it grows with the backends.

The choice is `order` over snapshots of backends that each have 200 latencies behind them, with what it reads of the
request. A route that prefers nothing makes none. `difficulty` is the score alone, of requests of three sizes. The
baseline is sorting as many numbers. Each figure is the least of `--rounds` rounds, the spread that of the rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import Boundary, Tier
from cellwright.gateway.model import BackendSpec, ModelPrice
from cellwright.gateway.model_policy import BREAKER, Budget, Criterion, Grade, Policy
from cellwright.gateway.routing.ask import read_ask
from cellwright.gateway.routing.difficulty import difficulty
from cellwright.gateway.routing.select import order
from cellwright.gateway.routing.standing import Live
from cellwright.gateway.wire import ModelRequest
from rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS: Final = 2000
QUICK: Final = 200
SIZES: Final = (2, 4, 8, 16)
TEXT: Final = "Why does the attach rate fall at our northern sites after each restart of the mobility function? "
POLICIES: Final = {
    "price": Policy((Criterion.PRICE,)),
    "latency budget": Policy(budget=Budget(first_token_ms=500.0)),
    "all": Policy(tuple(Criterion), Budget(500.0, 9000.0)),
}


def main() -> None:
    """Print one row a figure; with --json one object last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} calls a round in place of {CALLS}")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    calls = QUICK if options.quick else CALLS
    rows: list[Row] = []
    for seed in range(1, options.seeds + 1):
        rows += measure(random.Random(seed), calls, options.rounds)  # noqa: S311 - reproducible
    for row in rows:
        peers = ", ".join(f"{name} {value:.3g}" for name, value in row.peers.items())
        print(f"{row.case:16} {row.figure:26} {row.ours:8.3g} {row.unit:8} {peers} {row.spread}".rstrip())
    if options.json:
        machine = f"{platform.machine()}, Python {platform.python_version()}, one thread"
        print(json.dumps({"bench": "gateway_select", "machine": machine, "rows": [asdict(row) for row in rows]}))


def measure(chance: random.Random, calls: int, rounds: int) -> list[Row]:
    """Return the figures of one seed."""
    rows, spent = [], []
    for size in SIZES:
        lives = [backend(number, chance) for number in range(size)]
        numbers = [chance.random() for _ in lives]
        for name, policy in POLICIES.items():
            least, spread = timed(choosing(policy, lives, request(850)), calls, rounds)
            base, _ = timed(lambda numbers=numbers: sorted(numbers), calls, rounds)
            row = Row(f"{size} backends", name, "us", least, {"sorted": base}, higher_is_better=False, spread=spread)
            rows.append(row)
        spent.append(rows[-1].ours)
    slope = math.log(spent[-1] / spent[0]) / math.log(SIZES[-1] / SIZES[0])
    rows.append(Row("growth", "all, over backends", "log-log", slope, higher_is_better=False))
    for size in (850, 8_000, 80_000):
        body = request(size).body
        least, spread = timed(lambda body=body: difficulty(body), calls // 4, rounds)
        rows.append(Row(f"{size:,} characters", "difficulty", "us", least, higher_is_better=False, spread=spread))
    return rows


def choosing(policy: Policy, lives: list[Live], asked: ModelRequest) -> Callable[[], object]:
    """Return the choice as the gateway makes it for each request."""

    def choose() -> object:
        now_s = time.monotonic()
        return order(policy, read_ask(policy, asked), [live.standing(now_s) for live in lives])

    return choose


def timed(call: Callable[[], object], calls: int, rounds: int) -> tuple[float, str]:
    """Return microseconds a call, the least of the rounds, and their spread."""
    found = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(calls):
            call()
        found.append((time.process_time() - started) / calls * 1e6)
    return min(found), f"{min(found):.3g} to {max(found):.3g}"


def backend(number: int, chance: random.Random) -> Live:
    """Return a backend that has answered for a while."""
    price = ModelPrice("EUR", "made up", chance.randint(1, 10**10), chance.randint(1, 10**10), 0)
    grade = chance.choice(list(Grade))
    spec = BackendSpec(
        f"b{number}", "openai", "m", Tier.REGION, Boundary.NONE, price=price, grade=grade, max_concurrency=64
    )
    now_s = time.monotonic()
    live = Live(spec, BREAKER, now_s)
    for _ in range(200):
        live.began(chance.lognormvariate(5, 1), now_s)
        live.ended(chance.lognormvariate(8, 1), now_s)
    return live


def request(size: int) -> ModelRequest:
    """Return a request of about so many characters."""
    text = (TEXT * (size // len(TEXT) + 1))[:size]
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": text}]}
    return ModelRequest("r", 0, "auto", body, stream=True, wants_usage=False)


if __name__ == "__main__":
    main()
