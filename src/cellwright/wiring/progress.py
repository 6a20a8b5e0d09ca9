"""How long steps tell what they have done; surfaces show it, tests ignore it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Advance(Protocol):
    """Called as work proceeds; `total` is None while it is unknown."""

    def __call__(self, done: float, total: float | None) -> None:
        """Tell that `done` of `total` units are done."""
        ...


class Progress(Protocol):
    """Opens a bar for a step and closes it when the step ends."""

    def __call__(self, title: str) -> contextlib.AbstractContextManager[Advance]:
        """Return the context of a step called `title`."""
        ...


@contextlib.contextmanager
def silent(title: str) -> Iterator[Advance]:  # noqa: ARG001 - the protocol's shape
    """Show nothing: the Progress of tests and of callers without a terminal."""
    yield lambda _done, _total: None
