"""Numbered parts: a digest whose protected facts pass the budget is split, never shortened."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from cellwright.digest.notation import INCIDENT
from cellwright.errors import CellwrightError

if TYPE_CHECKING:
    from cellwright.digest.tokens import TokenCounter

UNREADABLE: Final = "unreadable-digest"
_HEAD: Final = re.compile(
    rf"incident ({INCIDENT}) part ([0-9]{{1,5}}) of ([0-9]{{1,5}}), over the budget of [0-9]+ tokens(, line goes on)?"
)
_GOES_ON: Final = "…"  # before the rest of a cut line, so that no line of a name is ever taken for a head
_WORST_HEAD: Final = "incident g0000000000 part 00000 of 00000, over the budget of {} tokens, line goes on\n"


def split(text: str, incident: str, *, budget: int, limit: int, count: TokenCounter) -> tuple[str, ...]:
    """Return `text` in parts of at most `limit` tokens as counted, each under a line that names part and budget.

    Parts end at line ends; a line that no part can hold is cut, and the next part says that the line goes on.
    """
    room = limit - count.count(_WORST_HEAD.format(budget))
    chunks: list[tuple[str, bool]] = []
    for line in text.split("\n"):
        _pack(chunks, line, room, count)
    heads = (
        f"incident {incident} part {number} of {len(chunks)}, over the budget of {budget} tokens"
        f"{', line goes on' if goes_on else ''}"
        for number, (_, goes_on) in enumerate(chunks, start=1)
    )
    return tuple(f"{head}\n{chunk}" for head, (chunk, _) in zip(heads, chunks, strict=True))


def join(text: str) -> str:
    """Return the text that `split` parted, from its parts joined by line feeds; any other text as it is.

    Raises CellwrightError (`unreadable-digest`) where a part is missing or out of order.
    """
    if not _HEAD.match(text):
        return text
    lines: list[str] = []
    numbers, totals, goes_on = [], set(), False
    for line in text.split("\n"):
        head = _HEAD.fullmatch(line)
        if head is not None:
            numbers.append(int(head[2]))
            totals.add((head[1], int(head[3])))
            goes_on = bool(head[4])
        elif goes_on and lines:
            lines[-1] += line.removeprefix(_GOES_ON)
            goes_on = False
        else:
            lines.append(line)
    if len(totals) != 1 or numbers != list(range(1, next(iter(totals))[1] + 1)):
        raise CellwrightError.of(UNREADABLE, "not a whole digest: parts are missing")
    return "\n".join(lines)


def _pack(chunks: list[tuple[str, bool]], line: str, room: int, count: TokenCounter) -> None:
    """Append `line` to the last chunk where it fits, else to new ones."""
    if chunks and count.count(f"{chunks[-1][0]}\n{line}") <= room:
        chunks[-1] = (f"{chunks[-1][0]}\n{line}", chunks[-1][1])
        return
    goes_on = False
    while count.count(line) > room:
        length = _longest(line, room, count)
        chunks.append((line[:length], goes_on))
        line, goes_on = _GOES_ON + line[length:], True
    chunks.append((line, goes_on))


def _longest(line: str, room: int, count: TokenCounter) -> int:
    """Return how many characters of `line` fit `room` tokens, two at least, by halving."""
    low, high = 2, min(len(line), room * 64)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count.count(line[:middle]) <= room else (low, middle - 1)
    return low
