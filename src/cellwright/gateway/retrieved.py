"""What retrieval gave the backend that answers, for the headers of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellwright.estate.model import Boundary
    from cellwright.gateway.model import BackendSpec

_NAMED: Final = 10  # documents in a header
_LONGEST: Final = 60  # characters of a document's name there


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The documents of the passages that may go where a boundary is, in their order, and how many are held back."""

    given: Callable[[Boundary], tuple[Sequence[str], int]]

    def labels(self, spec: BackendSpec | None) -> dict[str, str]:
        """Return what the headers say about the backend that answers."""
        if spec is None:
            return {}
        names, held_back = self.given(spec.boundary)
        cited = ", ".join(f"[{number}] {_plain(name)}" for number, name in enumerate(names[:_NAMED], 1))
        said = {"passages": str(len(names)), "passages-held-back": str(held_back)}
        return said | ({"citations": cited} if cited else {})


def _plain(name: str) -> str:
    """Return a name as a header may hold it: printable ASCII without the signs that part it from the next."""
    return "".join(sign if " " <= sign <= "~" and sign not in "[]," else "?" for sign in name[:_LONGEST])
