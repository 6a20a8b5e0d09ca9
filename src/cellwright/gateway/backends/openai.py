"""A server that speaks the OpenAI chat-completions protocol: vLLM, llama.cpp, Ollama, TGI, NIM, or a provider."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import orjson

from cellwright.errors import Diagnostic, UsageError
from cellwright.gateway.backend import BackendError, Chunk, NotAskedError
from cellwright.gateway.dialects import is_error, put_right
from cellwright.gateway.forms.marks import unmarked
from cellwright.gateway.forms.vectors import fit_vectors
from cellwright.gateway.remote import REFUSED, Remote, said
from cellwright.gateway.sse import EventReader
from cellwright.gateway.wire import Operation, answer_text, read_choices, read_usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cellwright.gateway.backend import Backend, Supplies
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.upstream import Response
    from cellwright.gateway.wire import JsonObject, ModelRequest

_DONE: Final = b"[DONE]"
_USAGE: Final = "stream_options"


def open_backend(spec: BackendSpec, supplies: Supplies) -> Backend:
    """Return the backend of a specification; raise UsageError where it has no address."""
    if spec.base_url is None:
        raise UsageError.of(
            "missing-address",
            f"backend {spec.name} has no baseUrl",
            expected="the address of its API, such as https://models.example/v1",
        )
    return OpenAIBackend(spec, supplies, spec.base_url)


class OpenAIBackend:
    """Passes requests on and answers back unchanged, but for the model's name and the usage it always asks for."""

    language_model = True
    operations = frozenset(Operation)

    def __init__(self, spec: BackendSpec, supplies: Supplies, base_url: str) -> None:
        self._spec = spec
        self._remote = Remote(spec, supplies.egress)
        self._url = base_url
        self._chat_url = f"{base_url}/chat/completions"
        self._asks_usage = True  # of streams, until the server refuses to say it
        self._headers = {"authorization": f"Bearer {supplies.api_key}"} if supplies.api_key else {}

    async def whole(self, request: ModelRequest) -> Chunk:
        """Return the upstream's answer."""
        if request.operation is Operation.EMBEDDINGS:
            return await self._embed(request)
        response = await self._remote.post(self._chat_url, self._headers, self._outgoing(request))
        with response, self._remote.failures():
            return self._whole(await self._remote.read(response), request)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the upstream's answer."""
        with await self._respond(request) as response, self._remote.failures():
            if "/event-stream" not in response.headers.get("content-type", ""):
                raise self._remote.error("upstream_not_streaming", "did not stream its answer", spent=True)
            async with contextlib.aclosing(self._chunks(response, request)) as chunks:
                async for chunk in chunks:
                    yield chunk

    async def _respond(self, request: ModelRequest) -> Response:
        """Return a stream that began well; where the server will not be asked for usage, it is counted here."""
        try:
            return await self._remote.post(self._chat_url, self._headers, self._outgoing(request))
        except BackendError as error:
            if error.code != REFUSED or _USAGE not in error.diagnostics[0].message or not self._asks_usage:
                raise
        self._asks_usage = False
        return await self._remote.post(self._chat_url, self._headers, self._outgoing(request))

    def _outgoing(self, request: ModelRequest) -> JsonObject:
        body = (unmarked(request.body) if request.marked else request.body) | {"model": self._spec.model}
        if request.stream and self._asks_usage:
            body[_USAGE] = (body.get(_USAGE) or {}) | {"include_usage": True}
        else:
            body.pop(_USAGE, None)
        return body

    async def _chunks(self, response: Response, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        reader = EventReader()
        finished = False
        async for piece in response.pieces():
            for data in reader.feed(piece):
                if data == _DONE:
                    await response.drain()
                    return
                chunk, ends = self._chunk(data, request)
                finished = finished or ends
                yield chunk
        if not finished:
            raise self._remote.error("upstream_broke_off", "broke off its answer", spent=True)

    def _chunk(self, data: bytes, request: ModelRequest) -> tuple[Chunk, bool]:
        """Return a piece of the stream, and whether a choice ends with it."""
        body = self._object(data)
        choices, usage = read_choices(body), read_usage(body)
        ends = any(choice.get("finish_reason") for choice, _ in choices)
        line = orjson.dumps(body) if put_right(choices, request.id) or b"\n" in data else data
        return Chunk(line, answer_text(choices), usage, closing=not choices and usage is not None), ends

    async def _embed(self, request: ModelRequest) -> Chunk:
        """Return the vectors of a request in the encoding it asks for."""
        if request.tokens_given and not (self._spec.on_premises or self._spec.takes_unread):
            name = self._spec.name
            message = f"backend {name} stands off the premises, and the egress guard cannot read tokens: send text"
            raise NotAskedError(Diagnostic("tokens_unguarded", message))
        body = request.body | {"model": self._spec.model}
        response = await self._remote.post(f"{self._url}/embeddings", self._headers, body)
        with response, self._remote.failures():
            data = await self._remote.read(response)
            answer = self._object(data)
        try:
            changed = fit_vectors(answer, request)
        except ValueError as error:
            words = f"sent embeddings that are none: {error}"
            raise self._remote.error("upstream_garbled", words, spent=True) from None
        usage = answer.get("usage")
        counted = read_usage({"usage": {"completion_tokens": 0} | usage}) if isinstance(usage, dict) else None
        return Chunk(orjson.dumps(answer) if changed else data, "", counted)

    def _whole(self, data: bytes, request: ModelRequest) -> Chunk:
        body = self._object(data)
        if not body.get("choices"):
            raise self._remote.error("upstream_garbled", "sent an answer without choices", spent=True)
        choices = read_choices(body)
        line = orjson.dumps(body) if put_right(choices, request.id) else data
        return Chunk(line, answer_text(choices), read_usage(body))

    def _object(self, data: bytes) -> JsonObject:
        """Return the JSON object of an answer; raise BackendError for an error or ValueError for no JSON."""
        body = orjson.loads(data)
        if isinstance(body, dict) and is_error(body):
            raise self._remote.error("upstream_failed", f"failed: {said(body)}", spent=True)
        if not isinstance(body, dict) or not isinstance(body.get("choices"), list | None):
            raise self._remote.error("upstream_garbled", "sent an answer without choices", spent=True)
        return body
