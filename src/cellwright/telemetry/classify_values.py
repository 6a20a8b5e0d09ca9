"""What the values of a field look like, told in shapes and shares and never in values."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cellwright.privacy.identifiers import Kind, find

_LOOKED_AT: Final = 20_000  # values of a field
_KNOWN: Final = 20_000  # distinct values told apart
_LONGEST: Final = 4096  # characters of a value that are looked at
_SHAPE_PARTS: Final = 7
_WORDS: Final = 4  # from here on a value is a text
_EPOCHS: Final = ((10, 1), (13, 10**3), (16, 10**6), (19, 10**9))
_EPOCH_YEARS: Final = (946_684_800, 4_102_444_800)  # 2000 to 2100 in seconds since 1970
_MCCS: Final = ((1, 1), (202, 297), (302, 376), (400, 472), (502, 555), (602, 659), (702, 750), (901, 901), (999, 999))
"""Mobile country codes in use: ITU-T E.212, annex to the operational bulletin; 1 and 999 are for tests."""

_NETWORK_DIGITS: Final = 5  # MCC and MNC
_PSEUDONYM: Final = re.compile(rf"(?:{'|'.join(Kind)})~[g-z]{{20}}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HASH: Final = re.compile(r"(?=.*[a-f])[0-9a-f]{16,128}", re.IGNORECASE)
_TIME: Final = re.compile(
    r"\d{4}[-/.]\d\d[-/.]\d\d(?:[T ]\d\d:\d\d.*)?|\d\d[-/.]\d\d[-/.]\d{4}.*"
    r"|\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
)
_COMPACT_TIME: Final = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[0-2]\d(?:[0-5]\d){0,2})?")
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_DECIMAL: Final = re.compile(r"[-+]?\d*\.\d+(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+|nan|inf", re.IGNORECASE)
_INTEGER: Final = re.compile(r"[-+]?\d+")
_RUN: Final = re.compile(r"\d+|[^\W\d_]+|\s+|.")


class Look(StrEnum):
    """What one value looks like."""

    PSEUDONYM = "pseudonym"
    TIME = "time"
    UUID = "UUID"
    HASH = "hash"
    EMAIL = "e-mail address"
    IBAN = "bank account"
    ICCID = "SIM card number"
    IMEI = "device number with its check digit"
    IMSI = "15 digits that begin as an IMSI"
    PHONE = "telephone number with its country code"
    ADDRESS = "IP or MAC address"
    NAMED = "identifier with its 3GPP prefix"
    MARKED = "text with an identifier in it"
    DECIMAL = "decimal number"
    INTEGER = "whole number"
    TEXT = "text"
    CODE = "code or name"


_FORMS: Final = (
    (_PSEUDONYM, Look.PSEUDONYM),
    (_UUID, Look.UUID),
    (_TIME, Look.TIME),
    (_COMPACT_TIME, Look.TIME),
    (_DECIMAL, Look.DECIMAL),
    (_EMAIL, Look.EMAIL),
    (_HASH, Look.HASH),
)


@dataclass(slots=True)
class Profile:
    """What was seen of one field, in counts and hashes; no value is kept."""

    name: str
    filled: int = 0
    empty: int = 0
    looks: Counter[Look] = field(default_factory=Counter)
    shapes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[Kind] = field(default_factory=Counter)  # of values that are, or hold, such an identifier
    lengths: Counter[int] = field(default_factory=Counter)  # of whole numbers
    networks: Counter[str] = field(default_factory=Counter)  # first digits of whole numbers
    rising: int = 0  # whole numbers not below the one before
    greatest: float = 0.0  # absolute value of a number
    _seen: set[int] = field(default_factory=set)
    _before: int | None = None

    def add(self, value: str | None) -> None:
        """Look at one more value."""
        text = "" if value is None else value.strip()
        if not text:
            self.empty += 1
            return
        self.filled += 1
        if self.filled > _LOOKED_AT:
            return
        if len(self._seen) < _KNOWN:
            self._seen.add(hash(text))
        look, kinds = _look(text[:_LONGEST])
        self.looks[look] += 1
        self.kinds.update(kinds)
        self.shapes[shape(text)] += 1
        if _INTEGER.fullmatch(text):
            self._number(text.lstrip("+-0") or "0")
        elif look is Look.DECIMAL:
            self.greatest = max(self.greatest, abs(float(text)))

    @property
    def looked_at(self) -> int:
        """Return how many values were looked at."""
        return min(self.filled, _LOOKED_AT)

    @property
    def distinct(self) -> int:
        """Return how many different values were met, at least."""
        return len(self._seen)

    def share(self, *looks: Look) -> float:
        """Return the share of values that look like one of these."""
        return sum(self.looks[look] for look in looks) / self.looked_at if self.looked_at else 0.0

    def network_share(self) -> float:
        """Return the share of the whole numbers that begin with the five digits that most begin with."""
        return max(self.networks.values()) / self.networks.total() if self.networks else 0.0

    def is_ordered(self) -> bool:
        """Return whether whole numbers keep rising, as counters and serial numbers do."""
        return self.lengths.total() > 1 and self.rising / (self.lengths.total() - 1) > 0.95  # noqa: PLR2004 - nearly all

    def _number(self, digits: str) -> None:
        number = int(digits[:_LONGEST])
        self.lengths[len(digits)] += 1
        self.networks[digits[:_NETWORK_DIGITS]] += 1
        self.greatest = max(self.greatest, float(min(number, 10**300)))
        self.rising += self._before is not None and number >= self._before
        self._before = number


def shape(value: str) -> str:
    """Return what a value is made of: `15 digits`, `3 letters - 4 digits`."""
    parts: list[str] = []
    for run in _RUN.finditer(value[:_LONGEST]):
        text = run.group()
        if len(parts) == _SHAPE_PARTS:
            parts.append("...")
            break
        if text.isspace():
            continue
        name = "digits" if text[0].isdigit() else "letters" if text[0].isalpha() else ""
        parts.append(
            f"{len(text)} {name[: -1 if len(text) == 1 else None]}" if name else text if text.isprintable() else "?"
        )
    return " ".join(parts)


def _look(text: str) -> tuple[Look, tuple[Kind, ...]]:
    look = _plain(text)
    if look is not None:
        return look, ()
    if text.isascii() and text.isdigit():
        return _digits(text), ()
    found = find(text)
    kinds = tuple(match.kind for match in found)
    if found and found[0].end - found[0].start >= len(text) - 1:
        return _whole(found[0].kind), kinds
    if kinds:
        return Look.MARKED, kinds
    return Look.TEXT if len(text.split()) >= _WORDS else Look.CODE, ()


def _plain(text: str) -> Look | None:
    """Return the look of what is told by its form alone, whatever digits it has."""
    packed = text.replace(" ", "")
    if _IBAN.fullmatch(packed) and _is_iban(packed):
        return Look.IBAN
    look = next((look for pattern, look in _FORMS if pattern.fullmatch(text)), None)
    return None if look is Look.EMAIL and text.endswith("3gppnetwork.org") else look


def _digits(text: str) -> Look:
    count = len(text)
    seconds = next((int(text) / scale for digits, scale in _EPOCHS if digits == count), 0)
    if _EPOCH_YEARS[0] <= seconds < _EPOCH_YEARS[1]:
        return Look.TIME
    if count in {19, 20} and text.startswith("89") and _luhn(text):  # ITU-T E.118 clause 4
        return Look.ICCID
    if count == 15:  # noqa: PLR2004 - TS 23.003 clauses 2.2 and 6.2.1
        if _luhn(text):
            return Look.IMEI
        if any(low <= int(text[:3]) <= high for low, high in _MCCS):
            return Look.IMSI
    return Look.INTEGER


def _whole(kind: Kind) -> Look:
    if kind in {Kind.IP, Kind.MAC}:
        return Look.ADDRESS
    if kind is Kind.MSISDN:
        return Look.PHONE
    return Look.CODE if kind is Kind.NUMBER else Look.NAMED


def _luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit of the others (ISO/IEC 7812-1 annex B)."""
    doubled = (int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits)))
    return sum(value // 10 + value % 10 for value in doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """Return whether the check digits fit (ISO 13616-1 clause 7)."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(each, 36)) for each in moved)) % 97 == 1
