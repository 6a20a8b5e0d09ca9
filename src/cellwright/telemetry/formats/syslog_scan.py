"""Finds the parts of many syslog lines at once; says of which lines it is sure, the others are read one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from cellwright.telemetry.formats.severities import LARGEST_PRI
from cellwright.telemetry.formats.syslog_bytes import fits, next_of, pattern_of
from cellwright.telemetry.formats.syslog_instants import read_instants
from cellwright.telemetry.formats.syslog_line import MONTHS

if TYPE_CHECKING:
    from cellwright.telemetry.formats.syslog_bytes import Flags, Lines, Places

PARTS: Final = ("ts", "host", "app", "procid", "msgid", "body")
"""The parts of a line in the order in which they stand in it."""
_TS, _HOST, _APP, _PROCID, _MSGID, _BODY = range(len(PARTS))
_LONGEST: Final = (48, 255, 48, 128, 32)  # RFC 5424, 6: from the timestamp to the message id
_BOM: Final = int.from_bytes(b"\xef\xbb\xbf", "little")
_MONTH_WORDS: Final = np.sort(
    np.array([int.from_bytes(f"{name} ".encode(), "little") for name in MONTHS.split("|")], np.uint64)
)
_DAY: Final = pattern_of(" ?d dd:d")  # from the fourth character of an RFC 3164 timestamp on
_TIME: Final = pattern_of("d:dd:dd ")  # from the ninth on
_OLDER_TS: Final = len("Mar  5 14:15:16")
_LONGEST_TAG: Final = 64
_IS_WHITESPACE: Final = np.isin(np.arange(256), [*b" \t\n\v\f\r"])
_IS_DIGIT: Final = np.isin(np.arange(256), [*b"0123456789"])
_IS_TENS: Final = np.isin(np.arange(256), [*b" 0123"])


class Scanned(NamedTuple):
    """Lines that are records for sure."""

    lines: Places  # their places among all lines of the block, rising
    is_older: Flags  # RFC 3164; else RFC 5424
    pri: Places  # -1: none
    us: Places
    offset_s: Places
    structured: Places  # where structured data stands, 0 where it is nil
    bounds: Places  # (2 * len(PARTS), n): from and to of each part; what is absent is empty, and none runs backwards
    absent: Flags  # (len(PARTS), n)

    def chosen(self, which: Places | Flags) -> Scanned:
        """Return some of the lines, in the order in which they are named."""
        return Scanned(
            self.lines[which],
            self.is_older[which],
            self.pri[which],
            self.us[which],
            self.offset_s[which],
            self.structured[which],
            self.bounds[:, which],
            self.absent[:, which],
        )

    def with_others(self, other: Scanned) -> Scanned:
        """Return the lines of both."""
        if not len(other.lines) or not len(self.lines):
            return self if len(self.lines) else other
        both = Scanned(*(np.concatenate(pair, axis=-1) for pair in zip(self, other, strict=True)))
        return both.chosen(np.argsort(both.lines, kind="stable"))


def scan(lines: Lines, doubtful: Flags) -> Scanned:
    """Return the lines that fit the common layouts; `doubtful` ones are left."""
    pri, after = _priorities(lines)
    candidates = np.flatnonzero((pri >= -1) & ~doubtful)
    is_modern = (pri[candidates] >= 0) & (lines.octets[after[candidates]] == ord("1"))
    if is_modern.all():
        return _modern(lines, candidates, pri, after)
    older = _older(lines, candidates[~is_modern], pri, after)
    return older.with_others(_modern(lines, candidates[is_modern], pri, after)) if is_modern.any() else older


def _priorities(lines: Lines) -> tuple[Places, Places]:
    """Return the priority of each line, -1 where it has none and -2 where it is not right, and the place behind it."""
    octets, starts = lines.octets, lines.starts
    is_opened = octets[starts] == ord("<")
    if not is_opened.any():
        return np.full(len(starts), -1), starts
    pri, after, is_open = np.zeros(len(starts), np.int64), starts.copy(), is_opened.copy()
    for place in range(1, 4):
        octet = octets[starts + place]
        is_open &= _IS_DIGIT[octet]
        pri = np.where(is_open, pri * 10 + (octet & 0x0F), pri)
        after += is_open
    is_right = (after > starts) & (octets[after + 1] == ord(">")) & (pri <= LARGEST_PRI)
    return np.where(is_opened, np.where(is_right, pri, -2), -1), np.where(is_right, after + 2, starts)


def _modern(lines: Lines, places: Places, pri: Places, after: Places) -> Scanned:
    octets, ends = lines.octets, lines.ends[places]
    first = lines.first_blank[places]
    blanks = [lines.blanks[first + place] for place in range(len(_LONGEST) + 1)]
    structured = blanks[-1] + 1
    is_nil = octets[structured] == ord("-")
    sure = (blanks[0] == after[places] + 1) & (octets[blanks[0]] == ord(" ")) & (structured < ends)
    sure &= is_nil | (octets[structured] == ord("["))
    sure &= ~is_nil | (structured + 1 == ends) | (octets[structured + 1] == ord(" "))
    absent = np.zeros((len(PARTS), len(places)), bool)
    for part, longest in enumerate(_LONGEST):
        length = blanks[part + 1] - blanks[part] - 1
        sure &= (length > 0) & (length <= longest) & (octets[blanks[part + 1]] == ord(" "))
        absent[part] = (length == 1) & (octets[blanks[part] + 1] == ord("-"))
    stamps = np.where(sure, blanks[0] + 1, 0), np.where(sure, blanks[1], 0)
    instants = read_instants(lines, *stamps)
    sure &= absent[_TS] | instants.sure
    body = body_starts(lines, structured, ends)
    cuts = [place for part in range(_BODY) for place in (blanks[part] + 1, blanks[part + 1])]
    holds = np.where(is_nil, 0, structured)
    is_older = np.zeros(len(places), bool)
    bounds = np.stack((*cuts, body, ends))
    scanned = Scanned(places, is_older, pri[places], instants.us, instants.offset_s, holds, bounds, absent)
    return scanned if sure.all() else scanned.chosen(sure)


def body_starts(lines: Lines, structured: Places, ends: Places) -> Places:
    """Return where the message starts behind structured data, whose last byte is given, without its byte order mark."""
    starts = np.minimum(structured + 2, ends)
    if lines.is_ascii:
        return starts
    marked = (lines.words(starts) & np.uint64(0xFFFFFF)) == _BOM
    return np.where(marked, starts + 3, starts)


def _older(lines: Lines, places: Places, pri: Places, after: Places) -> Scanned:
    octets, size = lines.octets, lines.size
    stamps, ends = after[places], lines.ends[places]
    month = lines.words(stamps) & np.uint64(0xFFFFFFFF)
    tens = octets[stamps + 4]
    sure = _MONTH_WORDS[np.minimum(np.searchsorted(_MONTH_WORDS, month), len(_MONTH_WORDS) - 1)] == month
    sure &= _IS_TENS[tens] & (stamps + _OLDER_TS < ends)
    sure &= fits(lines.words(stamps + 3), _DAY) & fits(lines.words(stamps + 8), _TIME)
    host = stamps + _OLDER_TS + 1
    blank = lines.first_blank[places] + 3 + (tens == ord(" "))  # the one that ends the host
    host_end, next_blank = lines.blanks[blank], lines.blanks[blank + 1]
    sure &= (host_end > host) & (host_end < ends) & (octets[host_end] == ord(" "))
    sure &= (next_blank >= size) | _IS_WHITESPACE[octets[next_blank]]
    app = np.where(sure, host_end + 1, 0)
    tag = _tags(lines, app, np.where(sure, np.minimum(next_blank, ends), 0))
    sure &= tag.sure
    absent = np.zeros((len(PARTS), len(places)), bool)
    absent[_APP], absent[_PROCID], absent[_MSGID] = ~tag.is_named, ~tag.is_numbered, True
    procid_end = tag.procid_end
    cuts = (stamps, host - 1, host, host_end, app, tag.app_end, tag.procid, procid_end, procid_end, procid_end)
    bounds = np.stack((*cuts, tag.body, ends))
    zeros = np.zeros(len(places), np.int64)
    scanned = Scanned(places, np.ones(len(places), bool), pri[places], zeros, zeros, zeros, bounds, absent)
    return scanned if sure.all() else scanned.chosen(sure)


class _Tags(NamedTuple):
    """The tags of RFC 3164 messages: `app:`, `app[procid]:` or none."""

    app_end: Places
    procid: Places
    procid_end: Places
    body: Places
    is_named: Flags
    is_numbered: Flags
    sure: Flags


def _tags(lines: Lines, starts: Places, limits: Places) -> _Tags:
    """Return the tags that start at `starts`; no part of one lies beyond the blank or end of line in `limits`."""
    octets = lines.octets
    marks = next_of(octets, (octets == ord(":")) | (octets == ord("[")), starts)
    is_bracket = (marks < limits) & (octets[marks] == ord("["))
    closes = np.where(is_bracket, next_of(octets, octets == ord("]"), marks), marks)
    is_numbered = is_bracket & (closes > marks + 1) & (closes < limits) & (octets[closes + 1] == ord(":"))
    is_numbered &= closes + 1 < limits
    is_named = (marks < limits) & (marks > starts) & (~is_bracket | is_numbered)
    is_numbered &= is_named
    colon = np.where(is_numbered, closes + 1, marks)
    behind = colon + 1
    body = np.where(is_named, behind + (octets[behind] == ord(" ")), starts)
    long_app, long_procid = marks - starts > _LONGEST_TAG, closes - marks - 1 > _LONGEST_TAG
    sure = ~is_named | ~(long_app | (is_numbered & long_procid))
    app_end = np.where(is_named, marks, starts)
    return _Tags(
        app_end,
        np.where(is_numbered, marks + 1, app_end),
        np.where(is_numbered, closes, app_end),
        body,
        is_named,
        is_numbered,
        sure,
    )
