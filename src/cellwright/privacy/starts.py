"""Where numbers and addresses may begin in ASCII text, found for a whole buffer at once; never too few places.

A run of digits is looked at together with those after it that one character separates: an address has four short runs,
an IMSI in parts has three, digits; two; and nine or ten. What looks like one is decided elsewhere.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

STARTS: Final = ("runs", "quads", "splits", "colons", "uuids")
"""The families whose places are told here."""

_LONG: Final = 11  # digits of the shortest run that is a number by itself
_ANY: Final = 1 << 62
_OCTET: Final = (1, 3)  # digits
_MOST: Final = 255  # of an octet
_LEAST_LAST: Final = 4  # digits of the last run of a number in parts
_HEXTET: Final = 4
_COLONS: Final = 7  # in an IPv6 address at most, and so many may stand before a pair
_MAC_COLONS: Final = 5
_HEXADECIMAL: Final = b"0123456789abcdefABCDEF"
_ZERO, _PLUS, _COLON, _DASH, _POINT = (np.uint8(ord(character)) for character in "0+:-.")


@dataclass(frozen=True, slots=True)
class _Runs:
    """The runs of digits in a text, in order; `joints` are what separates a run from the next, 0 if not one byte."""

    begins: Places
    lengths: Places
    joints: NDArray[np.uint8]

    def chain(self, among: Places, joints: bytes, *lengths: tuple[int, int]) -> Places:
        """Return which of `among` begin a chain with lengths within these bounds, joined by one of `joints` each."""
        joined = _one_of(joints)
        found = among
        for ahead, (least, most) in enumerate(lengths):
            length = self.lengths[found + ahead]
            found = found[(length >= least) & (length <= most)]
            if ahead < len(lengths) - 1:  # the last run is joined to none
                found = found[joined[self.joints[found + ahead]]]
        return found


def are_spaced(text: NDArray[np.uint8], character: str, distance: int, times: int) -> bool:
    """Return whether a character comes again at this distance so many times on end."""
    places = np.flatnonzero(text == ord(character))
    spaced = np.diff(places) == distance
    for _ in range(times - 1):
        spaced = spaced[:-1] & spaced[1:]
    return bool(spaced.any())


def starts_by_family(text: NDArray[np.uint8]) -> dict[str, Places]:
    """Return the places where an alternative of each of these families may begin; unsorted."""
    runs = _runs(text)
    return {
        "runs": runs.begins[runs.lengths >= _LONG],
        "quads": _quads(text, runs),
        "splits": np.concatenate([_splits(text, runs), _pluses(text)]),
        "colons": _colons(text),
        "uuids": _uuids(text),
    }


def _runs(text: NDArray[np.uint8]) -> _Runs:
    padded = np.zeros(len(text) + 2, np.bool_)
    np.less(text - _ZERO, 10, out=padded[1:-1])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    begins, ends = edges[::2], edges[1::2]
    joints = np.zeros(len(begins), np.uint8)
    joints[:-1] = text[ends[:-1]] * (begins[1:] == ends[:-1] + 1)
    return _Runs(begins, ends - begins, joints)


@functools.cache
def _one_of(characters: bytes) -> NDArray[np.bool_]:
    return np.isin(np.arange(256), np.frombuffer(characters, np.uint8))


def _ahead(values: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Return for each the value `count` further on, false behind the end."""
    if not count:
        return values
    moved = np.zeros(len(values), np.bool_)
    moved[:-count] = values[count:]
    return moved


def _quads(text: NDArray[np.uint8], runs: _Runs) -> Places:
    """Return where of the digits before the first point of four runs an octet begins: it may do so within a run."""
    pointed = np.flatnonzero(runs.joints == _POINT)
    first = runs.chain(pointed, b".", (1, _ANY), _OCTET, _OCTET, (1, _ANY))
    point = (runs.begins + runs.lengths)[first]
    length = np.minimum(runs.lengths[first], _OCTET[1])
    hundreds, tens, ones = (text[point - back].astype(np.int64) - _ZERO for back in (3, 2, 1))
    length -= (length == _OCTET[1]) & (100 * hundreds + 10 * tens + ones > _MOST)
    octets: Places = point - length
    return octets


def _splits(text: NDArray[np.uint8], runs: _Runs) -> Places:
    """Return where the first run begins of an IMSI, IMEI, number or host name in parts."""
    last = np.flatnonzero(runs.lengths >= _LEAST_LAST)
    two, three = last[last > 0] - 1, last[last > 1] - 2  # where it is the second run, and where the third
    found = [
        runs.chain(three, b" \t._:/-", (3, 3), (2, 3), (9, 10)),
        runs.chain(three, b" /-", (2, 2), (6, 6), (6, _ANY)),
        runs.chain(three, b" /-", (6, 6), (2, 2), (6, _ANY)),
        runs.chain(three, b" /-", (3, 5), (2, 5), (4, 8)),
        runs.chain(two, b" /-", (8, 8), (6, _ANY)),
        runs.chain(two, b" /-", (3, 5), (6, _ANY)),
    ]
    dashed = np.flatnonzero(_one_of(b"-_")[runs.joints])
    hosts = runs.chain(dashed, b"-_", _OCTET, _OCTET, _OCTET, (1, _ANY))
    hosts = hosts[runs.begins[hosts] > 0]
    hosts = hosts[_one_of(b"-_")[text[runs.begins[hosts] - 1]]]  # ip- stands before it
    places: Places = runs.begins[np.concatenate([*found, hosts])]
    return places


def _pluses(text: NDArray[np.uint8]) -> Places:
    places = np.flatnonzero(text == _PLUS)
    places = places[places < len(text) - 1]
    return places[text[places + 1] - _ZERO < 10]  # noqa: PLR2004 - wraps around: a digit


def _colons(text: NDArray[np.uint8]) -> Places:
    """Return the first colon of what may be a MAC or IPv6 address, and up to four hexadecimal digits before it."""
    places = np.flatnonzero(text == _COLON)
    if len(places) < 2:  # noqa: PLR2004 - no address has fewer
        return places[:0]
    gaps = np.zeros(len(places), np.int64)
    gaps[:-1] = np.diff(places)
    near = (gaps > 0) & (gaps <= _HEXTET + 1)
    found = np.zeros(len(places), np.bool_)
    chained = np.ones(len(places), np.bool_)
    for ahead in range(_COLONS):
        if ahead == _MAC_COLONS - 1:
            found |= chained
        found |= chained & _ahead(gaps == 1, ahead)
        chained &= _ahead(near, ahead)
    first = places[found]
    starts = [first]
    for back in range(1, _HEXTET + 1):
        first = first[first >= back]
        first = first[_one_of(_HEXADECIMAL)[text[first - back]]]
        starts.append(first - back)
    return np.concatenate(starts)


def _uuids(text: NDArray[np.uint8]) -> Places:
    """Return eight places before the first of four dashes, each five after the other."""
    dashes = np.flatnonzero(text == _DASH)
    if len(dashes) < 4:  # noqa: PLR2004 - of a UUID
        return dashes[:0]
    spaced = np.diff(dashes) == 5  # noqa: PLR2004 - four digits and a dash
    first: Places = dashes[:-3][spaced[:-2] & spaced[1:-1] & spaced[2:]]
    return (first - 8)[first >= 8]  # noqa: PLR2004 - eight digits before the first
