"""Which passages may go where: the same rules as for requests, and the guard for what leaves the premises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellwright.errors import Diagnostic
from cellwright.estate.model import Boundary
from cellwright.gateway.routing.route import standing_against
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.egress import Guard
    from cellwright.gateway.knowledge.store import Hit
    from cellwright.gateway.model import Rule


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that was found, and what decides where it may go."""

    hit: Hit
    data_class: SensitivityClass
    source: str  # the collection


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found: the best first, and how many passages a site held back itself."""

    passages: tuple[Passage, ...] = ()
    held_back: int = 0


@dataclass(frozen=True, slots=True)
class Borders:
    """Tells what may cross a boundary."""

    rules: tuple[Rule, ...]
    guard: Guard

    def admits(self, data_class: SensitivityClass, boundary: Boundary) -> bool:
        """Return whether the rules let data of a class be within a boundary."""
        return not standing_against(self.rules, data_class, boundary)

    def check(self, data_class: SensitivityClass, boundary: Boundary, what: str) -> None:
        """Raise ApiError (403) that names the rules where data of a class may not be within a boundary."""
        rules = standing_against(self.rules, data_class, boundary)
        if rules:
            named = "; ".join(f"rule {rule.name} keeps it within {rule.boundary} ({rule.source})" for rule in rules)
            words = f"{what} stands within {boundary}, but the data is of class {data_class}: {named}"
            raise ApiError(Diagnostic("sovereignty", words), status=403, kind="permission_error")

    def crossing(self, found: Found, boundary: Boundary) -> Found:
        """Return what of a search may go to where a boundary is, and how much is held back."""
        kept = tuple(each for each in found.passages if self._crosses(each, boundary))
        return Found(kept, found.held_back + len(found.passages) - len(kept))

    def _crosses(self, passage: Passage, boundary: Boundary) -> bool:
        if not self.admits(passage.data_class, boundary):
            return False
        return boundary is Boundary.PREMISES or all(map(self.passes, _said(passage.hit)))

    def passes(self, text: str) -> bool:
        """Return whether the guard lets a text leave; where the guard fails, nothing does."""
        try:
            self.guard(text)
        except Exception:  # noqa: BLE001 - DeniedError, or a plugin that fails: closed either way
            return False
        return True


def _said(hit: Hit) -> Sequence[str]:
    """Return all that a passage tells: its text, the name of its document and its attributes."""
    return (hit.text, hit.name, *(f"{key}: {value}" for key, value in hit.attributes.items()))
