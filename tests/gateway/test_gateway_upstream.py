"""The OpenAI-compatible backend and the egress guard, against a recording upstream on the loopback interface."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from gateway_kit import QUESTION, Response, Upstream, bench, config, remote, spec
from upstream_kit import ANSWER, STREAM, USAGE, asked, delta, in_turn, inside, says, streams

from cellwright.errors import DeniedError, UsageError
from cellwright.gateway.egress import leaves, let_pass
from cellwright.gateway.model import Timeouts
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from upstream_kit import Handler

    from cellwright.gateway.model import BackendSpec

pytestmark = pytest.mark.integration
PLANTED = "PLANTED in a message"


def test_a_request_reaches_the_upstream_whole_with_its_model_and_the_gateways_key(tmp_path: Path) -> None:
    body = QUESTION | {"temperature": 0.5, "tools": [{"type": "function"}]}
    response, row, upstream = asked(tmp_path, says(ANSWER | {"usage": USAGE}), body)
    assert response.json == ANSWER | {"usage": USAGE}
    assert upstream.bodies == [body | {"model": "model-cloud"}]
    assert upstream.keys == ["Bearer PLANTED-SECRET"]
    assert (row.tokens_in, row.tokens_out, row.tokens_cached, row.estimated) == (30, 20, 10, False)
    assert (row.cost_in_nano, row.cost_out_nano, row.currency) == (20 * 2500 + 10 * 1250, 20 * 10_000, "USD")


def test_a_stream_is_passed_on_byte_for_byte_and_its_usage_metered(tmp_path: Path) -> None:
    last = orjson.dumps({"id": "c", "choices": [], "usage": USAGE})
    lines = b": ping\r\n\r\ndata: %b\r\n\r\ndata:%b\n\ndata: %b\n\ndata: [DONE]\n\n"
    raw = lines % (delta("four "), delta("five", finish_reason="stop"), last)
    response, row, upstream = asked(tmp_path, streams(raw[:50], raw[50:51], raw[51:]), STREAM)
    assert response.events == [delta("four "), delta("five", finish_reason="stop"), last, b"[DONE]"]
    assert upstream.bodies[0]["stream_options"] == {"include_usage": True}
    assert (row.tokens_in, row.tokens_out, row.estimated, row.error) == (30, 20, False, None)


def test_usage_is_always_asked_of_a_stream_and_kept_from_clients_that_did_not(tmp_path: Path) -> None:
    last = orjson.dumps({"choices": [], "usage": USAGE})
    handler = streams(b"data: %b\n\ndata: %b\n\ndata: [DONE]\n\n" % (delta("x"), last))
    response, row, upstream = asked(tmp_path, handler, QUESTION | {"stream": True})
    assert upstream.bodies[0]["stream_options"] == {"include_usage": True}
    assert response.events == [delta("x"), b"[DONE]"]
    assert row.tokens_in == 30


@pytest.mark.parametrize("tokens_in", [-1, 10**12, 2**63, 1e30])
def test_usage_that_makes_no_sense_is_counted_here(tmp_path: Path, tokens_in: float) -> None:
    wrong = {"prompt_tokens": tokens_in, "completion_tokens": 20}
    response, row, _ = asked(tmp_path, says(ANSWER | {"usage": wrong}))
    assert response.json["usage"]["total_tokens"] == 5
    assert (row.tokens_in, row.tokens_out, row.estimated) == (3, 2, True)


@pytest.mark.parametrize(
    ("handler", "status", "code", "tokens_in"),
    [
        (says({}, 500), 502, "upstream_failed", 3),
        (says({}, 503), 502, "upstream_unavailable", 3),
        (says({"error": {"message": "key PLANTED"}}, 401), 502, "upstream_refused_key", 0),
        (says({}, 404), 502, "upstream_unknown_model", 0),
        (says({"error": {"message": "too long"}}, 400), 400, "upstream_refused_request", 0),
        (says({"error": "too long"}, 422), 422, "upstream_refused_request", 0),
        (says({}, 302, location="http://127.0.0.1:1/"), 502, "upstream_failed", 0),
        (says([]), 502, "upstream_garbled", 3),
        (says({"choices": 7}), 502, "upstream_garbled", 3),
        (says({"error": {"message": "overloaded"}}), 502, "upstream_failed", 3),
    ],
)
def test_an_upstream_that_fails_is_told_clearly(
    tmp_path: Path, handler: Handler, status: int, code: str, tokens_in: int
) -> None:
    response, row, upstream = asked(tmp_path, handler)
    assert (response.status, response.error, row.error) == (status, code, code)
    assert (row.tokens_in, row.estimated) == (tokens_in, tokens_in > 0)
    assert len(upstream.bodies) == 1
    assert "PLANTED" not in response.body.decode()


def test_a_full_upstream_says_when_to_come_back(tmp_path: Path) -> None:
    handler = says({}, 429, **{"retry-after": "7"})
    response, row, _ = asked(tmp_path, handler, retries=3)
    assert (response.status, response.error, response.headers["retry-after"]) == (429, "upstream_rate_limited", "7")
    assert (row.tokens_in, row.estimated) == (0, False)


def test_a_passing_failure_is_tried_again_as_often_as_configured(tmp_path: Path) -> None:
    response, row, upstream = asked(tmp_path, in_turn(says({}, 503), says(ANSWER)), retries=1)
    assert (response.status, len(upstream.bodies), row.attempts) == (200, 2, 1)


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_does_not_answer_in_time_is_given_up(tmp_path: Path, *, stream: bool) -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        if stream:
            await response.prepare(request)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 20)  # bounds the test, should nobody give up before
        return response

    body = QUESTION | {"stream": stream}
    response, row, _ = asked(tmp_path, silent, body, timeouts=Timeouts(read_ms=30))
    assert (response.status, response.error) == (504, "upstream_timeout")
    assert (row.tokens_in, row.estimated) == (3, True)


def test_an_upstream_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    setup = config(remote(type="openai", base_url="http://127.0.0.1:1/v1", retries=0))
    with bench(tmp_path, setup) as gateway:
        response = gateway.ask()
        (row,) = gateway.meter.rows()
    assert (response.status, response.error) == (502, "upstream_unreachable")
    assert (row.tokens_in, row.estimated, row.cost_in_nano) == (0, False, 0)


@pytest.mark.parametrize(
    "handler",
    [
        streams(b"data: %b\n\n" % delta("four "), cut=True),
        streams(b"data: %b\n\n" % delta("four ")),
        streams(b"data: %b\n\ndata: {garbage\n\n" % delta("four ")),
        streams(b'data: %b\n\ndata: {"error":{"message":"overloaded"}}\n\n' % delta("four ")),
    ],
    ids=["reset", "ended early", "garbage", "error event"],
)
def test_a_stream_that_breaks_is_told_and_counted(tmp_path: Path, handler: Handler) -> None:
    response, row, _ = asked(tmp_path, handler, STREAM)
    assert response.events[0] == delta("four ")
    assert orjson.loads(response.events[-1])["error"]["type"] == "server_error"
    assert b"[DONE]" not in response.body
    assert (row.tokens_in, row.tokens_out, row.estimated) == (3, 1, True)
    assert row.error is not None


def test_a_stream_without_an_end_mark_is_whole_where_a_choice_says_so(tmp_path: Path) -> None:
    response, row, _ = asked(tmp_path, streams(b"data: %b\n\n" % delta("x", finish_reason="stop")), STREAM)
    assert response.events[-1] == b"[DONE]"
    assert row.error is None


def test_an_upstream_that_does_not_stream_is_told_so(tmp_path: Path) -> None:
    response, _, _ = asked(tmp_path, says(ANSWER), STREAM)
    assert (response.status, response.error) == (502, "upstream_not_streaming")


def deny(text: str) -> None:
    if "PLANTED" in text:
        raise DeniedError.of("identifier-in-egress", "the text was not sent")


def fail(_: str) -> None:
    raise RuntimeError(PLANTED)


@pytest.mark.parametrize(("guard", "code"), [(deny, "egress_denied"), (fail, "egress_guard_failed")])
def test_what_the_guard_does_not_let_pass_reaches_no_upstream(
    tmp_path: Path, guard: Callable[[str], None], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "a\nPLANTED"}]}
    response, row, upstream = asked(tmp_path, says(ANSWER), body, guard=guard)
    assert (response.status, response.error, row.error) == (403, code, code)
    assert upstream.bodies == []
    assert row.tokens_in == 0
    assert "PLANTED" not in response.body.decode() + caplog.text


def test_the_guard_sees_every_value_as_it_reads_after_its_keys(tmp_path: Path) -> None:
    seen: list[str] = []
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "one\n\u00e9"}]}],
        "metadata": {"imsi": {"value": 7}, "none of": [], "nothing": {}},
    }
    asked(tmp_path, says(ANSWER), body, guard=seen.append)
    assert seen[0].split("\n") == [
        "model: model-cloud",
        "messages role: user",
        "messages content type: text",
        "messages content text: one",
        "\u00e9",
        "metadata imsi value: 7",
        "metadata none of: []",
        "metadata nothing: {}",
    ]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,%s"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "%s"}},
        {"type": "input_file", "file_data": "DATA:application/pdf;charset=x;BASE64,%s"},
        {"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": "%s"}},
        {"type": "image_url", "image_url": {"url": "data:,PL%%41NTED"}},
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_the_guard_reads_the_text_of_documents_in_base64(block: dict[str, Any], encoding: str) -> None:
    encoded = base64.b64encode("caf\u00e9 PLANTED and more".encode(encoding)).decode()
    for given in (encoded, encoded.rstrip("="), f"{encoded[:7]}\n{encoded[7:]}"):
        sent = orjson.loads(orjson.dumps(block).decode().replace("%s", given.replace("\n", "\\n")).replace("%%", "%"))
        with pytest.raises(ApiError, match="egress_denied"):
            let_pass(deny, {"messages": [{"role": "user", "content": [sent]}]})


def test_a_picture_in_base64_holds_no_text() -> None:
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n\x00\x00PLANTED").decode()
    assert leaves({"url": url}) == [f"url: {url}"]
    let_pass(deny, {"url": url})


def test_what_stays_on_the_premises_passes_no_guard(tmp_path: Path) -> None:
    upstream = Upstream(says(ANSWER))

    async def main() -> Response:
        async with upstream.open():
            setup = config(spec(type="openai", base_url=upstream.url))
            with bench(tmp_path, setup, guard=fail) as gateway:
                return await inside(gateway, QUESTION)

    assert asyncio.run(main()).status == 200
    assert len(upstream.bodies) == 1
    assert upstream.keys == [None]


@pytest.mark.parametrize("depth", [300, 1000])
def test_a_body_too_deep_to_be_passed_on_is_refused(tmp_path: Path, depth: int) -> None:
    metadata = b"[" * depth + b"]" * depth
    body = b'{"model": "auto", "messages": [{"role": "user", "content": "x"}], "metadata": %b}' % metadata
    response, row, upstream = asked(tmp_path, says(ANSWER), body)
    assert response.status in {400, 403}
    assert (upstream.bodies, row.tokens_in) == ([], 0)


def test_keys_never_show_in_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    asked(tmp_path, says({}, 401))
    assert "PLANTED" not in caplog.text


@pytest.mark.parametrize("backend", [remote(type="openai"), spec(type="opneai")])
def test_a_backend_that_cannot_be_set_up_is_told_before_anything_starts(tmp_path: Path, backend: BackendSpec) -> None:
    with pytest.raises(UsageError, match=r"baseUrl|did you mean 'openai'"), bench(tmp_path, config(backend)):
        pass
