"""The older completions: a prompt in place of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from chat_kit import answers, events, request, streamed
from chat_kit import whole as answered
from gateway_kit import Scripted, bench, config, opener, piece, whole
from hypothesis import given

from cellwright.errors import Diagnostic
from cellwright.gateway.backend import BackendError
from cellwright.gateway.endpoints.completions import Completions
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from pathlib import Path

PATH = "/v1/completions"
HELLO = {"model": "auto", "prompt": "one two three"}
USED = Usage(3, 2)


@pytest.mark.parametrize("prompt", ["one two three", ["one two three"]])
def test_a_prompt_is_asked_as_a_turn_and_its_answer_is_a_text(tmp_path: Path, prompt: object) -> None:
    backend = Scripted((whole("four five", USED),))
    body = {"model": "auto", "prompt": prompt, "temperature": 0, "echo": False, "best_of": 1, "min_p": 0.1}
    with bench(tmp_path, config(), opener(backend)) as gateway:
        response = gateway.ask(body, path=PATH)
        (row,) = gateway.meter.rows()
    assert backend.asked[0].body == {
        "model": "auto",
        "messages": [{"role": "user", "content": "one two three"}],
        "temperature": 0,
        "min_p": 0.1,
        "max_tokens": 16,
    }
    answer = response.json
    assert (answer["object"], answer["model"], answer["id"][:5]) == ("text_completion", "m", "cmpl-")
    assert answer["choices"] == [{"text": "four five", "index": 0, "logprobs": None, "finish_reason": "stop"}]
    assert (answer["usage"]["total_tokens"], row.tokens_in, row.tokens_out) == (5, 3, 2)


@pytest.mark.parametrize("wanted", [False, True])
def test_a_stream_ends_with_usage_where_it_was_asked_for(tmp_path: Path, *, wanted: bool) -> None:
    body = HELLO | {"stream": True, "max_tokens": 9} | ({"stream_options": {"include_usage": True}} if wanted else {})
    with bench(tmp_path, config(), opener(Scripted((piece("four "), piece("five"))))) as gateway:
        *pieces, done = gateway.ask(body, path=PATH).events
    found = [orjson.loads(data) for data in pieces]
    assert done == b"[DONE]"
    assert "".join(choice["text"] for body in found for choice in body["choices"]) == "four five"
    assert [body.get("usage", {}).get("total_tokens") for body in found] == [None, None, *([5] if wanted else [])]


def test_a_broken_stream_ends_with_an_error(tmp_path: Path) -> None:
    broken = BackendError(Diagnostic("upstream_broke_off", "backend x broke off"), spent=True)
    with bench(tmp_path, config(), opener(Scripted((piece("four "), broken)))) as gateway:
        found = gateway.ask(HELLO | {"stream": True}, path=PATH).events
    assert orjson.loads(found[-1])["error"]["code"] == "upstream_broke_off"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"prompt": None}, "prompt must be"),
        ({"prompt": ""}, "prompt must be"),
        ({"prompt": []}, "prompt must be"),
        ({"prompt": [""]}, "prompt must be"),
        ({"prompt": [1, 2]}, "prompt is not supported: send text"),
        ({"prompt": [[1]]}, "prompt is not supported: send text"),
        ({"prompt": ["a", "b"], "stream": True}, "prompt is not supported: a stream takes one text"),
        ({"prompt": ["a"] * 129}, "prompt is not supported: a stream takes one text"),
        ({"prompt": ["a", 1]}, "prompt is not supported: a stream and"),
        ({"echo": True}, "echo is not supported"),
        ({"suffix": "x"}, "suffix is not supported"),
        ({"logprobs": 3}, "logprobs is not supported"),
        ({"best_of": 3}, "best_of is not supported"),
    ],
)
def test_what_only_a_model_without_turns_could_do_is_refused(
    tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    with bench(tmp_path, config(), opener(Scripted((whole(usage=USED),)))) as gateway:
        response = gateway.ask(HELLO | change, path=PATH)
    assert response.status == 400
    assert response.json["error"]["message"].startswith(named)


def test_a_list_of_prompts_is_answered_in_its_order_and_each_is_metered(tmp_path: Path) -> None:
    backend = Scripted((whole("four five", USED),))
    with bench(tmp_path, config(), opener(backend)) as gateway:
        answer = gateway.ask({"model": "auto", "prompt": ["one", "two", "three"]}, path=PATH).json
        rows = list(gateway.meter.rows())
    assert sorted(request.prompt for request in backend.asked) == ["one", "three", "two"]
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == [(n, "four five") for n in range(3)]
    assert sum(row.tokens_in + row.tokens_out for row in rows) == answer["usage"]["total_tokens"] == 15
    assert len({row.request_id for row in rows}) == 3


def test_a_list_of_prompts_fails_as_the_one_of_them_that_does(tmp_path: Path) -> None:
    down = BackendError(Diagnostic("upstream_unreachable", "backend x cannot be reached"))
    with bench(tmp_path, config(), opener(Scripted((down,)))) as gateway:
        response = gateway.ask({"model": "auto", "prompt": ["one", "two"]}, path=PATH)
    assert (response.status, response.error) == (502, "upstream_unreachable")


def test_a_list_of_prompts_needs_a_key(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted(()))) as gateway:
        response = gateway.ask({"model": "auto", "prompt": ["one", "two"]}, path=PATH, key=None)
    assert (response.status, response.error) == (401, "invalid_api_key")


@given(answers())
def test_a_stream_says_what_the_whole_answer_says(choice: dict[str, Any]) -> None:
    endpoint = Completions()
    (said,) = orjson.loads(endpoint.whole(request(), answered(choice, USED), lambda: USED))["choices"]
    writer = endpoint.stream(request())
    raw = b"".join(writer.piece(chunk) for chunk in streamed(choice, USED))
    pieces = [piece for event in events(raw) for piece in event["choices"]]
    assert ("".join(piece["text"] for piece in pieces), pieces[-1]["finish_reason"]) == (
        said["text"],
        said["finish_reason"],
    )
