"""What a user writes about the edge filter: what becomes of raw records, and what stands at the edge."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from cellwright.estate.documents.parts import Count, Flag, Part, Text, one_of
from cellwright.gateway.documents.parts import DataClass
from cellwright.gateway.filter_policy import DEFAULT_FILTER, LEAST_BUDGET, EdgeSpec, FilterMode, FilterPolicy, Unread

_Budget = Annotated[int, Field(strict=True, ge=LEAST_BUDGET)]


class FilterPart(Part):
    """What becomes of raw records in requests."""

    mode: Annotated[FilterMode, one_of(FilterMode)] = Field(
        default=DEFAULT_FILTER.mode, description="digest, refuse what would leave the premises, or off"
    )
    budget: _Budget = Field(default=DEFAULT_FILTER.budget, description="the most tokens of all digests of a request")
    min_tokens: Count = Field(
        default=DEFAULT_FILTER.min_tokens, description="runs of fewer tokens stay as they are, without identifiers"
    )
    unread: Annotated[Unread, one_of(Unread)] = Field(
        default=DEFAULT_FILTER.unread, description="refuse, or mask: what cannot be read is left out"
    )
    on_premises: Flag = Field(
        default=DEFAULT_FILTER.on_premises, description="whether to digest also where the answer stays on the premises"
    )
    becomes: dict[DataClass, DataClass] = Field(
        default={}, description="the class of a request once its records are digested, by the class it had"
    )

    def build(self) -> FilterPolicy:
        """Return the frozen policy."""
        becomes = MappingProxyType(dict(self.becomes))
        return FilterPolicy(self.mode, self.budget, self.min_tokens, self.unread, self.on_premises, becomes)


class EdgePart(Part):
    """What stands at the edge for the filter to work with."""

    lake: Text | None = Field(default=None, min_length=1, description="the lake whose incidents requests may name")
    originals: Text | None = Field(
        default=None, min_length=1, description="a lake of its own that keeps the originals of what is digested"
    )
    topology: Text | None = Field(default=None, min_length=1, description="an estate, or a CSV of adjacent pairs")
    mappings: tuple[Text, ...] = Field(default=(), description="a list of files that say what columns of tables mean")

    def build(self) -> EdgeSpec:
        """Return the frozen specification."""
        return EdgeSpec(self.lake, self.originals, self.topology, self.mappings)
