"""What backends whose servers speak another protocol than ours have in common: a request and an answer translated."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import orjson

from cellwright.gateway.remote import Remote
from cellwright.gateway.wire import Operation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cellwright.gateway.backend import Chunk, Supplies
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.upstream import Response
    from cellwright.gateway.wire import ModelRequest


class TranslatedBackend(ABC):
    """Asks a language model's server in the words of its protocol; what is abstract is what differs."""

    language_model = True
    operations = frozenset({Operation.CHAT})

    def __init__(self, spec: BackendSpec, supplies: Supplies) -> None:
        self._spec = spec
        self._remote = Remote(spec, supplies.egress)

    async def whole(self, request: ModelRequest) -> Chunk:
        """Return the upstream's answer."""
        with await self._respond(request) as response, self._remote.failures():
            return self._whole(request, orjson.loads(await self._remote.read(response)))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the upstream's answer."""
        with await self._respond(request) as response, self._remote.failures():
            async with contextlib.aclosing(self._chunks(request, response)) as chunks:
                async for chunk in chunks:
                    yield chunk

    @abstractmethod
    async def _respond(self, request: ModelRequest) -> Response:
        """Return a response that began well; raise BackendError, ApiError."""

    @abstractmethod
    def _whole(self, request: ModelRequest, body: Any) -> Chunk:  # noqa: ANN401 - JSON as the server wrote it
        """Return a whole answer; raise BackendError, or ValueError for what is none."""

    @abstractmethod
    def _chunks(self, request: ModelRequest, response: Response) -> AsyncGenerator[Chunk, None]:
        """Yield the pieces of an answer; raise as above."""
