"""Recounts the lake: what the ledger claims of every file is compared with what lies in the parts.

Nothing here trusts a sum of the writer: rows are counted in Parquet by file id, quarantined and filtered facts in the
ledger's single lines, and the ordinals of all three have to cover 0 to raw-1 once each. `raw` itself was counted by the
format without its parser.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cellwright.lake.ledger import Ledger, Part
    from cellwright.lake.place import Place
    from cellwright.lake.record import FileRecord


@dataclass(frozen=True, slots=True)
class Finding:
    """One check that failed, and by how much."""

    check: str  # kebab-case
    difference: int  # found minus expected, in rows, facts, ordinals or files as the message says
    message: str


@dataclass(frozen=True, slots=True)
class Balance:
    """Facts of one file: counted raw, and found as rows, quarantined, filtered. `file_id` is "" for the lake itself."""

    file_id: str
    source: str
    raw: int
    rows: int
    quarantined: int
    filtered: int
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Return whether every check of the file holds."""
        return not self.findings


@dataclass(slots=True)
class _Recount:
    """What the parts hold: rows and ordinals by the file id in the rows, findings by the file id in the ledger."""

    ordinals: dict[str, list[NDArray[np.int64]]] = field(default_factory=lambda: defaultdict(list))
    rows_by_table: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    findings: dict[str, list[Finding]] = field(default_factory=lambda: defaultdict(list))


def verify(place: Place, ledger: Ledger) -> tuple[Balance, ...]:
    """Return one balance for each file, then one for whatever belongs to none; cost: reads every part once."""
    parts = ledger.parts()
    recount = _Recount()
    for part in parts:
        _recount_part(place, part, recount)
    files = ledger.files()
    balances = [_balance(file, ledger, recount) for file in files]
    strays = _strays(place, ledger, {file.file_id for file in files}, recount)
    return (*balances, Balance("", "the lake", 0, 0, 0, 0, strays)) if strays else tuple(balances)


def _recount_part(place: Place, part: Part, recount: _Recount) -> None:
    findings = recount.findings[part.file_id]
    try:
        if place.digest(part.path) != part.sha256:
            findings.append(Finding("part-digest", 1, f"{part.path} is not the part that was written"))
        path, columns = place.at(part.path), ["file_id", "ordinal"]
        rows = pq.read_table(path, columns=columns, partitioning=None, filesystem=place.filesystem)
    except FileNotFoundError:
        findings.append(Finding("part-missing", -1, f"{part.path} is missing, which held {part.rows} rows"))
        return
    except (OSError, pa.ArrowException):
        findings.append(Finding("part-unreadable", -part.rows, f"{part.path} cannot be read ({part.rows} rows)"))
        return
    if rows.num_rows != part.rows:
        message = f"{part.path} holds {rows.num_rows} rows, the ledger lists {part.rows}"
        findings.append(Finding("part-rows", rows.num_rows - part.rows, message))
    groups = rows["file_id"].combine_chunks().dictionary_encode()
    codes, ordinals = groups.indices.to_numpy(), rows["ordinal"].to_numpy()
    for code, file_id in enumerate(groups.dictionary.to_pylist()):
        mine = ordinals[codes == code]
        recount.ordinals[file_id].append(mine)
        recount.rows_by_table[file_id, part.table] += len(mine)


def _balance(file: FileRecord, ledger: Ledger, recount: _Recount) -> Balance:
    ordinals = np.concatenate([np.empty(0, np.int64), *recount.ordinals.get(file.file_id, [])])
    quarantined_ranges, filtered_ranges = ledger.ranges(file.file_id)
    rows = len(ordinals)
    quarantined = sum(facts for _, facts in quarantined_ranges)
    filtered = sum(facts for _, facts in filtered_ranges)
    findings = [
        *recount.findings.get(file.file_id, []),
        *compare("rows-recount", "rows in the parts", rows, file.rows),
        *compare("quarantined-recount", "quarantined facts", quarantined, file.quarantined),
        *compare("filtered-recount", "filtered facts", filtered, file.filtered),
        *compare("conservation", "rows, quarantined and filtered facts", rows + quarantined + filtered, file.raw),
        *_table_findings(file, recount),
        *_ordinal_findings(ordinals, (*quarantined_ranges, *filtered_ranges), file.raw),
    ]
    return Balance(file.file_id, file.source, file.raw, rows, quarantined, filtered, tuple(findings))


def compare(check: str, what: str, found: int, expected: int) -> list[Finding]:
    """Return a finding where two counts differ."""
    message = f"{found} {what} found, {expected} expected"
    return [] if found == expected else [Finding(check, found - expected, message)]


def _table_findings(file: FileRecord, recount: _Recount) -> list[Finding]:
    found = {table: rows for (file_id, table), rows in recount.rows_by_table.items() if file_id == file.file_id}
    return [
        finding
        for table in sorted({*found, *file.rows_by_table})
        for finding in compare(
            "table-recount", f"rows in {table}", found.get(table, 0), file.rows_by_table.get(table, 0)
        )
    ]


def _ordinal_findings(ordinals: NDArray[np.int64], ranges: tuple[tuple[int, int], ...], raw: int) -> list[Finding]:
    """Return whether rows and ranges cover 0 to raw-1 once each; memory: 32 bytes a row."""
    held = np.array([pair for pair in ranges if pair[1] > 0], np.int64).reshape(-1, 2)
    starts = np.concatenate([ordinals, held[:, 0], [raw]])
    ends = np.concatenate([ordinals + 1, held[:, 0] + held[:, 1], [raw]])
    order = np.lexsort((ends, starts))
    starts, reached = starts[order], np.maximum.accumulate(np.concatenate([[0], ends[order]]))[:-1]
    missing = int(np.maximum(starts - reached, 0).sum())
    twice = int(np.maximum(np.minimum(reached, ends[order]) - starts, 0).sum()) + int((starts < 0).sum())
    beyond = int(max(0, ends.max() - raw))
    return [
        *([Finding("ordinals-missing", -missing, f"{missing} facts have no place in the lake")] if missing else []),
        *([Finding("ordinals-twice", twice, f"{twice} facts are accounted for twice")] if twice else []),
        *([Finding("ordinals-beyond", beyond, f"ordinals reach {beyond} beyond the raw count")] if beyond else []),
    ]


def _strays(place: Place, ledger: Ledger, known: set[str], recount: _Recount) -> tuple[Finding, ...]:
    orphans = sorted({*recount.findings, *recount.ordinals} - known - {""})
    found = list(recount.findings.get("", []))  # of parts that several files share
    found += [
        Finding("rows-of-no-file", 1, f"rows or parts of {file_id}, a file that the ledger does not list")
        for file_id in orphans
        if recount.findings.get(file_id) or recount.ordinals.get(file_id)
    ]
    if not place.is_being_written(ledger):
        found += [
            Finding("part-unlisted", 1, f"{path} is in no ledger line; no reader sees it")
            for path in place.unlisted({part.path for part in ledger.parts()})
        ]
    return tuple(found)
