"""Lines read many at once say what they say when each is read alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from format_kit import Outcome, Trickle, mutated, public_data, read
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cellwright.lake.schema import FACTS
from cellwright.telemetry.formats.facts import FactBuffer
from cellwright.telemetry.formats.syslog import Syslog
from cellwright.telemetry.formats.syslog_bytes import BLOCK_BYTES, MARGIN, lines_of
from cellwright.telemetry.formats.syslog_line import read_line
from cellwright.telemetry.formats.syslog_scan import scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch

CASES = sorted((Path(__file__).parent.parent / "cases" / "telemetry" / "syslog").glob("*.log"))
STAMPS = [
    "2026-03-01T00:00:00Z",
    "2026-12-31T23:59:59.999999+14:00",
    "2024-02-29T12:00:00.5-00:30",
    "2023-02-29T12:00:00Z",
    "2026-03-01T00:00:00.1234567Z",
    "2026-03-01T00:00:00.Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T00:00:60Z",
    "2026-03-01T00:00:00",
    "2026-03-01t00:00:00z",
    "2026-03-01T00:00:00+0100",
    "2026-03-01T00:00:00+24:00",
    "2026-03-01 00:00:00Z",
    "2026-00-01T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2000-02-29T00:00:00Z",
    "1969-12-31T23:59:59.000001Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "-",
    "Mar  5 14:15:16",
    "Mar 15 14:15:16",
    "Mar 5 14:15:16",
    "Mar 45 14:15:16",
    "Mar 05 99:99:99",
    "mar 05 10:00:00",
]
TOKENS = ["-", "h", "fe80::1", "a[1]", "é", "\ufeff", "x" * 48, "x" * 49, "x" * 65, "x" * 256, "\x01", "\x1c", "\u2003"]
BODIES = [
    '[a b="c" d="e"] x',
    '[a b="c" b="d"] x',
    '[a b="=[ ,"]',
    '[a b="c" ] x',
    '[a b="c"d="e"] x',
    '[a  b="c"] x',
    '[a b= "c"] x',
    '[a b="c"  ] x',
    '[=a b="c"] x',
    '[a =b="c"] x',
    '[a\x01 b="c"] x',
    '[a b\x1c="c"] x',
    '[a b="c" d] x',
    '[a b="c\\""] x',
    '[a b=""] x',
    '[a é="c"] x',
    '[a b="c"] \ufeffx',
    '["a b="c"] x',
    '[a b="c"][d e="f"] x',
    f'[{"i" * 33} b="c"] x',
    f'[i {"n" * 33}="c"] x',
    "-",
    "- ",
    "- text",
    "-text",
    '[a b="c"] text',
    '[a b="c"][d e="\\""]',
    '[a b="c" b="d"]x',
    "[a b=",
    "- \ufefftext",
    '[a b="ü"] \ufeffü',
    "[a]",
    "-\ttab",
    "- é",
    "app: text",
    "app:text",
    "app[12]: text",
    "app[12]:text",
    "app[12] text",
    "app[]: x",
    "[x]: y",
    ": y",
    "app[a b]: y",
    "a:b: c",
    "app[1]2: y",
    "x" * 64 + ": y",
    "x" * 65 + ": y",
    "é" * 40 + ": y",
    "a[" + "9" * 65 + "]: y",
    "",
    " ",
    "app[é]:",
    "\x01a: b",
    "a\x01: b",
    "a\tb: c",
    "a:\tb",
    "app[1]:",
    "app:",
]
ENDS = ["\n", "\r\n", "\r\r\n", "\n\n", "\n \t\r\n", "\n\0\n", "", "\r"]

heads = st.sampled_from(
    [
        "",
        "<34>",
        "<34>1 ",
        "<191>1 ",
        "<192>1 ",
        "<0>1 ",
        "<007>1 ",
        "<0007>1 ",
        "<>1 ",
        "<34>1",
        "<34>2 ",
        " ",
        "\ufeff",
        "<34> ",
    ]
)
texts = st.builds(
    lambda head, stamp, tokens, gap, body, end: (head + gap.join([stamp, *tokens, body]) + end).encode(),
    heads,
    st.sampled_from(STAMPS),
    st.lists(st.sampled_from(TOKENS), max_size=5),
    st.sampled_from([" ", " ", " ", " ", "  ", "\t"]),
    st.sampled_from(BODIES),
    st.sampled_from(ENDS),
)
modern = st.builds(
    lambda pri, stamp, tokens, body, end: f"<{pri}>1 {' '.join([stamp, *tokens, body])}{end}".encode(),
    st.integers(0, 200),
    st.sampled_from(STAMPS),
    st.lists(st.sampled_from(TOKENS[:9]), min_size=4, max_size=4),
    st.sampled_from(BODIES),
    st.sampled_from(ENDS),
)
older = st.builds(
    lambda head, stamp, host, body, end: f"{head}{stamp} {host} {body}{end}".encode(),
    st.sampled_from(["", "<34>"]),
    st.sampled_from(STAMPS),
    st.sampled_from(TOKENS),
    st.sampled_from(BODIES),
    st.sampled_from(ENDS),
)
edits = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3), st.binary(max_size=3)), max_size=4)


class OneByOne:
    """Syslog read a line at a time: slow, and plainly right."""

    name = "syslog"
    detects = Syslog().detects

    def count_facts(self, stream: BinaryIO) -> int:
        return sum(1 for line in stream if line.strip(b" \t\r\n\0\x0b\x0c"))

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        facts = FactBuffer()
        for number, raw in enumerate(stream, start=1):
            if raw.strip(b" \t\r\n\0\x0b\x0c"):
                row = read_line(raw.rstrip(b"\r\n"))
                if row is None:
                    reason = "expected an RFC 5424 or RFC 3164 record"
                    facts.quarantine("not-syslog", reason, raw.rstrip(b"\r\n"), line=number)
                else:
                    facts.row("logs", row)
        yield from facts.take()


def _same(data: bytes) -> Outcome:
    outcome = read(Syslog(), data)
    assert outcome == read(OneByOne(), data)
    return outcome


@settings(deadline=None, max_examples=400)
@given(st.lists(st.one_of(texts, modern, older, st.binary(max_size=20)), max_size=8), edits)
@example([b"<34>1 2026-03-01T00:00:00Z a b c d - x\r\n", b"Mar  5 14:15:16 h a[1]: b"], [])
@example([b"\xff<34>1 - a b c d -\n<34>1 - a b c d - \xff\n<34>1 - a b c d - x\n"], [])
def test_many_lines_say_what_each_says_alone(lines: list[bytes], changes: list[tuple[int, int, bytes]]) -> None:
    _same(mutated(b"".join(lines), changes))


def test_every_part_in_every_place_says_what_it_says_alone() -> None:
    modern_lines = [f"<34>1 {stamp} h a 1 m {body}" for stamp in STAMPS for body in BODIES]
    older_lines = [f"{head}{stamp} h {body}" for head in ("", "<34>") for stamp in STAMPS for body in BODIES]
    parts = ["2026-03-01T00:00:00Z", "h", "a", "1", "m"]
    swapped = [[*parts[:at], token, *parts[at + 1 :]] for at in range(len(parts)) for token in TOKENS]
    lines = [*modern_lines, *older_lines, *(f"<34>1 {' '.join(tokens)} - x" for tokens in swapped)]
    _same("\n".join(lines).encode())


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damaged_files_say_what_each_line_says_alone(data: st.DataObject) -> None:
    seed = data.draw(st.sampled_from(CASES)).read_bytes()
    _same(mutated(seed, data.draw(edits)))


@given(st.binary(), st.lists(st.sampled_from([b"\n", b" ", b"\0", b"\r", b"a", b"\x1c"])))
def test_lines_are_counted_however_the_bytes_arrive(data: bytes, marks: list[bytes]) -> None:
    content = data + b"".join(marks)
    expected = OneByOne().count_facts(io.BytesIO(content))
    assert Syslog().count_facts(io.BytesIO(content)) == Syslog().count_facts(Trickle(content)) == expected


@pytest.mark.parametrize(
    "form", ["<34>1 2026-03-01T00:00:{:02d}Z h a {} - - text", "Mar  5 14:15:{:02d} h a[{}]: text"]
)
def test_blocks_do_not_show(form: str) -> None:
    """Neither their cuts nor a line longer than one lose, repeat or renumber anything."""
    lines = [form.format(number % 60, number) for number in range(40_000)]
    lines[20_000:20_002] = ["x" * (2 * BLOCK_BYTES), lines[20_001] + "y" * BLOCK_BYTES]
    outcome = _same("\n".join(lines).encode())
    assert outcome.ordinals() == list(range(40_000))
    assert outcome.codes() == [("not-syslog", 1, 20_001)]


@pytest.mark.parametrize("stamp", ["2026-03-01T00:00:00.25+01:00", "Mar 15 14:15:16", "Mar  5 14:15:16"])
def test_common_lines_need_no_second_look(stamp: str) -> None:
    line = f"<34>1 {stamp} h a 1 m - text" if stamp.startswith("2") else f"{stamp} h a[1]: text"
    lines = lines_of(f"{line}\n{line}\r\n{line}".encode() + MARGIN)
    assert scan(lines, lines.foreign()).lines.tolist() == [0, 1, 2]


@pytest.mark.data
@pytest.mark.parametrize("name", ["Linux_2k", "OpenSSH_2k", "OpenStack_2k"])
def test_public_logs_say_what_each_line_says_alone(name: str) -> None:
    outcome = _same(public_data(f"logs/{name}.log").read_bytes())
    assert all(set(row) == set(FACTS["logs"].names) for row in outcome.rows.get("logs", []))
