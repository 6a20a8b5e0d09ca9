"""What turns texts into vectors: the embedded lexical one, or a backend that has embeddings."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson

from cellwright.errors import Diagnostic
from cellwright.estate.model import Boundary
from cellwright.gateway.knowledge import lexical
from cellwright.gateway.metering.meter import charge
from cellwright.gateway.metering.row import MeterRow
from cellwright.gateway.quota import spent
from cellwright.gateway.wire import ApiError, ModelRequest, Operation, Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from cellwright.digest.tokens import TokenCounter
    from cellwright.gateway.backend import Backend, Chunk
    from cellwright.gateway.knowledge.embedding import Asker
    from cellwright.gateway.knowledge.store import Vectors
    from cellwright.gateway.model import AccessKey, BackendSpec
    from cellwright.gateway.pots import Hold

    Holding = Callable[[AccessKey, ModelRequest], Awaitable[Hold | None]]  # takes a request off quotas; raises ApiError

_BATCH: Final = 64  # texts a backend is asked for at a time
_ROWS_AND_COLUMNS: Final = 2
_MS_PER_S: Final = 1000.0
_US_PER_NS: Final = 1_000


class LexicalEmbedder:
    """The embedded one, which needs no model."""

    name = lexical.NAME
    boundary = Boundary.PREMISES

    async def embed(self, texts: Sequence[str], asker: Asker) -> Vectors:  # noqa: ARG002 - Embedder
        """Return a vector of 512 dimensions for each text."""
        return await asyncio.to_thread(lexical.embed, texts)


class BackendEmbedder:
    """A backend that has embeddings; what it is asked is let in within the quotas of its asker and metered."""

    def __init__(
        self,
        spec: BackendSpec,
        backend: Backend,
        counter: TokenCounter,
        record: Callable[[MeterRow], None],
        hold: Holding,
    ) -> None:
        self.name = spec.model
        self.boundary = spec.boundary
        self._spec = spec
        self._backend = backend
        self._counter = counter
        self._record = record
        self._hold = hold

    async def embed(self, texts: Sequence[str], asker: Asker) -> Vectors:
        """Return a vector for each text."""
        found = [await self._ask(texts[start : start + _BATCH], asker) for start in range(0, len(texts), _BATCH)]
        if len({vectors.shape[1] for vectors in found}) > 1:
            raise self._garbled()
        return np.concatenate(found)

    async def _ask(self, texts: Sequence[str], asker: Asker) -> Vectors:
        request = ModelRequest(
            id=f"{asker.request_id}-e{next(asker.numbers)}",
            created_s=int(time.time()),
            model=self._spec.model,
            body={"model": self._spec.model, "input": list(texts)},
            stream=False,
            wants_usage=False,
            operation=Operation.EMBEDDINGS,
        )
        hold = await self._hold(asker.key, request)
        began_s, started_us = time.perf_counter(), time.time_ns() // _US_PER_NS
        error: str | None = "internal_error"
        chunk: Chunk | None = None
        try:
            chunk = await self._backend.whole(request)
            vectors = self._vectors(chunk, len(texts))
            error = None
        except ApiError as failure:
            error = failure.code
            raise
        finally:
            took_ms = (time.perf_counter() - began_s) * _MS_PER_S
            row = self._row(request, asker, chunk, error, started_us, took_ms)
            self._record(row)
            if hold is not None:
                hold.settle(*spent((row,)))
        return vectors

    def _vectors(self, chunk: Chunk, wanted: int) -> Vectors:
        """Return the vectors of an answer; raise ApiError (502) where it does not hold one of each."""
        try:
            entries = orjson.loads(chunk.body)["data"]
            ordered = sorted(entries, key=lambda entry: entry["index"])
            vectors = np.array([entry["embedding"] for entry in ordered], np.float32)
        except (ValueError, KeyError, TypeError):
            raise self._garbled() from None
        whole = vectors.ndim == _ROWS_AND_COLUMNS and len(vectors) == wanted and vectors.shape[1] > 0
        if not whole or not np.isfinite(vectors).all() or not vectors.any(1).all():
            raise self._garbled()
        return vectors

    def _garbled(self) -> ApiError:
        words = f"backend {self._spec.name} sent no vector for each text"
        return ApiError(Diagnostic("upstream_garbled", words), status=502, kind="server_error")

    def _row(  # noqa: PLR0913, PLR0917 - what is known of one attempt
        self,
        request: ModelRequest,
        asker: Asker,
        chunk: Chunk | None,
        error: str | None,
        started_us: int,
        took_ms: float,
    ) -> MeterRow:
        spec, usage = self._spec, chunk.usage if chunk else None
        if usage is None:
            usage = Usage(0 if error else request.count(self._counter), 0, estimated=error is None)
        cost_in, cost_out = charge(usage, spec.price)
        return MeterRow(
            request_id=request.id,
            started_us=started_us,
            tenant=asker.key.tenant,
            key_name=asker.key.name,
            model=spec.model,
            route=None,
            data_class=None,
            backend=spec.name,
            tier=spec.tier,
            attempts=1,
            stream=False,
            status=200 if error is None else 502,
            error=error,
            tokens_in=usage.tokens_in,
            tokens_out=0,
            tokens_cached=0,
            estimated=usage.estimated,
            cost_in_nano=cost_in,
            cost_out_nano=cost_out,
            currency=spec.price.currency if spec.price else None,
            price_source=spec.price.source if spec.price else None,
            ttft_ms=None,
            duration_ms=took_ms,
            part_of=asker.request_id,
            operation=Operation.EMBEDDINGS,
            upstream_ms=took_ms,
        )
