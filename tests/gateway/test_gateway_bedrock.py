"""Amazon Bedrock as a backend: signatures, binary streams, and what is asked and answered."""

from __future__ import annotations

import asyncio
import struct
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from chat_kit import OBJECTS, WORDS, joined, request, requests
from gateway_kit import QUESTION, Response, Upstream, bench, config, remote
from hypothesis import given
from hypothesis import strategies as st
from upstream_kit import asked, inside, says

from cellwright.errors import UsageError
from cellwright.gateway.backends.bedrock import Stream, read_message, read_usage, write_request
from cellwright.gateway.event_stream import MessageReader
from cellwright.gateway.forms.conversation import UnfitError, read_conversation
from cellwright.gateway.forms.pieces import Pieces
from cellwright.gateway.model import AwsAccess
from cellwright.gateway.sigv4 import Credentials, Scope, sign

if TYPE_CHECKING:
    from pathlib import Path

    from upstream_kit import Handler

USAGE = {
    "inputTokens": 20,
    "outputTokens": 7,
    "totalTokens": 42,
    "cacheReadInputTokens": 10,
    "cacheWriteInputTokens": 5,
}
ANSWER = {
    "output": {"message": {"role": "assistant", "content": [{"text": "four five"}]}},
    "stopReason": "end_turn",
    "usage": USAGE,
    "metrics": {"latencyMs": 1},
}
EXAMPLE = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
ACCESS = AwsAccess(region="eu-central-1")


FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("method", "url", "headers", "service", "signature"),
    [  # the published suite of test cases, and the example of the guide
        (
            *("GET", "https://example.amazonaws.com/", {}, "service"),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            *("POST", "https://example.amazonaws.com/", {}, "service"),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            *("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", FORM, "iam"),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ],
)
def test_signatures_are_those_of_the_published_examples(
    method: str, url: str, headers: dict[str, str], service: str, signature: str
) -> None:
    added = sign(EXAMPLE, Scope("us-east-1", service), method, url, headers, b"", NOW)
    assert added["authorization"].endswith(f"Signature={signature}")
    assert added["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/{service}/")
    assert "wJalr" not in repr(EXAMPLE)


def framed(payload: object, kind: str = "event", **headers: str) -> bytes:
    """Return a message of an event stream."""
    named = {":message-type": kind, ":content-type": "application/json"} | {
        f":{k.replace('_', '-')}": v for k, v in headers.items()
    }
    block = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(text)) + text.encode()
        for name, text in named.items()
    )
    body = orjson.dumps(payload)
    prelude = struct.pack(">II", 16 + len(block) + len(body), len(block))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + block + body
    return message + struct.pack(">I", zlib.crc32(message))


def event(kind: str, **payload: object) -> bytes:
    return framed(payload, event_type=kind)


def text(said: str) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=0, delta={"text": said})


ENDS = (
    event("contentBlockStop", contentBlockIndex=0)
    + event("messageStop", stopReason="max_tokens")
    + event("metadata", usage=USAGE, metrics={})
)
BEGINS = event("messageStart", role="assistant")


def sends(*pieces: bytes) -> Handler:
    async def handler(given: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/vnd.amazon.eventstream"})
        await response.prepare(given)
        for part in pieces:
            await response.write(part)
        return response

    return handler


def bedrock(folder: Path, handler: Handler, body: object = QUESTION, **details: Any) -> Any:  # noqa: ANN401
    return asked(folder, handler, body, type="bedrock", base=lambda url: url.removesuffix("/v1"), **details)


@pytest.mark.integration
def test_a_request_reaches_the_api_in_its_own_words(tmp_path: Path) -> None:
    body = {
        "model": "auto",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "What?", "cache_control": {"type": "ephemeral"}}, PICTURE],
            },
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "cells", "arguments": '{"n":1}'}}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "three"},
        ],
        "max_tokens": 50,
        "temperature": 0.5,
        "stop": ["END"],
        "tools": [{"type": "function", "function": {"name": "cells", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "cells"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array"}}},
        "top_k": 5,
    }
    response, row, upstream = bedrock(tmp_path, says(ANSWER), body, model="a.claude-v1:0")
    assert upstream.paths == ["/model/a.claude-v1%3A0/converse"]
    assert upstream.keys == ["Bearer PLANTED-SECRET"]
    assert upstream.bodies == [
        {
            "system": [{"text": "Be brief."}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"text": "What?"},
                        {"cachePoint": {"type": "default"}},
                        {"image": {"format": "png", "source": {"bytes": "iVBO"}}},
                    ],
                },
                {
                    "role": "assistant",
                    "content": [{"toolUse": {"toolUseId": "c1", "name": "cells", "input": {"n": 1}}}],
                },
                {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "three"}]}}]},
            ],
            "inferenceConfig": {"maxTokens": 50, "temperature": 0.5, "stopSequences": ["END"]},
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "cells", "inputSchema": {"json": {"type": "object"}}}}],
                "toolChoice": {"tool": {"name": "cells"}},
            },
            "outputConfig": {
                "textFormat": {
                    "type": "json_schema",
                    "structure": {"jsonSchema": {"name": "answer", "schema": '{"type":"array"}'}},
                }
            },
            "additionalModelRequestFields": {"top_k": 5},
        }
    ]
    assert response.json["choices"][0]["message"] == {"role": "assistant", "content": "four five"}
    assert (row.tokens_in, row.tokens_cached, row.tokens_out, row.estimated) == (35, 10, 7, False)


@pytest.mark.integration
def test_a_stream_of_messages_cut_anywhere_becomes_chunks(tmp_path: Path) -> None:
    raw = BEGINS + text("four ") + text("five") + ENDS
    body = QUESTION | {"stream": True, "stream_options": {"include_usage": True}}
    response, row, upstream = bedrock(tmp_path, sends(raw[:7], raw[7:200], raw[200:]), body)
    *pieces, done = response.events
    chunks = [orjson.loads(piece) for piece in pieces]
    assert upstream.paths == ["/model/model-cloud/converse-stream"]
    assert done == b"[DONE]"
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[:2]] == ["four ", "five"]
    assert chunks[2]["choices"][0]["finish_reason"] == "length"
    assert chunks[3]["usage"]["completion_tokens"] == 7
    assert (row.tokens_in, row.tokens_out, row.estimated, row.error) == (35, 7, False, None)


@pytest.mark.integration
def test_requests_are_signed_with_the_credentials_of_the_environment(tmp_path: Path) -> None:
    upstream = Upstream(says(ANSWER))
    secrets = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s3cr3t", "AWS_SESSION_TOKEN": "tok"}

    async def main() -> Response:
        async with upstream.open():
            base = upstream.url.removesuffix("/v1")
            setup = config(remote(type="bedrock", model="a:0", base_url=base, aws=ACCESS, retries=0))
            with bench(tmp_path, setup, secrets=secrets) as gateway:
                return await inside(gateway, QUESTION)

    assert asyncio.run(main()).status == 200
    sent = upstream.headers[0]
    now = datetime.strptime(sent["x-amz-date"], "%Y%m%dT%H%M%S%z")
    url = f"http://{sent['host']}{upstream.paths[0]}"
    covered = {"content-type": "application/json"}
    credentials = Credentials("AKIDEXAMPLE", "s3cr3t", "tok")
    body = orjson.dumps(upstream.bodies[0])
    again = sign(credentials, Scope("eu-central-1", "bedrock"), "POST", url, covered, body, now)
    assert {name: sent[name] for name in again} == again
    assert "content-type;host;x-amz-date;x-amz-security-token" in sent["authorization"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "baseUrl"),
        ({"base_url": "http://127.0.0.1:1"}, "names no region"),
        (
            {"base_url": "https://bedrock-runtime.eu-central-1.amazonaws.com"},
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
    ],
)
def test_a_backend_without_address_region_or_credentials_is_told_before_anything_starts(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(UsageError, match=named), bench(tmp_path, config(remote(type="bedrock", **changes))):
        pass


@pytest.mark.integration
@pytest.mark.parametrize(
    ("handler", "stream", "status", "code"),
    [
        (says({"message": "slow down"}, 429), False, 429, "upstream_rate_limited"),
        (says({"message": "bad"}, 400), False, 400, "upstream_refused_request"),
        (says({"output": {}}), False, 502, "upstream_garbled"),
        (says(ANSWER), True, 502, "upstream_not_streaming"),
        (
            sends(framed({"message": "x"}, "exception", exception_type="throttlingException")),
            True,
            502,
            "upstream_rate_limited",
        ),
        (
            sends(BEGINS + text("x") + framed({}, "exception", exception_type="internalServerException")),
            True,
            200,
            "upstream_failed",
        ),
        (sends(BEGINS + text("four ")), True, 200, "upstream_broke_off"),
        (sends(BEGINS + text("four ") + ENDS[:-5]), True, 200, "upstream_broke_off"),
        (sends(BEGINS + text("four ") + b"\0" * 12), True, 200, "upstream_garbled"),
        (sends(BEGINS + text("x") + ENDS[:-1] + b"?"), True, 200, "upstream_garbled"),
    ],
)
def test_failures_are_told(tmp_path: Path, *, handler: Handler, stream: bool, status: int, code: str) -> None:
    response, row, _ = bedrock(tmp_path, handler, QUESTION | {"stream": stream})
    assert (response.status, row.error) == (status, code)


TOOLS = [{"type": "function", "function": {"name": "a"}}]


def shown(url: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"n": 2}, "n"),
        ({"temperature": 1.5}, "a temperature above 1"),
        ({"response_format": {"type": "json_object"}}, "response_format of this type"),
        ({"tools": TOOLS, "parallel_tool_calls": False}, "parallel_tool_calls"),
        (shown("https://a.example/b"), "an image by its address"),
        (shown("data:image/x;base64,AA"), "an image of type image/x"),
    ],
)
def test_what_the_api_cannot_be_asked_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UnfitError, match=f"^{named}"):
        write_request(QUESTION | change)


@given(st.lists(st.tuples(WORDS, OBJECTS), max_size=4), st.lists(st.integers(1, 40), max_size=9))
def test_messages_survive_any_cut(messages: list[tuple[str, dict[str, Any]]], cuts: list[int]) -> None:
    raw = b"".join(event("contentBlockDelta", text=said, more=more) for said, more in messages)
    reader, found, place = MessageReader(), [], 0
    for cut in [*cuts, len(raw)]:
        found += list(reader.feed(raw[place : place + cut]))
        place += cut
    found += list(reader.feed(raw[place:]))
    assert [orjson.loads(message.payload) for message in found] == [
        {"text": said, "more": more} for said, more in messages
    ]
    assert not reader.amid


@given(st.binary(max_size=64), st.integers(0, 200))
def test_damage_is_noticed_and_nothing_else_is_raised(junk: bytes, place: int) -> None:
    raw = bytearray(text("four five"))
    place %= len(raw)
    damaged = bytes(raw[:place]) + bytes([raw[place] ^ 0x10]) + bytes(raw[place + 1 :])
    for given_bytes in (damaged, junk):
        reader = MessageReader()
        try:
            assert list(reader.feed(given_bytes)) == []
        except ValueError as error:
            assert "does not read" in str(error)  # noqa: PT017 - it may also wait for more


@given(requests())
def test_a_request_keeps_its_words_roles_and_tools(chat: dict[str, Any]) -> None:
    try:
        written = write_request(chat)
    except UnfitError:
        return
    talk = read_conversation(chat)
    assert [turn["role"] for turn in written["messages"]] == [turn.role for turn in talk.turns]
    said = orjson.dumps(written).decode()
    for turn in talk.turns:
        for part in turn.parts:
            words = (getattr(part, key, None) for key in ("text", "name", "call_id", "data", "arguments", "content"))
            word = next(word for word in words if word)
            assert orjson.dumps(word).decode() in said
    tools = [] if chat.get("tool_choice") == "none" else chat.get("tools", [])
    named = [tool["toolSpec"]["name"] for tool in written.get("toolConfig", {}).get("tools", ())]
    assert named == [tool["function"]["name"] for tool in tools]


def blocks_of(kind: str, said: Any, index: int) -> tuple[dict[str, Any], list[tuple[str, Any]]]:  # noqa: ANN401
    """Return a block of content as a whole answer holds it, and the events that stream it."""
    if kind == "text":
        whole: dict[str, Any] = {"text": said}
        deltas = [{"text": letter} for letter in said]
    elif kind == "thought":
        whole = {"reasoningContent": {"reasoningText": {"text": said, "signature": "s"}}}
        deltas = [{"reasoningContent": {"text": said}}, {"reasoningContent": {"signature": "s"}}]
    else:
        head = {"toolUseId": f"c{index}", "name": "cells"}
        whole = {"toolUse": head | {"input": said}}
        begun = [("contentBlockStart", {"start": {"toolUse": head}})]
        return whole, [*begun, ("contentBlockDelta", {"delta": {"toolUse": {"input": orjson.dumps(said).decode()}}})]
    return whole, [("contentBlockDelta", {"delta": delta}) for delta in deltas]


BLOCKS = st.lists(
    st.one_of(st.tuples(st.sampled_from(["text", "thought"]), WORDS), st.tuples(st.just("call"), OBJECTS)),
    min_size=1,
    max_size=4,
)


@given(BLOCKS)
def test_a_stream_says_what_the_whole_answer_says(blocks: list[tuple[str, Any]]) -> None:
    pairs = [blocks_of(kind, said, index) for index, (kind, said) in enumerate(blocks)]
    stream = Stream(Pieces(request(), "m"))
    ends = [("messageStop", {"stopReason": "end_turn"}), ("metadata", {"usage": USAGE})]
    told = [*(each for _, some in pairs for each in some), *ends]
    heard = joined([chunk for kind, payload in told for chunk in stream.take(kind, payload)])
    whole = read_message([block for block, _ in pairs])
    whole.pop("thinking_blocks", None)
    whole["content"] = whole["content"] or None
    assert heard["message"] == whole
    assert heard["usage"] == read_usage({"usage": USAGE})
