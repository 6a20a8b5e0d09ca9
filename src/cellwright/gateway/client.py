"""Asks an OpenAI-compatible server as a client does, and measures what a client sees."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import orjson

from cellwright.errors import UnavailableError
from cellwright.gateway.http.client import Pool, Times
from cellwright.gateway.http.deadlines import Deadlines
from cellwright.gateway.sse import EventReader
from cellwright.gateway.upstream import NetworkError
from cellwright.gateway.wire import answer_text, read_choices, read_usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellwright.gateway.http.client import Received
    from cellwright.gateway.wire import JsonObject, Usage

    Messages = Sequence[Mapping[str, str]]

_TIMES: Final = Times(connect_s=10.0, read_s=120.0)
_TOTAL_S: Final = 600.0  # of one answer
_ERROR_LIMIT: Final = 64 * 1024  # bytes of a refusal that are read
_MS_PER_S: Final = 1000.0
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Tokens and TTFT are None where the server did not say or nothing was said."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    text: str
    ttft_ms: float | None
    round_trip_ms: float
    tokens_in: int | None
    tokens_out: int | None
    error: str | None = None  # why it is no whole answer


@dataclass(slots=True)
class _Hearing:
    """An answer as it comes in."""

    began_s: float
    texts: list[str] = field(default_factory=list)
    first_s: float | None = None
    usage: Usage | None = None
    error: str | None = None
    done: bool = False

    def hear(self, data: bytes) -> None:
        """Take note of one event; raises ValueError for what is none of the protocol."""
        if data == b"[DONE]":
            self.done = True
            return
        body = orjson.loads(data)
        if not isinstance(body, dict) or "error" in body:
            self.error = _reason(body)
            return
        self.usage = read_usage(body) or self.usage
        text = answer_text(read_choices(body))
        if text and self.first_s is None:
            self.first_s = time.perf_counter()
        self.texts.append(text)

    def answer(self, response: Received) -> Answer:
        """Return what was heard until now."""
        cut = None if self.done else "the answer broke off"
        return Answer(
            status=response.status,
            headers=MappingProxyType(response.headers),
            text="".join(self.texts),
            ttft_ms=None if self.first_s is None else (self.first_s - self.began_s) * _MS_PER_S,
            round_trip_ms=(time.perf_counter() - self.began_s) * _MS_PER_S,
            tokens_in=self.usage.tokens_in if self.usage else None,
            tokens_out=self.usage.tokens_out if self.usage else None,
            error=self.error or cut,
        )


async def ask(  # noqa: PLR0913, PLR0917 - what a request is made of
    pool: Pool,
    base_url: str,
    key: str,
    model: str,
    messages: Messages,
    data_class: str | None = None,
) -> Answer:
    """Return the streamed answer of the server at `base_url` (ends in /v1); `error` says what went wrong with it.

    Raises UnavailableError where no server answers.
    """
    body = {"model": model, "messages": list(messages), "stream": True, "stream_options": {"include_usage": True}}
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    if data_class is not None:
        headers["x-cellwright-data-class"] = data_class
    hearing = _Hearing(time.perf_counter())
    url = f"{base_url}/chat/completions"
    try:
        async with asyncio.timeout(_TOTAL_S):
            with await pool.request("POST", url, headers=headers, body=orjson.dumps(body)) as response:
                await _hear(response, hearing)
                return hearing.answer(response)
    except (NetworkError, TimeoutError) as error:
        raise UnavailableError.of(
            "gateway-unreachable",
            f"no answer from {base_url}",
            cause=str(error.__cause__ or error) or type(error).__name__,
            hint="check that the server is running",
        ) from error


async def ask_all(  # noqa: PLR0913 - as for ask, and how many at a time
    base_url: str,
    key: str,
    model: str,
    prompts: Sequence[Messages],
    *,
    concurrency: int = 4,
    data_class: str | None = None,
    keeps_on: bool = False,
    progress: Callable[[float, float | None], None] | None = None,
) -> tuple[Answer, ...]:
    """Return an answer to each of the prompts, in their order, with at most `concurrency` asked at the same time.

    `progress` is told the answers so far and their total. Raises UnavailableError where no server answers, unless it
    `keeps_on`: then the reason stands in the answer.
    """
    places = asyncio.Semaphore(concurrency)
    done = 0

    async def one(messages: Messages) -> Answer:
        nonlocal done
        async with places:
            try:
                answer = await ask(pool, base_url, key, model, messages, data_class)
            except UnavailableError as error:
                if not keeps_on:
                    raise
                answer = Answer(0, MappingProxyType({}), "", None, 0.0, None, None, str(error.diagnostics[0].message))
        done += 1
        if progress is not None:
            progress(done, len(prompts))
        return answer

    with contextlib.closing(Pool(_TIMES, Deadlines([_TIMES.read_s]))) as pool:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(messages)) for messages in prompts]
        except* UnavailableError as errors:
            raise errors.exceptions[0] from None
    return tuple(task.result() for task in tasks)


async def _hear(response: Received, hearing: _Hearing) -> None:
    """Take in a whole response; what breaks it is noted, not raised."""
    try:
        if response.status != _OK:
            hearing.error = _reason(_object(await response.read(_ERROR_LIMIT)))
            return
        reader = EventReader()
        async for piece in response.pieces():
            for data in reader.feed(piece):
                hearing.hear(data)
    except (NetworkError, ValueError) as error:
        hearing.error = f"the answer broke off ({type(error).__name__})"


def _object(data: bytes) -> JsonObject:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _reason(body: object) -> str:
    """Return the message of an error, and its code where it has one."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "the server gave no reason"
    message, code = error.get("message"), error.get("code")
    return str(message) if code is None else f"{message} ({code})"
