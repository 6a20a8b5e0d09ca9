"""Composing the digest of a log: its most telling lines as they stand, within a token budget, and the books."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np

from cellwright.digest.compose import BUDGET_TOKENS, ESTIMATE_MARGIN, by_file, check_budget
from cellwright.digest.ledger import Ledger, Omission, Reference
from cellwright.digest.logs_salience import Salience, weigh
from cellwright.digest.logs_text import CUT, LogFacts, Told, write_log
from cellwright.digest.notation import MICROSECONDS, incident_name
from cellwright.digest.parts import split
from cellwright.digest.templates import Mined, mine, template_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.digest.logs import LogLines
    from cellwright.digest.salience import LearnedSalience
    from cellwright.digest.tokens import TokenCounter

_PART_TOKENS: Final = 30  # the head of a part, at most
_LINE_CHARS: Final = 320  # of a line that is told; what is longer is cut in the middle
_TAIL_CHARS: Final = 100
_CANDIDATES: Final = 4_000  # lines that are looked at, the most salient
_AGAIN: Final = 0.7  # salience of each further line of a template, as a share of the one before
_LEAST_TOKENS: Final = 8  # that a line takes with its marks
_MARKS_CHARS: Final = 30
_LEAST: Final = 0.1  # salience of a line that is told
_BREVITY: Final = 0.2  # power of its length that divides a line's salience


@dataclass(frozen=True, slots=True)
class TemplateCount:
    """The lines of one template: how many there are, how many are told, and where all of them are."""

    id: str
    text: str
    lines: int
    told: int
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class LogDigest:
    """A log within a token budget; tokens are the counter's."""

    facts: LogFacts  # as the text says them
    text: str  # all parts, joined by line feeds
    parts: tuple[str, ...]  # one, unless `over_budget`; each within the budget, the first the most telling
    tokens: int  # of the text
    token_counter: str
    templates: tuple[TemplateCount, ...]  # by first line
    ledger: Ledger
    over_budget: bool  # the protected facts, a line of each grave or rare template, alone pass the budget


@dataclass(frozen=True, slots=True)
class _Log:
    lines: LogLines
    mined: Mined
    salience: Salience
    sha256: str
    source: str


def digest_log(
    lines: LogLines,
    *,
    budget: int = BUDGET_TOKENS,
    count: TokenCounter,
    source: str = "",
    salience: LearnedSalience | None = None,
) -> LogDigest:
    """Return the digest of a log: a line of each grave or rare template, then others by salience until `budget` tokens.

    What a lake's past taught decides with the looks of lines which go first, and never what is grave or rare. Where
    tokens are estimated, a tenth of the budget is held back. Raises UsageError for a budget below 200 tokens.
    """
    check_budget(budget)
    room = budget if count.exact else int(budget * ESTIMATE_MARGIN)
    mined = mine(lines.texts)
    log = _Log(lines, mined, weigh(lines, mined, salience), log_hash(lines), source)
    protected = _first_of_templates(log, np.flatnonzero(log.salience.is_protected))
    chosen = _fill(log, [], protected, room, count)
    if len(chosen) < len(protected):
        chosen = _fill(log, [], protected, room - _PART_TOKENS, count)
    else:
        chosen = _fill(log, chosen, _by_salience(log, chosen), room, count)
    over = sorted({*protected} - {*chosen})
    facts = _facts(log, chosen, over)
    text = write_log(facts)
    over_budget = bool(over) or count.count(text) > room
    parts = split(text, facts.name, budget=budget, limit=room, count=count) if over_budget else (text,)
    text = "\n".join(parts)
    return LogDigest(
        facts=facts,
        text=text,
        parts=parts,
        tokens=count.count(text),
        token_counter=count.name,
        templates=tuple(_template_counts(log, (*chosen, *over))),
        ledger=_ledger(log, facts, (*chosen, *over)),
        over_budget=over_budget,
    )


def log_ledger(digest: LogDigest) -> dict[str, object]:
    """Return the books of a log as plain values for a JSON writer, by template, references grouped by file."""
    return {
        "rows": digest.ledger.events,
        "lines": digest.facts.lines,
        "told": len(digest.facts.told),
        "left_out": {each.what: each.count for each in digest.ledger.left_out},
        "sha256": digest.ledger.sha256,
        "templates": [
            {
                "template_id": each.id,
                "template": each.text,
                "lines": each.lines,
                "told": each.told,
                "references": by_file(each.references),
            }
            for each in digest.templates
        ],
    }


def _fill(log: _Log, chosen: Sequence[int], candidates: Iterable[int], room: int, count: TokenCounter) -> list[int]:
    """Return `chosen` and all candidates, taken in turn, that still fit the room with those before them."""
    filled, ahead = list(chosen), iter(candidates)
    waiting: Iterator[int] = ahead
    for _ in range(2):  # a line's marks depend on its neighbours: what a first pass keeps too much of room is used
        used = count.count(write_log(_facts(log, filled, [])))
        left: list[int] = []
        for place in waiting:
            if room - used < _LEAST_TOKENS:
                break
            cost = count.count(f"\n@{place}*{place} {_told_text(log, place)}")
            if used + cost <= room:
                filled.append(place)
                used += cost
            else:
                left.append(place)
        waiting = chain(left, ahead)
    while len(filled) > len(chosen) and count.count(write_log(_facts(log, filled, []))) > room:
        filled.pop()
    return filled


def _by_salience(log: _Log, chosen: Sequence[int]) -> Iterator[int]:
    """Yield lines by salience for their length, the less salient the more of their template came before."""
    codes, scores = log.mined.codes, log.salience.of_line
    told = Counter(int(codes[place]) for place in chosen)
    texts = {log.lines.texts[place] for place in chosen}

    def salience(place: int) -> float:
        return float(scores[place] * _AGAIN ** told[int(codes[place])])

    def key(place: int) -> float:
        length = min(len(log.lines.texts[place]), _LINE_CHARS) + _MARKS_CHARS
        return -salience(place) / float(length**_BREVITY)

    queue = [(key(place), place) for place in np.argsort(-scores, kind="stable")[:_CANDIDATES].tolist()]
    heapq.heapify(queue)
    while queue:
        before, place = heapq.heappop(queue)
        if log.lines.texts[place] in texts or salience(place) < _LEAST:
            continue
        if key(place) > before:
            heapq.heappush(queue, (key(place), place))
            continue
        texts.add(log.lines.texts[place])
        told[int(codes[place])] += 1
        yield place


def _first_of_templates(log: _Log, places: Iterable[int]) -> list[int]:
    """Return the line of each template whose words are worth most, the first of equals; by salience."""
    best: dict[int, int] = {}
    for place in places:
        code = int(log.mined.codes[place])
        if code not in best or log.salience.words[place] > log.salience.words[best[code]]:
            best[code] = int(place)
    return sorted(best.values(), key=lambda place: (-log.salience.of_line[place], place))


def _facts(log: _Log, chosen: Sequence[int], over: Sequence[int]) -> LogFacts:
    lines, codes = log.lines, log.mined.codes
    sizes = np.bincount(codes, minlength=len(log.mined.templates))
    told = Counter(int(codes[place]) for place in (*chosen, *over))
    instants = [instant for instant in lines.instants if instant is not None]
    start = min(instants, default=0)
    left = [int(size) for code, size in enumerate(sizes) if code not in told]
    said: list[Told] = []
    for place in (*sorted(chosen), *sorted(over)):
        code = int(codes[place])
        times = int(sizes[code]) - told.pop(code) + 1 if code in told else 1
        said.append(Told(_told_text(log, place), times, _at(lines, place, start, is_timed=bool(instants))))
    return LogFacts(
        name=incident_name(log.sha256),
        source=log.source,
        start_s=start // MICROSECONDS if instants else None,
        duration_s=(max(instants, default=0) - start) // MICROSECONDS,
        lines=len(lines),
        templates=len(log.mined.templates),
        left_out=len(left),
        left_out_lines=sum(left),
        told=tuple(said),
    )


def _at(lines: LogLines, place: int, start: int, *, is_timed: bool) -> int | None:
    if not is_timed:
        return lines.references[place].ordinal + 1
    instant = lines.instants[place]
    return None if instant is None else (instant - start) // MICROSECONDS * MICROSECONDS


def _told_text(log: _Log, place: int) -> str:
    text = log.lines.texts[place]
    if len(text) <= _LINE_CHARS:
        return text
    return f"{text[: _LINE_CHARS - _TAIL_CHARS].rstrip()}{CUT}{text[-_TAIL_CHARS:].lstrip()}"


def log_hash(lines: LogLines) -> str:
    """Return the SHA-256 of the lines' content and provenance in hexadecimal."""
    digest = hashlib.sha256()
    for text, instant, reference in zip(lines.texts, lines.instants, lines.references, strict=True):
        digest.update(f"{instant} {reference.file_id} {reference.ordinal} {text}\n".encode())
    return digest.hexdigest()


def _template_counts(log: _Log, chosen: Sequence[int]) -> Iterator[TemplateCount]:
    told = Counter(int(log.mined.codes[place]) for place in chosen)
    references: list[list[Reference]] = [[] for _ in log.mined.templates]
    for code, reference in zip(log.mined.codes.tolist(), log.lines.references, strict=True):
        references[code].append(reference)
    for code, text in enumerate(log.mined.templates):
        yield TemplateCount(template_id(text), text, len(references[code]), told[code], tuple(references[code]))


def _ledger(log: _Log, facts: LogFacts, chosen: Sequence[int]) -> Ledger:
    """Return the books: every row is kept, with a line that is told, or listed."""
    kept = {log.lines.references[place] for place in chosen}
    folded = {*log.lines.references} - kept
    told = {int(log.mined.codes[place]) for place in chosen}
    omissions = (
        Omission("repeated lines of told templates", facts.lines - facts.left_out_lines - len(facts.told)),
        Omission("lines of templates left out", facts.left_out_lines),
        Omission("templates left out", len(log.mined.templates) - len(told)),
        Omission("told lines cut", sum(len(log.lines.texts[place]) > _LINE_CHARS for place in chosen)),
    )
    return Ledger(
        events=len({*log.lines.references}),
        kept=tuple(sorted(kept)),
        folded=tuple(sorted(folded)),
        left_out=tuple(each for each in omissions if each.count),
        sha256=log.sha256,
    )
