"""What a text says to whoever reads it: escapes decoded, invisible characters gone, look-alikes made ASCII."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

# JSON (RFC 8259 clause 7), percent-encoding (RFC 3986 clause 2.1) and XML character references (XML 1.0 clause 4.1),
# each of ASCII characters; the first two also when they were escaped once more.
_WRITTEN: Final = re.compile(
    r"\\{1,4}u00(?P<json>[0-7][0-9a-f])|%(?:25){0,2}(?P<percent>[0-7][0-9a-f])"
    r"|&#(?:x0{0,4}(?P<hexadecimal>[0-7]?[0-9a-f])|0{0,4}(?P<decimal>\d\d|1[01]\d|12[0-7]));|(?P<other>[^\x00-\x7f])",
    re.IGNORECASE,
)
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"


def lowered(text: str) -> str:
    """Return the text in lower case with every character where it was."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(map(_lowered_character, text))


def reading(text: str) -> tuple[str, list[int]] | None:
    """Return the text as it reads, in lower case, and the place in `text` of each of its characters and of its end.

    None where it reads as it is written.
    """
    if text.isascii() and not ("\\" in text or "%" in text or "&" in text):
        return None
    pieces: list[str] = []
    places: list[int] = []
    end = 0
    for found in _WRITTEN.finditer(text):
        character = _character(found)
        pieces += [text[end : found.start()], character]
        places += [*range(end, found.start()), *([found.start()] if character else [])]
        end = found.end()
    if not end:
        return None
    plain = "".join([*pieces, text[end:]])
    return lowered(plain), [*places, *range(end, len(text) + 1)]


def _character(found: re.Match[str]) -> str:
    """Return the one character that is meant, or nothing for one that is not seen."""
    group = found.lastgroup
    if group == "other":
        return _ascii(found["other"])
    return chr(int(found[group or 0], 10 if group == "decimal" else 16))


@lru_cache(maxsize=4096)
def _ascii(character: str) -> str:
    """Return the ASCII character that a reader takes this one for; itself where there is none."""
    if unicodedata.category(character) == "Cf":  # format characters: zero width, soft hyphen, direction
        return ""
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    plain = "-" if character in _DASHES else unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 and plain.isascii() else character


def _lowered_character(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else character
