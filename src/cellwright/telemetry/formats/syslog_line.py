"""Reads one syslog line: RFC 5424, or the older RFC 3164 form, with or without a priority."""

from __future__ import annotations

import re
from typing import Final

from cellwright.telemetry.formats.instants import read_instant
from cellwright.telemetry.formats.severities import split_priority

BOM: Final = "\ufeff"
STAMP: Final = "syslog.timestamp"
"""The attribute that holds the timestamp of an RFC 3164 record, as it stands."""
_NIL: Final = "-"
MONTHS: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
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
    rf"(?:<(?P<pri>\d{{1,3}})>)?(?P<ts>(?:{MONTHS}) [ 0-3]?\d \d\d:\d\d:\d\d) (?P<host>\S+)"
    r" (?:(?P<app>[^\s:\[]{1,64})(?:\[(?P<procid>[^\]\s]{1,64})\])?: ?)?(?P<body>.*)",
    re.ASCII | re.DOTALL,
)


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
    read = read_structured_data(text, header.end())
    ts = _nil(header["ts"])
    instant = read_instant(ts) if ts else None
    if priority is None or read is None or (ts and instant is None):
        return None
    attributes, end = read
    return {
        "ts": instant.us if instant else None,
        "utc_offset_s": instant.offset_s if instant else None,
        "severity_number": priority[1],
        "body": text[end + 1 :].removeprefix(BOM),
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


def read_structured_data(text: str, start: int) -> tuple[dict[str, str], int] | None:
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
        "attributes": [(STAMP, record["ts"])],
        "dq_flags": [*flags, "no-year"],
    }
