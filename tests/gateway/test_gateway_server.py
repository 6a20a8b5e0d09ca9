"""The server as clients meet it, in process, with scripted backends."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import orjson
import pytest
from gateway_kit import (
    KEY,
    QUESTION,
    Scripted,
    bench,
    call,
    config,
    opener,
    piece,
    remote,
    spec,
    whole,
)

from cellwright.errors import Diagnostic, UsageError
from cellwright.gateway.backend import BackendError, Chunk
from cellwright.gateway.model import Limits, Timeouts
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from pathlib import Path

    from cellwright.gateway.server import Gateway

STREAM = QUESTION | {"stream": True}
DOWN = BackendError(Diagnostic("upstream_unreachable", "backend x cannot be reached"))
BROKEN = BackendError(Diagnostic("upstream_broke_off", "backend x broke off"), spent=True)


def test_an_answer_is_passed_on_unchanged_with_headers_that_say_who_gave_it(tmp_path: Path) -> None:
    chunk = whole(usage=Usage(3, 2))
    with bench(tmp_path, config(), opener(Scripted((chunk,)))) as gateway:
        response = gateway.ask()
    assert response.status == 200
    assert response.body == chunk.body
    assert response.headers["content-type"] == "application/json"
    named = {name: response.headers[f"x-cellwright-{name}"] for name in ("tier", "route", "backend")}
    assert named == {"tier": "onprem", "route": "auto", "backend": "edge"}
    assert len(response.headers["x-cellwright-request-id"]) == 32


def test_usage_that_the_backend_left_out_is_counted_and_marked(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted((whole("four five"),)))) as gateway:
        usage = gateway.ask().json["usage"]
        (row,) = gateway.meter.rows()
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["estimated"]) == (3, 2, True)
    assert (row.tokens_in, row.tokens_out, row.estimated) == (3, 2, True)


def test_a_stream_ends_with_usage_only_where_it_was_asked_for(tmp_path: Path) -> None:
    closing = Chunk(b'{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}', "", Usage(9, 4), closing=True)
    for wanted, body in ((False, STREAM), (True, STREAM | {"stream_options": {"include_usage": True}})):
        with bench(tmp_path, config(), opener(Scripted((piece("a"), piece("b"), closing)))) as gateway:
            response = gateway.ask(body)
        assert response.headers["content-type"].startswith("text/event-stream")
        expected = [piece("a").body, piece("b").body, *([closing.body] if wanted else []), b"[DONE]"]
        assert response.events == expected


def test_a_stream_without_usage_gets_an_estimate_where_it_was_asked_for(tmp_path: Path) -> None:
    body = STREAM | {"stream_options": {"include_usage": True}}
    with bench(tmp_path, config(), opener(Scripted((piece("four "), piece("five"))))) as gateway:
        last = orjson.loads(gateway.ask(body).events[-2])
        (row,) = gateway.meter.rows()
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 5
    assert last["usage"]["estimated"] is True
    assert (row.tokens_in, row.tokens_out, row.estimated, row.stream) == (3, 2, True, True)
    assert row.ttft_ms is not None
    assert row.ttft_ms <= row.duration_ms


def test_a_broken_stream_ends_with_an_error_without_its_end_mark_and_is_counted(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted((piece("four "), BROKEN)))) as gateway:
        response = gateway.ask(STREAM)
        (row,) = gateway.meter.rows()
    assert response.status == 200
    assert orjson.loads(response.events[-1])["error"]["code"] == "upstream_broke_off"
    assert b"[DONE]" not in response.body
    assert (row.status, row.error, row.tokens_in, row.tokens_out, row.estimated) == (
        200,
        "upstream_broke_off",
        3,
        1,
        True,
    )


def test_the_next_backend_answers_where_the_first_cannot(tmp_path: Path) -> None:
    first, second = Scripted((DOWN,)), Scripted((whole(usage=Usage(3, 2)),))
    with bench(tmp_path, config(remote(), spec()), opener(first, second)) as gateway:
        response = gateway.ask()
        (row,) = gateway.meter.rows()
    assert response.headers["x-cellwright-backend"] == "edge"
    assert (row.backend, row.attempts, row.error) == ("edge", 2, None)


def test_fallback_never_reaches_a_backend_outside_the_boundary(tmp_path: Path) -> None:
    first, second = Scripted((DOWN,)), Scripted((whole(),))
    with bench(tmp_path, config(spec(), remote()), opener(first, second)) as gateway:
        response = gateway.ask(headers={"x-cellwright-data-class": "subscriber_pii"})
    assert (response.status, response.error) == (502, "upstream_unreachable")
    assert second.asked == []


def test_a_request_that_no_backend_may_be_sent_is_refused_with_the_rule(tmp_path: Path) -> None:
    backend = Scripted((whole(),))
    with bench(tmp_path, config(remote()), opener(backend)) as gateway:
        response = gateway.ask(headers={"x-cellwright-data-class": "subscriber_pii"})
        (row,) = gateway.meter.rows()
    assert (response.status, response.error) == (403, "sovereignty")
    assert "rule stay-home" in response.json["error"]["message"]
    assert backend.asked == []
    assert (row.tokens_in, row.estimated, row.cost_in_nano, row.attempts) == (0, False, 0, 0)


def test_a_mistake_of_the_client_is_not_taken_elsewhere(tmp_path: Path) -> None:
    refused = BackendError(Diagnostic("upstream_refused_request", "too long"), status=400, elsewhere=False)
    second = Scripted((whole(),))
    with bench(tmp_path, config(spec(), spec("other")), opener(Scripted((refused,)), second)) as gateway:
        assert gateway.ask().status == 400
    assert second.asked == []


@pytest.mark.parametrize("given", [None, "wrong", "", KEY.upper()])
def test_only_a_known_key_is_answered(tmp_path: Path, given: str | None) -> None:
    backend = Scripted((whole(),))
    with bench(tmp_path, config(), opener(backend)) as gateway:
        response = gateway.ask(key=given)
        assert list(gateway.meter.rows()) == []
    assert (response.status, response.error) == (401, "invalid_api_key")
    assert backend.asked == []


@pytest.mark.parametrize(
    ("body", "why"),
    [(b"[" * 100_000, "depth limit"), (b'{"a": 1e999}', "number is infinity"), (b"\x1f\x8b\x08", "it is compressed")],
)
def test_a_body_that_is_no_json_is_told_why(tmp_path: Path, body: bytes, why: str) -> None:
    with bench(tmp_path, config(), opener(Scripted((whole(),)))) as gateway:
        assert why in gateway.ask(body).json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"model": "auto", "messages": "\xff"}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"[]", "invalid_type"),
        ({"messages": []}, "invalid_type"),
        ({"model": "auto"}, "invalid_type"),
        ({"model": "auto", "messages": []}, "invalid_type"),
        ({"model": "auto", "messages": ["hello"]}, "invalid_type"),
        ({"model": "auto", "messages": [{"content": "x"}]}, "invalid_type"),
        (QUESTION | {"stream": "yes"}, "invalid_type"),
        (STREAM | {"stream_options": 1}, "invalid_type"),
    ],
)
def test_a_body_that_is_no_request_is_told_so(tmp_path: Path, body: object, code: str) -> None:
    with bench(tmp_path, config(), opener(Scripted((whole(),)))) as gateway:
        response = gateway.ask(body)
    assert (response.status, response.error) == (400, code)
    assert set(response.json["error"]) == {"message", "type", "param", "code"}


def test_an_unknown_model_is_not_found_and_the_nearest_is_named(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted(()))) as gateway:
        response = gateway.ask(QUESTION | {"model": "atuo"})
    assert (response.status, response.error) == (404, "model_not_found")
    assert "did you mean 'auto'?" in response.json["error"]["message"]


def test_an_unknown_data_class_is_refused_rather_than_presumed(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted(()))) as gateway:
        response = gateway.ask(headers={"x-cellwright-data-class": "anonymized"})
    assert (response.status, response.error) == (400, "unknown_data_class")
    assert "did you mean 'anonymised'?" in response.json["error"]["message"]


def test_a_body_past_the_limit_is_refused(tmp_path: Path) -> None:
    setup = config(limits=Limits(body_bytes=32))
    with bench(tmp_path, setup, opener(Scripted(()))) as gateway:
        response = gateway.ask()
    assert (response.status, response.error) == (413, "request_too_large")


def test_headers_past_the_limit_are_refused(tmp_path: Path) -> None:
    with bench(tmp_path, config(limits=Limits(header_bytes=100)), opener(Scripted(()))) as gateway:
        assert gateway.ask(headers={"x-long": "y" * 100}).status == 431


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/chat/completions", 405), ("POST", "/v1/models", 405), ("GET", "/", 404), ("POST", "/v1/files", 404)],
)
def test_other_paths_and_methods_are_told_apart(tmp_path: Path, method: str, path: str, status: int) -> None:
    with bench(tmp_path, config(), opener(Scripted(()))) as gateway:
        response = gateway.ask(path=path, method=method)
    assert response.status == status
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/chat/completions", "did you mean '/v1/chat/completions'?"),
        ("/v1/v1/messages", "did you mean '/v1/messages'?"),
        ("/", "/openapi.json says what there is"),
    ],
)
def test_a_path_that_is_not_there_is_told_with_one_that_is(tmp_path: Path, path: str, hint: str) -> None:
    with bench(tmp_path, config(), opener(Scripted(()))) as gateway:
        response = gateway.ask(path=path)
        assert response.json["error"]["message"] == f"there is nothing at this path; {hint}"
        assert gateway.ask(path="/openapi.json", method="GET", key=None).status == 200


def test_models_lists_routes_and_models_and_says_which_are_language_models(tmp_path: Path) -> None:
    reasoner, model = Scripted((), language_model=False), Scripted(())
    with bench(tmp_path, config(spec(), remote()), opener(reasoner, model)) as gateway:
        listed = {item["id"]: item for item in gateway.ask(path="/v1/models", method="GET").json["data"]}
        one = gateway.ask(path="/v1/models/model-edge", method="GET").json
        assert gateway.ask(path="/v1/models/none", method="GET").status == 404
        assert gateway.ask(path="/v1/models", method="GET", key=None).status == 401
    assert {name: item["language_model"] for name, item in listed.items()} == {
        "auto": None,
        "model-edge": False,
        "model-cloud": True,
    }
    assert one == listed["model-edge"]
    assert "not a language model" in one["description"]
    assert one["object"] == "model"


def test_health_needs_no_key(tmp_path: Path) -> None:
    with bench(tmp_path, config(), opener(Scripted(()))) as gateway:
        response = gateway.ask(path="/healthz", method="GET", key=None)
    assert (response.status, response.json) == (200, {"status": "ok"})


def test_a_client_that_hangs_up_stops_the_backend_and_is_metered(tmp_path: Path) -> None:
    left = asyncio.Event()
    stopped: list[bool] = []

    async def hang() -> None:
        left.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    with bench(tmp_path, config(), opener(Scripted((piece("four "), hang())))) as gateway:
        gateway.ask(STREAM, gone=left)
        (row,) = gateway.meter.rows()
    assert stopped == [True]
    assert (row.error, row.tokens_in, row.tokens_out, row.estimated) == ("client_gone", 3, 1, True)


def test_an_answer_that_the_gateway_stops_is_metered(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def hang() -> None:
        asked.set()
        await asyncio.Event().wait()

    async def talk(app: Gateway) -> None:
        task = asyncio.create_task(call(app, STREAM))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with bench(tmp_path, config(), opener(Scripted((piece("four "), hang())))) as gateway:
        gateway.run(talk)
        (row,) = gateway.meter.rows()
    assert (row.error, row.tokens_in, row.tokens_out, row.estimated) == ("gateway_stopped", 3, 1, True)


def test_an_answer_that_takes_too_long_is_given_up_and_counted(tmp_path: Path) -> None:
    never = asyncio.Event()
    setup = config(timeouts=Timeouts(total_ms=1))
    with bench(tmp_path, setup, opener(Scripted((never.wait(),)))) as gateway:
        response = gateway.ask()
        (row,) = gateway.meter.rows()
    assert (response.status, response.error) == (504, "timeout")
    assert (row.error, row.tokens_in, row.estimated) == ("timeout", 3, True)


def test_a_fault_of_the_gateway_is_told_without_content(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with bench(tmp_path, config(), opener(Scripted((RuntimeError("secret words"),)))) as gateway:
        response = gateway.ask()
        (row,) = gateway.meter.rows()
    assert (response.status, response.error) == (500, "internal_error")
    assert (row.status, row.error) == (500, "internal_error")
    assert "RuntimeError at gateway_kit.py" in caplog.text
    assert "secret words" not in caplog.text + response.body.decode()


def test_logs_hold_neither_questions_nor_answers_nor_keys(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    question = {"model": "auto", "messages": [{"role": "user", "content": "PLANTED-QUESTION"}], "stream": True}
    with bench(tmp_path, config(), opener(Scripted((piece("PLANTED-ANSWER"), BROKEN)))) as gateway:
        gateway.ask(question)
        gateway.ask(question | {"model": "PLANTED-MODEL"})
        gateway.ask(b"PLANTED-BODY")
        gateway.ask(key="PLANTED-KEY")
    assert "upstream_broke_off" in caplog.text
    assert "PLANTED" not in caplog.text
    assert KEY not in caplog.text


def test_a_key_that_the_environment_lacks_is_named_before_anything_starts(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="MODEL_KEY is not set"),
        bench(tmp_path, config(spec(api_key_env="MODEL_KEY")), opener(Scripted(()))),
    ):
        pass
