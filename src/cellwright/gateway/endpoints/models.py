"""GET /v1/models: the models and routes that clients may name.

Each is told in the words of the OpenAI API and in those of Anthropic's at once: their clients pass over what they do
not know. Shapes: the API references of both (List models).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from cellwright.gateway.wire import unknown_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.gateway.backend import Backend
    from cellwright.gateway.connection import Call
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.routing.route import DecisionTable


class Models:
    """The endpoints of models."""

    def __init__(self, callers: Callers, table: DecisionTable, backends: Mapping[str, Backend]) -> None:
        self._callers = callers
        self._table = table
        self._backends = backends
        self._created_s = int(time.time())

    async def every(self, call: Call) -> None:
        """Answer with all models."""
        await self._callers.identify(call.headers, call.names)
        names = list(self._table.chains)
        page = {"has_more": False, "first_id": names[0], "last_id": names[-1]}
        await call.reply.json(orjson.dumps({"object": "list", "data": [self._object(name) for name in names], **page}))

    async def one(self, call: Call) -> None:
        """Answer with the model that the path names."""
        await self._callers.identify(call.headers, call.names)
        name = call.parameters["model"]
        if name not in self._table.chains:
            raise unknown_model(name, self._table.chains)
        await call.reply.json(orjson.dumps(self._object(name)))

    def _object(self, name: str) -> dict[str, object]:
        """Return what clients are told of a model or route; `language_model` null: it depends on who answers."""
        chain = self._table.chains[name]
        kinds = {self._backends[backend].language_model for backend in chain}
        described = {"description": "a deterministic reasoner, not a language model"} if kinds == {False} else {}
        return {
            "id": name,
            "object": "model",
            "created": self._created_s,
            "owned_by": "cellwright",
            "type": "model",
            "display_name": name,
            "created_at": datetime.fromtimestamp(self._created_s, UTC).isoformat(),
            "lifecycle": "active",
            "backends": chain,
            "language_model": kinds.pop() if len(kinds) == 1 else None,
            **described,
        }
