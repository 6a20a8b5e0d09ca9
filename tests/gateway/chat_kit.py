"""Chat requests and answers for property tests: what clients may say, and what models may answer, whole or streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import strategies as st

from cellwright.gateway.backend import Chunk
from cellwright.gateway.sse import EventReader
from cellwright.gateway.wire import (
    ModelRequest,
    answer_text,
    completion,
    message_texts,
    read_choices,
    read_usage,
    usage_chunk,
)

if TYPE_CHECKING:
    from cellwright.gateway.wire import Usage

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12)
NAMES = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
OBJECTS = st.dictionaries(NAMES, st.one_of(WORDS, st.integers(-9, 9), st.booleans()), max_size=3)
TEXT_PARTS = WORDS.map(lambda text: {"type": "text", "text": text})
IMAGES = st.sampled_from(["data:image/png;base64,iVBO", "https://pictures.example/a.png"]).map(
    lambda url: {"type": "image_url", "image_url": {"url": url}}
)
USERS = st.one_of(WORDS, st.lists(st.one_of(TEXT_PARTS, IMAGES), min_size=1, max_size=3)).map(
    lambda content: {"role": "user", "content": content}
)


@st.composite
def calls(draw: st.DrawFn) -> list[dict[str, Any]]:
    """An assistant that calls tools, and what they said."""
    given = draw(st.lists(st.tuples(NAMES, OBJECTS), min_size=1, max_size=3))
    asked = [
        {
            "id": f"c{index}",
            "type": "function",
            "function": {"name": name, "arguments": orjson.dumps(arguments).decode()},
        }
        for index, (name, arguments) in enumerate(given)
    ]
    said = draw(st.one_of(st.none(), WORDS))
    results = [{"role": "tool", "tool_call_id": call["id"], "content": draw(WORDS)} for call in asked]
    return [{"role": "assistant", "content": said, "tool_calls": asked}, *results]


TOOLS = st.lists(
    st.builds(
        lambda name, description, schema: {
            "type": "function",
            "function": {
                "name": name,
                "description": description,
                "parameters": {"type": "object", "properties": schema},
            },
        },
        NAMES,
        WORDS,
        st.dictionaries(NAMES, st.just({"type": "string"}), max_size=2),
    ),
    max_size=2,
    unique_by=lambda tool: tool["function"]["name"],
)
CHOICES = st.sampled_from([None, "auto", "required", "none", {"type": "function", "function": {"name": "a"}}])


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """A chat request with turns of both sides, tools and options."""
    system = draw(st.lists(WORDS.map(lambda text: {"role": "system", "content": text}), max_size=2))
    assistants = WORDS.map(lambda text: [{"role": "assistant", "content": text}])
    turns = draw(st.lists(st.tuples(USERS, st.one_of(assistants, calls())), max_size=3))
    messages = [*system, *(message for user, answer in turns for message in (user, *answer)), draw(USERS)]
    options = {
        "max_tokens": draw(st.integers(1, 9)),
        "temperature": draw(st.sampled_from([None, 0.0, 0.5, 1.0])),
        "top_p": draw(st.sampled_from([None, 0.5])),
        "stop": draw(st.sampled_from([None, ["end"], ["a", "b"]])),
        "tools": draw(TOOLS),
    }
    if options["tools"]:
        options |= {"tool_choice": draw(CHOICES), "parallel_tool_calls": draw(st.sampled_from([None, False]))}
    kept = {key: value for key, value in options.items() if value not in (None, [])}
    return {"model": "auto", "messages": messages} | kept


def request(body: object = None, *, stream: bool = False) -> ModelRequest:
    chat: Any = body or {"model": "auto", "messages": [{"role": "user", "content": "one two three"}]}
    return ModelRequest("r1", 7, "auto", chat, stream, wants_usage=True)


def joined(chunks: list[Chunk]) -> dict[str, Any]:
    """Return the message, the finish and the usage that chunks of a stream add up to."""
    message: dict[str, Any] = {"role": None, "content": None}
    finish, usage = None, None
    for chunk in chunks:
        body = orjson.loads(chunk.body)
        assert chunk.text == answer_text(read_choices(body))
        usage = read_usage(body) or usage
        for choice in body["choices"]:
            finish = choice.get("finish_reason") or finish
            _add(message, choice["delta"])
    return {"message": message, "finish_reason": finish, "usage": usage}


def _add(message: dict[str, Any], delta: dict[str, Any]) -> None:
    message["role"] = delta.get("role", message["role"])
    for key in ("content", "reasoning_content"):
        if key in delta:
            message[key] = (message.get(key) or "") + delta[key]
    for call in delta.get("tool_calls", ()):
        found = message.setdefault("tool_calls", [])
        if call["index"] == len(found):
            found.append({"id": call["id"], "type": "function", "function": dict(call["function"])})
        else:
            found[call["index"]]["function"]["arguments"] += call["function"]["arguments"]


def events(raw: bytes) -> list[Any]:
    """Return the data of server-sent events."""
    return [orjson.loads(data) for data in EventReader().feed(raw)]


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """A choice of a chat completion: what the assistant thinks and says, which tools it calls, why it ends."""
    message: dict[str, Any] = {"role": "assistant", "content": draw(st.one_of(st.none(), WORDS))}
    if draw(st.booleans()):
        message["reasoning_content"] = draw(WORDS)
    given = draw(st.lists(st.tuples(NAMES, OBJECTS), max_size=2))
    if given:
        message["tool_calls"] = [
            {
                "id": f"c{index}",
                "type": "function",
                "function": {"name": name, "arguments": orjson.dumps(item).decode()},
            }
            for index, (name, item) in enumerate(given)
        ]
    finish = "tool_calls" if given else draw(st.sampled_from(["stop", "length"]))
    return {"index": 0, "message": message, "finish_reason": finish}


def whole(choice: dict[str, Any], usage: Usage) -> Chunk:
    """Return a choice as a whole answer."""
    message = choice["message"]
    return Chunk(completion(request(), "m", None, choice, usage), "".join(message_texts(message)), usage)


def streamed(choice: dict[str, Any], usage: Usage) -> list[Chunk]:
    """Return a choice as the chunks of a stream, cut into letters."""
    message, deltas = choice["message"], [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": letter} for letter in message.get("reasoning_content") or ""]
    deltas += [{"content": letter} for letter in message["content"] or ""]
    for index, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        deltas.append({"tool_calls": [call | {"index": index, "function": function | {"arguments": ""}}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": part}}]} for part in function["arguments"]
        ]
    ends = [{"delta": delta} for delta in deltas] + [{"delta": {}, "finish_reason": choice["finish_reason"]}]
    head = {"id": "x", "object": "chat.completion.chunk", "created": 7, "model": "m"}
    pieces = [orjson.dumps(head | {"choices": [{"index": 0} | end]}) for end in ends]
    last = Chunk(usage_chunk(request(), "m", usage), "", usage, closing=True)
    return [*(Chunk(piece, answer_text(read_choices(orjson.loads(piece)))) for piece in pieces), last]
