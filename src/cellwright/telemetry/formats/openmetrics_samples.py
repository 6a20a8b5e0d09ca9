"""Reads one line of OpenMetrics 1.0 or of the Prometheus text format 0.0.4 into its parts."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*+", re.ASCII)
_QUOTED: Final = r'"((?:[^"\\\n]|\\.)*+)"'
_LABEL: Final = re.compile(r"[ \t]*+(?:([a-zA-Z_][a-zA-Z0-9_]*+)|" + _QUOTED + r")[ \t]*+=[ \t]*+" + _QUOTED, re.ASCII)
_QUOTED_NAME: Final = re.compile(r"[ \t]*+" + _QUOTED)
_BLANKS: Final = re.compile(r"[ \t]*+")
_WORD: Final = re.compile(r"[^ \t]++")
_ESCAPED: Final = re.compile(r'\\([n"\\])')
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_INFINITE: Final = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_INT64: Final = range(-(1 << 63), 1 << 63)
_MOST_DIGITS: Final = 512


class InvalidError(Exception):
    """A line is no sample; the text says what was expected, never what was found."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample as it is written; `ts` is the text of the timestamp."""

    name: str
    labels: dict[str, str]
    value: float
    ts: str | None
    flags: tuple[str, ...] = ()


def read_sample(text: str) -> Sample:
    """Return the sample of a line without its end; raise InvalidError."""
    position = _skip(text, 0)
    metric = _METRIC.match(text, position)
    name = metric[0] if metric else None
    labels: dict[str, str] = {}
    position = _skip(text, metric.end() if metric else position)
    if text.startswith("{", position):
        name, labels, position = _read_labels(text, position, name)
    elif metric and position == metric.end():
        msg = "expected a blank between name and value"
        raise InvalidError(msg)
    if name is None:
        msg = "expected the name of a metric"
        raise InvalidError(msg)
    value, position = _read_word(text, position)
    if value is None:
        msg = "expected a value"
        raise InvalidError(msg)
    ts, after = _read_word(text, position)
    if ts == "#":
        ts, after = None, position
    number = read_number(value)
    flags = ("exemplar-left-out",) if _has_exemplar(text, after) else ()
    if isinstance(number, float) and value.lstrip("+-").isdigit():
        flags = ("beyond-int64", *flags)
    return Sample(name, labels, number, ts, flags)


def _skip(text: str, position: int) -> int:
    match = _BLANKS.match(text, position)
    return match.end() if match else position


def _read_word(text: str, position: int) -> tuple[str | None, int]:
    word = _WORD.match(text, _skip(text, position))
    return (word[0], word.end()) if word else (None, position)


def _read_labels(text: str, position: int, name: str | None) -> tuple[str | None, dict[str, str], int]:
    """Return (name, labels, end) of what braces hold, where a quoted name of a metric may stand first."""
    labels: dict[str, str] = {}
    position = _skip(text, position + 1)
    while not text.startswith("}", position):
        label = _LABEL.match(text, position)
        quoted = None if label or name or labels else _QUOTED_NAME.match(text, position)
        match = label or quoted
        if match is None:
            msg = "expected labels with values in quotes"
            raise InvalidError(msg)
        if label:
            key = label[1] if label[2] is None else _unescape(label[2])
            if key in labels:
                msg = "expected every label once"
                raise InvalidError(msg)
            labels[key] = _unescape(label[3])
        elif quoted:
            name = _unescape(quoted[1])
        position = _skip(text, match.end())
        if text.startswith(",", position):
            position = _skip(text, position + 1)
        elif not text.startswith("}", position):
            msg = "expected a comma or a brace behind a label"
            raise InvalidError(msg)
    return name, labels, position + 1


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text) if "\\" in text else text


def read_number(text: str) -> float:
    """Return a number, an int where the text is an integer of 64 bits, NaN and infinities included."""
    if _INTEGER.fullmatch(text):
        number = int(text)
        return number if number in _INT64 else float(number)
    if len(text) <= _MOST_DIGITS and _DECIMAL.fullmatch(text):
        value = float(text)
        if math.isfinite(value):
            return value
    elif text.lower() == "nan" or _INFINITE.fullmatch(text):
        return float(text)
    msg = "expected a number that a double holds"
    raise InvalidError(msg)


def _has_exemplar(text: str, position: int) -> bool:
    """Return whether a well-formed exemplar follows: `# {labels} value [timestamp]`; raise InvalidError for others."""
    position = _skip(text, position)
    if position == len(text):
        return False
    after = _skip(text, position + 1)
    if text[position] != "#" or not text.startswith("{", after):
        msg = "expected the end of the line or an exemplar"
        raise InvalidError(msg)
    _, _, end = _read_labels(text, after, "")
    value, end = _read_word(text, end)
    ts, end = _read_word(text, end)
    if value is None or _skip(text, end) < len(text):
        msg = "expected an exemplar with a value and no more than a timestamp"
        raise InvalidError(msg)
    for number in (value, ts):
        read_number(number or "0")
    return True
