"""Requests of every protocol with junk anywhere in them: refused in words of the protocol, never by accident."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from chat_kit import answers, request, requests, streamed
from chat_kit import whole as answered
from gateway_kit import Scripted, bench, config, opener
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gateway_responses import items_of

from cellwright.gateway.backend import Chunk
from cellwright.gateway.backends import anthropic, bedrock
from cellwright.gateway.dialects import put_right
from cellwright.gateway.endpoints.chat import ChatCompletions
from cellwright.gateway.endpoints.completions import Completions
from cellwright.gateway.endpoints.embeddings import Embeddings
from cellwright.gateway.endpoints.messages import Messages
from cellwright.gateway.endpoints.responses import Responses
from cellwright.gateway.forms.conversation import UnfitError
from cellwright.gateway.forms.marks import unmarked
from cellwright.gateway.wire import ApiError, Usage, answer_text, read_choices, read_usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cellwright.gateway.endpoint import Endpoint

    Form = Callable[[dict[str, Any]], dict[str, Any]]  # a chat request in the words of an endpoint

JUNK = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-1, 3), st.floats(0, 1), st.sampled_from(["", "text", "auto", "user"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["type", "text", "role", "name", "content", "function"]), inner, max_size=2),
    ),
    max_leaves=3,
)
USED = Usage(30, 20)
PICTURED = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA"}}
THOUGHT = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "x"}]


def as_responses(chat: dict[str, Any]) -> dict[str, Any]:
    items = [item for message in chat["messages"] for item in items_of(message)]
    tools = [{"type": "function"} | tool["function"] for tool in chat.get("tools", ())]
    return {"model": "auto", "input": items, "tools": tools, "text": {"format": {"type": "text"}}}


def as_messages(chat: dict[str, Any]) -> dict[str, Any]:
    body = anthropic.write_request(chat, "auto")
    body["messages"][0]["content"] += [PICTURED]
    body["messages"].append({"role": "assistant", "content": THOUGHT})
    return body | {"output_config": {"format": {"type": "json_schema", "schema": {}}}}


def as_chat(chat: dict[str, Any]) -> dict[str, Any]:
    thinking = {"role": "assistant", "content": "x", "thinking_blocks": THOUGHT[:1]}
    return (
        chat
        | {"messages": [*chat["messages"], thinking]}
        | {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}
    )


def as_text(_: dict[str, Any]) -> dict[str, Any]:
    return {"model": "auto", "prompt": "x", "input": ["x"], "dimensions": 2, "stream_options": {}}


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to everything in a JSON value."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [path, *(place for key in keys for place in places(value[key], (*path, key)))]  # type: ignore[index]


def put(value: Any, path: tuple[Any, ...], junk: object) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON value with junk in one place."""
    if not path:
        return junk
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = put(value[key], tuple(rest), junk)
    return copy


@pytest.mark.parametrize(
    ("endpoint", "form"),
    [
        (ChatCompletions(), as_chat),
        (Responses(), as_responses),
        (Messages(), as_messages),
        (Completions(), as_text),
        (Embeddings(), as_text),
    ],
    ids=lambda item: getattr(item, "__name__", type(item).__name__),
)
@settings(max_examples=50)
@given(chat=requests(), junk=JUNK, data=st.data())
def test_junk_is_refused_in_words(
    chat: dict[str, Any], junk: object, data: st.DataObject, *, endpoint: Endpoint, form: Form
) -> None:
    whole = form(chat)
    raw = orjson.dumps(put(whole, data.draw(st.sampled_from(places(whole))), junk))
    with contextlib.suppress(ApiError):
        found = endpoint.read(raw, "id", 1)
        assert isinstance(found.prompt, str)
        if "messages" in found.body:
            if found.marked:
                unmarked(found.body)
            for write in (lambda body: anthropic.write_request(body, "m"), bedrock.write_request):
                with contextlib.suppress(UnfitError, ApiError):
                    orjson.dumps(write(found.body))


@pytest.mark.parametrize("endpoint", [Completions(), Messages(), Responses()], ids=lambda item: type(item).__name__)
@settings(max_examples=50)
@given(choice=answers(), junk=JUNK, data=st.data())
def test_junk_in_an_answer_breaks_nothing(
    choice: dict[str, Any], junk: object, data: st.DataObject, *, endpoint: Endpoint
) -> None:
    whole = orjson.loads(answered(choice, USED).body)
    stream = [orjson.loads(chunk.body) for chunk in streamed(choice, USED)]
    whole["choices"] = put(whole["choices"], data.draw(st.sampled_from(places(whole["choices"])[1:])), junk)
    place = data.draw(st.sampled_from(places(stream)[1:]))
    stream = [put(body, place[1:], junk) if number == place[0] else body for number, body in enumerate(stream)]
    for body in [whole, *stream]:
        if isinstance(body, dict) and isinstance(body.get("choices"), list | None):  # the backend refuses all else
            put_right(read_choices(body), "id")
            assert isinstance(answer_text(read_choices(body)), str)
            read_usage(body)
    asked = request()
    endpoint.whole(asked, Chunk(orjson.dumps(whole), ""), lambda: USED)
    writer = endpoint.stream(asked)
    for body in stream:
        if isinstance(body, dict) and isinstance(body.get("choices"), list | None):
            writer.piece(Chunk(orjson.dumps(body), ""))
    writer.end("m", lambda: USED)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "x" * 5_000}]}]}),
        ("/v1/responses", {"input": [{"type": "x" * 5_000}]}),
        ("/v1/responses", {"input": [{"role": "user", "content": [{"type": "x" * 5_000}]}]}),
    ],
)
def test_an_error_repeats_little_of_what_it_refuses(tmp_path: Path, path: str, body: dict[str, object]) -> None:
    with bench(tmp_path, config(), opener(Scripted(()))) as gateway:
        response = gateway.ask({"model": "auto"} | body, path=path)
    assert response.status == 400
    assert "xxx" in response.body.decode()
    assert len(response.body) < 500
