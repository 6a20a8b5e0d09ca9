"""Tables of JSON objects, one a line, read by a mapping of their members."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from cellwright.telemetry.formats.facts import FactBuffer, chunks
from cellwright.telemetry.formats.json_values import BrokenError, decode_whole, shown
from cellwright.telemetry.formats.long_lines import bounded_lines
from cellwright.telemetry.formats.table_rows import Refusal, TableRows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from cellwright.telemetry.format import Batch
    from cellwright.telemetry.formats.delimited_mapping import Mapping
    from cellwright.telemetry.formats.long_lines import Line

_BLANK: Final = b" \t\r"
_LINE_PART: Final = re.compile(rb"\n|[^\n" + re.escape(_BLANK) + rb"][^\n]*")
_BOM: Final = b"\xef\xbb\xbf"
_LOOKED_AT: Final = 8  # lines by which a file is known


class NdjsonTable:
    """A fact is a line that is not blank. A member that a line lacks is blank; one that the header lacks is refused."""

    def __init__(self, mapping: Mapping) -> None:
        self.name = f"ndjson:{mapping.metadata.name}"
        self._mapping = mapping
        self._places = {name: place for place, name in enumerate(mapping.spec.header)}
        self._around = frozenset(name[:end] for name in self._places for end in range(len(name)) if name[end] == ".")

    def detects(self, head: bytes, name: str) -> bool:  # noqa: ARG002 - the members decide
        """Return whether one of the first lines is an object of which the header names every member."""
        whole = head[: head.rfind(b"\n") + 1] or head
        lines = (line.strip(_BLANK) for line in whole.removeprefix(_BOM).split(b"\n") if line.strip(_BLANK))
        read = (self._cells(line) for line in islice(lines, _LOOKED_AT))
        return any(not isinstance(cells, Refusal) and any(cells) for cells in read)

    def count_facts(self, stream: BinaryIO) -> int:
        """Return the number of lines that are not blank, counted without splitting the text."""
        count, is_open, begun = 0, False, False
        for chunk in chunks(stream):
            for match in _LINE_PART.finditer(chunk if begun else chunk.removeprefix(_BOM)):
                ends = match[0] == b"\n"
                count += not (ends or is_open)
                is_open = not ends
            begun = True
        return count

    def parse(self, stream: BinaryIO) -> Iterator[Batch]:
        """Yield batches; a line that does not fit the mapping is quarantined."""
        facts, rows = FactBuffer(), TableRows(self._mapping)
        for line in bounded_lines(stream):
            if line.raw.strip(_BLANK):
                rows.add(facts, self._record(line), line.raw, line.number)
            if facts.full():
                yield from facts.take()
        rows.settle(facts)
        yield from facts.take()

    def _record(self, line: Line) -> list[str] | Refusal:
        if line.is_cut:
            return Refusal("unreadable-record", "expected a line of less than 16 MiB")
        return self._cells(line.raw)

    def _cells(self, raw: bytes) -> list[str] | Refusal:
        """Return the texts of the members in the order of the header, "" for those that are absent or null."""
        try:
            value = decode_whole(raw)
        except BrokenError as broken:
            return Refusal("unreadable-record", broken.reason)
        if not isinstance(value, dict):
            return Refusal("unreadable-record", "expected a JSON object")
        found: dict[int, str] = {}
        if not self._gather(value, "", found):
            return Refusal("unknown-member", "expected only members that the header names, each once")
        return [found.get(place, "") for place in range(len(self._places))]

    def _gather(self, members: dict[str, object], around: str, found: dict[int, str]) -> bool:
        """Put the members of an object into `found` by their place; return False for one that is not expected."""
        for name, value in members.items():
            path = f"{around}{name}"
            place = self._places.get(path)
            if place is not None and place not in found:
                found[place] = "" if value is None else shown(value)
            elif path not in self._around or place is not None:
                return False
            elif isinstance(value, dict):
                if not self._gather(value, f"{path}.", found):
                    return False
            elif value is not None:
                return False
        return True
