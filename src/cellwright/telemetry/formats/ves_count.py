"""Counts the facts of VES JSON from its bytes, valid or not, without a JSON parser."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import IntEnum, auto
from types import MappingProxyType
from typing import Final, NamedTuple

_SPACE: Final = rb"[ \t\r\n]*+"
_DEPTH: Final = 5  # of what is passed over at one look


class _Patterns(NamedTuple):
    """What is looked for in bytes that hold a backslash, or in bytes that hold none, which is the faster."""

    token: re.Pattern[bytes]
    balanced: re.Pattern[bytes]  # an object or array with at most some others around each other in it
    head: re.Pattern[bytes]  # of an event: the header, and where its only block begins


def _patterns(escape: bytes) -> _Patterns:
    text = rb'"[^"' + escape + rb']*+"'
    beside = rb'[^"{}\[\]' + escape + rb"]*+"
    # An object without another in it: most objects are, and one look is enough for all of it.
    flat = rb"\{" + beside + rb"(?:" + text + beside + rb")*+\}"
    balanced = text
    for _ in range(_DEPTH):
        balanced = rb"(?:" + text + rb"|[{\[]" + beside + rb"(?:" + balanced + beside + rb")*+[}\]])"
    return _Patterns(
        re.compile(
            rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)([ \t\r\n]*+:)?|(' + flat + rb')|([{}\[\]])|([^\s{}\[\],:"]+)',
            re.DOTALL,
        ),
        re.compile(balanced),
        re.compile(
            rb'\{ "commonEventHeader" : ('.replace(b" ", _SPACE) + flat + rb') , "\w++" : (?=\{)'.replace(b" ", _SPACE)
        ),
    )


_ESCAPED, _UNESCAPED = _patterns(rb"\\"), _patterns(b"")
_TEXT, _KEY, _OBJECT, _MARK, _WORD = 1, 2, 3, 4, 5  # groups of a token; a key is a text that a colon follows
_CLOSED: Final = re.compile(rb"[ \t\r\n]*+\}")
_DOMAIN: Final = re.compile(rb'"domain"[ \t\r\n]*:[ \t\r\n]*(?:"([^"]*)")?')
_BARE: Final = re.compile(rb"-?\d++(?:\.\d++)?+(?:[eE][+-]?\d++)?+")
_TO_SPACE: Final = bytes.maketrans(b"{}[],:", b"      ")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
TEXT_MAPS: Final = frozenset(("hashMap", "additionalFields", "featureUsageArray"))
"""Objects in measurement blocks whose texts may be numbers: VES writes vendors' own counters so."""
PAIR_LISTS: Final = frozenset(("arrayOfFields", "additionalFields"))
"""Lists in measurement blocks of objects with a name and a value, a text that may be a number: so until VES 5."""
VALUE: Final = "value"
_WITH_TEXTS: Final = tuple(name.encode() for name in TEXT_MAPS | PAIR_LISTS)
_BLOCKS: Final = MappingProxyType(
    {"measurement": "measurementFields", "measurementsForVfScaling": "measurementsForVfScalingFields"}
)


def is_number(text: str) -> bool:
    """Return whether a text in one of the TEXT_MAPS or PAIR_LISTS is a measured value."""
    return _NUMBER.fullmatch(text) is not None


class _Role(IntEnum):
    """What the members of an open object or array are."""

    DOCUMENTS = auto()
    DOCUMENT = auto()
    EVENT_LIST = auto()
    EVENT = auto()
    HEADER = auto()
    MEASUREMENT = auto()
    TEXT_MAP = auto()
    PAIRS = auto()
    PAIR = auto()
    OTHER = auto()


_NESTED: Final = MappingProxyType(
    {
        (_Role.DOCUMENTS, "", b"{"): _Role.DOCUMENT,
        (_Role.DOCUMENTS, "", b"["): _Role.DOCUMENTS,
        (_Role.DOCUMENT, "event", b"{"): _Role.EVENT,
        (_Role.DOCUMENT, "eventList", b"["): _Role.EVENT_LIST,
        (_Role.EVENT_LIST, "", b"{"): _Role.EVENT,
        (_Role.EVENT, "commonEventHeader", b"{"): _Role.HEADER,
        **{(_Role.EVENT, block, b"{"): _Role.MEASUREMENT for block in _BLOCKS.values()},
    }
)


_WITH_FACTS: Final = frozenset(role for role in _Role if role not in {_Role.EVENT, _Role.OTHER})
"""Where a text, number or word can matter."""
_PASSED: Final = frozenset((_Role.OTHER, _Role.MEASUREMENT))
_MEASURED: Final = frozenset((_Role.MEASUREMENT, _Role.TEXT_MAP, _Role.PAIRS, _Role.PAIR))


@dataclass(slots=True)
class _Open:
    """An object or array that has not ended yet."""

    role: _Role
    key: bytes = b""  # of the member being read, as it is spelt
    facts: int = 0  # of the members so far
    domain: str = ""
    measured: dict[str, int] | None = None  # values in an event, by block
    empty_list: bool = False  # a document whose event list has begun, so that no events is no mistake


class FactCounter:
    """Follows braces, keys and numbers.

    A fact is an event, or each measured value of a measurement event; a document without an event is one fact.
    """

    def __init__(self, role: _Role) -> None:
        self._stack = [_Open(role)]

    def count(self, data: bytes) -> int:
        """Return the number of facts in a piece that may be cut anywhere."""
        patterns = _ESCAPED if b"\\" in data else _UNESCAPED
        stack, position, search = self._stack, 0, patterns.token.search
        while token := search(data, position):
            position, kind = token.end(), token.lastindex
            if kind == _KEY:
                stack[-1].key = token[_TEXT]
            elif kind == _OBJECT:
                self._object(token[_OBJECT])
            elif kind == _MARK:
                position = self._nest(patterns, data, token.start())
            elif stack[-1].role in _WITH_FACTS:
                self._scalar(token[_TEXT] if kind == _TEXT else token[_WORD], quoted=kind == _TEXT)
        while len(stack) > 1:
            self._close()
        return stack[0].facts

    def _object(self, raw: bytes) -> None:
        """Follow an object that holds texts and words alone."""
        opened = _Open(_role_within(self._stack[-1], b"{"))
        self._stack.append(opened)
        match opened.role:
            case _Role.OTHER:
                pass
            case _Role.HEADER:
                opened.domain = _said_domain(raw)
            case _Role.MEASUREMENT:
                opened.facts = _bare_numbers(raw)
            case _:
                for token in _UNESCAPED.token.finditer(raw, 1, len(raw) - 1):
                    if token.lastindex == _KEY:
                        opened.key = token[_TEXT]
                    elif opened.role in _WITH_FACTS:
                        is_quoted = token.lastindex == _TEXT
                        self._scalar(token[_TEXT] if is_quoted else token[_WORD], quoted=is_quoted)
        self._close()

    def _nest(self, patterns: _Patterns, data: bytes, position: int) -> int:
        """Follow the mark at a place, or pass over what holds no number; return the place behind."""
        stack, mark = self._stack, data[position : position + 1]
        if mark in b"{[":
            around = stack[-1]
            role = _role_within(around, mark)
            if role in _PASSED and (passed := patterns.balanced.match(data, position)):
                if role is _Role.OTHER:
                    around.facts += _holds_events(around)
                    return passed.end()
                if around.role is not _Role.EVENT and not any(name in passed[0] for name in _WITH_TEXTS):
                    around.facts += _bare_numbers(passed[0])
                    return passed.end()
            if role is _Role.EVENT and (end := _end_of_event(patterns, data, position)):
                around.facts += 1
                return end
            stack.append(_Open(role))
        elif len(stack) > 1:
            self._close()
        return position + 1

    def _scalar(self, raw: bytes, *, quoted: bool) -> None:
        around = self._stack[-1]
        text = _unescaped(raw) if quoted else _plain(raw)
        if around.role is _Role.HEADER:
            if _unescaped(around.key) == "domain":
                around.domain = text if quoted else ""
        elif around.role in _MEASURED:
            is_value = not quoted or around.role is _Role.TEXT_MAP or _is_value_of_pair(around)
            around.facts += is_value and is_number(text)
        elif _holds_events(around):
            around.facts += 1

    def _close(self) -> None:
        closed = self._stack.pop()
        around = self._stack[-1]
        facts = _facts_of(closed, around)
        if closed.role is _Role.MEASUREMENT and around.role is _Role.EVENT:
            around.measured = around.measured or {}
            block = _unescaped(around.key)
            around.measured[block] = around.measured.get(block, 0) + facts
        else:
            around.facts += facts
        if closed.role is _Role.HEADER:
            around.domain = closed.domain
        elif closed.role is _Role.EVENT_LIST:
            around.empty_list = True


def _end_of_event(patterns: _Patterns, data: bytes, position: int) -> int | None:
    """Return where an event ends that is a header and a block without measured values, None when it may be another."""
    head = patterns.head.match(data, position)
    if head is None or _said_domain(head[1]) in _BLOCKS:
        return None
    block = patterns.balanced.match(data, head.end())
    end = block and _CLOSED.match(data, block.end())
    return end.end() if end else None


def _bare_numbers(raw: bytes) -> int:
    """Return how many numbers stand outside of texts."""
    words = b" ".join(raw.split(b'"')[::2]).translate(_TO_SPACE).split()
    return sum(map(bool, map(_BARE.fullmatch, words)))


def _said_domain(header: bytes) -> str:
    said = _DOMAIN.findall(header)
    return _plain(said[-1]) if said else ""


def _plain(word: bytes) -> str:
    return word.decode("utf-8", "replace")


def _unescaped(text: bytes) -> str:
    if b"\\" not in text:
        return _plain(text)
    try:
        return str(json.loads(b'"' + text + b'"', strict=False))
    except ValueError:
        return ""


def _holds_events(around: _Open) -> bool:
    named = around.role is _Role.DOCUMENT and _unescaped(around.key) in {"event", "eventList"}
    return named or around.role in {_Role.DOCUMENTS, _Role.EVENT_LIST}


def _is_value_of_pair(around: _Open) -> bool:
    return around.role is _Role.PAIR and _unescaped(around.key) == VALUE


def _role_within(around: _Open, mark: bytes) -> _Role:
    key = _unescaped(around.key)
    match around.role:
        case _Role.TEXT_MAP:
            return _Role.TEXT_MAP
        case _Role.PAIRS if mark == b"{":
            return _Role.PAIR
        case _Role.MEASUREMENT | _Role.PAIR | _Role.PAIRS:
            if mark == b"{":
                return _Role.TEXT_MAP if key in TEXT_MAPS else _Role.MEASUREMENT
            return _Role.PAIRS if key in PAIR_LISTS else _Role.MEASUREMENT
    return _NESTED.get((around.role, key, mark), _Role.OTHER)


def _facts_of(closed: _Open, around: _Open) -> int:
    match closed.role:
        case _Role.DOCUMENT:
            return closed.facts if closed.facts or closed.empty_list else 1
        case _Role.EVENT:
            return max(1, (closed.measured or {}).get(_BLOCKS.get(closed.domain, ""), 0))
        case _Role.OTHER:
            return int(_holds_events(around))
        case _Role.HEADER:
            return 0
    return closed.facts


def count_documents(data: bytes) -> int:
    """Return the facts of one or more VES documents."""
    return FactCounter(_Role.DOCUMENTS).count(data)


def count_event(data: bytes) -> int:
    """Return the facts of one member of an event list, always one or more."""
    return FactCounter(_Role.EVENT_LIST).count(data)
