"""OpenMetrics 1.0 text and the Prometheus text exposition format 0.0.4."""

from __future__ import annotations

import math
import os
import re
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.facts import chunks
from cellwright.telemetry.formats.gathered import GatheredFacts
from cellwright.telemetry.formats.instants import FIRST_US, LAST_US
from cellwright.telemetry.formats.long_lines import bounded_lines
from cellwright.telemetry.formats.openmetrics_samples import InvalidError, Sample, read_number, read_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch

_BLANK: Final = b" \t\r"
_LINE_PART: Final = re.compile(rb"\n|[^\n" + re.escape(_BLANK) + rb"][^\n]*")
_BOM: Final = b"\xef\xbb\xbf"
_END: Final = b"# EOF"
_LOOKED_AT: Final = 16  # lines by which a file is known
_METADATA: Final = re.compile(r"#[ \t]+(TYPE|UNIT)[ \t]+(?:\"((?:[^\"\\]|\\.)*+)\"|([^ \t\"]++))(?:[ \t]+(\S+))?[ \t]*")
_KNOWN_COMMENT: Final = re.compile(rb"#[ \t]+(?:TYPE|UNIT|HELP)[ \t]+[\"a-zA-Z_:]")
_KINDS: Final = MappingProxyType(
    {
        "counter": "counter",
        "gauge": "gauge",
        "histogram": "histogram",
        "gaugehistogram": "histogram",
        "summary": "summary",
        "info": "state",
        "stateset": "state",
        "unknown": None,
        "untyped": None,
    }
)
# OpenMetrics 1.0, "Suffixes": what samples may append to the name of their family, by its type.
_SUFFIXES: Final = MappingProxyType(
    {
        "counter": ("_total", "_created"),
        "histogram": ("_bucket", "_count", "_sum", "_created"),
        "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
        "summary": ("_count", "_sum", "_created"),
        "info": ("_info",),
    }
)
_COUNTS: Final = frozenset(("_bucket", "_count", "_gcount"))
# The base units that OpenMetrics 1.0 ("Units and Base Units") names, in UCUM; others are UCUM annotations.
_UNITS: Final = MappingProxyType(
    {
        "seconds": "s",
        "bytes": "By",
        "joules": "J",
        "grams": "g",
        "meters": "m",
        "ratios": "1",
        "ratio": "1",
        "volts": "V",
        "amperes": "A",
        "celsius": "Cel",
    }
)
_EARLIEST_MS: Final = 100_000_000_000  # 1973 in milliseconds, the year 5138 in seconds: what is less was seconds


class OpenMetrics:
    """A fact is a sample line. Timestamps are seconds before `# EOF`, without it milliseconds as Prometheus has them.

    Labels are the keys of a row. HELP is not kept; exemplars are left out, and their samples say so.
    """

    name = "openmetrics"

    def detects(self, head: bytes, name: str) -> bool:
        """Return whether the first lines hold metadata, or nothing but samples of which some have labels."""
        whole = head[: head.rfind(b"\n") + 1] or head
        lines = [line.strip(_BLANK) for line in whole.removeprefix(_BOM).split(b"\n") if line.strip(_BLANK)]
        looked_at = list(islice(lines, _LOOKED_AT))
        comments = [line for line in looked_at if line.startswith(b"#")]
        samples = [_is_sample(line) for line in looked_at if not line.startswith(b"#")]
        known = any(line == _END or _KNOWN_COMMENT.match(line) for line in comments)
        if known:
            return any(samples) or not samples
        is_labelled = name.endswith(".prom") or any(b"{" in line for line in looked_at)
        return is_labelled and bool(samples) and all(samples)

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of lines that are neither blank nor comments, counted without splitting the text."""
        count, is_open, begun = 0, False, False
        for chunk in chunks(stream):
            data = chunk if begun else chunk.removeprefix(_BOM)
            begun = True
            for match in _LINE_PART.finditer(data):
                ends = match[0] == b"\n"
                count += not (ends or is_open or match[0].startswith(b"#"))
                is_open = not ends
        return count

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; a line that is no sample is quarantined."""
        facts = GatheredFacts()
        families = _Families(has_end=_has_end(stream))
        for line in bounded_lines(stream):
            raw = line.raw.strip(_BLANK)
            if raw.startswith(b"#"):
                if not families.read_comment(raw):
                    reason = "expected a name and a known type, or a unit"
                    facts.quarantine("invalid-metadata", reason, raw, facts=0, line=line.number)
            elif raw:
                _add(facts, families, raw, line.number, is_cut=line.is_cut)
            if facts.full():
                yield from facts.take()
        yield from facts.take()


def _is_sample(raw: bytes) -> bool:
    try:
        read_sample(raw.decode())
    except (UnicodeDecodeError, InvalidError):
        return False
    return True


def _has_end(stream: BinaryIO) -> bool:
    """Return whether `# EOF` ends the stream, which is left where it was."""
    start = stream.tell()
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(start, size - 64))
    tail = b"".join(chunks(stream))
    stream.seek(start)
    return tail.rstrip(_BLANK + b"\n").rpartition(b"\n")[2].strip(_BLANK) == _END


def _add(facts: GatheredFacts, families: _Families, raw: bytes, number: int, *, is_cut: bool) -> None:
    try:
        if is_cut:
            _refuse("expected a line of less than 16 MiB")
        if families.ended:
            _refuse("expected nothing behind the end")
        row = families.row(read_sample(raw.decode()))
    except UnicodeDecodeError:
        facts.quarantine("invalid-sample", "expected UTF-8", raw, line=number)
    except InvalidError as error:
        facts.quarantine("invalid-sample", str(error), raw, line=number)
    else:
        facts.row("telemetry", row)


def _refuse(reason: str) -> None:
    raise InvalidError(reason)


class _Families:
    """What the comments of a file say of the samples behind them."""

    def __init__(self, *, has_end: bool) -> None:
        self.ended = False
        self._has_end = has_end
        self._types: dict[str, str] = {}
        self._units: dict[str, str] = {}
        self._names: dict[str, tuple[str, str]] = {}  # name of a sample: (name of its family, suffix)

    def read_comment(self, raw: bytes) -> bool:
        """Take note of a comment; return False for metadata that are malformed."""
        if raw == _END:
            self.ended = True
            return True
        text = raw.decode("utf-8", "replace")
        match = _METADATA.fullmatch(text)
        if match is None:
            return not text.startswith(("# TYPE ", "# UNIT "))
        keyword, quoted, bare, word = match.groups()
        family = bare or quoted or ""
        if keyword == "TYPE":
            if word not in _KINDS:
                return False
            self._types[family] = word
            self._names.update({family + suffix: (family, suffix) for suffix in _SUFFIXES.get(word, ())})
        elif word:
            self._units[family] = word
        return True

    def row(self, sample: Sample) -> dict[str, object]:
        """Return the row of a sample; raise InvalidError."""
        family, suffix = (sample.name, "") if sample.name in self._types else self._names.get(sample.name, ("", ""))
        family = family or sample.name
        flags = list(sample.flags)
        is_creation = suffix == "_created"
        return {
            "ts": None if sample.ts is None else self._ts(sample.ts, flags),
            "origin": "openmetrics",
            "target": sample.labels.get("instance"),
            "path": sample.name,
            "keys": list(sample.labels.items()),
            "kind": "gauge" if is_creation else _KINDS.get(self._types.get(family, "")),
            "value_i64": sample.value if isinstance(sample.value, int) else None,
            "value_f64": sample.value if isinstance(sample.value, float) else None,
            "unit": "s" if is_creation else None if suffix in _COUNTS else self._unit(family),
            "dq_flags": flags,
        }

    def _unit(self, family: str) -> str | None:
        unit = self._units.get(family)
        return None if unit is None else _UNITS.get(unit, f"{{{unit}}}")

    def _ts(self, text: str, flags: list[str]) -> int:
        """Return microseconds of a timestamp: seconds, or milliseconds in files without end."""
        number = read_number(text)
        if not math.isfinite(number):
            _refuse("expected a timestamp")
        is_ms = not self._has_end and isinstance(number, int) and abs(number) >= _EARLIEST_MS
        if not self._has_end and not is_ms:
            flags.append("seconds-assumed")
        us = number * 1000 if is_ms else number * 1_000_000
        if not FIRST_US <= us <= LAST_US:
            _refuse("expected a time between the years 1 and 9999")
        return round(us)
