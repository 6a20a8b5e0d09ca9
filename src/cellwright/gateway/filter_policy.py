"""What the edge filter is told, a policy for each route and what stands at the edge, and what it tells of a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellwright.estate.model import SensitivityClass

LEAST_BUDGET: Final = 260  # tokens of the digest of one run of records


class FilterMode(StrEnum):
    """What becomes of raw records in a request."""

    DIGEST = "digest"
    REFUSE = "refuse"  # a request that would carry them off the premises
    OFF = "off"


class Unread(StrEnum):
    """What becomes of records that cannot be read, on a request that would carry them off the premises."""

    REFUSE = "refuse"
    MASK = "mask"  # they are left out, and the answer says how many


@dataclass(frozen=True, slots=True)
class FilterPolicy:
    """What the edge filter does with raw records in the requests of a route."""

    mode: FilterMode = FilterMode.DIGEST
    budget: int = 2_000  # tokens of all digests of a request
    min_tokens: int = 200  # runs of records of fewer stay as they are, without identifiers; 0: every run is digested
    unread: Unread = Unread.REFUSE
    on_premises: bool = True  # also where the answer stays on the premises
    becomes: Mapping[SensitivityClass, SensitivityClass] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class EdgeSpec:
    """What stands at the edge, by the names that the document gives; None: it does not."""

    lake: str | None = None  # in which incidents that requests name are looked up
    originals: str | None = None  # a lake that keeps the originals of what was digested
    topology: str | None = None  # an estate or a CSV of adjacent pairs
    mappings: tuple[str, ...] = ()  # files that say what the columns of tables mean


@dataclass(frozen=True, slots=True)
class Filtered:
    """What the filter made of one request, for the headers of the answer and for the meter."""

    counts: Mapping[str, int]  # records by kind
    tokens_before: int  # of what was replaced, and of the events of named incidents as VES
    tokens_after: int
    left_out: int
    unread: int
    digests: tuple[str, ...]  # name=hash
    kept: bool | None  # whether the originals can be opened; None where nobody asked to keep them

    @property
    def saved(self) -> int:
        """The tokens that the digests are shorter by than the records they stand for."""
        return self.tokens_before - self.tokens_after

    def labels(self) -> dict[str, str]:
        """Return what the headers of the answer say."""
        extra = {"untold": self.left_out, "unread": self.unread}
        counted = {**self.counts, **{name: number for name, number in extra.items() if number}}
        said = {
            "filtered": ", ".join(f"{name}={number}" for name, number in counted.items()) or "records=0",
            "tokens-before": str(self.tokens_before),
            "tokens-after": str(self.tokens_after),
        }
        if self.digests:
            said["digests"] = ", ".join(self.digests)
        if self.kept is not None:
            said["originals"] = "kept" if self.kept else "not kept"
        return said


DEFAULT_FILTER: Final = FilterPolicy()
DEFAULT_EDGE: Final = EdgeSpec()
