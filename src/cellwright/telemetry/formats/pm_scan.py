"""What a scanner finds in a measurement file: objects that need no XML parser, and their values in arrays.

Plain is what consists of these alone, with the file's prefix before every name and white space between them:
`</measInfo>`; `<measInfo …>` with its head, which may begin with `</measData><measData>` and which is only delimited
here (`pm_head` reads it); `<measValue measObjLdn="…">` that holds `<r p="…">…</r>`, `<r p="…"/>`,
`<suspect>true</suspect>`, `<suspect>false</suspect>`, or one `<measResults>` in place of the `<r>`. Text and names are
printable ASCII without `&`, `<` and quotes and, in text, without `>`. A plain stretch is well-formed by itself
(XML 1.0, 2.1): leaving it out changes nothing of what a parser says of the rest.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

INTEGER, REAL, VECTOR, BLANK, OTHER = range(5)
"""Kinds of values; what is OTHER is in its text."""

_PATTERNS: Final = "cellwright.telemetry.formats.pm_patterns"
_KERNEL: Final = "cellwright.telemetry.formats.pm_kernel"
_WORTH_BYTES: Final = 64 << 20  # before the compiled code, which takes half a second and 100 MiB, pays
_TEXT: Final = rb"[\t\n\r !#-%'-;=?-~]"
_NAME: Final = rb"[ !#-%'-;=-~]"
_SPACE: Final = rb"[ \t\r\n]"


class Tags(NamedTuple):
    """The names of one file's elements with their prefix, as the scanners look for them."""

    letters: bytes
    offsets: NDArray[np.int64]
    prefix: bytes
    path: list[str]  # to an object: data, group, object
    value_start: bytes
    value_end: bytes
    info_start: bytes
    info_end: bytes
    type_start: bytes
    data_end: bytes
    data_start: bytes
    run: re.Pattern[bytes]  # plain objects with <r>
    rest: re.Pattern[bytes]  # the rest of one behind its start tag
    listed: re.Pattern[bytes]  # a plain object with one <measResults>, whose text is the group
    listed_rest: re.Pattern[bytes]


@lru_cache(maxsize=64)
def tags_of(prefix: bytes) -> Tags:
    """Return the tags of a file that writes `prefix`, empty or ended by a colon, before the names of elements."""
    opened, closed = b"<" + prefix, b"</" + prefix
    value, value_end = opened + b"measValue", closed + b"measValue>"
    info, info_end = opened + b"measInfo", closed + b"measInfo>"
    suspect, suspect_end = opened + b"suspect>", closed + b"suspect>"
    results, results_end = opened + b"measResults>", closed + b"measResults>"
    literals = (
        *(value, value_end, opened + b"r", closed + b"r>", suspect, suspect_end, results, results_end, info, info_end),
        *(opened + b"measType", b'measObjLdn="', b'p="', b"true" + suspect_end, b"false" + suspect_end),
        *(closed + b"measData>", opened + b"measData>"),
    )
    space = _SPACE + b"*+"
    start = space + re.escape(value) + _SPACE + b'++measObjLdn="' + _NAME + b'*+"' + space + b">"
    one, listed = _insides(literals)
    return Tags(
        b"".join(literals),
        np.cumsum([0, *map(len, literals)], dtype=np.int64),
        prefix,
        [(prefix + name).decode(errors="replace") for name in (b"measData", b"measInfo", b"measValue")],
        value,
        value_end,
        info,
        info_end,
        opened + b"measType",
        *literals[-2:],
        re.compile(b"(?:" + start + one + b")++"),
        re.compile(one),
        re.compile(start + listed),
        re.compile(listed),
    )


def _insides(literals: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """Return what accepts an object behind its start tag: one with <r>, and one with a list."""
    value_end, one, one_end, suspect, suspect_end, results, results_end = map(re.escape, literals[1:8])
    space = _SPACE + b"*+"
    doubt = suspect + b"(?:true|false)" + suspect_end + space
    doubts = b"(?:" + doubt + b")*+"
    value = one + _SPACE + rb'++p="[0-9]{1,9}"' + space + b"(?:>" + _TEXT + b"*+" + one_end + b"|/>)" + space
    listed = space + doubts + results + b"(" + _TEXT + b"*+)" + results_end + space + doubts + value_end
    return space + b"(?:" + value + b"|" + doubt + b")*+" + value_end, listed


@dataclass(frozen=True, slots=True)
class Scan:
    """Plain groups and objects from one place of a file on, up to `stop`, which lies in a group if `is_inside`."""

    stop: int
    is_inside: bool
    kinds: NDArray[np.uint8]  # of each value
    integers: NDArray[np.int64]
    reals: NDArray[np.float64]
    positions: NDArray[np.int32]
    lengths: NDArray[np.int32]  # of the vectors, 0 for other kinds
    members: NDArray[np.int64]  # of all vectors
    known: NDArray[np.uint8]  # 0 where a member is blank
    others: list[tuple[int, str]]  # number of a value and its text
    blocks: NDArray[
        np.int32
    ]  # (n, 8): begin, end tag, name from, name to (-1), suspect, listed, values, members so far
    groups: NDArray[np.int32]  # (n, 4): begin, first type, end of the head, number of the first object


class Scanner(Protocol):
    """Finds what is plain."""

    def scan(self, data: bytes, at: int, tags: Tags, *, is_open: bool, is_inside: bool) -> Scan:
        """Return what is plain from `at` on, which lies behind the start tag of an object if `is_open`."""
        ...


class AdaptiveScanner:
    """Scans with regular expressions, and in compiled code from where loading that pays."""

    def __init__(self) -> None:
        self._scanner: Scanner = importlib.import_module(_PATTERNS).PatternScanner()
        self._left = _WORTH_BYTES if importlib.util.find_spec("numba") else -1

    def scan(self, data: bytes, at: int, tags: Tags, *, is_open: bool, is_inside: bool) -> Scan:
        """Return what is plain from `at` on, which lies behind the start tag of an object if `is_open`."""
        scan = self._scanner.scan(data, at, tags, is_open=is_open, is_inside=is_inside)
        if self._left >= 0:
            self._left -= scan.stop - at
            if self._left < 0:
                self._scanner = importlib.import_module(_KERNEL).KernelScanner()
        return scan
