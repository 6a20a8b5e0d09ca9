"""The embedded deterministic root-cause reasoner, which says of itself that it is not a language model."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.digest.causes_artefact import from_bytes
from cellwright.errors import StorageError
from cellwright.gateway.backend import Chunk
from cellwright.gateway.diagnosis import diagnose
from cellwright.gateway.waits import upstream
from cellwright.gateway.wire import Operation, Usage, chunk, completion, invalid, usage_chunk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from cellwright.digest.causes_artefact import Learned
    from cellwright.gateway.backend import Backend, Supplies
    from cellwright.gateway.model import BackendSpec
    from cellwright.gateway.wire import JsonObject, ModelRequest

MODEL: Final = "cellwright-reasoner"
FINGERPRINT: Final = "deterministic-reasoner-not-a-language-model"
_WORD: Final = re.compile(r"\s*\S+\s*")


def open_backend(spec: BackendSpec, supplies: Supplies) -> Backend:
    """Return the reasoner of a specification, with what was learned of causes where it names a file of that.

    Raises StorageError where that cannot be read.
    """
    if spec.causes is None:
        return Reasoner(spec, supplies)
    learned = _load(Path(spec.causes))
    return Reasoner(spec, supplies, functools.partial(diagnose, causes=learned.causes))


class Reasoner:
    """Answers with what `reason` says about the last message of the user, word by word where the request streams."""

    language_model = False
    operations = frozenset({Operation.CHAT})

    def __init__(self, spec: BackendSpec, supplies: Supplies, reason: Callable[[str], str] = diagnose) -> None:
        self._model = spec.model
        self._egress = supplies.egress
        self._counter = supplies.counter
        self._reason = reason

    async def whole(self, request: ModelRequest) -> Chunk:
        """Return the answer. Where the reasoner stands for a remote tier, the request passes the egress guard first."""
        words, finish, usage = self._reasoned(request)
        text = "".join(words)
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish}
        return Chunk(completion(request, self._model, FINGERPRINT, choice, usage), text, usage)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Chunk, None]:
        """Yield the answer, which the same holds for."""
        words, finish, usage = self._reasoned(request)
        for choice, word in _pieces(words, finish):
            yield Chunk(chunk(request, self._model, FINGERPRINT, choice), word)
        yield Chunk(usage_chunk(request, self._model, usage), "", usage, closing=True)

    def _reasoned(self, request: ModelRequest) -> tuple[list[str], str, Usage]:
        """Return the words of an answer, why it ends, and what it used; raise ApiError."""
        if request.body.get("n") not in (None, 1):
            raise invalid("unsupported_value", "the reasoner gives one answer: n must be 1", "n")
        limit = _token_limit(request.body)
        self._egress.check(request.body)
        with upstream():
            words, finish = self._within(limit, _WORD.findall(self._reason(request.last_user_text)))
        count = self._counter
        usage = Usage(count.count(request.prompt), count.count("".join(words)), estimated=not count.exact)
        return words, finish, usage

    def _within(self, limit: int | None, words: list[str]) -> tuple[list[str], str]:
        """Return the longest beginning of `words` within `limit` tokens, and why it ends."""
        if limit is None or self._counter.count("".join(words)) <= limit:
            return words, "stop"
        low, high = 0, len(words)
        while low < high:
            middle = (low + high + 1) // 2
            fits = self._counter.count("".join(words[:middle])) <= limit
            low, high = (middle, high) if fits else (low, middle - 1)
        return words[:low], "length"


def _load(path: Path) -> Learned:
    """Return what `cellwright digest learn` wrote."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise StorageError.of(
            "causes-unreadable",
            f"the learned causes in {path} cannot be read",
            cause=error.strerror,
            hint="`cellwright digest learn` writes such a file",
        ) from error
    return from_bytes(raw, str(path))


def _pieces(words: list[str], finish: str) -> list[tuple[JsonObject, str]]:
    """Return the choices of a stream: the role, each word, the end."""
    said = [({"delta": {"content": word}}, word) for word in words]
    return [({"delta": {"role": "assistant", "content": ""}}, ""), *said, ({"delta": {}, "finish_reason": finish}, "")]


def _token_limit(body: JsonObject) -> int | None:
    """Return the most tokens the client wants; raise ApiError for what is no number of tokens."""
    for key in ("max_completion_tokens", "max_tokens"):
        limit = body.get(key)
        if limit is None:
            continue
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise invalid("invalid_value", f"{key} must be 1 or more", key)
        return limit
    return None
