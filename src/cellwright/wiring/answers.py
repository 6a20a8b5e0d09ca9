"""Digests to the cloud tier and answers back, with what a client sees of their latency."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.digest.tokens import token_counter
from cellwright.estate.model import SensitivityClass
from cellwright.gateway.client import ask_all
from cellwright.report.model import AnswerFigures, Percentiles
from cellwright.wiring.cloud import ROUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.gateway.client import Answer
    from cellwright.wiring.cloud import OpenGateway
    from cellwright.wiring.incidents import Storyline
    from cellwright.wiring.progress import Advance, Progress

QUESTION: Final = (
    "You are an operations engineer of a mobile network. The message is the digest of an alarm storm; its first lines "
    "explain the notation. Name the probable root cause, the evidence for it, what is affected and the next steps."
)
_CLOUD_CONCURRENCY: Final = 4
_PROBES: Final = 3  # digests sent before all others, so that an absent cloud tier costs seconds, not hours


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers by incident, what they measured, and the first reason for which one failed."""

    texts: dict[str, str]
    figures: AnswerFigures
    question_tokens: int  # sent with each digest
    first_failure: str | None


def answer_storylines(found: Sequence[Storyline], gateway: OpenGateway, progress: Progress) -> Answered:
    """Ask the gateway about every digest, one at a time where the embedded reasoner answers.

    Where none of the first three digests is answered, the others are counted as failed and not sent. Raises
    UnavailableError where the gateway itself does not answer.
    """
    answers: tuple[Answer, ...] = ()
    with progress("answer") as advance:
        for batch in (found[:_PROBES], found[_PROBES:]):
            if answers and all(answer.error for answer in answers):
                break
            tell = partial(_tell, advance, len(answers), len(found))
            answers += asyncio.run(_ask(batch, gateway, tell))
    texts = {
        item.digest.incident: answer.text for item, answer in zip(found, answers, strict=False) if not answer.error
    }
    failure = next((answer.error for answer in answers if answer.error), None)
    figures = _figures(answers, len(found), found, gateway)
    return Answered(texts, figures, token_counter().count(QUESTION), failure)


def _tell(advance: Advance, before: int, of: int, done: float, _total: float | None) -> None:
    advance(before + done, of)


async def _ask(found: Sequence[Storyline], gateway: OpenGateway, advance: Advance) -> tuple[Answer, ...]:
    prompts = [[{"role": "system", "content": QUESTION}, {"role": "user", "content": item.text}] for item in found]
    return await ask_all(
        gateway.base_url,
        gateway.key,
        ROUTE,
        prompts,
        concurrency=_CLOUD_CONCURRENCY if gateway.language_model else 1,
        data_class=SensitivityClass.ANONYMISED,
        progress=advance,
    )


def _figures(
    answers: Sequence[Answer], requests: int, found: Sequence[Storyline], gateway: OpenGateway
) -> AnswerFigures:
    good = [answer for answer in answers if not answer.error]
    return AnswerFigures(
        model=gateway.model,
        language_model=gateway.language_model,
        requests=requests,
        failed=requests - len(good),
        ttft=_percentiles([answer.ttft_ms for answer in good if answer.ttft_ms is not None]),
        round_trip=_percentiles([answer.round_trip_ms for answer in good]),
        tokens_in=sum(answer.tokens_in or 0 for answer in good),
        tokens_out=sum(answer.tokens_out or 0 for answer in good),
        token_counter=_counted_by(found, gateway),
    )


def _counted_by(found: Sequence[Storyline], gateway: OpenGateway) -> str:
    """Return who counted the tokens: a real model's server says what it used."""
    return "as its server counts" if gateway.language_model else found[0].digest.token_counter if found else "?"


def _percentiles(values: list[float]) -> Percentiles | None:
    return Percentiles(*(float(value) for value in np.percentile(values, (50, 95, 99)))) if values else None
