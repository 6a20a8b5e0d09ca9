"""What one backend used for one answer: as it says, and counted here where it does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.gateway.wire import Usage

if TYPE_CHECKING:
    from cellwright.digest.tokens import TokenCounter
    from cellwright.gateway.backend import Chunk
    from cellwright.gateway.wire import ModelRequest


class Tally:
    """Listens to the pieces of an answer. Usage is cumulative: the last one covers all that was said before it.

    Text that comes after the last usage, where a stream breaks off or a server forgets it, is counted here. So is what
    is stated as none although there is some.
    """

    __slots__ = ("_beyond", "_stated")

    def __init__(self) -> None:
        self._stated: Usage | None = None
        self._beyond: list[str] = []  # said since

    @property
    def is_stated(self) -> bool:
        """Whether the backend has said what it used."""
        return self._stated is not None

    def hear(self, chunk: Chunk) -> None:
        """Take note of a piece of the answer."""
        if chunk.text:
            self._beyond.append(chunk.text)
        usage = chunk.usage
        if usage is not None and (usage.tokens_in or usage.tokens_out):
            self._stated = usage
            if usage.tokens_out:
                self._beyond.clear()

    def settle(self, request: ModelRequest, counter: TokenCounter) -> Usage:
        """Return what was used so far, marked as an estimate where any of it was counted here."""
        stated = self._stated or Usage(0, 0)
        if self._beyond or not stated.tokens_in:
            said = counter.count("".join(self._beyond))
            tokens_in = stated.tokens_in or request.count(counter)
            stated = Usage(tokens_in, stated.tokens_out + said, stated.tokens_cached, estimated=True)
            self._stated, self._beyond = stated, []
        return stated
