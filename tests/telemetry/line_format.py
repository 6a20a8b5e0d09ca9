"""A small telemetry format for the tests of mediation: one line, one fact."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from cellwright.lake.schema import FACTS
from cellwright.telemetry.format import Batch, Filtered, Quarantined

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"#lines\n"


class LineFormat:
    """Lines after `#lines`: `-` is left out, `?` quarantined, `lose` forgotten, `boom` raises, `twice` stored twice.

    `bad` gives rows of another schema, `uncountable` makes counting fail; all else is a log body.
    """

    name = "lines"

    def detects(self, head: bytes, name: str) -> bool:
        if b"undetectable" in head:
            raise ValueError(name)
        return head.startswith(HEAD)

    def count_facts(self, stream: BinaryIO) -> int:
        content = stream.read()
        stream.close()
        if b"uncountable" in content:
            raise ValueError(content)
        return len(content.removeprefix(HEAD).splitlines())

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        lines = stream.read().removeprefix(HEAD).splitlines()
        for ordinal, line in enumerate(lines):
            if line == b"boom":
                raise ValueError(line)
            if line.startswith(b"?"):
                yield Batch(quarantined=(Quarantined(ordinal, 1, ordinal + 2, "bad-line", "starts with ?", line),))
            elif line.startswith(b"-"):
                yield Batch(filtered=(Filtered(ordinal, 1, "comment"),))
            elif line == b"bad":
                yield Batch({"logs": pa.RecordBatch.from_pydict({"x": [1]})})
            elif line != b"lose":
                yield from [_row(ordinal, line)] * (2 if line == b"twice" else 1)


def _row(ordinal: int, line: bytes) -> Batch:
    row = {
        "ordinal": ordinal,
        "body": line.decode(errors="replace"),
        "vendor": "Acme",
        "dq_flags": [],
        "attributes": [("msisdn", "4712345678")],
    }
    return Batch({"logs": pa.RecordBatch.from_pylist([row], schema=FACTS["logs"])})
