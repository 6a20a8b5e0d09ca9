"""The stages between an endpoint and a backend, and the table of paths."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from gateway_kit import KEY, QUESTION, Scripted, WordCounter, alive, bench, call, config, opener, whole

from cellwright.estate.model import SensitivityClass
from cellwright.gateway.abilities import Abilities
from cellwright.gateway.dispatch import Dispatch
from cellwright.gateway.endpoints.chat import ChatCompletions
from cellwright.gateway.keys import Callers
from cellwright.gateway.metering.meter import Meter
from cellwright.gateway.model_policy import BREAKER
from cellwright.gateway.paths import Path as Line
from cellwright.gateway.paths import Paths
from cellwright.gateway.pipeline import Pipeline
from cellwright.gateway.routing.route import compile_table
from cellwright.gateway.routing.standing import Live
from cellwright.gateway.server import Gateway, Network
from cellwright.gateway.wire import ApiError, invalid
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.connection import Call
    from cellwright.gateway.exchange import Exchange
    from cellwright.gateway.pipeline import Admission, Filter
    from cellwright.gateway.wire import ModelRequest


class Stages:
    """Admissions and filters that leave a trace; the first one may refuse."""

    def __init__(self, refusal: ApiError | None = None) -> None:
        self.trace: list[str] = []
        self.refusal = refusal

    async def admit(self, exchange: Exchange, request: ModelRequest) -> None:
        self.trace.append(f"admit {exchange.key.tenant} {request.model}")
        if self.refusal is not None:
            raise self.refusal
        exchange.hold = self  # type: ignore[assignment]  # all that is asked of one

    headers = ""

    def settle(self, tokens: int, _cost_nano: int | None) -> None:
        self.trace.append(f"give back all but {tokens}")

    async def filter(self, exchange: Exchange, request: ModelRequest) -> ModelRequest:
        self.trace.append("filter")
        exchange.data_class = SensitivityClass.SUBSCRIBER_PII
        return replace(request, body=request.body | {"messages": [{"role": "user", "content": "less"}]})


def asked(folder: Path, backend: Scripted, admissions: tuple[Admission, ...], filters: tuple[Filter, ...]) -> Response:
    setup = config()
    table = compile_table(setup)

    async def main(meter: Meter) -> Response:
        dispatch = Dispatch(table, {"edge": backend}, {"edge": Live(setup.backends[0], BREAKER, 0.0)})
        abilities = Abilities.of(setup.backends, {"edge": backend})
        callers = Callers(setup.keys)
        pipeline = Pipeline(setup, table, abilities, dispatch, WordCounter(), meter, callers, admissions, filters)
        paths = Paths([Line("POST", "/v1/chat/completions", pipeline.to(ChatCompletions()))])
        async with alive(Gateway(setup, Network(setup.timeouts), lambda _: paths)) as app:
            return await call(app)

    with Meter(sqlite_url(str(folder / "meter.db"))) as meter:
        response = asyncio.run(main(meter))
        meter.flush()
    return response


def test_a_request_is_admitted_then_filtered_then_decided_and_what_it_took_is_given_back(tmp_path: Path) -> None:
    stages, backend = Stages(), Scripted((whole(),))
    response = asked(tmp_path, backend, (stages.admit,), (stages.filter,))
    assert response.status == 200
    assert stages.trace == ["admit operator auto", "filter", "give back all but 3"]
    assert [request.prompt for request in backend.asked] == ["less"]
    with Meter(sqlite_url(str(tmp_path / "meter.db"))) as meter:
        (row,) = meter.rows()
    assert (row.data_class, row.tokens_in) == ("subscriber_pii", 1)


def test_a_request_that_is_not_admitted_goes_no_further(tmp_path: Path) -> None:
    stages, backend = Stages(invalid("slow_down", "too many requests", status=429)), Scripted((whole(),))
    response = asked(tmp_path, backend, (stages.admit,), (stages.filter,))
    assert (response.status, response.error) == (429, "slow_down")
    assert stages.trace == ["admit operator auto"]
    assert backend.asked == []


def test_a_key_may_come_as_clients_of_the_messages_api_send_it(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted((whole(),)), Scripted(()))) as gateway:
        assert gateway.ask(key=None, headers={"x-api-key": KEY}).status == 200
        assert gateway.ask(key=None, headers={"x-api-key": "wrong"}).error == "invalid_api_key"


async def nobody(_: Call) -> None:
    """Answer nothing."""


@pytest.mark.parametrize(
    ("method", "path", "template", "values"),
    [
        ("GET", "/v1/stores", "/v1/stores", {}),
        ("POST", "/v1/stores/", "/v1/stores", {}),
        ("POST", "/v1/stores/a b/search", "/v1/stores/{store}/search", {"store": "a b"}),
        ("GET", "/v1/models/owner/model", "/v1/models/{model:path}", {"model": "owner/model"}),
        ("GET", "/v1.0", "/v1.0", {}),
    ],
)
def test_a_path_finds_its_line_and_the_values_in_it(
    method: str, path: str, template: str, values: dict[str, str]
) -> None:
    templates = ("/v1/stores", "/v1/stores/{store}/search", "/v1/models/{model:path}", "/v1.0")
    paths = Paths(Line(verb, item, nobody) for item in templates for verb in ("GET", "POST"))
    line, found = paths.find(method, path)
    assert (line.method, line.template, dict(found)) == (method, template, values)


@pytest.mark.parametrize(("path", "status"), [("/v1/stores/a/b/search", 404), ("/v1/stores/a/search", 405)])
def test_a_path_without_a_line_or_a_method_is_told(path: str, status: int) -> None:
    paths = Paths([Line("PUT", "/v1/stores/{store}/search", nobody), Line("GET", "/v1/stores/{store}/search", nobody)])
    with pytest.raises(ApiError) as caught:
        paths.find("POST", path)
    assert caught.value.status == status
    assert caught.value.headers == ({"allow": "PUT, GET, HEAD, OPTIONS"} if status == 405 else {})


def test_errors_are_written_in_the_form_that_clients_of_the_path_expect() -> None:
    setup = config()

    async def refuse(_: Call) -> None:
        raise invalid("no", "not today")

    def form(error: ApiError) -> bytes:
        return orjson.dumps({"why": error.code})

    async def main() -> Response:
        paths = Paths([Line("POST", "/odd", refuse, form)])
        return await call(Gateway(setup, Network(setup.timeouts), lambda _: paths), QUESTION, path="/odd")

    assert asyncio.run(main()).json == {"why": "no"}
