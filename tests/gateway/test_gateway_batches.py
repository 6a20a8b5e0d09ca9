"""Requests that may wait: uploaded, queued, answered when a backend can be reached, and told to nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from gateway_kit import KEY, QUESTION, RULE, Response, Scripted, bench, call, config, opener, remote, spec, whole

from cellwright.errors import Diagnostic
from cellwright.estate.model import SensitivityClass
from cellwright.gateway.backend import BackendError
from cellwright.gateway.keys import hash_key
from cellwright.gateway.model import AccessKey, BatchSettings
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit
from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from gateway_kit import Bench

    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.server import Gateway

OTHER_KEY = "a-key-of-others"
CHAT = "/v1/chat/completions"
KEYS = (AccessKey("tests", "operator", hash_key(KEY)), AccessKey("others", "other", hash_key(OTHER_KEY)))
DOWN = BackendError(Diagnostic("upstream_unreachable", "backend edge cannot be reached"))
ENDED = {"completed", "cancelled", "expired"}


class Wakes(Scripted):
    """A backend that cannot be reached the first few times."""

    def __init__(self, failures: int) -> None:
        super().__init__((whole(usage=Usage(3, 2)),))
        self.failures = failures

    async def answer(self, request: Any) -> Any:  # noqa: ANN401 - as inherited
        if self.failures:
            self.failures -= 1
            raise DOWN
        async for chunk in super().answer(request):
            yield chunk


def queueing(folder: Path, **changes: Any) -> GatewayConfig:  # noqa: ANN401 - any field
    settings = BatchSettings(str(folder / "batches.db"), **changes.pop("batches", {}))
    return config(*changes.pop("backends", (spec(retries=0),)), keys=KEYS, batches=settings, **changes)


def requests(count: int = 3, **changes: object) -> bytes:
    lines = [
        {"custom_id": f"r{number}", "method": "POST", "url": CHAT, "body": QUESTION} | changes
        for number in range(count)
    ]
    return b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)


async def uploaded(app: Gateway, content: bytes, key: str = KEY, purpose: str = "batch") -> Response:
    body = (
        b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n%b\r\n'
        b'--b\r\ncontent-disposition: form-data; name="file"; filename="in.jsonl"\r\n'
        b"content-type: application/octet-stream\r\n\r\n%b\r\n--b--\r\n" % (purpose.encode(), content)
    )
    return await call(app, body, path="/v1/files", key=key, headers={"content-type": "multipart/form-data; boundary=b"})


async def queued(app: Gateway, content: bytes, headers: dict[str, str] | None = None, **changes: object) -> Response:
    file = (await uploaded(app, content)).json["id"]
    asked = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"} | changes
    return await call(app, asked, path="/v1/batches", headers=headers)


async def get(app: Gateway, path: str, key: str = KEY) -> Response:
    return await call(app, b"", path=path, method="GET", key=key)


async def ended(app: Gateway, batch: str, key: str = KEY) -> dict[str, Any]:
    for _ in range(20_000):
        told = (await get(app, f"/v1/batches/{batch}", key)).json
        if told["status"] in ENDED:
            return dict(told)
        await asyncio.sleep(0.005)
    raise AssertionError(told)


async def lines(app: Gateway, file: str | None) -> list[dict[str, Any]]:
    found = await get(app, f"/v1/files/{file}/content")
    return [orjson.loads(line) for line in found.body.splitlines()]


def run(opened: Bench, talk: Callable[[Gateway], Coroutine[object, object, Any]]) -> Any:  # noqa: ANN401
    return opened.run(talk)


def test_a_batch_is_answered_in_the_order_of_its_lines_and_metered_line_by_line(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        made = (await queued(app, requests(), metadata={"run": "night"})).json
        assert (made["status"], made["request_counts"]["total"], made["metadata"]) == (
            "in_progress",
            3,
            {"run": "night"},
        )
        done = await ended(app, made["id"])
        return done, await lines(app, done["output_file_id"])

    with bench(tmp_path, queueing(tmp_path), opener(Scripted((whole(usage=Usage(3, 2)),)))) as opened:
        done, answers = run(opened, talk)
        rows = list(opened.meter.rows())
    assert (done["status"], done["request_counts"]) == ("completed", {"total": 3, "completed": 3, "failed": 0})
    assert done["error_file_id"] is None
    assert [each["custom_id"] for each in answers] == ["r0", "r1", "r2"]
    assert {each["response"]["status_code"] for each in answers} == {200}
    assert {each["response"]["body"]["choices"][0]["message"]["content"] for each in answers} == {"four five"}
    assert {each["response"]["request_id"] for each in answers} == {row.request_id for row in rows}
    assert [(row.tenant, row.tokens_in, row.tokens_out) for row in rows] == [("operator", 3, 2)] * 3


def test_what_finds_no_backend_waits_and_is_answered_once_one_is_reached(tmp_path: Path) -> None:
    backend = Wakes(failures=4)

    async def talk(app: Gateway) -> dict[str, Any]:
        made = (await queued(app, requests())).json
        return await ended(app, made["id"])

    with bench(tmp_path, queueing(tmp_path, batches={"rest_ms": 1.0}), opener(backend)) as opened:
        done = run(opened, talk)
        failed = sum(row.status != 200 for row in opened.meter.rows())
    assert done["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    assert failed == 4


def test_a_queue_outlives_the_gateway(tmp_path: Path) -> None:
    async def add(app: Gateway) -> str:
        return str((await queued(app, requests())).json["id"])

    with bench(tmp_path, queueing(tmp_path), opener(Wakes(failures=10**6))) as opened:
        batch = run(opened, add)
    with bench(tmp_path, queueing(tmp_path), opener(Wakes(failures=0))) as opened:
        done = run(opened, lambda app: ended(app, batch))
    assert done["request_counts"]["completed"] == 3


def test_a_class_that_may_not_leave_is_refused_line_by_line_and_sent_nowhere(tmp_path: Path) -> None:
    cloud = Scripted((whole(),))

    async def talk(app: Gateway) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        headers = {"x-cellwright-data-class": SensitivityClass.SUBSCRIBER_PII.value}
        done = await ended(app, (await queued(app, requests(), headers)).json["id"])
        return done, await lines(app, done["error_file_id"])

    with bench(tmp_path, queueing(tmp_path, backends=(remote(),)), opener(cloud)) as opened:
        done, errors = run(opened, talk)
    assert done["request_counts"] == {"total": 3, "completed": 0, "failed": 3}
    assert {each["response"]["status_code"] for each in errors} == {403}
    assert all(RULE.name in each["response"]["body"]["error"]["message"] for each in errors)
    assert cloud.asked == []


def test_files_and_batches_of_one_tenant_are_not_there_for_another(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> None:
        made = (await queued(app, requests(1))).json
        for path in (f"/v1/files/{made['input_file_id']}", f"/v1/files/{made['input_file_id']}/content"):
            assert (await get(app, path, OTHER_KEY)).status == 404
        assert (await get(app, f"/v1/batches/{made['id']}", OTHER_KEY)).error == "batch_not_found"
        assert (await call(app, b"", path=f"/v1/batches/{made['id']}/cancel", key=OTHER_KEY)).status == 404
        assert (await get(app, "/v1/files", OTHER_KEY)).json["data"] == []
        assert (await get(app, "/v1/batches", OTHER_KEY)).json["data"] == []
        stolen = {"input_file_id": made["input_file_id"], "endpoint": CHAT, "completion_window": "24h"}
        assert (await call(app, stolen, path="/v1/batches", key=OTHER_KEY)).error == "file_not_found"
        assert (await get(app, "/v1/batches", "no-key")).status == 401

    with bench(tmp_path, queueing(tmp_path), opener(Scripted((whole(),)))) as opened:
        run(opened, talk)


@pytest.mark.parametrize(
    "key", [AccessKey("new", "operator", hash_key(KEY)), AccessKey("tests", "operator", hash_key(KEY), not_after_s=1.0)]
)
def test_requests_of_a_key_that_was_withdrawn_or_expired_meanwhile_are_not_asked(
    tmp_path: Path, key: AccessKey
) -> None:
    async def add(app: Gateway) -> str:
        return str((await queued(app, requests(1))).json["id"])

    with bench(tmp_path, queueing(tmp_path), opener(Wakes(failures=10**6))) as opened:
        batch = run(opened, add)
    backend = Scripted((whole(),))
    kept = queueing(tmp_path)
    watch = AccessKey("watch", "operator", hash_key("watch"))
    changed = config(*kept.backends, keys=(key, watch), batches=kept.batches)
    with bench(tmp_path, changed, opener(backend)) as opened:
        done = run(opened, lambda app: ended(app, batch, "watch"))
    assert done["request_counts"] == {"total": 1, "completed": 0, "failed": 1}
    assert backend.asked == []


@pytest.mark.parametrize(
    ("content", "changes", "status", "code"),
    [
        (b"", {}, 400, "empty_file"),
        (b"{}\nno json\n", {}, 400, "invalid_line"),
        (requests() + requests(1), {}, 400, "invalid_line"),
        (requests(1, url="/v1/embeddings"), {}, 400, "invalid_line"),
        (requests(1, body=QUESTION | {"stream": True}), {}, 400, "invalid_line"),
        (requests(1), {"endpoint": "/v1/models"}, 400, "invalid_value"),
        (requests(1), {"completion_window": "1y"}, 400, "invalid_value"),
        (requests(1), {"metadata": {"a": 1}}, 400, "invalid_value"),
        (requests(1), {"input_file_id": "file-none"}, 404, "file_not_found"),
        (requests(9), {}, 429, "queue-full"),
        (requests(1) * 400, {}, 400, "invalid_line"),
    ],
)
def test_what_is_no_batch_is_refused_with_its_line_or_its_field(
    tmp_path: Path, content: bytes, changes: dict[str, object], status: int, code: str
) -> None:
    async def talk(app: Gateway) -> Response:
        return await queued(app, content, **changes)

    setup = queueing(tmp_path, batches={"pending": 8})
    with bench(tmp_path, setup, opener(Scripted((whole(),)))) as opened:
        refused = run(opened, talk)
    assert (refused.status, refused.error) == (status, code)
    if code == "invalid_line":
        assert "line " in refused.json["error"]["message"]


def test_uploads_that_are_none_and_too_many_bytes_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(app: Gateway) -> None:
        assert (await uploaded(app, b"x", purpose="fun")).error == "invalid_value"
        assert (await uploaded(app, b"x" * 200)).status == 413
        plain = await call(app, b"{}", path="/v1/files", headers={"content-type": "application/json"})
        assert plain.error == "invalid_upload"
        garbled = await call(
            app, b"--b\r\n", path="/v1/files", headers={"content-type": "multipart/form-data; boundary=b"}
        )
        assert garbled.status == 400
        odd = {"content-type": "application/planted, multipart/form-data"}
        assert (await call(app, b"--b\r\n", path="/v1/files", headers=odd)).status == 400
        kept = (await uploaded(app, b"y" * 20)).json
        assert (await call(app, b"", path=f"/v1/files/{kept['id']}", method="DELETE")).json["deleted"]
        assert (await get(app, f"/v1/files/{kept['id']}")).error == "file_not_found"

    setup = queueing(tmp_path, batches={"file_bytes": 100})
    with bench(tmp_path, setup, opener(Scripted((whole(),)))) as opened:
        run(opened, talk)
    assert "planted" not in caplog.text


def test_an_upload_is_never_written_to_a_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    content = bytes(range(256)) * 8_192  # twice what such parsers keep in memory

    async def talk(app: Gateway) -> bytes:
        kept = (await uploaded(app, content)).json["id"]
        return (await get(app, f"/v1/files/{kept}/content")).body

    with bench(tmp_path, queueing(tmp_path), opener(Scripted((whole(),)))) as opened:
        assert run(opened, talk) == content


def test_batches_are_listed_page_by_page(tmp_path: Path) -> None:
    async def talk(app: Gateway) -> None:
        made = [(await queued(app, requests(1))).json["id"] for _ in range(3)]
        first = (await get(app, "/v1/batches?limit=2")).json
        assert (len(first["data"]), first["has_more"]) == (2, True)
        rest = (await get(app, f"/v1/batches?limit=2&after={first['last_id']}")).json
        assert (len(rest["data"]), rest["has_more"]) == (1, False)
        assert {each["id"] for each in (*first["data"], *rest["data"])} == set(made)
        assert (await get(app, "/v1/batches?after=gone")).error == "invalid_value"
        for limit in ("x", "0", "101", "9" * 5000):
            assert (await get(app, f"/v1/batches?limit={limit}")).error == "invalid_value"

    with bench(tmp_path, queueing(tmp_path), opener(Scripted((whole(),)))) as opened:
        run(opened, talk)


class Breaks(Scripted):
    """A backend with a mistake that only some requests find."""

    async def answer(self, request: Any) -> Any:  # noqa: ANN401 - as inherited
        if "break" in request.prompt:
            raise ZeroDivisionError
        async for chunk in super().answer(request):
            yield chunk


def test_a_request_that_the_gateway_fails_at_is_told_and_stops_no_other(tmp_path: Path) -> None:
    breaks = QUESTION | {"messages": [{"role": "user", "content": "break"}]}

    async def talk(app: Gateway) -> list[dict[str, Any]]:
        first = (await queued(app, requests(1, body=breaks))).json["id"]
        told = [await ended(app, batch) for batch in (first, (await queued(app, requests(1))).json["id"])]
        (error,) = await lines(app, told[0]["error_file_id"])
        assert (error["response"]["status_code"], error["response"]["body"]["error"]["code"]) == (500, "internal_error")
        return told

    with bench(tmp_path, queueing(tmp_path), opener(Breaks((whole(usage=Usage(3, 2)),)))) as opened:
        first, second = run(opened, talk)
    assert (first["request_counts"]["failed"], second["request_counts"]["completed"]) == (1, 1)


def test_requests_that_cannot_be_answered_now_keep_no_others_waiting(tmp_path: Path) -> None:
    spent = Quota(Holder.TENANT, "operator", (Bound(Unit.TOKENS, Period.DAY, 1),))

    async def talk(app: Gateway) -> dict[str, Any]:
        await queued(app, requests(5))
        file = (await uploaded(app, requests(2), OTHER_KEY)).json["id"]
        asked = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
        return await ended(app, (await call(app, asked, path="/v1/batches", key=OTHER_KEY)).json["id"], OTHER_KEY)

    setup = queueing(tmp_path, batches={"rest_ms": 1.0, "concurrency": 2}, quotas=(spent,))
    with bench(tmp_path, setup, opener(Scripted((whole(usage=Usage(3, 2)),)))) as opened:
        done = run(opened, talk)
    assert done["request_counts"]["completed"] == 2
