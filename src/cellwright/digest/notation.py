"""How names and numbers are written so that they cost few tokens and still read back exactly."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Collection

MICROSECONDS: Final = 1_000_000  # in a second
INCIDENT: Final = "[ghjkmnpqrs][0-9]{10}"
NUMBER: Final = "[0-9]{1,18}"
QUOTED: Final = r'"(?:[^"\\]|\\.)*"'

# Bare names need no quotes: an element is one word, a type words with single blanks. The signs left out mean something,
# and what does not print (a terminal would obey it, a reader not see it) stands in quotes, escaped.
BARE_WORD: Final = r'[^\s"@*!^]+'
BARE_PHRASE: Final = r'[^\s":\[\]]+(?: [^\s":\[\]]+)*'
_WORD: Final = re.compile(BARE_WORD)
_PHRASE: Final = re.compile(rf"(?!incident |doubtful$){BARE_PHRASE}(?<!>)")
_UP_TO_LAST_SIGN: Final = re.compile(r".*(?:[^\w\s]|_)", re.DOTALL)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_S: Final = -62_135_596_800  # 0001-01-01T00:00:00Z
_LAST_S: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
_INSTANT_CHARS: Final = len("2026-01-01T00:00:00Z")


def incident_name(sha256: str) -> str:
    """Return the name of an incident from the hash of its content: 36 bits in about five tokens.

    Hexadecimal takes seven tokens; the letter keeps the name from reading as a telephone number.
    """
    letter, digits = divmod(int(sha256, 16) % 10**11, 10**10)
    return f"{'ghjkmnpqrs'[letter]}{digits:010}"


def quote_word(name: str) -> str:
    """Return `name` as it stands where it is one plain word, else as a JSON string."""
    return name if name.isprintable() and _WORD.fullmatch(name) else quote(name)


def quote_phrase(name: str) -> str:
    """Return `name` as it stands where it is plain words with single blanks, else as a JSON string."""
    return name if name.isprintable() and _PHRASE.fullmatch(name) else quote(name)


def unquote(text: str) -> str:
    """Return the name that was quoted, or the bare name itself."""
    return cast("str", json.loads(text)) if text.startswith('"') else text


def shared_prefix(names: Collection[str]) -> str:
    """Return what all names begin with, up to and with its last sign: `Device=` of Device=1 and Device=12.

    Empty for fewer than two names, and where a name would be left empty.
    """
    if len(names) < 2:  # noqa: PLR2004 - one name shares nothing
        return ""
    low, high = min(names), max(names)
    length = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    match = _UP_TO_LAST_SIGN.match(low[:length])
    prefix = match.group() if match else ""
    return "" if prefix in names else prefix


def write_seconds(us: int) -> str:
    """Return microseconds (zero or more) as seconds without trailing zeros: 1500000 is `1.5`."""
    whole, rest = divmod(us, MICROSECONDS)
    return f"{whole}.{rest:06}".rstrip("0") if rest else str(whole)


def read_seconds(text: str) -> int:
    """Return the microseconds that `write_seconds` wrote."""
    whole, _, rest = text.partition(".")
    return int(whole) * MICROSECONDS + int(rest.ljust(6, "0"))


def write_instant(epoch_s: int) -> str:
    """Return seconds since 1970 as ISO 8601 in UTC, as a bare number of seconds outside the years 1 to 9999."""
    if not _FIRST_S <= epoch_s <= _LAST_S:
        return str(epoch_s)
    return (_EPOCH + timedelta(seconds=epoch_s)).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(_INSTANT_CHARS, "0")


def read_instant(text: str) -> int:
    """Return the seconds since 1970 that `write_instant` wrote; raise ValueError for anything else."""
    if not text.endswith("Z"):
        return int(text)
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(seconds=1)


def natural(name: str) -> tuple[tuple[str, int, str], ...]:
    """Return the key that sorts Device=9 before Device=10."""
    pieces = re.findall(r"([^0-9]*)([0-9]*)", name)
    return (*((text, len(digits.lstrip("0")), digits.lstrip("0")) for text, digits in pieces), (name, 0, ""))


def quote(name: str) -> str:
    """Return `name` as a JSON string in which every character prints."""
    quoted = json.dumps(name, ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(sign if sign.isprintable() else _escape(sign) for sign in quoted)


def _escape(sign: str) -> str:
    return json.dumps(sign)[1:-1]
