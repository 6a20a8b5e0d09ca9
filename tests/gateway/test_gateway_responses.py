"""The Responses API as clients meet it: items read, answers and numbered events written, nothing stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from chat_kit import answers, events, request, requests, streamed
from chat_kit import whole as answered
from gateway_kit import Scripted, bench, config, opener, piece, whole
from hypothesis import given

from cellwright.errors import Diagnostic
from cellwright.gateway.backend import BackendError
from cellwright.gateway.endpoints.responses import Responses
from cellwright.gateway.forms.conversation import read_conversation
from cellwright.gateway.forms.options import read_options
from cellwright.gateway.forms.responses import read_responses
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/v1/responses"
HELLO = {"model": "auto", "input": "one two three"}
USED = Usage(30, 20, 10)
TOOL = {"type": "function", "name": "cells", "description": "d", "parameters": {"type": "object"}, "strict": True}


def test_a_request_becomes_a_chat_request_and_its_answer_a_response(tmp_path: Path) -> None:
    body = {
        "model": "auto",
        "instructions": "Be brief.",
        "input": [
            {"role": "developer", "content": "No lists."},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "low"},
                ],
            },
            {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "c1", "name": "cells", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "cells", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "three"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "four"}]},
        ],
        "max_output_tokens": 9,
        "tools": [TOOL],
        "tool_choice": {"type": "function", "name": "cells"},
        "parallel_tool_calls": False,
        "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": True}},
        "reasoning": {"effort": "low", "summary": "auto"},
        "store": False,
        "truncation": "disabled",
        "include": ["reasoning.encrypted_content"],
        "metadata": {"k": "v"},
    }
    backend = Scripted((whole("four five", USED),))
    with bench(tmp_path, config(), opener(backend)) as gateway:
        response = gateway.ask(body, path=PATH).json
    calls = [{"id": f"c{n}", "type": "function", "function": {"name": "cells", "arguments": "{}"}} for n in (1, 2)]
    assert backend.asked[0].body == {
        "model": "auto",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "No lists."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "low"}},
                ],
            },
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "I look."}],
                "reasoning_content": "hm",
                "tool_calls": calls,
            },
            {"role": "tool", "tool_call_id": "c1", "content": "three"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "four"}]},
        ],
        "max_completion_tokens": 9,
        "tools": [
            {
                "type": "function",
                "function": {key: TOOL[key] for key in ("name", "description", "parameters", "strict")},
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "cells"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True},
        },
        "reasoning_effort": "low",
        "parallel_tool_calls": False,
    }
    assert (response["object"], response["status"], response["model"], response["store"]) == (
        "response",
        "completed",
        "m",
        False,
    )
    (item,) = response["output"]
    assert (item["type"], item["status"], item["role"]) == ("message", "completed", "assistant")
    assert item["content"] == [{"type": "output_text", "text": "four five", "annotations": [], "logprobs": []}]
    assert (response["usage"]["input_tokens"], response["usage"]["output_tokens"]) == (30, 20)
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 10}
    assert {
        key: response[key] for key in ("instructions", "tools", "metadata", "max_output_tokens", "temperature")
    } == {
        "instructions": "Be brief.",
        "tools": [TOOL],
        "metadata": {"k": "v"},
        "max_output_tokens": 9,
        "temperature": None,
    }


def test_how_to_use_tools_is_left_out_where_there_are_none(tmp_path: Path) -> None:
    backend = Scripted((whole("four five", USED),))
    body = HELLO | {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}
    with bench(tmp_path, config(), opener(backend)) as gateway:
        gateway.ask(body, path=PATH)
    assert backend.asked[0].body == {"model": "auto", "messages": [{"role": "user", "content": "one two three"}]}


def test_a_stream_numbers_its_events_from_its_creation_to_its_completion(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted((piece("four "), piece("five"))))) as gateway:
        response = gateway.ask(HELLO | {"stream": True}, path=PATH)
    found = events(response.body)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert [event["type"].removeprefix("response.") for event in found] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert found[6]["text"] == "four five"
    assert found[-1]["response"]["usage"] | {"total_tokens": 5, "estimated": True} == found[-1]["response"]["usage"]
    assert response.body.startswith(b"event: response.created\n")
    assert b"[DONE]" not in response.body


def test_a_broken_stream_ends_as_failed(tmp_path: Path) -> None:
    broken = BackendError(Diagnostic("upstream_broke_off", "backend x broke off"), spent=True)
    with bench(tmp_path, config(), opener(Scripted((piece("four "), broken)))) as gateway:
        *_, error, failed = events(gateway.ask(HELLO | {"stream": True}, path=PATH).body)
    assert (error["type"], error["code"], error["message"]) == ("error", "upstream_broke_off", "backend x broke off")
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"] == {"code": "server_error", "message": "backend x broke off"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id is not supported: nothing is stored here"),
        ({"conversation": "c"}, "conversation is not supported"),
        ({"prompt": {"id": "p"}}, "prompt is not supported"),
        ({"store": True}, "store is not supported"),
        ({"background": True}, "background is not supported"),
        ({"truncation": "auto"}, "truncation is not supported"),
        ({"include": ["message.output_text.logprobs"]}, "include is not supported"),
        ({"top_logprobs": 2}, "top_logprobs is not supported"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type is not supported"),
        ({"tools": [{"type": "function"}]}, "tools[0].name must be"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice is not supported"),
        ({"tool_choice": "some"}, "tool_choice must be one of"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type must be one of"),
        ({"max_output_tokens": 0}, "max_output_tokens must be"),
        ({"input": []}, "input must be"),
        ({"input": None}, "input must be"),
        ({"input": ["x"]}, "input[0] must be"),
        ({"input": [{"role": "bot", "content": "x"}]}, "input[0].role must be one of"),
        ({"input": [{"role": "user", "content": 7}]}, "input[0].content must be"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text must be"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0] is not",
        ),
        ({"input": [{"type": "item_reference", "id": "i"}]}, "input[0] is not supported: nothing is stored"),
        ({"input": [{"type": "computer_call"}]}, "input[0].type is not supported"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0].call_id must be"),
    ],
)
def test_what_cannot_be_read_or_passed_on_is_told_with_its_place(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    with bench(tmp_path, config(), opener(Scripted((whole(usage=USED),)))) as gateway:
        response = gateway.ask(HELLO | change, path=PATH)
    assert response.status == 400
    assert response.json["error"]["message"].startswith(named)


def rebuilt(raw: bytes) -> list[Any]:
    """Return the items that the deltas of a stream add up to."""
    items: list[Any] = []
    for event in events(raw):
        kind = event["type"].removeprefix("response.")
        if kind == "output_item.added":
            assert event["output_index"] == len(items)
            items.append(event["item"])
        elif kind == "content_part.added":
            assert event["content_index"] == len(items[event["output_index"]]["content"])
            items[event["output_index"]]["content"].append(event["part"])
        elif kind == "function_call_arguments.delta":
            items[event["output_index"]]["arguments"] += event["delta"]
        elif kind.endswith(".delta"):
            part = items[event["output_index"]]["content"][event["content_index"]]
            part["refusal" if kind.startswith("refusal") else "text"] += event["delta"]
        elif kind == "output_item.done":
            items[event["output_index"]]["status"] = event["item"]["status"]
            assert items[event["output_index"]] == event["item"]
    return items


@given(answers())
def test_a_stream_says_what_the_whole_answer_says(choice: dict[str, Any]) -> None:
    endpoint = Responses()
    response = orjson.loads(endpoint.whole(request(), answered(choice, USED), lambda: USED))
    writer = endpoint.stream(request())
    raw = b"".join(writer.piece(chunk) for chunk in streamed(choice, USED)) + writer.end("m", lambda: USED)
    assert rebuilt(raw) == response["output"]
    assert events(raw)[-1]["response"] == response
    assert events(raw)[-1]["type"] == f"response.{response['status']}"


def items_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a message of a chat request as items of the Responses API."""
    kinds = {"assistant": "output_text"}
    said: Any = message.get("content")
    if message["role"] == "tool":
        return [{"type": "function_call_output", "call_id": message["tool_call_id"], "output": said}]
    if isinstance(said, list):
        said = [
            {"type": kinds.get(message["role"], "input_text"), "text": part["text"]}
            if part["type"] == "text"
            else {"type": "input_image", "image_url": part["image_url"]["url"]}
            for part in said
        ]
    spoken = [{"role": message["role"], "content": said}] if said else []
    calls = message.get("tool_calls", ())
    return spoken + [{"type": "function_call", "call_id": call["id"], **call["function"]} for call in calls]


@given(requests())
def test_a_request_keeps_its_words_roles_and_tools(chat: dict[str, Any]) -> None:
    body = {"model": "auto", "input": [item for message in chat["messages"] for item in items_of(message)]}
    for key in ("temperature", "top_p", "parallel_tool_calls"):
        body |= {key: chat[key]} if key in chat else {}
    choice = chat.get("tool_choice")
    named = {"type": "function", **choice["function"]} if isinstance(choice, dict) else choice
    tools = [{"type": "function"} | tool["function"] for tool in chat.get("tools", ())]
    body |= {"max_output_tokens": chat["max_tokens"], "tools": tools, "tool_choice": named}
    back = read_responses(body) | {"stop": chat.get("stop")}
    assert read_conversation(back) == read_conversation(chat)
    assert read_options(back) == read_options(chat)
