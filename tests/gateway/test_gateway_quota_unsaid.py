"""Requests that name no limit reserve what their answer may take, as far as anybody says it; what remains is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from gateway_kit import PRICE, QUESTION, Scripted, bench, call, config, document, opener, remote, spec, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_gateway_quota import CALLER, Worker, bound, quota

from cellwright.errors import UsageError
from cellwright.gateway.backends import anthropic, bedrock
from cellwright.gateway.config import load_config
from cellwright.gateway.model import Route
from cellwright.gateway.model_quota import Bound, Period, Unit
from cellwright.gateway.quota import worst_outputs
from cellwright.gateway.wire import ModelRequest, Usage
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

    from cellwright.gateway.server import Gateway

UNSAID = ModelRequest("r", 1, "auto", {"messages": []}, stream=False, wants_usage=False)


def asked(**body: object) -> ModelRequest:
    return ModelRequest("r", 1, "auto", {"messages": []} | body, stream=False, wants_usage=False)


@pytest.mark.parametrize(
    ("bounds", "reserved"),
    [
        ((bound(Unit.TOKENS, 80_000),), 10_000),  # an eighth
        ((bound(Unit.TOKENS, 80_000), bound(Unit.TOKENS, 40_000, Period.DAY)), 5_000),  # of the smallest
        ((bound(Unit.TOKENS, 4_000),), 1_024),  # as much as an answer often takes
        ((bound(Unit.TOKENS, 50_000_000),), 16_384),  # as much as few answers take
        ((bound(Unit.COST, 160_000_000, Period.DAY, "EUR"), bound(Unit.TOKENS, 50_000_000)), 10_000),  # by its price
    ],
)
def test_an_answer_that_nobody_bounds_reserves_a_share(
    tmp_path: Path, bounds: tuple[Bound, ...], reserved: int
) -> None:
    async def main() -> None:
        worker = Worker(sqlite_url(str(tmp_path / "q.db")), quota(*bounds))
        assert await worker.let_in(CALLER, UNSAID)
        assert worker.hold is not None
        assert worker.hold._needs.tokens == reserved + 1  # and the prompt
        worker.settle(5)
        pot = next(pot for pot in worker.limiter._pots.values() if pot.bound.unit is Unit.TOKENS)
        assert pot.balance + pot.left == pot.bound.size - 5
        await worker.limiter.close()

    asyncio.run(main())


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans(), st.integers(1, 3)), max_size=30))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_backends_declare_is_never_exceeded(tmp_path: Path, steps: list[tuple[int, bool, int]]) -> None:
    """Steps: tokens of the answer, whether the oldest ends before the next one comes, and its choices."""
    (tmp_path / "q.db").unlink(missing_ok=True)

    async def main() -> None:
        size, most = 2_000, 400
        worker = Worker(sqlite_url(str(tmp_path / "q.db")), quota(bound(Unit.TOKENS, size)))
        worker.limiter.renew([quota(bound(Unit.TOKENS, size))], {}, {"auto": most})
        used, under_way = 0, []
        for tokens, ends, choices in steps:
            if await worker.let_in(CALLER, asked(n=choices)):
                under_way.append((worker.hold, tokens * choices + 1))
            if ends and under_way:
                hold, took = under_way.pop(0)
                assert hold is not None
                hold.settle(took, 0)
                used += took
        assert used + sum(took for _, took in under_way) <= size
        await worker.limiter.close()

    asyncio.run(main())


def test_what_is_declared_holds_where_all_backends_of_a_route_say_it() -> None:
    backends = (spec(max_output=4_000), remote(max_output=9_000), spec("other"))
    chains = {"auto": ("edge", "cloud"), "mixed": ("edge", "other"), "edge": ("edge",), "none": ()}
    assert worst_outputs(chains, backends) == {"auto": 9_000, "edge": 4_000}


def test_what_is_declared_is_asked_for_where_the_protocol_has_a_limit() -> None:
    assert anthropic.write_request(QUESTION, "m", 4_000)["max_tokens"] == 4_000
    assert anthropic.write_request(QUESTION | {"max_tokens": 9}, "m", 4_000)["max_tokens"] == 9
    assert bedrock.write_request(QUESTION, 4_000)["inferenceConfig"] == {"maxTokens": 4_000}
    assert "inferenceConfig" not in bedrock.write_request(QUESTION)


def test_the_document_declares_it() -> None:
    text = document("""
  backends: [{name: edge, type: reasoner, model: m, tier: onprem, boundary: premises, maxOutputTokens: 4096}]
  routes: [{name: auto, backends: [edge]}]
""")
    assert load_config(text, "g.yaml").backends[0].max_output == 4096
    with pytest.raises(UsageError, match=r"g\.yaml:8"):
        load_config(text.replace("4096", "0"), "g.yaml")


def test_what_remains_is_told_by_answers_and_refusals(tmp_path: Path) -> None:
    bounds = (bound(Unit.TOKENS, 20_000, Period.DAY), bound(Unit.COST, 10**9, Period.MONTH, "USD"))
    setup = config(spec(max_output=9_000), quotas=(quota(*bounds),), routes=(Route("auto", ("edge",)),))

    async def talk(app: Gateway) -> None:
        first = await call(app)
        assert first.headers["x-cellwright-budget-tokens-day"] == f"{20_000 - 9_000 - 4} tokens"
        price = (4 * PRICE.input_nano + 9_000 * PRICE.output_nano) // 10**6 + 1
        assert first.headers["x-cellwright-budget-cost-month"] == f"{(10**9 - price) / 1e9:.6g} USD"
        second = await call(app)  # of the first 5 tokens are left: the rest came back
        assert second.headers["x-cellwright-budget-tokens-day"] == f"{20_000 - 5 - 9_000 - 4} tokens"
        refused = await call(app, QUESTION | {"max_tokens": 19_989})
        assert refused.status == 429
        said = refused.json["error"]["message"]
        assert "19990 tokens are left, and this request may take 19993 tokens, less with a lower max_tokens" in said
        assert refused.headers["x-cellwright-budget-tokens-day"] == "19990 tokens"

    with bench(tmp_path, setup, opener(Scripted((whole(usage=Usage(3, 2)),)))) as gateway:
        gateway.run(talk)
