"""The protocol of what turns texts into vectors, and for whom it does."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellwright.estate.model import Boundary
    from cellwright.gateway.knowledge.store import Vectors
    from cellwright.gateway.model import AccessKey


@dataclass(frozen=True, slots=True)
class Asker:
    """For whom vectors are made: whoever pays for them, and the request they belong to."""

    key: AccessKey
    request_id: str
    numbers: Iterator[int] = field(default_factory=itertools.count, compare=False)  # of what a backend is asked for it


class Embedder(Protocol):
    """Turns texts into vectors."""

    @property
    def name(self) -> str:
        """Return what tells vectors of one embedder from those of others."""
        ...

    @property
    def boundary(self) -> Boundary:
        """Return within which boundary around the operator's data the texts stay."""
        ...

    async def embed(self, texts: Sequence[str], asker: Asker) -> Vectors:
        """Return a vector for each text (texts, dimensions) float32; raises ApiError."""
        ...
