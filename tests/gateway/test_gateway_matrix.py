"""Every protocol of clients over every protocol of backends: the same words, calls, end and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from chat_kit import events, request, streamed
from chat_kit import whole as answered
from test_gateway_anthropic import ANSWER as MESSAGE
from test_gateway_anthropic import begun, ended, sent
from test_gateway_bedrock import event as framed
from test_gateway_bedrock import sends
from upstream_kit import asked, says, streams

from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from upstream_kit import Handler

    Server = Callable[..., Handler]  # what answers at a backend's address
    Reader = Callable[..., tuple[Any, ...]]  # what a client makes of an answer: text, id and function of a call, end

pytestmark = pytest.mark.integration
TEXT, NAME, GIVEN = "I look.", "cells", {"site": "Ø1"}
ARGUMENTS = orjson.dumps(GIVEN).decode()
USED = Usage(35, 7, 10)
CALL = {"id": "c1", "type": "function", "function": {"name": NAME, "arguments": ARGUMENTS}}
SAID = {
    "index": 0,
    "message": {"role": "assistant", "content": TEXT, "tool_calls": [CALL]},
    "finish_reason": "tool_calls",
}
FRAMES = {"contentBlockIndex": 0}
TOKENS = {"inputTokens": 25, "outputTokens": 7, "cacheReadInputTokens": 10}


def openai(*, stream: bool) -> Handler:
    if not stream:
        return says(orjson.loads(answered(SAID, USED).body))
    return streams(*(b"data: %b\n\n" % chunk.body for chunk in streamed(SAID, USED)), b"data: [DONE]\n\n")


def anthropic(*, stream: bool) -> Handler:
    call = {"type": "tool_use", "id": "c1", "name": NAME}
    if not stream:
        content = [{"type": "text", "text": TEXT}, call | {"input": GIVEN}]
        return says(MESSAGE | {"content": content, "stop_reason": "tool_use"})
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}}
    start = {"type": "content_block_start", "index": 1, "content_block": call | {"input": {}}}
    parts = [{"type": "input_json_delta", "partial_json": part} for part in (ARGUMENTS[:3], ARGUMENTS[3:])]
    deltas = [{"type": "content_block_delta", "index": 1, "delta": part} for part in parts]
    return streams(sent(begun(), text, start, *deltas, *ended("tool_use")))


def bedrock(*, stream: bool) -> Handler:
    call = {"toolUseId": "c1", "name": NAME}
    if not stream:
        content = [{"text": TEXT}, {"toolUse": call | {"input": GIVEN}}]
        output = {"message": {"role": "assistant", "content": content}}
        return says({"output": output, "stopReason": "tool_use", "usage": TOKENS})
    return sends(
        framed("messageStart", role="assistant"),
        framed("contentBlockDelta", delta={"text": TEXT}, **FRAMES),
        framed("contentBlockStart", start={"toolUse": call}, **FRAMES),
        framed("contentBlockDelta", delta={"toolUse": {"input": ARGUMENTS}}, **FRAMES),
        framed("messageStop", stopReason="tool_use"),
        framed("metadata", usage=TOKENS),
    )


def chat(raw: bytes, *, stream: bool) -> tuple[Any, ...]:
    if not stream:
        choice = orjson.loads(raw)["choices"][0]
        (call,) = choice["message"]["tool_calls"]
        return choice["message"]["content"], call["id"], call["function"], choice["finish_reason"]
    choices = [choice for piece in events(raw.removesuffix(b"data: [DONE]\n\n")) for choice in piece["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls", ())]
    function = {"name": calls[0]["function"]["name"], "arguments": ""}
    function["arguments"] = "".join(call["function"].get("arguments", "") for call in calls)
    return text, calls[0]["id"], function, choices[-1]["finish_reason"]


def responses(raw: bytes, *, stream: bool) -> tuple[Any, ...]:
    answer = events(raw)[-1]["response"] if stream else orjson.loads(raw)
    message, call = answer["output"]
    end = "tool_calls" if answer["status"] == "completed" else answer["status"]
    return message["content"][0]["text"], call["call_id"], {key: call[key] for key in ("name", "arguments")}, end


def messages(raw: bytes, *, stream: bool) -> tuple[Any, ...]:
    if not stream:
        body = orjson.loads(raw)
        text, call = body["content"]
        given, end = orjson.dumps(call["input"]).decode(), body["stop_reason"]
        return text["text"], call["id"], {"name": call["name"], "arguments": given}, ENDS[end]
    found = events(raw)
    call = next(each["content_block"] for each in found if each.get("content_block", {}).get("type") == "tool_use")
    deltas = [each["delta"] for each in found if each["type"] == "content_block_delta"]
    given = "".join(delta.get("partial_json", "") for delta in deltas)
    end = next(each["delta"]["stop_reason"] for each in found if each["type"] == "message_delta")
    text = "".join(delta.get("text", "") for delta in deltas)
    return text, call["id"], {"name": call["name"], "arguments": given}, ENDS[end]


ENDS = {"tool_use": "tool_calls"}
ASKED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": request().body["messages"]},
    "/v1/responses": {"input": "one two three"},
    "/v1/messages": {"messages": request().body["messages"], "max_tokens": 9},
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("backend", [openai, anthropic, bedrock])
@pytest.mark.parametrize("client", [chat, responses, messages])
def test_what_a_backend_says_reaches_a_client_of_any_protocol(
    tmp_path: Path, *, client: Reader, backend: Server, stream: bool
) -> None:
    path = {chat: "/v1/chat/completions", responses: "/v1/responses", messages: "/v1/messages"}[client]
    body = {"model": "auto", "stream": stream} | ASKED[path]
    details = {"path": path, "type": backend.__name__}
    response, row, _ = asked(tmp_path, backend(stream=stream), body, **details)
    function = {"name": NAME, "arguments": ARGUMENTS}
    assert client(response.body, stream=stream) == (TEXT, "c1", function, "tool_calls")
    assert (row.tokens_in, row.tokens_cached, row.tokens_out, row.estimated, row.error) == (35, 10, 7, False, None)
