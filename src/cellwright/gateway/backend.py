"""The protocol every inference backend implements, and what it is given and yields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from cellwright.digest.tokens import TokenCounter
    from cellwright.errors import Diagnostic
    from cellwright.gateway.egress import Egress
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.wire import ModelRequest, Operation, Usage


class BackendError(ApiError):
    """A backend did not answer, or not to the end.

    `elsewhere`: another backend may be asked. `spent`: it may have worked for tokens nobody will tell us of.
    """

    def __init__(
        self,
        *diagnostics: Diagnostic,
        status: int = 502,
        kind: str = "server_error",
        retry_after: str | None = None,
        elsewhere: bool = True,
        spent: bool = False,
    ) -> None:
        headers = {"retry-after": retry_after} if retry_after else None
        super().__init__(*diagnostics, status=status, kind=kind, headers=headers)
        self.retry_after = retry_after
        self.elsewhere = elsewhere
        self.spent = spent


class NotAskedError(BackendError):
    """A backend was not asked, for it cannot do what the request wants, or may not; that says nothing against it."""

    def __init__(self, diagnostic: Diagnostic, *, status: int = 400, kind: str = "invalid_request_error") -> None:
        super().__init__(diagnostic, status=status, kind=kind)


class Chunk(NamedTuple):
    """A piece of an answer: where the request streams a chat.completion.chunk, elsewhere all of it.

    All of it is a chat.completion, or the list of embeddings.
    """

    body: bytes  # JSON on one line
    text: str  # what it says, for counts
    usage: Usage | None = None
    closing: bool = False  # says what the stream used and nothing else


@dataclass(frozen=True, slots=True)
class Supplies:
    """What a backend may use; it opens no connection of its own."""

    egress: Egress
    counter: TokenCounter
    api_key: str | None = field(default=None, repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)  # environment variables by name


class Backend(Protocol):
    """Something that answers requests."""

    @property
    def operations(self) -> frozenset[Operation]:
        """Return what it can do."""
        ...

    @property
    def language_model(self) -> bool:
        """Return whether a language model answers."""
        ...

    async def whole(self, request: ModelRequest) -> Chunk:
        """Return all of the answer to a request that does not stream. Raises BackendError, ApiError."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the pieces of the answer to a request that streams. Raises BackendError, ApiError."""
        ...


if TYPE_CHECKING:
    OpenBackend = Callable[[BackendSpec, Supplies], Backend]  # an entry point of the group cellwright.backends
