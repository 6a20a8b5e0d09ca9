"""Syslog lines: RFC 5424, and the older RFC 3164 form that /var/log files keep, with or without a priority."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.facts import FactBuffer, chunks
from cellwright.telemetry.formats.instants import read_instant
from cellwright.telemetry.formats.severities import split_priority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch

_BOM: Final = "\ufeff"
_BLANK: Final = b" \t\r\0\x0b\x0c"
_LINE_PART: Final = re.compile(rb"\n|[^\n" + re.escape(_BLANK) + rb"][^\n]*")
_LOOKED_AT: Final = 8  # lines by which a file is known
_NIL: Final = "-"
_MONTHS: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# RFC 5424, 6: HEADER; the structured data and the message follow.
_RFC5424: Final = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<ts>\S{1,48}) (?P<host>\S{1,255}) (?P<app>\S{1,48}) (?P<procid>\S{1,128})"
    r" (?P<msgid>\S{1,32}) (?=[-\[])",
    re.ASCII,
)
_ELEMENT: Final = re.compile(r'\[(?P<id>[^\s="\]]{1,32})(?P<params>(?: [^\s="\]]{1,32}="(?:[^"\\\]]|\\.)*")*) ?\]')
_PARAM: Final = re.compile(r' (?P<name>[^\s="\]]{1,32})="(?P<value>(?:[^"\\\]]|\\.)*)"')
_ESCAPED: Final = re.compile(r'\\(["\\\]])')
# RFC 3164, 4.1: the year and the offset are not said; the tag may name a process in brackets.
_RFC3164: Final = re.compile(
    rf"(?:<(?P<pri>\d{{1,3}})>)?(?P<ts>(?:{_MONTHS}) [ 0-3]?\d \d\d:\d\d:\d\d) (?P<host>\S+)"
    r" (?:(?P<app>[^\s:\[]{1,64})(?:\[(?P<procid>[^\]\s]{1,64})\])?: ?)?(?P<body>.*)",
    re.ASCII | re.DOTALL,
)


class Syslog:
    """A fact is a line that is not blank."""

    name = "syslog"

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the content decides
        """Return whether one of the first lines is a syslog record: the very first may be damaged."""
        lines = (line for line in head.split(b"\n") if line.strip(_BLANK))
        return any(read_line(line) is not None for line in islice(lines, _LOOKED_AT))

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of lines that are not blank, counted without splitting the text."""
        count, open_line = 0, False
        for chunk in chunks(stream):
            for match in _LINE_PART.finditer(chunk):
                ends = match[0] == b"\n"
                count += not ends and not open_line
                open_line = not ends
        return count

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; a line that is no syslog record is quarantined."""
        facts = FactBuffer()
        for number, raw in enumerate(stream, start=1):
            if raw.strip(_BLANK + b"\n"):
                _add(facts, raw.rstrip(b"\r\n"), number)
            if facts.full():
                yield from facts.take()
        yield from facts.take()


def _add(facts: FactBuffer, raw: bytes, number: int) -> None:
    row = read_line(raw)
    if row is None:
        facts.quarantine("not-syslog", "expected an RFC 5424 or RFC 3164 record", raw, line=number)
    else:
        facts.row("logs", row)


def read_line(raw: bytes) -> dict[str, object] | None:
    """Return the row of one line, None when it is no syslog record."""
    text, flags = _decoded(raw)
    modern = _RFC5424.match(text)
    row = _modern_row(text, modern, flags) if modern else None
    if row is None and not modern:
        older = _RFC3164.fullmatch(text)
        row = _older_row(older, flags) if older else None
    return row


def _decoded(raw: bytes) -> tuple[str, list[str]]:
    """Return the text; RFC 5424 allows any octets in a message, so what is not UTF-8 is kept as Latin-1, flagged."""
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return raw.decode("latin-1"), ["latin-1-assumed"]


def _modern_row(text: str, header: re.Match[str], flags: list[str]) -> dict[str, object] | None:
    priority = split_priority(int(header["pri"]))
    read = _structured_data(text, header.end())
    ts = _nil(header["ts"])
    instant = read_instant(ts) if ts else None
    if priority is None or read is None or (ts and instant is None):
        return None
    attributes, end = read
    return {
        "ts": instant.us if instant else None,
        "utc_offset_s": instant.offset_s if instant else None,
        "severity_number": priority[1],
        "body": text[end + 1 :].removeprefix(_BOM),
        "facility": priority[0],
        "host": _nil(header["host"]),
        "app": _nil(header["app"]),
        "procid": _nil(header["procid"]),
        "msgid": _nil(header["msgid"]),
        "attributes": list(attributes.items()),
        "dq_flags": flags if instant else [*flags, "no-time"],
    }


def _nil(text: str) -> str | None:
    return None if text == _NIL else text


def _structured_data(text: str, start: int) -> tuple[dict[str, str], int] | None:
    """Return ({"id.name": value}, end) of the structured data, None when it is malformed; repeated names are joined."""
    attributes: dict[str, str] = {}
    absent = text.startswith(_NIL, start)
    end = start + absent
    while not absent and (element := _ELEMENT.match(text, end)):
        end = element.end()
        for param in _PARAM.finditer(element["params"]):
            name, value = f"{element['id']}.{param['name']}", _ESCAPED.sub(r"\1", param["value"])
            attributes[name] = f"{attributes[name]},{value}" if name in attributes else value
    ended = end > start and (end == len(text) or text[end] == " ")
    return (attributes, end) if ended else None


def _older_row(record: re.Match[str], flags: list[str]) -> dict[str, object] | None:
    priority = split_priority(int(record["pri"])) if record["pri"] else (None, None)
    if priority is None:
        return None
    return {
        "severity_number": priority[1],
        "body": record["body"],
        "facility": priority[0],
        "host": record["host"],
        "app": record["app"],
        "procid": record["procid"],
        "attributes": [("syslog.timestamp", record["ts"])],
        "dq_flags": [*flags, "no-year"],
    }
