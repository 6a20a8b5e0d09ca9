"""POST /v1/embeddings: vectors for texts, from backends that have them.

Shapes: the OpenAI API reference (embeddings).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from cellwright.gateway.forms.fields import model_name, one_of, read_object, refused, streams, value, wrong
from cellwright.gateway.wire import ModelRequest, Operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Never

    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.wire import Usage


class Embeddings:
    """The endpoint of embeddings."""

    def read(self, raw: bytes, request_id: str, created_s: int) -> ModelRequest:
        """Return the request in a body; raise ApiError. Fields the gateway does not know are kept for the backend."""
        body = read_object(raw)
        model = model_name(body)
        _check_input(body.get("input"))
        if body.get("encoding_format") is not None:
            one_of(body["encoding_format"], ("float", "base64"), "encoding_format")
        dimensions = value(body, "dimensions", int, "1 or more")
        if dimensions is not None and dimensions < 1:
            raise wrong("dimensions", "1 or more")
        if streams(body):
            raise refused("stream", "embeddings come whole")
        return ModelRequest(
            request_id, created_s, model, body, stream=False, wants_usage=False, operation=Operation.EMBEDDINGS
        )

    def whole(self, request: ModelRequest, answer: Chunk, usage: Callable[[], Usage]) -> bytes:  # noqa: ARG002 - Endpoint
        """Return the answer as it came, with usage where it lacks it."""
        if answer.usage:
            return answer.body
        spent = usage()
        counted = {"prompt_tokens": spent.tokens_in, "total_tokens": spent.tokens_in, "estimated": True}
        return orjson.dumps(orjson.loads(answer.body) | {"usage": counted})

    def stream(self, request: ModelRequest) -> Never:
        """Never called: `read` refuses streams."""
        raise NotImplementedError


def _check_input(given: object) -> None:
    """Raise ApiError unless the input is a text, a list of texts, a list of tokens or a list of lists of tokens."""
    items = given if isinstance(given, list) else [given]
    texts = all(isinstance(item, str) and item for item in items)
    if not items or not (texts or _are_tokens(given) or all(_are_tokens(item) for item in items)):
        raise wrong("input", "a text, a list of tokens, or a list of those, none of them empty")


def _are_tokens(given: object) -> bool:
    return isinstance(given, list) and bool(given) and all(type(item) is int and item >= 0 for item in given)
