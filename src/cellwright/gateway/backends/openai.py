"""A server that speaks the OpenAI chat-completions protocol: vLLM, llama.cpp, Ollama, TGI, NIM, or a provider."""

from __future__ import annotations

import asyncio
import contextlib
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import aiohttp
import orjson

from cellwright.errors import Diagnostic, UsageError
from cellwright.gateway.backend import BackendError, Chunk
from cellwright.gateway.sse import EventReader
from cellwright.gateway.wire import answer_text, read_usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from cellwright.gateway.backend import Backend, Supplies
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.wire import ChatRequest, JsonObject

_ANSWER_LIMIT: Final = 32 * 1024 * 1024  # bytes of a whole completion
_ERROR_LIMIT: Final = 64 * 1024  # bytes of an error that are read
_SAID_LIMIT: Final = 500  # characters of an upstream message that are passed on
_BACKOFF_S: Final = 0.2  # before the second attempt, doubled before each further one
_PATIENCE_S: Final = 2.0  # the longest Retry-After that is waited for here
_DONE: Final = b"[DONE]"
_DRAIN_S: Final = 1.0
_UNAVAILABLE: Final = frozenset({502, 503, 504})
_REFUSED_KEY: Final = frozenset({401, 403})
_CLIENT_MISTAKES: Final = frozenset({400, 413, 415, 422})  # what another backend would refuse too
_PASSING: Final = frozenset(  # what is worth another attempt at the same address
    {"upstream_unreachable", "upstream_broke_off", "upstream_unavailable", "upstream_rate_limited"}
)


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

    def __init__(self, spec: BackendSpec, supplies: Supplies, base_url: str, backoff_s: float = _BACKOFF_S) -> None:
        self._spec = spec
        self._egress = supplies.egress
        self._url = f"{base_url}/chat/completions"
        self._headers = {"authorization": f"Bearer {supplies.api_key}"} if supplies.api_key else {}
        self._backoff_s = backoff_s

    async def answer(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the upstream's answer."""
        response = await self._respond(self._outgoing(request))
        async with response:
            with self._failures():
                if not request.stream:
                    yield self._whole(await _read(response.content, _ANSWER_LIMIT))
                    return
                if not response.content_type.endswith("/event-stream"):
                    raise self._error("upstream_not_streaming", "did not stream its answer", spent=True)
                async with contextlib.aclosing(self._chunks(response.content)) as chunks:
                    async for chunk in chunks:
                        yield chunk

    def _outgoing(self, request: ChatRequest) -> JsonObject:
        body = request.body | {"model": self._spec.model}
        if request.stream:
            body["stream_options"] = (body.get("stream_options") or {}) | {"include_usage": True}
        return body

    async def _respond(self, body: JsonObject) -> aiohttp.ClientResponse:
        """Return a response that began well; asks again while nothing has come back. Raises BackendError, ApiError."""
        wait_s = self._backoff_s
        for _ in range(self._spec.retries):
            try:
                return await self._attempt(body)
            except BackendError as error:
                asked_s = _seconds(error.retry_after)
                if error.code not in _PASSING or asked_s > _PATIENCE_S:
                    raise
                await asyncio.sleep(max(wait_s, asked_s))
            wait_s *= 2
        return await self._attempt(body)

    async def _attempt(self, body: JsonObject) -> aiohttp.ClientResponse:
        with self._failures():
            response = await self._egress.post(self._url, self._headers, body)
            if response.status == HTTPStatus.OK:
                return response
            async with response:
                raise await self._refusal(response)

    async def _chunks(self, content: aiohttp.StreamReader) -> AsyncGenerator[Chunk, None]:
        reader = EventReader()
        finished = False
        async for piece in content.iter_any():
            for data in reader.feed(piece):
                if data == _DONE:
                    await _drain(content)
                    return
                chunk, ends = self._chunk(data)
                finished = finished or ends
                yield chunk
        if not finished:
            raise self._error("upstream_broke_off", "broke off its answer", spent=True)

    def _chunk(self, data: bytes) -> tuple[Chunk, bool]:
        """Return a piece of the stream, and whether a choice ends with it."""
        body = self._object(data)
        choices = body.get("choices")
        ends = any(isinstance(choice, dict) and choice.get("finish_reason") for choice in choices or ())
        line = orjson.dumps(body) if b"\n" in data else data
        usage = read_usage(body)
        return Chunk(line, answer_text(body), usage, closing=not choices and usage is not None), ends

    def _whole(self, data: bytes) -> Chunk:
        body = self._object(data)
        if not body.get("choices"):
            raise self._error("upstream_garbled", "sent an answer without choices", spent=True)
        return Chunk(data, answer_text(body), read_usage(body))

    def _object(self, data: bytes) -> JsonObject:
        """Return the JSON object of an answer; raise BackendError for an error or ValueError for no JSON."""
        body = orjson.loads(data)
        if not isinstance(body, dict) or not isinstance(body.get("choices"), list | None):
            raise self._error("upstream_garbled", "sent an answer without choices", spent=True)
        if body.get("error"):
            raise self._error("upstream_failed", f"failed: {_said(body)}", spent=True)
        return body

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        """Turn failures of the network and of reading into BackendError."""
        try:
            yield
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self._error("upstream_unreachable", "cannot be reached") from error
        except aiohttp.SocketTimeoutError as error:
            raise self._error("upstream_timeout", "took too long to answer", status=504, spent=True) from error
        except aiohttp.ClientError as error:
            raise self._error("upstream_broke_off", "broke off its answer", spent=True) from error
        except ValueError as error:
            raise self._error("upstream_garbled", "sent what cannot be read", spent=True) from error

    async def _refusal(self, response: aiohttp.ClientResponse) -> BackendError:
        """Return what a status other than 200 means to the client."""
        status = response.status
        if status in _REFUSED_KEY:
            return self._error("upstream_refused_key", "refused the key that the gateway holds for it")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            after = response.headers.get("retry-after")
            return self._error(
                "upstream_rate_limited",
                "asks for fewer requests",
                status=429,
                kind="rate_limit_error",
                retry_after=after,
            )
        if status in _CLIENT_MISTAKES:
            said = _said(_read_object(await _read(response.content, _ERROR_LIMIT)))
            words, kind = f"refused the request: {said}", "invalid_request_error"
            return self._error("upstream_refused_request", words, status=status, kind=kind, elsewhere=False)
        if status == HTTPStatus.NOT_FOUND:
            return self._error("upstream_unknown_model", f"knows no model {self._spec.model} at its address")
        code = "upstream_unavailable" if status in _UNAVAILABLE else "upstream_failed"
        return self._error(code, f"failed with status {status}", spent=status >= HTTPStatus.INTERNAL_SERVER_ERROR)

    def _error(  # noqa: PLR0913 - all but the first two have defaults
        self,
        code: str,
        words: str,
        *,
        status: int = 502,
        kind: str = "server_error",
        retry_after: str | None = None,
        elsewhere: bool = True,
        spent: bool = False,
    ) -> BackendError:
        """Return an error about this backend; `words` continue "backend x"."""
        diagnostic = Diagnostic(code, f"backend {self._spec.name} {words}")
        return BackendError(
            diagnostic, status=status, kind=kind, retry_after=retry_after, elsewhere=elsewhere, spent=spent
        )


async def _read(content: aiohttp.StreamReader, limit: int) -> bytes:
    """Return all of a body; raise ValueError past the limit."""
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) > limit:
            msg = f"an answer is longer than {limit} bytes"
            raise ValueError(msg)
    return bytes(body)


async def _drain(content: aiohttp.StreamReader) -> None:
    """Read what follows the last event, so that the connection can be used again; whatever fails is of no concern."""
    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in content.iter_any():
                pass


def _read_object(data: bytes) -> JsonObject:
    """Return the JSON object in `data`, an empty one for anything else."""
    with contextlib.suppress(orjson.JSONDecodeError):
        body = orjson.loads(data)
        return body if isinstance(body, dict) else {}
    return {}


def _said(body: JsonObject) -> str:
    """Return the message of an error in one of the shapes that servers use, shortened."""
    error = body.get("error", body)
    message = error.get("message") if isinstance(error, dict) else error
    return message[:_SAID_LIMIT] if isinstance(message, str) else "it gave no reason"


def _seconds(retry_after: str | None) -> float:
    """Return the seconds of a Retry-After header (RFC 9110 clause 10.2.3); a date counts as too long to wait."""
    if retry_after is None:
        return 0.0
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else math.inf
