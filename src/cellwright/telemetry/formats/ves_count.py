"""Counts the facts of VES JSON from its bytes, valid or not, without a JSON parser."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

_STRING: Final = rb'"[^"\\]*+"'
_WORD_MARK: Final = rb'[^\s{}\[\],:"\\]'
# An object of texts and words alone, spelt as JSON has it: most objects are, and one look is enough for all of it.
_FLAT: Final = (
    rb"\{[ \t\r\n]*+(?:" + _STRING + rb"[ \t\r\n]*+:[ \t\r\n]*+(?:" + _STRING + rb"|" + _WORD_MARK + rb"++)[ \t\r\n]*+"
    rb"(?:,[ \t\r\n]*+|(?=\})))*+\}"
)
_TOKEN: Final = re.compile(
    rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)([ \t\r\n]*+:)?|(' + _FLAT + rb')|([{}\[\]])|([^\s{}\[\],:"]+)',
    re.DOTALL,
)
_TEXT, _KEY, _OBJECT, _MARK, _WORD = 1, 2, 3, 4, 5  # groups of a token; a key is a text that a colon follows
_DOMAIN: Final = re.compile(rb'"domain"[ \t\r\n]*:[ \t\r\n]*(?:"([^"]*)")?')
_MEMBER: Final = re.compile(
    _STRING + rb"[ \t\r\n]*+:[ \t\r\n]*+"
    rb"(?:" + _STRING + rb"|(-?\d++(?:\.\d++)?+(?:[eE][+-]?\d++)?+)(?=[ \t\r\n,}])|" + _WORD_MARK + rb"++)"
)
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
TEXT_MAPS: Final = frozenset(("hashMap", "additionalFields", "featureUsageArray"))
"""Objects in measurement blocks whose texts may be numbers: VES writes vendors' own counters so."""
PAIR_LISTS: Final = frozenset(("arrayOfFields", "additionalFields"))
"""Lists in measurement blocks of objects with a name and a value, a text that may be a number: so until VES 5."""
VALUE: Final = "value"
_BLOCKS: Final = MappingProxyType(
    {"measurement": "measurementFields", "measurementsForVfScaling": "measurementsForVfScalingFields"}
)


def is_number(text: str) -> bool:
    """Return whether a text in one of the TEXT_MAPS or PAIR_LISTS is a measured value."""
    return _NUMBER.fullmatch(text) is not None


class _Role(Enum):
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
_MEASURED: Final = frozenset((_Role.MEASUREMENT, _Role.TEXT_MAP, _Role.PAIRS, _Role.PAIR))


@dataclass(slots=True)
class _Open:
    """An object or array that has not ended yet."""

    role: _Role
    key: bytes = b""  # of the member being read, as it is spelt
    facts: int = 0  # of the members so far
    domain: str = ""
    measured: dict[str, int] = field(default_factory=dict)  # values in an event, by block
    empty_list: bool = False  # a document whose event list has begun, so that no events is no mistake


class FactCounter:
    """Follows braces, keys and numbers.

    A fact is an event, or each measured value of a measurement event; a document without an event is one fact.
    """

    def __init__(self, role: _Role) -> None:
        self._stack = [_Open(role)]

    def count(self, data: bytes) -> int:
        """Return the number of facts in a piece that may be cut anywhere."""
        for token in _TOKEN.finditer(data):
            kind = token.lastindex
            if kind == _KEY:
                self._stack[-1].key = token[_TEXT]
            elif kind == _OBJECT:
                self._object(token[_OBJECT])
            elif kind == _MARK:
                self._nest(token[_MARK])
            elif self._stack[-1].role in _WITH_FACTS:
                self._scalar(token[_TEXT] if kind == _TEXT else token[_WORD], quoted=kind == _TEXT)
        while len(self._stack) > 1:
            self._close()
        return self._stack[0].facts

    def _object(self, raw: bytes) -> None:
        """Follow an object of texts and words alone."""
        opened = _Open(_role_within(self._stack[-1], b"{"))
        self._stack.append(opened)
        match opened.role:
            case _Role.OTHER:
                pass
            case _Role.HEADER:
                said = _DOMAIN.findall(raw)
                opened.domain = _plain(said[-1]) if said else ""
            case _Role.MEASUREMENT:
                opened.facts = sum(map(bool, _MEMBER.findall(raw)))
            case _:
                for token in _TOKEN.finditer(raw, 1, len(raw) - 1):
                    if token.lastindex == _KEY:
                        opened.key = token[_TEXT]
                    elif opened.role in _WITH_FACTS:
                        is_quoted = token.lastindex == _TEXT
                        self._scalar(token[_TEXT] if is_quoted else token[_WORD], quoted=is_quoted)
        self._close()

    def _nest(self, mark: bytes) -> None:
        if mark in b"{[":
            self._stack.append(_Open(_role_within(self._stack[-1], mark)))
        elif len(self._stack) > 1:
            self._close()

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
        if around.role is _Role.EVENT:
            block = _unescaped(around.key)
            around.measured[block] = around.measured.get(block, 0) + facts
        else:
            around.facts += facts
        if closed.role is _Role.HEADER:
            around.domain = closed.domain
        elif closed.role is _Role.EVENT_LIST:
            around.empty_list = True


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
            return max(1, closed.measured.get(_BLOCKS.get(closed.domain, ""), 0))
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
