"""Servers that speak the chat-completions protocol, each in its own way: what every client reads all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from gateway_kit import QUESTION
from upstream_kit import ANSWER, asked, in_turn, says, streams

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration
STREAM = QUESTION | {"stream": True, "stream_options": {"include_usage": True}}
USED = {"prompt_tokens": 30, "completion_tokens": 20, "total_tokens": 50}


def lines(*bodies: object, form: bytes = b"data: %b\n\n", end: bytes = b"data: [DONE]\n\n") -> bytes:
    return b"".join(form % (body if isinstance(body, bytes) else orjson.dumps(body)) for body in bodies) + end


def told(finish: str | None = None, usage: object = None, **delta: object) -> dict[str, Any]:
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return body | {"choices": [choice]} | ({"usage": usage} if usage else {})


LAST = {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": USED}
SHAPES = {
    "vLLM": lines(told(role="assistant", content=""), told(content="four five"), told("stop", content=""), LAST),
    "vLLM with running usage": lines(
        told(usage=USED | {"completion_tokens": 0}, content=""), told("stop", USED, content="four five")
    ),
    "vLLM reasoning": lines(told(reasoning_content="hm "), told("stop", content="four five"), LAST),
    "llama.cpp": b": keep-alive\n\n"
    + lines(told(role="assistant", content=None), told(content="four five"), told("stop"), LAST),
    "Ollama": lines(told(role="assistant", content="four five"), told("stop", role="assistant", content=""), LAST),
    "TGI": lines(
        told(content="four five"), told("eos_token", content=""), LAST, form=b"data:%b\n\n", end=b"data:[DONE]\n\n"
    ),
    "NIM": lines(
        told(role="assistant", content="four five"), told("stop", USED, content=""), form=b"data: %b\r\n\r\n", end=b""
    ),
    "Azure": lines({"choices": [], "prompt_filter_results": []}, told(content="four five"), told("stop"), LAST),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stream_is_read_and_metered_whatever_server_sent_it(tmp_path: Path, shape: str) -> None:
    response, row, _ = asked(tmp_path, streams(SHAPES[shape]), STREAM)
    *pieces, done = response.events
    choices = [choice for piece in pieces for choice in orjson.loads(piece)["choices"]]
    assert done == b"[DONE]"
    assert "".join(choice["delta"].get("content") or "" for choice in choices) == "four five"
    assert choices[-1]["finish_reason"] == "stop"
    assert (row.tokens_in, row.tokens_out, row.estimated, row.error) == (30, 20, False, None)


def test_a_stream_without_usage_is_counted(tmp_path: Path) -> None:
    _, row, _ = asked(tmp_path, streams(lines(told(content="four five"), told("stop"))), STREAM)
    assert (row.tokens_in, row.tokens_out, row.estimated) == (3, 2, True)


@pytest.mark.parametrize(
    "event",
    [
        {"error": {"message": "out of memory", "type": "server_error", "code": 500}},
        {"error": "out of memory", "error_type": "overloaded"},
        {"object": "error", "message": "out of memory", "type": "InternalServerError", "code": 500},
    ],
    ids=["OpenAI", "TGI", "vLLM"],
)
@pytest.mark.parametrize("begun", [False, True])
def test_an_error_within_a_stream_is_one(tmp_path: Path, event: object, *, begun: bool) -> None:
    raw = lines(*([told(content="four ")] if begun else []), event)
    response, row, _ = asked(tmp_path, streams(raw), STREAM)
    assert (response.status, row.error) == (200 if begun else 502, "upstream_failed")
    assert b"out of memory" in response.body
    assert b"[DONE]" not in response.body


def called(**call: object) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "cells", "arguments": {"n": 1}}} | call


def test_calls_of_tools_get_the_form_of_the_protocol(tmp_path: Path) -> None:
    body = {"choices": [{"index": 0, "message": {"content": None, "tool_calls": [called(), called(id="x")]}}]}
    response, _, _ = asked(tmp_path, says(body))
    calls = response.json["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["arguments"] for call in calls] == ['{"n":1}', '{"n":1}']
    assert calls[0]["id"].startswith("call_")
    assert calls[1]["id"] == "x"


def test_calls_of_tools_in_a_stream_get_the_form_of_the_protocol(tmp_path: Path) -> None:
    raw = lines(told(tool_calls=[called(), called()]), told("tool_calls"), LAST)
    response, _, _ = asked(tmp_path, streams(raw), STREAM)
    calls = orjson.loads(response.events[0])["choices"][0]["delta"]["tool_calls"]
    assert [call["index"] for call in calls] == [0, 1]
    assert len({call["id"] for call in calls}) == 2
    assert calls[1]["function"]["arguments"] == '{"n":1}'


def test_a_server_that_knows_no_stream_options_is_asked_without_them_and_the_client_still_gets_usage(
    tmp_path: Path,
) -> None:
    refusal = says({"error": {"message": "extra fields not permitted: stream_options"}}, 422)
    whole = streams(lines(told(content="four five"), told("stop")))
    response, row, upstream = asked(tmp_path, in_turn(refusal, whole), STREAM)
    assert (response.status, row.tokens_out, row.estimated) == (200, 2, True)
    assert ["stream_options" in body for body in upstream.bodies] == [True, False]
    assert orjson.loads(response.events[-2])["usage"]["completion_tokens"] == 2


def test_another_refusal_is_the_clients(tmp_path: Path) -> None:
    refusal = says({"error": {"message": "too long"}}, 422)
    response, _, upstream = asked(tmp_path, in_turn(refusal, says(ANSWER)), STREAM)
    assert (response.status, response.error, len(upstream.bodies)) == (422, "upstream_refused_request", 1)
