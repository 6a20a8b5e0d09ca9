"""What comes back from a backend's server, and how asking it fails: all that backends know of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from types import TracebackType
    from typing import Self

    Sign = Callable[[bytes], Mapping[str, str]]  # returns the headers that depend on the bytes of the body


class NetworkError(Exception):
    """There is no answer, or no whole one."""


class ConnectFailedError(NetworkError):
    """No connection came to be: nothing was sent."""


class UntrustedError(ConnectFailedError):
    """The server's certificate does not verify."""


class TimedOutError(NetworkError):
    """The server was silent for too long after the request was sent."""


class BrokenOffError(NetworkError):
    """The connection ended, or what came over it was no HTTP, before the answer was whole."""


class Response(Protocol):
    """An answer whose headers are there. Leaving it as a context closes its connection unless its body was read."""

    @property
    def status(self) -> int:
        """Return the status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers by their names in lower case."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raise ValueError past `limit` bytes, NetworkError where it does not come whole."""
        ...

    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes in; raises NetworkError where it does not come whole."""
        ...

    async def drain(self) -> None:
        """Let the rest of a body of no interest come in, for a moment, so that the connection can be used again."""
        ...
