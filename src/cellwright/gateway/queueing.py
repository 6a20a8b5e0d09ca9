"""The paths of files and batches, and what works their queue off."""

from __future__ import annotations

import logging
import time
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic
from cellwright.estate.model import SensitivityClass
from cellwright.gateway.batches.drain import Drain, Outcome
from cellwright.gateway.batches.store import BatchStore
from cellwright.gateway.endpoints.batches import Batches
from cellwright.gateway.endpoints.files import Files
from cellwright.gateway.paths import Path
from cellwright.gateway.secret import secret
from cellwright.gateway.wire import ApiError, error_body, invalid
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.gateway.batches.store import Task
    from cellwright.gateway.endpoint import Endpoint
    from cellwright.gateway.model import BatchSettings
    from cellwright.gateway.pipeline import Pipeline

_MS_PER_S: Final = 1000.0
_log: Final = logging.getLogger("cellwright.gateway")
_FAILED: Final = ApiError(
    Diagnostic("internal_error", "the gateway failed; its log names this request"), status=500, kind="server_error"
)
_UNKNOWN: Final = invalid("invalid_api_key", "the key that queued this request is no longer known", status=401)
_EXPIRED: Final = invalid("invalid_api_key", "the key that queued this request has expired", status=401)


class Waiting:
    """The queue of a gateway; it outlives changes of the configuration.

    Raises UsageError, StorageError where the database cannot be opened.
    """

    def __init__(self, settings: BatchSettings, environ: Mapping[str, str]) -> None:
        self._store = BatchStore(_url(settings, environ), settings)
        self.drain = Drain(self._store, settings.concurrency, settings.rest_ms / _MS_PER_S)

    @property
    def uploads(self) -> BatchStore:
        """Where uploaded files are."""
        return self._store

    def paths(self, pipeline: Pipeline, endpoints: Mapping[str, Endpoint]) -> tuple[Path, ...]:
        """Return the paths of files and batches; what waits goes through `pipeline` from now on.

        `endpoints` may be named by batches, by their paths.
        """
        self.drain.ask = _Asker(pipeline, endpoints)
        files = Files(self._store, pipeline.callers)
        batches = Batches(self._store, self.drain, pipeline.callers, endpoints)
        return (
            Path("POST", "/v1/files", files.add),
            Path("GET", "/v1/files", files.every),
            Path("GET", "/v1/files/{file}", files.one),
            Path("GET", "/v1/files/{file}/content", files.content),
            Path("DELETE", "/v1/files/{file}", files.remove),
            Path("POST", "/v1/batches", batches.add),
            Path("GET", "/v1/batches", batches.every),
            Path("GET", "/v1/batches/{batch}", batches.one),
            Path("POST", "/v1/batches/{batch}/cancel", batches.cancel),
        )


class _Asker:
    """Sends a request of a batch the way of all requests, under the key that queued it."""

    def __init__(self, pipeline: Pipeline, endpoints: Mapping[str, Endpoint]) -> None:
        self._pipeline = pipeline
        self._endpoints = endpoints
        self._keys = {(key.name, key.known_by): key for key in pipeline.config.keys}

    async def __call__(self, task: Task) -> Outcome:
        request_id = f"{task.batch_id}-{task.ordinal}-{token_hex(4)}"
        key = self._keys.get((task.key_name, task.key_known_by))
        if key is None or key.has_expired(time.time()):
            refusal = _UNKNOWN if key is None else _EXPIRED
            return Outcome(refusal.status, request_id, error_body(refusal))
        try:
            data_class = None if task.data_class is None else SensitivityClass(task.data_class)
            endpoint = self._endpoints[task.endpoint]
            status, body = await self._pipeline.once(endpoint, key, request_id, task.body, data_class)
        except Exception as error:  # noqa: BLE001 - the request boundary: one that cannot be answered stops no other
            _log.error("request %s failed with %s", request_id, type(error).__name__)
            return Outcome(_FAILED.status, request_id, error_body(_FAILED))
        return Outcome(status, request_id, body)


def _url(settings: BatchSettings, environ: Mapping[str, str]) -> str:
    if settings.url_env is None:
        return sqlite_url(settings.file or "")
    return secret(settings.url_env, environ, "batches-not-set", "the URL of the database of batches")
