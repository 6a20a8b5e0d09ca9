"""A stream that breaks off and begins anew elsewhere, in the form of each protocol, as its clients see it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import orjson
import pytest
from gateway_kit import KEY, Scripted, bench, config, opener, piece, remote, spec

from cellwright.errors import Diagnostic
from cellwright.gateway.backend import BackendError, Chunk
from cellwright.gateway.model import Route
from cellwright.gateway.model_policy import Policy
from cellwright.gateway.serve import running
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BROKEN = BackendError(Diagnostic("upstream_broke_off", "backend x broke off"), spent=True)
USED = Chunk(b'{"choices":[],"usage":{}}', "", Usage(3, 2), closing=True)
GOOD = (piece("four "), piece("five"), USED)
MARK = {"restart": {"backend": "edge"}}
ASKED: list[Any] = [{"role": "user", "content": "one two three"}]
CALL = {"index": 0, "id": "c1", "type": "function", "function": {"name": "delete", "arguments": '{"path": "/var'}}
PATHS = {"/v1/responses": {"input": "one"}, "/v1/messages": {"messages": ASKED, "max_tokens": 9}}


def called() -> Chunk:
    return Chunk(orjson.dumps({"choices": [{"index": 0, "delta": {"tool_calls": [CALL]}}]}), "delete")


@contextlib.contextmanager
def breaking(folder: Path, *broken: Chunk) -> Iterator[str]:
    """Serve a gateway whose first backend breaks off and whose route restarts; gives its address."""
    route = Route("auto", ("cloud", "edge"), None, Policy(restart=True))
    scripted = opener(Scripted((*broken, BROKEN)), Scripted(GOOD))
    setup = config(remote(), spec(), routes=(route,))
    with bench(folder, setup, scripted) as gateway, running(gateway.app) as address:
        yield address


@contextlib.contextmanager
def openai_client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=address, api_key=KEY, max_retries=0) as client:
        yield client


@contextlib.contextmanager
def anthropic_client(address: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=address.removesuffix("/v1"), api_key=KEY, max_retries=0) as client:
        yield client


@pytest.mark.integration
def test_a_completion_begins_anew_behind_a_piece_without_choices(tmp_path: Path) -> None:
    with breaking(tmp_path, piece("zero ")) as address, openai_client(address) as client:
        pieces = list(client.completions.create(model="auto", prompt="one", stream=True))
    said = [each.choices[0].text if each.choices else each.model_extra["cellwright"] for each in pieces]
    assert said == ["zero ", MARK, "four ", "five"]


@pytest.mark.integration
def test_a_response_begins_anew_with_another_item_and_ends_with_that_alone(tmp_path: Path) -> None:
    with (
        breaking(tmp_path, piece("zero ")) as address,
        openai_client(address) as client,
        client.responses.stream(model="auto", input="one") as stream,
    ):
        events = list(stream)
        answer = stream.get_final_response()
    (marker,) = (event for event in events if event.type == "cellwright.restart")
    assert marker.cellwright == MARK
    done = [(event.item.id, event.item.status) for event in events if event.type == "response.output_item.done"]
    assert done == [(done[0][0], "incomplete"), (answer.output[0].id, "completed")]
    deltas = [(event.output_index, event.delta) for event in events if event.type == "response.output_text.delta"]
    assert deltas == [(0, "zero "), (1, "four "), (1, "five")]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (answer.output_text, answer.status) == ("four five", "completed")


@pytest.mark.integration
def test_a_message_begins_anew_with_another_block(tmp_path: Path) -> None:
    asked = {"model": "auto", "max_tokens": 9, "messages": ASKED}
    with breaking(tmp_path, piece("zero ")) as address, anthropic_client(address) as client:
        events = list(client.messages.create(**asked, stream=True))
        kinds = [event.type for event in events]
        with client.messages.stream(**asked) as stream:
            final = stream.get_final_message()
    place = next(index for index, event in enumerate(events) if "cellwright" in (event.model_extra or {}))
    assert (kinds[place], events[place].model_extra) == ("message_delta", {"cellwright": MARK})
    said = [(event.index, event.delta.text) for event in events if event.type == "content_block_delta"]
    assert said == [(0, "zero "), (1, "four "), (1, "five")]
    assert kinds[place - 1 : place + 2] == ["content_block_stop", "message_delta", "content_block_start"]
    assert [block.text for block in final.content][-1:] == ["four five"]
    assert final.usage.output_tokens == 2


@pytest.mark.parametrize("path", PATHS)
def test_why_the_answer_that_broke_off_had_ended_is_void_too(tmp_path: Path, path: str) -> None:
    route = Route("auto", ("cloud", "edge"), None, Policy(restart=True))
    ended = Chunk(orjson.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}), "")
    scripted = opener(Scripted((piece("zero "), ended, BROKEN)), Scripted(GOOD))
    with bench(tmp_path, config(remote(), spec(), routes=(route,)), scripted) as gateway:
        response = gateway.ask({"model": "auto", "stream": True} | PATHS[path], path=path)
    last = [orjson.loads(event) for event in response.events][-1 if path == "/v1/responses" else -2]
    assert last.get("response", {}).get("status", last.get("delta", {}).get("stop_reason")) in {"completed", "end_turn"}


@pytest.mark.parametrize("path", PATHS)
def test_a_tool_that_is_called_is_not_called_again(tmp_path: Path, path: str) -> None:
    route = Route("auto", ("cloud", "edge"), None, Policy(restart=True))
    edge = Scripted(GOOD)
    scripted = opener(Scripted((piece("zero "), called(), BROKEN)), edge)
    with bench(tmp_path, config(remote(), spec(), routes=(route,)), scripted) as gateway:
        response = gateway.ask({"model": "auto", "stream": True} | PATHS[path], path=path)
    events = [orjson.loads(event) for event in response.events]
    (error,) = (event for event in events if event["type"] == "error")
    assert error.get("code", error.get("error", {}).get("code")) == "upstream_broke_off"
    assert not edge.asked
