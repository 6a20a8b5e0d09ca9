"""The Messages API as clients meet it: requests read, answers and streams written, errors in its own shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from chat_kit import answers, events, request, streamed
from chat_kit import whole as answered
from gateway_kit import KEY, Scripted, bench, config, opener, piece, remote, whole
from hypothesis import given
from upstream_kit import asked, says

from cellwright.errors import Diagnostic
from cellwright.gateway.backend import BackendError
from cellwright.gateway.endpoints.messages import Messages
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/v1/messages"
HELLO = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "one two three"}]}
MARK = {"type": "ephemeral"}
USED = Usage(30, 20, 10)


def test_a_request_becomes_a_chat_request_and_its_answer_a_message(tmp_path: Path) -> None:
    body = HELLO | {
        "system": [{"type": "text", "text": "Be brief.", "cache_control": MARK}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "What?"}, picture("iVBO")]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "t1", "name": "cells", "input": {"n": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "none", "is_error": True},
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
        "stop_sequences": ["E"],
        "temperature": 0.5,
        "top_k": 5,
        "tools": [{"name": "cells", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u7"},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    backend = Scripted((whole("four five", USED),))
    with bench(tmp_path, config(), opener(backend)) as gateway:
        response = gateway.ask(body, path=PATH, key=None, headers={"x-api-key": KEY, "anthropic-version": "2023-06-01"})
    assert response.json == {
        "id": response.json["id"],
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "four five"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 20, "cache_read_input_tokens": 10, "output_tokens": 20},
    }
    assert response.json["id"].startswith("msg_")
    assert backend.asked[0].body == {
        "model": "auto",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief.", "cache_control": MARK}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}},
                ],
            },
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "I look."}],
                "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "cells", "arguments": '{"n":1}'}}],
                "thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "s"}],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "none", "is_error": True},
            {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
        ],
        "max_tokens": 9,
        "stop": ["E"],
        "tools": [
            {"type": "function", "function": {"name": "cells", "description": "d", "parameters": {"type": "object"}}}
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "user": "u7",
        "temperature": 0.5,
        "top_k": 5,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }


@pytest.mark.parametrize(("title", "text"), [({}, "The fibre is cut."), ({"title": "Log"}, "Log\n\nThe fibre is cut.")])
def test_a_document_that_is_given_as_text_is_a_text(tmp_path: Path, title: dict[str, str], text: str) -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "The fibre is cut."}
    backend = Scripted((whole("four five", USED),))
    with bench(tmp_path, config(), opener(backend)) as gateway:
        content = [{"type": "document", "source": source, "cache_control": MARK, **title}]
        gateway.ask(HELLO | {"messages": [{"role": "user", "content": content}]}, path=PATH)
        wrong = [{"type": "document", "source": {"type": "text", "data": 5}}]
        refused = gateway.ask(HELLO | {"messages": [{"role": "user", "content": wrong}]}, path=PATH)
    (message,) = backend.asked[0].body["messages"]
    assert message["content"] == [{"type": "text", "text": text, "cache_control": MARK}]
    assert "messages[0].content[0].source.data must be a text" in refused.json["error"]["message"]


def picture(data: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


@pytest.mark.integration
def test_a_backend_of_another_protocol_is_sent_no_marks_of_this_one(tmp_path: Path) -> None:
    said = [{"type": "text", "text": "x", "cache_control": MARK}]
    thought = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "y"}]
    turns = [
        {"role": "user", "content": said},
        {"role": "assistant", "content": thought},
        {"role": "user", "content": "z"},
    ]
    tool = {"name": "cells", "input_schema": {"type": "object"}, "cache_control": MARK}
    body = HELLO | {"messages": turns, "tools": [tool], "cache_control": MARK}
    answer = {"choices": [{"message": {"content": "w"}, "finish_reason": "stop"}]}
    response, _, upstream = asked(tmp_path, says(answer), body, path=PATH)
    assert response.status == 200
    assert b"cache_control" not in orjson.dumps(upstream.bodies[0])
    assert b"thinking" not in orjson.dumps(upstream.bodies[0])
    assert [message["role"] for message in upstream.bodies[0]["messages"]] == ["user", "assistant", "user"]


def test_a_stream_opens_says_and_closes_in_the_order_of_the_protocol(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted((piece("four "), piece("five"))))) as gateway:
        response = gateway.ask(HELLO | {"stream": True}, path=PATH)
    found = events(response.body)
    assert [event["type"] for event in found] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert found[-2]["usage"]["output_tokens"] == 2
    assert found[-2]["usage"]["estimated"] is True
    assert response.body.startswith(b"event: message_start\ndata: ")
    assert b"[DONE]" not in response.body


def test_a_broken_stream_ends_with_an_error_event(tmp_path: Path) -> None:
    broken = BackendError(Diagnostic("upstream_broke_off", "backend x broke off"), spent=True)
    with bench(tmp_path, config(), opener(Scripted((piece("four "), broken)))) as gateway:
        found = events(gateway.ask(HELLO | {"stream": True}, path=PATH).body)
    assert found[-1] == {
        "type": "error",
        "error": {"type": "api_error", "message": "backend x broke off", "code": "upstream_broke_off"},
    }


@pytest.mark.parametrize(
    ("details", "status", "kind"),
    [
        ({"key": None}, 401, "authentication_error"),
        ({"body": HELLO | {"model": "none"}}, 404, "not_found_error"),
        ({"body": b"{"}, 400, "invalid_request_error"),
        ({"headers": {"x-cellwright-data-class": "subscriber_pii"}}, 403, "permission_error"),
    ],
)
def test_errors_have_the_shape_of_the_api(tmp_path: Path, details: dict[str, Any], status: int, kind: str) -> None:
    body = details.pop("body", HELLO)
    with bench(tmp_path, config(remote()), opener(Scripted(()))) as gateway:
        response = gateway.ask(body, path=PATH, **details)
    assert (response.status, response.json["type"], response.json["error"]["type"]) == (status, "error", kind)


def said(*blocks: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"max_tokens": None}, "max_tokens must be"),
        ({"max_tokens": 0}, "max_tokens must be"),
        ({"messages": []}, "messages must be"),
        ({"messages": ["x"]}, "messages[0] must be"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages[0].role must be one of user, assistant"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content must be"),
        (said("x"), "messages[0].content[0] must be"),
        (said({"type": "text"}), "messages[0].content[0].text must be"),
        (said({"type": "search_result"}), "messages[0].content[0].type is not supported"),
        (said({"type": "image", "source": {"type": "file"}}), "messages[0].content[0].source.type is not supported"),
        (said({"type": "document", "source": {"type": "url"}}), "messages[0].content[0].source.type is not supported"),
        ({"system": [{"type": "image"}]}, "system[0].type must be text"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type is not supported"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema must be"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type must be one of"),
        ({"stop_sequences": [1]}, "stop_sequences must be"),
        ({"container": "c"}, "container is not supported"),
    ],
)
def test_what_cannot_be_read_or_passed_on_is_told_with_its_place(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    with bench(tmp_path, config(), opener(Scripted((whole(usage=USED),)))) as gateway:
        response = gateway.ask(HELLO | change, path=PATH)
    assert response.status == 400
    assert response.json["error"]["message"].startswith(named)


def test_tokens_are_counted_without_asking_anybody(tmp_path: Path) -> None:
    backend = Scripted(())
    with bench(tmp_path, config(), opener(backend)) as gateway:
        response = gateway.ask({"model": "auto", "messages": HELLO["messages"]}, path=f"{PATH}/count_tokens")
        assert gateway.ask(HELLO, path=f"{PATH}/count_tokens", key=None).json["error"]["type"] == "authentication_error"
        assert list(gateway.meter.rows()) == []
    assert response.json == {"input_tokens": 3, "estimated": True}
    assert backend.asked == []


def heard(raw: bytes) -> tuple[list[Any], Any, Any]:
    """Return the blocks, the stop and the usage that a stream of events adds up to."""
    blocks: list[Any] = []
    stop, usage = None, None
    for event in events(raw):
        match event["type"]:
            case "content_block_start":
                assert event["index"] == len(blocks)
                blocks.append(event["content_block"])
            case "content_block_delta":
                delta, block = event["delta"], blocks[event["index"]]
                if delta["type"] == "input_json_delta":
                    block["partial"] = block.get("partial", "") + delta["partial_json"]
                else:
                    key = delta["type"].removesuffix("_delta")
                    block[key] += delta[key]
            case "message_delta":
                stop, usage = event["delta"], event["usage"]
    for block in blocks:
        if block["type"] == "tool_use":
            block["input"] = orjson.loads(block.pop("partial", "{}"))
    return blocks, stop, usage


@given(answers())
def test_a_stream_says_what_the_whole_answer_says(choice: dict[str, Any]) -> None:
    endpoint = Messages()
    message = orjson.loads(endpoint.whole(request(), answered(choice, USED), lambda: USED))
    writer = endpoint.stream(request())
    raw = b"".join(writer.piece(chunk) for chunk in streamed(choice, USED)) + writer.end("m", lambda: USED)
    stop = {key: message[key] for key in ("stop_reason", "stop_sequence")}
    assert heard(raw) == (message["content"], stop, message["usage"])
