"""Digests in the words of a model at the edge, each checked against its digest fact by fact."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.digest.rewrite import PROMPT, rewrite_flaws
from cellwright.digest.text import decode
from cellwright.errors import UsageError
from cellwright.gateway.client import ask_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.wiring.incidents import Storyline
    from cellwright.wiring.progress import Progress
    from cellwright.wiring.settings import ModelServer

_CONCURRENCY: Final = 2


@dataclass(frozen=True, slots=True)
class Prose:
    """What a model made of a digest; void where `flaws` say what it lost or added, `error` why there is no answer."""

    text: str
    flaws: tuple[str, ...]
    error: str | None

    @property
    def is_valid(self) -> bool:
        """Return whether it says what the digest says."""
        return not self.flaws and self.error is None


def rewrite(found: Sequence[Storyline], server: ModelServer | None, progress: Progress) -> dict[str, Prose]:
    """Return what the model made of each digest, by incident.

    Raises UsageError where no server is named.
    """
    if server is None:
        raise UsageError.of(
            "no-edge-model",
            "no model is named that could rewrite digests",
            expected="CELLWRIGHT_EDGE_BASE_URL and CELLWRIGHT_EDGE_MODEL",
            hint="any OpenAI-compatible server will do, such as llama.cpp on this machine",
        )
    prompts = [[{"role": "system", "content": PROMPT}, {"role": "user", "content": item.digest.text}] for item in found]
    with progress("rewrite") as advance:
        answers = asyncio.run(
            ask_all(
                server.base_url,
                server.api_key or "",
                server.model,
                prompts,
                concurrency=_CONCURRENCY,
                keeps_on=True,
                progress=advance,
            )
        )
    return {
        item.digest.incident: _checked(item, answer.text, answer.error)
        for item, answer in zip(found, answers, strict=True)
    }


def _checked(item: Storyline, prose: str, error: str | None) -> Prose:
    if error is None and not prose.strip():
        error = "the answer holds no text"
    return Prose(prose, () if error else rewrite_flaws(decode(item.digest.text), prose), error)
