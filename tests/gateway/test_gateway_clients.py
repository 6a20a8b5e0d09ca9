"""The official Python clients of OpenAI and Anthropic against the running server, used as their documentation does."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import orjson
import pytest
from chat_kit import streamed
from chat_kit import whole as answered
from gateway_kit import KEY, Scripted, bench, config, opener, remote, spec

from cellwright.gateway.backend import Chunk
from cellwright.gateway.serve import running
from cellwright.gateway.wire import Operation, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellwright.gateway.backend import BackendSpec

pytestmark = pytest.mark.integration
USED = Usage(30, 20, 10)
ASKED = [{"role": "user", "content": "one two three"}]
SAID = {"index": 0, "message": {"role": "assistant", "content": "four five"}, "finish_reason": "stop"}
CALL = {"id": "c1", "type": "function", "function": {"name": "cells", "arguments": '{"n":1}'}}
CALLED = {
    "index": 0,
    "message": {"role": "assistant", "content": None, "tool_calls": [CALL]},
    "finish_reason": "tool_calls",
}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
VECTOR = orjson.dumps(
    {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": "AAAAPw=="}]}
)


@contextlib.contextmanager
def served(folder: Path, *script: Chunk, backend: BackendSpec | None = None) -> Iterator[str]:
    """Serve a gateway with one scripted backend; gives its address, which ends in /v1."""
    scripted = opener(Scripted(script, operations=frozenset(Operation)))
    with bench(folder, config(backend or spec()), scripted) as gateway, running(gateway.app) as address:
        yield address


@contextlib.contextmanager
def openai_client(folder: Path, *script: Chunk, **details: Any) -> Iterator[openai.OpenAI]:  # noqa: ANN401
    key = details.pop("key", KEY)
    with (
        served(folder, *script, **details) as address,
        openai.OpenAI(base_url=address, api_key=key, max_retries=0) as client,
    ):
        yield client


@contextlib.contextmanager
def anthropic_client(folder: Path, *script: Chunk, **details: Any) -> Iterator[anthropic.Anthropic]:  # noqa: ANN401
    key = details.pop("key", KEY)
    with (
        served(folder, *script, **details) as address,
        anthropic.Anthropic(base_url=address.removesuffix("/v1"), api_key=key, max_retries=0) as client,
    ):
        yield client


def test_openai_chat_completions(tmp_path: Path) -> None:
    with openai_client(tmp_path, answered(SAID, USED)) as client:
        answer = client.chat.completions.create(model="auto", messages=ASKED)
    assert answer.choices[0].message.content == "four five"
    assert (answer.usage.prompt_tokens, answer.usage.prompt_tokens_details.cached_tokens) == (30, 10)


def test_openai_chat_completions_streamed_with_a_tool(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "cells", "parameters": SCHEMA}}
    with (
        openai_client(tmp_path, *streamed(CALLED, USED)) as client,
        client.chat.completions.stream(
            model="auto", messages=ASKED, tools=[tool], stream_options={"include_usage": True}
        ) as stream,
    ):
        answer = stream.get_final_completion()
    (call,) = answer.choices[0].message.tool_calls
    assert (call.id, call.function.name, call.function.arguments) == ("c1", "cells", '{"n":1}')
    assert answer.usage.completion_tokens == 20


def test_openai_completions_whole_and_streamed(tmp_path: Path) -> None:
    with openai_client(tmp_path, answered(SAID, USED)) as client:
        assert client.completions.create(model="auto", prompt="one two three").choices[0].text == "four five"
    with openai_client(tmp_path, *streamed(SAID, USED)) as client:
        pieces = list(client.completions.create(model="auto", prompt=["one two three"], stream=True))
    assert "".join(piece.choices[0].text for piece in pieces) == "four five"


def test_openai_embeddings(tmp_path: Path) -> None:
    with openai_client(tmp_path, Chunk(VECTOR, "", Usage(1, 0))) as client:
        assert client.embeddings.create(model="auto", input="one").data[0].embedding == [0.5]


def test_openai_responses(tmp_path: Path) -> None:
    with openai_client(tmp_path, answered(SAID, USED)) as client:
        answer = client.responses.create(model="auto", input="one two three", instructions="Be brief.")
    assert (answer.output_text, answer.status, answer.usage.input_tokens) == ("four five", "completed", 30)


def test_openai_responses_streamed_with_a_tool(tmp_path: Path) -> None:
    tool = {"type": "function", "name": "cells", "parameters": SCHEMA, "strict": False}
    with (
        openai_client(tmp_path, *streamed(CALLED, USED)) as client,
        client.responses.stream(model="auto", input="one two three", tools=[tool]) as stream,
    ):
        kinds = [event.type for event in stream]
        answer = stream.get_final_response()
    (call,) = answer.output
    assert (call.type, call.call_id, call.name, call.arguments) == ("function_call", "c1", "cells", '{"n":1}')
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_openai_models(tmp_path: Path) -> None:
    with openai_client(tmp_path) as client:
        assert [model.id for model in client.models.list()] == ["auto", "model-edge"]
        assert client.models.retrieve("model-edge").owned_by == "cellwright"


def test_openai_errors_are_its_own(tmp_path: Path) -> None:
    with openai_client(tmp_path, key="wrong") as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="auto", messages=ASKED)
    with openai_client(tmp_path) as client, pytest.raises(openai.NotFoundError, match="did you mean 'auto'"):
        client.chat.completions.create(model="atuo", messages=ASKED)
    pii = {"x-cellwright-data-class": "subscriber_pii"}
    with (
        openai_client(tmp_path, backend=remote()) as client,
        pytest.raises(openai.PermissionDeniedError, match="rule stay-home") as caught,
    ):
        client.responses.create(model="auto", input="one", extra_headers=pii)
    assert caught.value.code == "sovereignty"
    with openai_client(tmp_path) as client, pytest.raises(openai.BadRequestError, match="nothing is stored here"):
        client.responses.create(model="auto", input="one", previous_response_id="resp_1")


def test_anthropic_messages(tmp_path: Path) -> None:
    with anthropic_client(tmp_path, answered(SAID, USED)) as client:
        answer = client.messages.create(model="auto", max_tokens=9, system="Be brief.", messages=ASKED)
    assert (answer.content[0].text, answer.stop_reason) == ("four five", "end_turn")
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (20, 10)


def test_anthropic_messages_streamed(tmp_path: Path) -> None:
    with (
        anthropic_client(tmp_path, *streamed(SAID, USED)) as client,
        client.messages.stream(model="auto", max_tokens=9, messages=ASKED) as stream,
    ):
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    assert (text, answer.content[0].text) == ("four five", "four five")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (20, 20)


def test_anthropic_messages_streamed_with_a_tool(tmp_path: Path) -> None:
    tool = {"name": "cells", "input_schema": SCHEMA}
    with (
        anthropic_client(tmp_path, *streamed(CALLED, USED)) as client,
        client.messages.stream(model="auto", max_tokens=9, messages=ASKED, tools=[tool]) as stream,
    ):
        answer = stream.get_final_message()
    (call,) = answer.content
    assert (call.type, call.id, call.name, call.input) == ("tool_use", "c1", "cells", {"n": 1})
    assert answer.stop_reason == "tool_use"


def test_anthropic_models(tmp_path: Path) -> None:
    with anthropic_client(tmp_path) as client:
        page = client.models.list()
        assert [(model.id, model.display_name) for model in page] == [(name, name) for name in ("auto", "model-edge")]
        assert (page.has_more, page.first_id, page.last_id) == (False, "auto", "model-edge")
        one = client.models.retrieve("model-edge")
    assert (one.type, one.lifecycle, one.created_at.tzinfo is not None) == ("model", "active", True)


def test_anthropic_counts_tokens(tmp_path: Path) -> None:
    with anthropic_client(tmp_path) as client:
        assert client.messages.count_tokens(model="auto", messages=ASKED).input_tokens == 3


def test_anthropic_errors_are_its_own(tmp_path: Path) -> None:
    with anthropic_client(tmp_path, key="wrong") as client, pytest.raises(anthropic.AuthenticationError):
        client.messages.create(model="auto", max_tokens=9, messages=ASKED)
    with anthropic_client(tmp_path) as client, pytest.raises(anthropic.NotFoundError, match="did you mean 'auto'"):
        client.messages.create(model="atuo", max_tokens=9, messages=ASKED)
