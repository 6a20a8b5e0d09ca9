"""Finds identifiers of subscribers and their equipment in text, and their canonical form."""

from __future__ import annotations

import re
import socket
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cellwright.privacy.patterns import CELL_BEFORE, pattern_for
from cellwright.privacy.reading import lowered, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Kind(StrEnum):
    """What an identifier names; the prefix of its pseudonym."""

    IMSI = "imsi"
    SUPI = "supi"  # network access identifier, GCI or GLI
    SUCI = "suci"
    GPSI = "gpsi"  # external identifier
    MSISDN = "msisdn"
    IMEI = "imei"
    TMSI = "tmsi"
    IP = "ip"
    MAC = "mac"
    NUMBER = "number"  # a run of digits too long or odd to tell
    CELL = "cell"  # where somebody is, not who: see `geography`
    POSITION = "position"


@dataclass(frozen=True, slots=True)
class Match:
    """Where a text names someone; never what it says."""

    kind: Kind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Identifier:
    """A found identifier: its place and the form that is the same however it was written."""

    match: Match
    canonical: str


_NOT_NAMES: Final = frozenset({"pseudonym", "oid", "uuid"})
_LIKE_CELLS: Final = frozenset({"short_run", "imsi_split"})
DOUBTFUL: Final = _NOT_NAMES | _LIKE_CELLS
"""Groups whose matches may name nobody: `names_someone` tells."""
_PADDED: Final = re.compile(r"(?<![0-9])0[0-9]")
_MAPPED: Final = bytes(10) + b"\xff\xff"  # before an IPv4 address (RFC 4291 clause 2.5.5.2)
_ZEROS: Final = re.compile(r"(?::0){2,8}(?![^:])")
_CELL_LENGTHS: Final = range(11, 18)  # digits of 2**36; with MCC, MNC and two separators
_CONTEXT: Final = 40  # characters before a number that may call it a cell
_NULL_SCHEME: Final = re.compile(r"(?:suci-)?0-(\d{3})-(\d{2,3})-\d{1,4}-0-0-(\d+)")
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")  # twice a digit, and the sum of its digits
_NO_DIGITS: Final = re.compile("[^0-9]")
_IMSI_DIGITS: Final = 15
_IMEI_DIGITS: Final = 14  # without check digit and software version


def find(text: str) -> tuple[Match, ...]:
    """Return where `text` names a subscriber, a device or an address, in order; what is in doubt is a match."""
    return tuple(found.match for found in scan(text))


def scan(text: str) -> Iterator[Identifier]:
    """Yield the identifiers of `text` in order, without overlap: those of its characters, and those they stand for."""
    written = list(_search(lowered(text)))
    read = reading(text)
    if read is None:
        yield from written
        return
    plain, places = read
    meant = [
        Identifier(Match(found.match.kind, places[found.match.start], places[found.match.end]), found.canonical)
        for found in _search(plain)
    ]
    yield from _apart([*written, *meant])


def _apart(found: list[Identifier]) -> Iterator[Identifier]:
    """Yield what does not overlap, the earlier and then the longer first."""
    reached = 0
    for identifier in sorted(found, key=lambda each: (each.match.start, -each.match.end)):
        if identifier.match.start >= reached:
            yield identifier
            reached = identifier.match.end


def _search(text: str) -> Iterator[Identifier]:
    """Yield the identifiers of a text in lower case as it stands."""
    for found in pattern_for(text).finditer(text):
        group = found.lastgroup or ""
        start, end = found.span(group)
        if names_someone(group, text, start, end):
            kind, canonical = read(group, text[start:end])
            yield Identifier(Match(kind, start, end), canonical)


def names_someone(group: str, text: str, start: int, end: int, since: int = 0) -> bool:
    """Return whether a match of a group of the pattern is an identifier; `since` is where what is said begins."""
    if group in _NOT_NAMES:
        return False
    is_cell = group in _LIKE_CELLS and end - start in _CELL_LENGTHS
    return not (is_cell and CELL_BEFORE.search(text, max(since, start - _CONTEXT), start))


def read(group: str, written: str) -> tuple[Kind, str]:
    """Return kind and canonical form of what a group of the pattern matched, in lower case."""
    return _READERS[group](written)


def _digits(text: str) -> str:
    """Return the decimal digits of `text`, of whatever script, as ASCII."""
    if text.isascii():
        return text if text.isdecimal() else _NO_DIGITS.sub("", text)
    return "".join(str(int(c)) for c in text if c.isdecimal())


def _imsi(text: str) -> tuple[Kind, str]:
    return Kind.IMSI, f"number:{_digits(text)}"


def _imei(text: str) -> tuple[Kind, str]:
    """Return one form for IMEI and IMEISV: fourteen digits and the check digit (TS 23.003 clause 6.2.1, annex B)."""
    digits = _digits(text)
    body = digits[:_IMEI_DIGITS]
    return Kind.IMEI, f"number:{body}{_check_digit(body)}" if len(body) == _IMEI_DIGITS else f"number:{digits}"


def _check_digit(body: str) -> int:
    """Return the Luhn check digit of fourteen digits."""
    return -sum(map(int, body[::2] + body[1::2].translate(_DOUBLED))) % 10


def _msisdn(text: str) -> tuple[Kind, str]:
    digits = _digits(text.replace("(0)", ""))
    return Kind.MSISDN, f"msisdn:{digits.removeprefix('00')}"


def _long_run(text: str) -> tuple[Kind, str]:
    """Return an unlabelled number: 15 digits are read as an IMSI, 14 and 16 as an IMEI, microseconds as a number."""
    digits = _digits(text)
    if digits.startswith("00") and not digits.startswith("001"):
        return _msisdn(digits)
    if len(digits) == _IMSI_DIGITS:
        return Kind.IMSI, f"number:{digits}"
    if len(digits) == _IMEI_DIGITS or (len(digits) == _IMEI_DIGITS + 2 and not digits.startswith("1")):
        return _imei(digits)
    return Kind.NUMBER, f"number:{digits}"


def _nai(text: str) -> tuple[Kind, str]:
    """Return a network access identifier; one made of an IMSI or MSISDN is read as that (clauses 13.3, 13.4, 19.3)."""
    user = text.removeprefix("nai-").partition("@")[0]
    digits = _digits(user)
    if user.startswith("+"):
        return _msisdn(user)
    if user.isdecimal() and len(digits) in {_IMSI_DIGITS, _IMSI_DIGITS + 1}:
        return _imsi(digits[-_IMSI_DIGITS:])
    return Kind.SUPI, f"supi:{text.removeprefix('nai-')}"


def _suci(text: str) -> tuple[Kind, str]:
    """Return a SUCI; one of the null scheme conceals nothing and is the IMSI's (clause 2.2B)."""
    null = _NULL_SCHEME.fullmatch(text)
    return Kind.SUCI, f"number:{_digits(''.join(null.groups()))}" if null else f"suci:{text.removeprefix('suci-')}"


def _address(text: str) -> tuple[Kind, str]:
    written = text.partition("%")[0]
    head, _, quad = written.rpartition(":")
    if "." in quad and (_PADDED.search(quad) or not quad.isascii()):
        quad = ".".join([str(int(octet)) for octet in quad.split(".")])
    if ":" not in written:
        return Kind.IP, f"ip:{quad}"
    try:
        packed = socket.inet_pton(socket.AF_INET6, f"{head}:{quad}")
    except OSError:
        return Kind.IP, f"ip:{written}"
    if packed.startswith(_MAPPED):
        return Kind.IP, "ip:{}.{}.{}.{}".format(*packed[len(_MAPPED) :])
    return Kind.IP, f"ip:{_compressed(packed)}"


def _compressed(packed: bytes) -> str:
    """Return the text of an IPv6 address with its longest run of zeros left out (RFC 5952 clause 4.2)."""
    groups = "".join([f":{group:x}" for group in struct.unpack(">8H", packed)])
    runs = _ZEROS.findall(groups)
    if not runs:
        return groups[1:]
    before, _, after = groups.partition(max(runs, key=len))
    return f"{before[1:]}::{after[1:]}"


def _mac(text: str) -> tuple[Kind, str]:
    return Kind.MAC, "mac:" + re.sub(r"^mac|^eui|[^0-9a-f]", "", text)


_READERS: Final[dict[str, Callable[[str], tuple[Kind, str]]]] = {
    "suci": _suci,
    "suci_labelled": _suci,
    "nai": _nai,
    "nai_labelled": _nai,
    "nai_realm": _nai,
    "extid": lambda text: (Kind.GPSI, f"gpsi:{text}"),
    "imsi": _imsi,
    "imsi_labelled": _imsi,
    "imsi_split": _imsi,
    "msisdn": _msisdn,
    "msisdn_labelled": _msisdn,
    "party_labelled": _msisdn,
    "short_run": _msisdn,
    "e164": _msisdn,
    "e164_split": _msisdn,
    "imei": _imei,
    "imei_labelled": _imei,
    "imei_split": _imei,
    "tmsi_labelled": lambda text: (Kind.TMSI, f"tmsi:{text}"),
    "tmsi_split": lambda text: (Kind.TMSI, "tmsi:" + re.sub("[^0-9a-f]", "", text.replace("0x", ""))),
    "long_run": _long_run,
    "v4": _address,
    "v4_dashed": lambda text: _address(re.sub("[_-]", ".", text)),
    "v6_long": _address,
    "v6_short": _address,
    "v6_prefix": _address,
    "v6_letters": _address,
    "mac_colons": _mac,
    "mac_dashes": _mac,
    "mac_dots": _mac,
    "mac_labelled": _mac,
}
