"""POST /v1/completions: the older way to ask, a prompt in place of messages; asked of backends as one turn of a chat.

Shapes: the OpenAI API reference (completions). What only a model without turns could do is refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from cellwright.gateway.fields import model_name, read_object, refused, streams, value, wrong
from cellwright.gateway.wire import DONE, ModelRequest, choices, error_body, sse, usage_object

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.wire import ApiError, JsonObject, Usage

_MAX_TOKENS: Final = 16  # the protocol's own, where a request names none
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


class CompletionStream:
    """Writes the stream of a completion."""

    restart = None  # the protocol has no event that takes back what was said

    def __init__(self, request: ModelRequest) -> None:
        self._request = request

    def piece(self, chunk: Chunk) -> bytes:
        """Return a piece of the answer as an event; what says nothing is left out."""
        body = _completion(self._request, orjson.loads(chunk.body))
        if not any(choice["text"] or choice["finish_reason"] for choice in body["choices"]):
            return b""
        return sse(orjson.dumps(body))

    def end(self, model: str, usage: Callable[[], Usage]) -> bytes:
        """Return what closes a whole stream."""
        if not self._request.wants_usage:
            return DONE
        body = _completion(self._request, {"model": model}) | {"usage": usage_object(usage())}
        return sse(orjson.dumps(body)) + DONE

    def fail(self, error: ApiError) -> bytes:
        """Return the error as the last event of a stream that lacks its regular end."""
        return sse(error_body(error))


def _prompt(given: object) -> str:
    """Return the one text that is asked; raise ApiError."""
    prompts = given if isinstance(given, list) else [given]
    if prompts and all(isinstance(item, int | list) for item in prompts):
        raise refused("prompt", "send text: which tokens a number stands for depends on the model that is chosen")
    if len(prompts) > 1:
        raise refused("prompt", "send one text a request")
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
            for choice, said in choices(body)
        ],
    }
