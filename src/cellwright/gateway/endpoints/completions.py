"""POST /v1/completions: the older way to ask, a prompt in place of messages; asked of backends as one turn of a chat.

Shapes: the OpenAI API reference (completions). What only a model without turns could do is refused by name.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import orjson

from cellwright.gateway.forms.fields import model_name, read_object, refused, streams, value, wrong
from cellwright.gateway.pipeline import read_data_class
from cellwright.gateway.wire import DONE, ModelRequest, Usage, error_body, read_choices, restart_mark, sse, usage_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.connection import Call
    from cellwright.gateway.pipeline import Pipeline
    from cellwright.gateway.wire import ApiError, JsonObject

_MAX_TOKENS: Final = 16  # the protocol's own, where a request names none
_MOST_PROMPTS: Final = 128  # of one call
_AT_ONCE: Final = 8  # of them
_RAW: Final = "the prompt is asked as a turn of a chat"
_REFUSED: Final = {"suffix": (None, ""), "echo": (None, False), "logprobs": (None,), "best_of": (None, 1)}


class Completions:
    """The endpoint of completions."""

    def read(self, raw: bytes, request_id: str, created_s: int) -> ModelRequest:
        """Return the request in a body as a chat request; raise ApiError. Fields not known are kept for the backend."""
        body = read_object(raw)
        model, stream = model_name(body), streams(body)
        for key, harmless in _REFUSED.items():
            given = body.get(key)
            if not any(type(given) is type(item) and given == item for item in harmless):
                raise refused(key, _RAW)
        options = value(body, "stream_options", dict, "an object") or {}
        kept = {key: item for key, item in body.items() if key != "prompt" and key not in _REFUSED}
        chat = kept | {"messages": [{"role": "user", "content": _prompt(body.get("prompt"))}]}
        if body.get("max_tokens") is None:
            chat["max_tokens"] = _MAX_TOKENS
        return ModelRequest(request_id, created_s, model, chat, stream, bool(options.get("include_usage")))

    def whole(self, request: ModelRequest, answer: Chunk, usage: Callable[[], Usage]) -> bytes:
        """Return a whole answer as a completion."""
        body = _completion(request, orjson.loads(answer.body))
        return orjson.dumps(body | {"usage": usage_object(answer.usage or usage())})

    def stream(self, request: ModelRequest) -> CompletionStream:
        """Return what writes the stream."""
        return CompletionStream(request)


class PromptLists:
    """Answers a list of prompts, each as a request of its own with its row in the meter; a single one straight on."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._endpoint = Completions()
        self._straight_on = pipeline.to(self._endpoint)

    async def answer(self, call: Call) -> None:
        """Answer one call; where a prompt fails, the call fails as that prompt does."""
        key = await self._pipeline.callers.identify(call.headers, call.names)
        body = read_object(await call.body())
        prompts = body.get("prompt")
        if not isinstance(prompts, list) or len(prompts) == 1 or not all(isinstance(item, str) for item in prompts):
            del body, prompts  # the pipeline reads them anew, and lets go of what it does not need
            await self._straight_on(call)
            return
        if not prompts:
            raise wrong("prompt", "a text, or a list of them")
        if len(prompts) > _MOST_PROMPTS or streams(body):
            raise refused("prompt", f"a stream takes one text, a whole answer {_MOST_PROMPTS} at most")
        data_class, places = read_data_class(call.headers), asyncio.Semaphore(_AT_ONCE)

        async def ask(number: int, prompt: str) -> tuple[int, bytes]:
            async with places:
                raw, request_id = orjson.dumps(body | {"prompt": prompt}), f"{call.reply.request_id}.{number}"
                return await self._pipeline.once(self._endpoint, key, request_id, raw, data_class)

        answers = await asyncio.gather(*(ask(number, prompt) for number, prompt in enumerate(prompts)))
        failed = next((answer for answer in answers if answer[0] != HTTPStatus.OK), None)
        status, said = failed or (HTTPStatus.OK, _joined(call.reply.request_id, [raw for _, raw in answers]))
        await call.reply.json(said, status)


class CompletionStream:
    """Writes the stream of a completion."""

    def __init__(self, request: ModelRequest) -> None:
        self._request = request

    def piece(self, chunk: Chunk) -> bytes:
        """Return a piece of the answer as an event; what says nothing is left out."""
        body = _completion(self._request, orjson.loads(chunk.body))
        if not any(choice["text"] or choice["finish_reason"] for choice in body["choices"]):
            return b""
        return sse(orjson.dumps(body))

    def restart(self, backend: str) -> bytes:
        """Return the event after which an answer begins anew: what came before it is void."""
        return sse(orjson.dumps(_completion(self._request, {}) | restart_mark(backend)))

    def end(self, model: str, usage: Callable[[], Usage]) -> bytes:
        """Return what closes a whole stream."""
        if not self._request.wants_usage:
            return DONE
        body = _completion(self._request, {"model": model}) | {"usage": usage_object(usage())}
        return sse(orjson.dumps(body)) + DONE

    def fail(self, error: ApiError) -> bytes:
        """Return the error as the last event of a stream that lacks its regular end."""
        return sse(error_body(error))


def _joined(request_id: str, answers: list[bytes]) -> bytes:
    """Return the answers to several prompts as one: the choices of each after those of the one before."""
    bodies = [orjson.loads(raw) for raw in answers]
    said = [choice for body in bodies for choice in body["choices"]]
    for index, choice in enumerate(said):
        choice["index"] = index
    used = [body["usage"] for body in bodies]
    cached = sum(usage["prompt_tokens_details"]["cached_tokens"] for usage in used)
    total = Usage(
        sum(usage["prompt_tokens"] for usage in used),
        sum(usage["completion_tokens"] for usage in used),
        cached,
        estimated=any("estimated" in usage for usage in used),
    )
    return orjson.dumps(bodies[0] | {"id": f"cmpl-{request_id}", "choices": said, "usage": usage_object(total)})


def _prompt(given: object) -> str:
    """Return the one text that is asked; raise ApiError."""
    prompts = given if isinstance(given, list) else [given]
    if prompts and all(isinstance(item, int | list) for item in prompts):
        raise refused("prompt", "send text: which tokens a number stands for depends on the model that is chosen")
    if len(prompts) > 1:
        raise refused("prompt", "a stream and a request of a batch take one text")
    if not prompts or not isinstance(prompts[0], str) or not prompts[0]:
        raise wrong("prompt", "a text, or a list of one")
    return prompts[0]


def _completion(request: ModelRequest, body: JsonObject) -> JsonObject:
    """Return a chat completion or a chunk of one as a completion."""
    return {
        "id": f"cmpl-{request.id}",
        "object": "text_completion",
        "created": request.created_s,
        "model": body.get("model", request.model),
        "choices": [
            {
                "text": said.get("content") or "",
                "index": choice.get("index", 0),
                "logprobs": None,
                "finish_reason": choice.get("finish_reason"),
            }
            for choice, said in read_choices(body)
        ],
    }
