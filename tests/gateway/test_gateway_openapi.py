"""The description of the API: whole, and true of the running server, which schemathesis asks what it allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import schemathesis
from chat_kit import streamed
from chat_kit import whole as answered
from gateway_kit import KEY, Scripted, bench, config, opener
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from cellwright.gateway.backend import Chunk
from cellwright.gateway.openapi import document
from cellwright.gateway.paths import Path as Line
from cellwright.gateway.serve import running
from cellwright.gateway.wire import ModelRequest, Operation, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from cellwright.gateway.connection import Call

USED = Usage(30, 20)
SAID = {"index": 0, "message": {"role": "assistant", "content": "four five"}, "finish_reason": "stop"}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


class Obliging(Scripted):
    """Answers whatever it is asked for."""

    async def answer(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        if request.operation is Operation.EMBEDDINGS:
            data = [{"object": "embedding", "index": index, "embedding": [0.5]} for index in range(len(request.inputs))]
            yield Chunk(orjson.dumps({"object": "list", "model": "m", "data": data}), "", Usage(1, 0))
        elif request.stream:
            for chunk in streamed(SAID, USED):
                yield chunk
        else:
            yield answered(SAID, USED)


def obliging() -> dict[str, Any]:
    return opener(Obliging((), operations=frozenset(Operation)))


def test_every_described_path_is_answered_and_every_inference_path_is_described(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with bench(tmp_path_factory.mktemp("openapi"), config(), obliging()) as gateway:
        document = gateway.ask(path="/openapi.json", method="GET", key=None).json
        inference = {"chat/completions", "completions", "embeddings", "responses", "messages", "messages/count_tokens"}
        assert {f"/v1/{name}" for name in inference} <= set(document["paths"])
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                asked = {"path": re.sub(r"\{\w+\}", "auto", path), "method": method.upper()}
                assert gateway.ask({}, **asked).status in {200, 400}
                assert (gateway.ask({}, **asked, key=None).status == 401) == bool(
                    operation["security"]
                ) or path == "/metrics"
    assert document["openapi"].startswith("3.1")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with (
        bench(tmp_path_factory.mktemp("api"), config(), obliging()) as gateway,
        running(gateway.app) as address,
    ):
        raw = gateway.ask(path="/openapi.json", method="GET", key=None).json
        for operations in raw["paths"].values():  # most models that could be named are none
            for operation in operations.values():
                body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
                if body:
                    body["properties"]["model"] = {"enum": ["auto"]}
        schema = schemathesis.openapi.from_dict(raw)
        schema.config.base_url = address.removesuffix("/v1")
        yield schema


@pytest.mark.integration
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("POST", f"/v1/{name}") for name in ("chat/completions", "completions", "embeddings", "responses")),
        *(("POST", f"/v1/messages{rest}") for rest in ("", "/count_tokens")),
        *(("GET", path) for path in ("/v1/models", "/v1/models/{model}", "/healthz", "/metrics")),
    ],
)
def test_the_server_does_what_its_description_says(api: Any, method: str, path: str) -> None:  # noqa: ANN401
    heard: set[int] = set()

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(api[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def ask(case: schemathesis.Case) -> None:
        answer = case.call_and_validate(headers={"authorization": f"Bearer {KEY}"}, checks=CHECKS)
        heard.add(answer.status_code)

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(api[path][method].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def ask_wrongly(case: schemathesis.Case) -> None:
        headers = {"authorization": f"Bearer {KEY}"}
        case.call_and_validate(headers=headers, checks=[not_a_server_error, status_code_conformance])

    ask()
    assert 200 in heard or "{" in path
    if method == "POST":
        ask_wrongly()


def test_a_path_that_says_nothing_of_itself_is_told_by_what_its_handler_does() -> None:
    async def count(_: Call) -> None:
        """Count the stars. Slowly."""

    paths = document([Line("PUT", "/v1/stars/{star:path}", count)])["paths"]
    operation = paths["/v1/stars/{star}"]["put"]
    assert (operation["summary"], [item["name"] for item in operation["parameters"]]) == (
        "Count the stars. Slowly",
        ["star"],
    )
    assert list(operation["responses"]) == ["2XX", "4XX", "5XX"]
