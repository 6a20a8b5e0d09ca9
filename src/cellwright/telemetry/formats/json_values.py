"""Decodes JSON values as RFC 8259 has them, and says what of a value is not to be trusted."""

from __future__ import annotations

import json
import re
from typing import Any, Final

DEEPEST: Final = 64
"""How deep a value may nest: far deeper than any that the formats name, and no danger to the stack."""
NOT_VALID: Final = "not valid JSON"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_NESTING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class BrokenError(Exception):
    """The text is not JSON from `position` on."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


class StrictJson:
    """JSON with a note of what RFC 8259 leaves open, repeated names, and of what it does not have: NaN, infinities."""

    def __init__(self) -> None:
        self._flaw: str | None = None
        self._json = json.JSONDecoder(object_pairs_hook=self._object, parse_constant=self._constant, strict=False)

    def decode(self, text: str, position: int) -> tuple[Any, int, str | None]:
        """Return (value, end, flaw) of the JSON value at `position`; raise BrokenError."""
        self._flaw = None
        try:
            value, end = self._json.raw_decode(text, position)
        except RecursionError:
            raise BrokenError(position, "nested too deeply") from None
        except json.JSONDecodeError as error:
            if _depth_flaw(text[position : error.pos]):  # how deep Python follows differs by version
                raise BrokenError(position, "nested too deeply") from None
            raise BrokenError(error.pos, NOT_VALID) from None
        except ValueError:  # an integer of more digits than Python converts
            raise BrokenError(position, "an integer has too many digits") from None
        source = text[position:end]
        return value, end, self._flaw or _depth_flaw(source) or _text_flaw(source, value)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            self._flaw = "an object holds one name twice"
        return names

    def _constant(self, _: str) -> None:
        self._flaw = "NaN and Infinity are no JSON numbers"


def skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    """Return the end of what `pattern` matches at a position."""
    match = pattern.match(text, position)
    return match.end() if match else position


def skip_space(text: str, position: int) -> int:
    """Return where the next token of JSON begins."""
    return skip(_SPACE, text, position)


def decode_whole(raw: bytes) -> object:
    """Return the one JSON value that bytes hold; raise BrokenError for any other bytes."""
    text = raw.decode("utf-8", "surrogateescape")
    value, end, flaw = StrictJson().decode(text, skip_space(text, 0))
    if flaw or skip_space(text, end) < len(text):
        raise BrokenError(end, flaw or NOT_VALID)
    return value


def shown(value: object) -> str:
    """Return a decoded value as text: text as it is, all else as JSON without blanks."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else _ENCODER.encode(value)


def _depth_flaw(source: str) -> str | None:
    """Return that a value is nested too deeply, so that nothing behind has to fear for its stack."""
    if source.count("{") + source.count("[") <= DEEPEST:
        return None
    depth = 0
    for mark in _NESTING.finditer(source):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(mark[0], 0)
        if depth > DEEPEST:
            return "nested too deeply"
    return None


def _text_flaw(source: str, value: object) -> str | None:
    """Return what is wrong with the characters: bytes that were no UTF-8, or half of a surrogate pair."""
    if not source.isascii():
        try:
            source.encode()
        except UnicodeEncodeError:
            return "not UTF-8"
    if "\\" in source and _SURROGATE_ESCAPE.search(source):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return "half of a surrogate pair"
    return None
