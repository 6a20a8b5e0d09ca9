"""Which backends can do what a request asks for: chat, embeddings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from cellwright.gateway.wire import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.gateway.backend import Backend
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.routing.route import Decision
    from cellwright.gateway.wire import Operation


@dataclass(frozen=True, slots=True)
class Abilities:
    """The operations of each backend."""

    by_backend: Mapping[str, frozenset[Operation]]

    @classmethod
    def of(cls, specs: Iterable[BackendSpec], backends: Mapping[str, Backend]) -> Abilities:
        """Return what backends can do and their specifications let them."""
        every = ((spec, backends[spec.name].operations) for spec in specs)
        return cls(MappingProxyType({spec.name: able & (spec.operations or able) for spec, able in every}))

    def among(self, decision: Decision, operation: Operation) -> Decision:
        """Return a decision without the backends that lack an operation; raise ApiError (400) where none is left.

        A decision that allows nobody stays as it is: its rules say more.
        """
        able = tuple([name for name in decision.allowed if operation in self.by_backend[name]])
        if len(able) == len(decision.allowed):
            return decision
        if not able:
            lacking = ", ".join(decision.allowed)
            message = f"route {decision.route} has no backend for {operation}: {lacking} cannot do it"
            raise invalid("unsupported_operation", message, "model")
        return replace(decision, allowed=able)
