"""Each way in which a server fails, over a socket, a second one behind it: what the client and the meter get."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from gateway_kit import KEY, bench, call
from test_gateway_sovereignty import SAID, Recorder, recording

from cellwright.estate.model import Boundary, SensitivityClass, Tier
from cellwright.gateway.keys import hash_key
from cellwright.gateway.model import AccessKey, BackendSpec, GatewayConfig, Route, Timeouts
from cellwright.gateway.model_policy import AS_LISTED, Hedge, Policy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.metering.row import MeterRow

pytestmark = pytest.mark.integration
STREAM = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "one two three"}]}
WORD = orjson.loads(b'{"choices":[{"index":0,"delta":{"content":"word "}}]}')


def configured(recorders: Sequence[Recorder], policy: Policy, timeouts: Timeouts) -> GatewayConfig:
    """Return a gateway with two models on the premises, the first of which fails."""
    backends = tuple(
        BackendSpec(
            name,
            "openai",
            f"model-{name}",
            Tier.ONPREM,
            Boundary.PREMISES,
            base_url=f"http://127.0.0.1:{each.port}/v1",
            retries=0,
        )
        for name, each in zip(("first", "second"), recorders, strict=False)
    )
    return GatewayConfig(
        keys=(AccessKey("tests", "operator", hash_key(KEY)),),
        backends=backends,
        routes=(Route("auto", ("first", "second"), None, policy),),
        rules=(),
        data_class=SensitivityClass.SIGNALLING,
        timeouts=timeouts,
    )


def asked(
    folder: Path, fault: str, policy: Policy = AS_LISTED, times: int = 1, timeouts: Timeouts | None = None
) -> tuple[list[Response], list[MeterRow], list[Recorder]]:
    async def main() -> tuple[list[Response], list[MeterRow], list[Recorder]]:
        async with recording([[fault], ["answer"], ["answer"], ["answer"]]) as recorders:
            with bench(folder, configured(recorders, policy, timeouts or Timeouts())) as gateway:
                responses = [await call(gateway.app, STREAM) for _ in range(times)]
                gateway.app.network.close()
                rows = sorted(gateway.meter.rows(), key=lambda row: (row.started_us, row.request_id))
            return responses, rows, recorders

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "code", "spent"),
    [
        ("refuse", "upstream_broke_off", True),
        ("hang", "upstream_timeout", True),
        ("down", "upstream_unavailable", True),
        ("full", "upstream_rate_limited", False),
        ("elsewhere", "upstream_failed", False),
    ],
)
def test_before_the_first_byte_the_next_backend_answers(tmp_path: Path, fault: str, code: str, *, spent: bool) -> None:
    short = Timeouts(read_ms=500.0) if fault == "hang" else None
    (response,), rows, _ = asked(tmp_path, fault, timeouts=short)
    assert response.status == 200
    assert [orjson.loads(data) for data in response.events[:-1]] == [WORD]
    assert response.events[-1] == b"[DONE]"
    assert response.headers["x-cellwright-degraded"] == f"second for first ({code})"
    row, *lost = rows
    assert (row.backend, row.attempts, row.tokens_in, row.tokens_out, row.estimated) == ("second", 2, 3, 1, False)
    assert [(each.backend, each.error, each.tokens_in) for each in lost] == ([("first", code, 3)] if spent else [])


@pytest.mark.parametrize(
    ("fault", "code"), [("reset", "upstream_broke_off"), ("cut", "upstream_broke_off"), ("garbage", "upstream_garbled")]
)
def test_after_the_first_byte_the_stream_ends_in_an_error_or_begins_anew(tmp_path: Path, fault: str, code: str) -> None:
    (response,), (row,), _ = asked(tmp_path, fault)
    assert orjson.loads(response.events[0]) == WORD
    assert orjson.loads(response.events[-1])["error"]["code"] == code
    assert (row.backend, row.error, row.tokens_in, row.tokens_out, row.estimated) == ("first", code, 3, 1, True)
    (tmp_path / "again").mkdir()
    (again,), rows, _ = asked(tmp_path / "again", fault, Policy(restart=True))
    assert [orjson.loads(data).get("cellwright") for data in again.events[:-1]] == [
        None,
        {"restart": {"backend": "second"}},
        None,
    ]
    assert [(each.backend, each.error, each.tokens_out, each.estimated) for each in rows] == [
        ("second", None, 1, False),
        ("first", code, 1, True),
    ]


def test_a_server_that_asks_for_a_rest_gets_it(tmp_path: Path) -> None:
    responses, _, (first, *_) = asked(tmp_path, "full", times=4)
    assert [response.status for response in responses] == [200] * 4
    assert first.calls == 1


def test_a_server_that_keeps_failing_is_left_alone(tmp_path: Path) -> None:
    responses, _, (first, *_) = asked(tmp_path, "down", times=9)
    assert [response.status for response in responses] == [200] * 9
    assert first.calls == 5


def test_usage_that_makes_no_sense_is_counted_here_and_says_so(tmp_path: Path) -> None:
    _, (row,), _ = asked(tmp_path, "misuse")
    assert (row.backend, row.error, row.tokens_in, row.tokens_out, row.estimated) == ("first", None, 3, 1, True)


def test_a_slow_server_is_hedged_and_told_to_stop(tmp_path: Path) -> None:
    (response,), (row, lost), _ = asked(tmp_path, "hang", Policy(hedge=Hedge(5.0)))
    assert response.headers["x-cellwright-backend"] == "second"
    assert (row.backend, row.tokens_in) == ("second", 3)
    assert (lost.backend, lost.error, lost.tokens_in) == ("first", "hedge_lost", 3)


def test_every_fault_there_is_is_injected() -> None:
    assert set(SAID) == {"answer", "slow", "hang", "misuse", "reset", "cut", "garbage", "full", "down"}
