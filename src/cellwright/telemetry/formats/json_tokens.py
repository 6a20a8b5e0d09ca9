"""Counts facts of JSON from its tokens, valid or not, without a JSON parser: the oracle of the formats in JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, Protocol

_TOKEN: Final = re.compile(
    rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)([ \t\r\n]*+:)?|([{}\[\]])|([^\s{}\[\],:"]++)', re.DOTALL
)
_TEXT, _KEY, _MARK, _WORD = 1, 2, 3, 4  # groups of a token; a key is a text that a colon follows
_MOST_OPEN: Final = 4096  # objects and arrays around a token, lest a hostile file fills the memory
DOCUMENTS: Final = ""
"""The role of what lies around documents."""
OTHER: Final = "other"
"""The role of objects and arrays that hold no facts."""


class Rules(Protocol):
    """What the members of a format's objects and arrays count as."""

    def nested(self, around: str, key: str, mark: bytes) -> str:
        """Return the role of an object (`{`) or array (`[`) that is the member `key` ("" in arrays) of `around`."""
        ...

    def scalar(self, around: str, key: str, raw: bytes, *, quoted: bool) -> int:
        """Return the facts of a text, number, true, false or null."""
        ...

    def closed(self, role: str, facts: int) -> int:
        """Return the facts of an object or array in which `facts` were found."""
        ...


@dataclass(slots=True)
class _Open:
    """An object or array that is still open."""

    role: str
    key: str = ""
    facts: int = 0


def count_tokens(rules: Rules, raw: bytes, role: str = DOCUMENTS) -> int:
    """Return the facts of raw JSON that stands within an object or array of `role`. Time: linear in the length."""
    stack, deeper = [_Open(role)], 0
    for token in _TOKEN.finditer(raw):
        around = stack[-1]
        kind = token.lastindex
        if kind == _KEY:
            around.key = unescaped(token[_TEXT])
        elif kind == _MARK:
            deeper = _mark(rules, stack, token[_MARK], deeper)
        else:
            around.facts += rules.scalar(around.role, around.key, token[kind or 0], quoted=kind == _TEXT)
    while len(stack) > 1:
        _close(rules, stack)
    return stack[0].facts


def _mark(rules: Rules, stack: list[_Open], mark: bytes, deeper: int) -> int:
    """Open or close an object or array, and return how many are open beyond those that are remembered."""
    if mark in b"}]":
        if deeper:
            return deeper - 1
        if len(stack) > 1:
            _close(rules, stack)
    elif len(stack) == _MOST_OPEN:
        return deeper + 1  # no parser follows so deep: only how many facts there are matters, not where
    elif (inner := rules.nested(stack[-1].role, stack[-1].key, mark)) != DOCUMENTS:
        stack.append(_Open(inner))
    return deeper


def _close(rules: Rules, stack: list[_Open]) -> None:
    closed = stack.pop()
    stack[-1].facts += rules.closed(closed.role, closed.facts)


def unescaped(text: bytes) -> str:
    """Return what the inside of a JSON text says, "" when it says nothing that can be read."""
    if b"\\" not in text:
        return text.decode("utf-8", "replace")
    try:
        return str(json.loads(b'"' + text + b'"', strict=False))
    except ValueError:
        return ""
