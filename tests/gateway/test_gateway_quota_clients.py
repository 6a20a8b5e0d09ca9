"""Quotas as the official clients meet them: what is worth another attempt is sent again, what is not is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anthropic
import openai
import pytest
from gateway_kit import KEY, Scripted, bench, call, config, opener, whole

from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit
from cellwright.gateway.serve import running
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from cellwright.gateway.server import Gateway

pytestmark = pytest.mark.integration
ASKED = [{"role": "user", "content": "one two three"}]
ANSWER = whole(usage=Usage(3, 2))


def quota(unit: Unit, period: Period, size: int) -> tuple[Quota, ...]:
    return (Quota(Holder.TENANT, None, (Bound(unit, period, size),)),)


def test_a_rate_is_a_rate_limit_error_with_its_headers_for_both_clients(tmp_path: Path) -> None:
    setup = config(quotas=quota(Unit.REQUESTS, Period.MINUTE, 1))
    with (
        bench(tmp_path, setup, opener(Scripted((ANSWER,)))) as gateway,
        running(gateway.app) as url,
        openai.OpenAI(base_url=url, api_key=KEY, max_retries=0) as client,
        anthropic.Anthropic(base_url=url.removesuffix("/v1"), api_key=KEY, max_retries=0) as other,
    ):
        first = client.chat.completions.with_raw_response.create(model="auto", messages=ASKED)  # type: ignore[arg-type]
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(model="auto", messages=ASKED)  # type: ignore[arg-type]
        with pytest.raises(anthropic.RateLimitError):
            other.messages.create(model="auto", messages=ASKED, max_tokens=9)  # type: ignore[arg-type]
    assert first.headers["x-ratelimit-limit-requests"] == "1"
    assert refused.value.code == "rate_limit_exceeded"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60


def test_a_budget_that_is_used_up_is_asked_for_once_although_the_client_would_try_again(tmp_path: Path) -> None:
    setup = config(quotas=quota(Unit.TOKENS, Period.MONTH, 1040))
    with bench(tmp_path, setup, opener(Scripted((ANSWER,)))) as gateway:
        with running(gateway.app) as url, openai.OpenAI(base_url=url, api_key=KEY, max_retries=2) as client:
            for _ in range(3):
                client.chat.completions.create(model="auto", messages=ASKED)  # type: ignore[arg-type]
            with pytest.raises(openai.RateLimitError) as refused:
                client.chat.completions.create(model="auto", messages=ASKED)  # type: ignore[arg-type]
        rows = list(gateway.meter.rows())
    assert (refused.value.code, refused.value.type) == ("insufficient_quota", "insufficient_quota")
    assert [row.status for row in rows] == [200, 200, 200, 429]


def test_a_key_that_is_taken_out_of_the_document_is_revoked_at_once(tmp_path: Path) -> None:
    setup = config()

    async def talk(app: Gateway) -> list[int]:
        found = [(await call(app)).status]
        app.change(config(keys=()))
        return [*found, (await call(app)).status]

    with bench(tmp_path, setup, opener(Scripted((ANSWER,)), Scripted((ANSWER,)))) as gateway:
        assert gateway.run(talk) == [200, 401]
