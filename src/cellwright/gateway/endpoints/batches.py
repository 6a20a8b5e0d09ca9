"""/v1/batches: many requests at once that may wait, until backends are reached or their window has passed.

Shapes: the OpenAI API reference (batch), version 1 of the protocol.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson

from cellwright.errors import StorageError
from cellwright.gateway.batches.store import Line
from cellwright.gateway.endpoints.files import no_such_file, refused
from cellwright.gateway.forms.fields import read_object
from cellwright.gateway.forms.paging import listed, read_page, unknown_place
from cellwright.gateway.pipeline import read_data_class
from cellwright.gateway.wire import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Row

    from cellwright.gateway.batches.drain import Drain
    from cellwright.gateway.batches.store import BatchStore
    from cellwright.gateway.connection import Call
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.wire import JsonObject

_WINDOWS: Final = {"1h": 3_600, "24h": 86_400, "7d": 604_800}
_MOST_REQUESTS: Final = 50_000
_MOST_LISTED: Final = 100
_LISTED: Final = 20
_MOST_METADATA: Final = 16
_LONGEST_ID: Final = 200
_ENDED: Final = {"completed": "completed_at", "expired": "expired_at", "cancelled": "cancelled_at"}


class Batches:
    """The endpoints of batches; a tenant sees its own."""

    def __init__(self, store: BatchStore, drain: Drain, callers: Callers, endpoints: Collection[str]) -> None:
        self._store = store
        self._drain = drain
        self._callers = callers
        self._endpoints = endpoints

    async def add(self, call: Call) -> None:
        """Queue the requests of a file; the data class of the call is that of them all."""
        data_class = read_data_class(call.headers)
        key = await self._callers.identify(call.headers, call.names)
        if key.known_by is None:
            words = "a token ends before a batch may; queue it by a key that the configuration names"
            raise invalid("token_cannot_queue", words, status=403)
        asked = read_object(await call.body())
        endpoint, window_s, metadata = self._read(asked)
        file_id = asked.get("input_file_id")
        if not isinstance(file_id, str) or "\0" in file_id:
            raise no_such_file()
        found = await asyncio.to_thread(self._store.file, key.tenant, file_id)
        if found is None:
            raise no_such_file()
        lines = await asyncio.to_thread(_lines, found[1], endpoint)
        try:
            row = await asyncio.to_thread(
                self._store.add_batch,
                key,
                endpoint,
                found[0].id,
                lines,
                window_s=window_s,
                data_class=data_class,
                metadata=metadata,
            )
        except StorageError as error:
            raise refused(error, 429) from None
        self._drain.hurry()
        await call.reply.json(orjson.dumps(_told(row, 0, 0)))

    async def every(self, call: Call) -> None:
        """List the tenant's batches, the newest first."""
        key = await self._callers.identify(call.headers, call.names)
        page = read_page(call.query, _MOST_LISTED, _LISTED)
        found = await asyncio.to_thread(self._store.batches, key.tenant, page.limit + 1, page.after)
        if found is None:
            raise unknown_place("after")
        data = [_told(*each) for each in found[: page.limit]]
        await call.reply.json(orjson.dumps(listed(data, has_more=len(found) > page.limit)))

    async def one(self, call: Call) -> None:
        """Tell how far a batch is."""
        key = await self._callers.identify(call.headers, call.names)
        await call.reply.json(orjson.dumps(await self._batch(key.tenant, call.parameters["batch"])))

    async def cancel(self, call: Call) -> None:
        """Let no further request of a batch begin."""
        key = await self._callers.identify(call.headers, call.names)
        await self._batch(key.tenant, call.parameters["batch"])
        await asyncio.to_thread(self._store.cancel, key.tenant, call.parameters["batch"])
        self._drain.hurry()
        await call.reply.json(orjson.dumps(await self._batch(key.tenant, call.parameters["batch"])))

    async def _batch(self, tenant: str, batch_id: str) -> JsonObject:
        found = await asyncio.to_thread(self._store.batch, tenant, batch_id)
        if found is None:
            raise invalid("batch_not_found", "there is no such batch", "batch_id", status=404)
        return _told(*found)

    def _read(self, asked: JsonObject) -> tuple[str, int, JsonObject | None]:
        endpoint, window, metadata = asked.get("endpoint"), asked.get("completion_window"), asked.get("metadata")
        if not isinstance(endpoint, str) or endpoint not in self._endpoints:
            raise invalid("invalid_value", f"endpoint must be one of {', '.join(self._endpoints)}", "endpoint")
        if not isinstance(window, str) or window not in _WINDOWS:
            raise invalid(
                "invalid_value", f"completion_window must be one of {', '.join(_WINDOWS)}", "completion_window"
            )
        if metadata is not None and not _is_metadata(metadata):
            raise invalid("invalid_value", f"metadata must be an object of at most {_MOST_METADATA} texts", "metadata")
        return endpoint, _WINDOWS[window], metadata


def _is_metadata(value: object) -> bool:
    if not isinstance(value, dict) or len(value) > _MOST_METADATA:
        return False
    return all(isinstance(text, str) for text in value.values())


def _lines(content: bytes, endpoint: str) -> list[Line]:
    """Return the requests of a file; raise ApiError that names the first line that is none."""
    seen: set[str] = set()
    lines: list[Line] = []
    for number, raw in enumerate(content.splitlines(), start=1):
        if not raw.strip():
            continue
        if len(seen) == _MOST_REQUESTS:
            raise invalid("too_many_requests", f"a batch holds at most {_MOST_REQUESTS:,} requests", "input_file_id")
        try:
            line = orjson.loads(raw)
        except orjson.JSONDecodeError:
            raise _wrong(number, "it is no JSON object") from None
        lines.append(_line(number, line, endpoint, seen))
    if not seen:
        raise invalid("empty_file", "the file holds no request", "input_file_id")
    return lines


def _line(number: int, line: Any, endpoint: str, seen: set[str]) -> Line:  # noqa: ANN401 - JSON
    if not isinstance(line, dict):
        raise _wrong(number, "it is no JSON object")
    custom_id, body = line.get("custom_id"), line.get("body")
    good = isinstance(custom_id, str) and 0 < len(custom_id) <= _LONGEST_ID and "\0" not in custom_id
    if not isinstance(custom_id, str) or not good or custom_id in seen:
        raise _wrong(number, f"custom_id must be a text of 1 to {_LONGEST_ID} letters that no other line has")
    if line.get("method") != "POST" or line.get("url") != endpoint:
        raise _wrong(number, f"method must be POST and url {endpoint}, as the batch says")
    if not isinstance(body, dict) or body.get("stream"):
        raise _wrong(number, "body must be an object that asks for no stream")
    seen.add(custom_id)
    return Line(custom_id, orjson.dumps(body))


def _wrong(number: int, words: str) -> ApiError:
    return invalid("invalid_line", f"line {number} of the file is no request: {words}", "input_file_id")


def _told(row: Row[Any], answered: int, failed: int) -> JsonObject:
    """Return a batch as clients read it."""
    times = dict.fromkeys(("completed_at", "expired_at", "cancelled_at"))
    if row.status in _ENDED:
        times[_ENDED[row.status]] = row.ended_s
    return {
        "id": row.id,
        "object": "batch",
        "endpoint": row.endpoint,
        "errors": None,
        "input_file_id": row.input_file_id,
        "completion_window": next(name for name, span in _WINDOWS.items() if span == row.expires_s - row.created_s),
        "status": row.status,
        "output_file_id": row.output_file_id,
        "error_file_id": row.error_file_id,
        "created_at": row.created_s,
        "in_progress_at": row.began_s,
        "expires_at": row.expires_s,
        "finalizing_at": row.ended_s,
        "failed_at": None,
        "cancelling_at": row.cancelling_s,
        **times,
        "request_counts": {"total": row.total, "completed": answered, "failed": failed},
        "metadata": None if row.metadata is None else orjson.loads(row.metadata),
    }
