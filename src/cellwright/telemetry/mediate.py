"""From raw files to the lake: detect, count, parse, pseudonymise, store; what cannot be read is quarantined."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow.compute as pc

from cellwright.lake.record import identity
from cellwright.telemetry.coverage import Coverage
from cellwright.telemetry.outcome import MediationResult, Outcome
from cellwright.telemetry.reading import batches, clean, detects, envelope, enveloped
from cellwright.telemetry.sources import Limits, expand, feed, lend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    import pyarrow as pa

    from cellwright.lake.folder import Lake
    from cellwright.lake.writer import FileDraft, LakeWriter
    from cellwright.privacy.pseudonymise import Pseudonymiser
    from cellwright.telemetry.format import Batch, Format
    from cellwright.telemetry.sources import Entry, RawFile

_LOG: Final = logging.getLogger(__name__)
_HEAD: Final = 64 * 2**10
_KEPT: Final = 16 * 2**20  # bytes of a file on which a format failed that are kept in quarantine
_DAMAGE: Final = {
    "archive-truncated": "the compressed data ends early",
    "archive-damaged": "the compressed data is damaged, encrypted or of an unknown kind",
    "archive-too-large": "the archive expands to more bytes than allowed",
    "archive-too-many-members": "the archive has more members than allowed",
    "archive-too-deep": "archives are nested deeper than allowed",
    "spool-damaged": "what was received after this was damaged on disk before it could be read",
}


def mediate(  # noqa: PLR0913 - the composition root names every part
    entries: Sequence[Entry],
    lake: Lake,
    *,
    formats: Sequence[Format],
    pseudonymiser: Pseudonymiser,
    tenant: str,
    now: Callable[[], datetime],
    progress: Callable[[float, float | None], None] | None = None,
    forced: Format | None = None,
    limits: Limits | None = None,
) -> MediationResult:
    """Store the facts of files, as `walk` finds them, in the lake and return what became of each file.

    The first of `formats` that detects a file reads it; `forced` reads every file. `now` gives the time of ingestion,
    with zone; `progress` is told bytes done and bytes in all. A file whose content the tenant already stored is not
    stored again. Files are committed one by one: an interruption keeps those that were done. Raises StorageError.
    """
    total = float(sum(entry.size for entry in entries))
    done = 0
    outcomes: list[Outcome] = []
    with lake.writer(pseudonymiser.derive("quarantine")) as writer:
        line = _Line(writer, tuple(formats), forced, pseudonymiser, tenant, now)
        for entry in entries:
            tell = partial(_tell, progress, done, total)
            outcomes += line.source(entry, limits or Limits(), tell)
            done += entry.size
            _tell(progress, done, total, 0)
    return MediationResult(tuple(outcomes))


def mediate_received(  # noqa: PLR0913 - as above
    raw: RawFile,
    lake: Lake,
    *,
    read_as: Format,
    pseudonymiser: Pseudonymiser,
    tenant: str,
    now: Callable[[], datetime],
) -> MediationResult:
    """Store the facts of one file that was received, not found; as `mediate` otherwise."""
    with lake.writer(pseudonymiser.derive("quarantine")) as writer:
        line = _Line(writer, (read_as,), read_as, pseudonymiser, tenant, now)
        return MediationResult((line.received(raw),))


def _tell(progress: Callable[[float, float | None], None] | None, done: float, total: float, more: float) -> None:
    if progress is not None:
        progress(done + more, total)


def _scaled(tell: Callable[[float], None], scale: float, at: int) -> None:
    tell(at * scale)


class _ChangedError(Exception):
    """The file changed while it was read."""


@dataclass(frozen=True, slots=True)
class _Line:
    """The mediation line of one run."""

    writer: LakeWriter
    formats: tuple[Format, ...]
    forced: Format | None
    pseudonymiser: Pseudonymiser
    tenant: str
    now: Callable[[], datetime]

    def source(self, entry: Entry, limits: Limits, tell: Callable[[float], None]) -> Iterator[Outcome]:
        """Yield the outcome of every file in a file on disk; `tell` hears how many of its bytes are done."""
        before = _stamp(entry)
        if before is None:
            yield Outcome.unreadable(self.pseudonymiser.text(entry.name), "unreadable")
            return
        for raw in expand(entry, self.writer.spool, limits):
            name = self.pseudonymiser.text(raw.name)
            scale = entry.size / raw.size if raw.size and raw.name == entry.name else 0.0
            try:
                yield self._file(raw, name, lambda: _stamp(entry) == before, partial(_scaled, tell, scale))
            except _ChangedError:
                yield Outcome.unreadable(name, "changed-while-read")
                return

    def received(self, raw: RawFile) -> Outcome:
        """Return the outcome of a file that is in memory."""
        return self._file(raw, self.pseudonymiser.text(raw.name), lambda: True, lambda _: None)

    def _file(self, raw: RawFile, name: str, is_unchanged: Callable[[], bool], tell: Callable[[int], None]) -> Outcome:
        read_as = self._format(raw)
        file_id = identity(self.tenant, raw.sha256, raw.damage)
        known = self.writer.known(file_id)
        if known and (known.rows or known.format == (read_as.name if read_as else None)):
            return Outcome.of(known, name, duplicate=True)
        with self.writer.file(file_id) as draft:
            ingested = self.now()
            if read_as is None:
                vendor = None
                if not raw.damage:
                    draft.leave_out(0, 0, "unknown-format")
            else:
                around = envelope(self.tenant, feed(name), draft.file_id, ingested)
                vendor = self._fill(draft, read_as, raw, around, tell)
            if raw.damage:
                rest = b"" if raw.readable else _content(raw)
                draft.quarantine(draft.raw, 1, None, raw.damage, _DAMAGE[raw.damage], rest)
                draft.raw += 1  # what could not be reached is one fact: how many it held is unknown
            if not is_unchanged():
                raise _ChangedError
            record = draft.commit(
                tenant=self.tenant,
                source=name,
                format_name=read_as.name if read_as else None,
                vendor=vendor,
                sha256=raw.sha256,
                size=raw.size,
                ingested=ingested,
            )
        return Outcome.of(record, name, duplicate=False)

    def _format(self, raw: RawFile) -> Format | None:
        if not raw.readable:
            return None
        if self.forced is not None:
            return self.forced
        head = raw.stream.read(_HEAD)
        raw.stream.seek(0)
        return next((candidate for candidate in self.formats if detects(candidate, head, raw.name)), None)

    def _fill(
        self,
        draft: FileDraft,
        read_as: Format,
        raw: RawFile,
        around: dict[str, pa.Scalar],
        tell: Callable[[int], None],
    ) -> str | None:
        """Add what the format makes of the file, and return the vendor it names."""
        count = _count(read_as, raw)
        if count is None:
            draft.raw = 1  # the file itself: how many facts it holds is unknown
            reason = f"the format {read_as.name} cannot count the facts"
            draft.quarantine(0, 1, None, "count-failed", reason, _content(raw))
            return None
        draft.raw = count
        coverage = Coverage()
        vendor = None
        for batch in batches(read_as, raw.stream):
            if batch is None:
                _quarantine_gaps(draft, read_as, coverage, raw)
                return vendor
            vendor = self._take(draft, batch, coverage, around) or vendor
            del batch  # before the next is read
            tell(raw.stream.tell())
        if not coverage.is_exact(count):
            _record_mismatch(draft, coverage)
        return vendor

    def _take(self, draft: FileDraft, batch: Batch, coverage: Coverage, around: dict[str, pa.Scalar]) -> str | None:
        vendor = None
        for table, rows in batch.tables.items():
            ready = clean(table, rows, self.pseudonymiser, around["ingest_ts"].as_py())
            draft.append(table, enveloped(ready, around))
            coverage.add(ready["ordinal"].to_numpy())
            vendors = pc.drop_null(ready["vendor"])
            vendor = vendor or (vendors[0].as_py() if len(vendors) else None)
        for piece in batch.quarantined:
            reason = self.pseudonymiser.text(piece.reason)
            draft.quarantine(piece.ordinal, piece.facts, piece.line, piece.code, reason, piece.raw)
            coverage.add_range(piece.ordinal, piece.facts)
        for left_out in batch.filtered:
            draft.leave_out(left_out.ordinal, left_out.facts, self.pseudonymiser.text(left_out.reason))
            coverage.add_range(left_out.ordinal, left_out.facts)
        return vendor


def _stamp(entry: Entry) -> tuple[int, int] | None:
    """Return size and time of change of a file, or None when it cannot be read."""
    try:
        with entry.path.open("rb") as stream:
            status = os.fstat(stream.fileno())
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _content(raw: RawFile) -> bytes:
    raw.stream.seek(0)
    return raw.stream.read(_KEPT)


def _count(read_as: Format, raw: RawFile) -> int | None:
    try:
        return read_as.count_facts(lend(raw.stream))
    except Exception as error:  # noqa: BLE001 - a format is a plugin: its failure is logged and the file quarantined
        _LOG.warning("format %s failed to count: %s", read_as.name, type(error).__name__)
        return None


def _quarantine_gaps(draft: FileDraft, read_as: Format, coverage: Coverage, raw: RawFile) -> None:
    """Quarantine every fact that the failed format did not account for, and the file with the first."""
    payload = _content(raw)
    for start, facts in coverage.gaps(draft.raw) or [(draft.raw, 0)]:
        draft.quarantine(start, facts, None, "format-failed", f"the format {read_as.name} failed here", payload)
        payload = b""


def _record_mismatch(draft: FileDraft, coverage: Coverage) -> None:
    """Say that parser and count disagree; the difference is left open, so that verifying the lake fails on it."""
    accounted = draft.rows + draft.quarantined + draft.filtered
    gaps = coverage.gaps(draft.raw)
    missing = sum(facts for _, facts in gaps)
    reason = f"{draft.raw} facts were counted, {accounted} accounted for, {missing} have no place"
    draft.quarantine(gaps[0][0] if gaps else draft.raw, 0, None, "count-mismatch", reason, b"")
    draft.is_balanced = False
