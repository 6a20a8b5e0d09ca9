"""Reads the head of a plain group of a measurement file, and keeps what its list of measurement types comes to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cellwright.telemetry.formats.names import split_counter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_SPACE: Final = rb"[ \t\r\n]"
_ATTRIBUTE: Final = _SPACE + rb'++([A-Za-z_][A-Za-z0-9_.-]*+)="([ !#-%\'-;=-~]*+)"'
_ATTRIBUTES: Final = re.compile(_ATTRIBUTE)
_WORDS: Final = re.compile(r"[^ \t\r\n]+")
_LINE_END: Final = re.compile(r"\r\n?")  # read as a line feed: XML 1.0, 2.11
_LAST_POSITION: Final = 65_535  # a table by position is no longer than this
_GROUP: Final = "measInfo"
_HELD_BYTES: Final = 1 << 15  # of a head that is read here and remembered


class Types(NamedTuple):
    """The measurement types of a group: by position, what two claim, and (counter, subcounter) in order of position."""

    names: Mapping[int, str]
    ambiguous: frozenset[int]
    counters: tuple[tuple[str, str | None], ...]
    places: NDArray[np.int32]  # (last position + 2,): index in `counters`, -1 where the parser has to tell, and last


@dataclass(frozen=True, slots=True, eq=False)
class Opening:
    """The elements of a head before its measurement types, with attributes: what stands around the group, and its own.

    It is remembered: two that read alike are mostly one, and each is equal to itself alone.
    """

    around: tuple[tuple[str, dict[str, str]], ...]
    group: tuple[tuple[str, dict[str, str]], ...]


class Head(NamedTuple):
    """The elements in a head, in their order, and its measurement types."""

    opening: Opening
    types: Types


def types_of(names: Mapping[int, str], ambiguous: frozenset[int]) -> Types:
    """Return the types with their table by position."""
    ordered = sorted(names)
    last = ordered[-1] if ordered else 0
    places = np.full(min(last, _LAST_POSITION) + 2, -1, np.int32)
    for index, position in enumerate(ordered):
        if position <= _LAST_POSITION and position not in ambiguous:
            places[position] = index
    return Types(names, ambiguous, tuple(split_counter(names[position]) for position in ordered), places)


class _Grammar(NamedTuple):
    """The patterns of the parts of a head, and of one measurement type."""

    data: re.Pattern[bytes]
    element: re.Pattern[bytes]
    info: re.Pattern[bytes]
    item: re.Pattern[bytes]
    types: re.Pattern[bytes]
    type: re.Pattern[bytes]
    listed: re.Pattern[bytes]


@lru_cache(maxsize=64)
def _grammar(prefix: bytes) -> _Grammar:
    space, opened, closed = _SPACE + b"*+", b"<" + re.escape(prefix), b"</" + re.escape(prefix)
    attributes = b"(?P<attributes>(?:" + _ATTRIBUTE.replace(b"(", b"(?:") + b")*+)" + space
    text = rb"([\t\n\r !-%'-;=?-~]*+)"
    one = opened + b"measType" + _SPACE + rb'++p="([0-9]{1,9})"' + space + b">" + text + closed + b"measType>" + space
    parts = (
        closed + b"measData>" + space + opened + b"(?P<name>measData)(?P<attributes>)>" + space,
        opened + b"(?P<name>managedElement|measEntity|measuredEntity)" + attributes + b"/>" + space,
        opened + b"(?P<name>measInfo)" + attributes + b">" + space,
        opened + b"(?P<name>job|granPeriod|repPeriod)" + attributes + b"/>" + space,
        b"(?:" + one.replace(b"(", b"(?:") + b")*+",
        one,
        opened + b"measTypes>" + text + closed + b"measTypes>" + space,
    )
    return _Grammar(*map(re.compile, parts))


def read_head(prefix: bytes, data: bytes, begin: int, split: int, end: int) -> Head | None:
    """Return the head between `begin` and `end`, whose types begin at `split`; None where it needs the parser."""
    if end - begin > _HELD_BYTES:
        return None
    opening = _opening(prefix, data[begin:split])
    types = _types(prefix, data[split:end])
    return Head(opening, types) if opening and types else None


@lru_cache(maxsize=512)
def _opening(prefix: bytes, text: bytes) -> Opening | None:
    """Return the elements that make up the whole of `text`, None where something else is in it."""
    data, element, info, item, *_ = _grammar(prefix)
    found: list[re.Match[bytes]] = []
    at = 0
    for pattern in (data, element, info, *repeat(item, text.count(b"<"))):
        match = pattern.match(text, at) if pattern is not element or found else None
        if match:
            found.append(match)
            at = match.end()
    read = [(match["name"].decode("ascii"), _attributes(match["attributes"])) for match in found]
    whole = tuple((name, attributes) for name, attributes in read if attributes is not None)
    names = [name for name, _ in whole]
    if at < len(text) or _GROUP not in names or len(whole) < len(read):
        return None
    return Opening(whole[: names.index(_GROUP)], whole[names.index(_GROUP) :])


def _attributes(text: bytes) -> dict[str, str] | None:
    """Return attributes by name, None where one stands twice."""
    pairs = _ATTRIBUTES.findall(text)
    read = {name.decode("ascii"): value.decode("ascii") for name, value in pairs}
    return read if len(read) == len(pairs) else None


@lru_cache(maxsize=512)
def _types(prefix: bytes, text: bytes) -> Types | None:
    """Return the measurement types that make up the whole of `text`, None where something else is in it."""
    grammar = _grammar(prefix)
    listed = grammar.listed.fullmatch(text)
    if listed:
        return types_of(dict(enumerate(_WORDS.findall(listed[1].decode("ascii")), start=1)), frozenset())
    if not grammar.types.fullmatch(text):
        return None
    names: dict[int, str] = {}
    ambiguous = set()
    for digits, raw in grammar.type.findall(text):
        position, name = int(digits), _LINE_END.sub("\n", raw.decode("ascii")).strip()
        if position and name and names.setdefault(position, name) != name:
            ambiguous.add(position)
    return types_of(names, frozenset(ambiguous))
