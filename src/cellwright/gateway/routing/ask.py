"""What a selection wants to know of a request, and no more than its policy asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.gateway.model_policy import Criterion
from cellwright.gateway.routing.difficulty import difficulty
from cellwright.gateway.routing.select import Ask

if TYPE_CHECKING:
    from cellwright.gateway.model_policy import Policy
    from cellwright.gateway.wire import JsonObject, ModelRequest

CHARS_PER_TOKEN: Final = 4  # of English text; prices are compared by it, never charged
TYPICAL_TOKENS_OUT: Final = 256  # where the request sets no limit


def read_ask(policy: Policy, request: ModelRequest) -> Ask:
    """Return what a policy looks at in a request."""
    priced = Criterion.PRICE in policy.prefer
    return Ask(
        stream=request.stream,
        tokens_in=request.characters // CHARS_PER_TOKEN + 1 if priced else 0,
        tokens_out=_tokens_out(request.body) if priced else 0,
        difficulty=None if policy.light_below is None else difficulty(request.body),
    )


def _tokens_out(body: JsonObject) -> int:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return limit if isinstance(limit, int) and limit > 0 else TYPICAL_TOKENS_OUT
