"""Discovery of data: what files hold, proposed as Dataset documents for an estate."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.errors import StorageError
from cellwright.estate.documents.parts import API_VERSION
from cellwright.inventory.documents import to_yaml
from cellwright.privacy.audit import masked
from cellwright.telemetry.classify import TableProposal, classify
from cellwright.telemetry.classify_rows import Profiler
from cellwright.telemetry.sources import Limits, expand, feed, lend, walk
from cellwright.wiring.discovery_readers import tables_in
from cellwright.wiring.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cellwright.telemetry.format import Format
    from cellwright.telemetry.sources import Entry, RawFile
    from cellwright.wiring.discovery_readers import Rows
    from cellwright.wiring.progress import Progress

DATASETS_FILE: Final = "datasets.yaml"
_ROWS_A_FILE: Final = 20_000
_ROWS: Final = 100_000  # of one dataset
_NAME: Final = 63  # characters of a document's name
_UNITS: Final = (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3))
_HOME: Final = "fill-in"
_HEADING: Final = """\
Proposed by `cellwright classify` from names and shapes of fields; a person has to confirm every class.
Fill in `home`, the name of the site that the data lives at, and `bound: true` where it cannot be copied elsewhere:
`cellwright check` refuses these documents until their homes exist. What carries the label
`review` needs a legal review."""


@dataclass(slots=True)
class Discovered:
    """One table that was found, in one file or in many alike."""

    name: str
    sources: list[str]  # masked
    bytes: int = 0
    rows: Profiler = field(default_factory=Profiler)

    def proposal(self) -> TableProposal:
        """Return what it reveals."""
        return classify(self.rows.profiles())


@dataclass(frozen=True, slots=True)
class Discovery:
    """The tables that were found, and the files that hold none this can read."""

    tables: tuple[Discovered, ...]
    unread: tuple[tuple[str, str], ...]  # masked name, kebab-case code


def discover(sources: Sequence[Path], formats: Sequence[Format], progress: Progress) -> Discovery:
    """Return the tables in files, folders and archives; files of one folder with the same fields are one table.

    At most 20,000 rows of a file are looked at. Raises StorageError for a source that does not exist.
    """
    entries = walk(sources, Path("/dev/null"))
    total = float(sum(entry.size for entry in entries))
    run = _Run(tuple(formats))
    with tempfile.TemporaryDirectory(prefix="cellwright-classify-") as spool, progress("classify") as advance:
        done = 0
        for entry in entries:
            run.entry(entry, Path(spool))
            done += entry.size
            advance(done, total)
    return Discovery(tuple(run.found.values()), tuple(run.unread))


class _Run:
    """The tables of one discovery by folder and fields."""

    def __init__(self, formats: tuple[Format, ...]) -> None:
        self.found: dict[tuple[str, str, tuple[str, ...]], Discovered] = {}
        self.unread: list[tuple[str, str]] = []
        self._formats = formats
        self._names: set[str] = set()

    def entry(self, entry: Entry, spool: Path) -> None:
        """Look into a file on disk and what it packs."""
        try:
            for raw in expand(entry, spool, Limits()):
                self._file(raw)
        except OSError:
            self.unread.append((masked(entry.name), "unreadable"))

    def _file(self, raw: RawFile) -> None:
        if raw.damage:
            self.unread.append((masked(raw.name), raw.damage))
        if not raw.readable:
            return
        rows = 0
        seen: set[str] = set()
        for found in tables_in(lend(raw.stream), raw.name, self._formats):
            if isinstance(found, str):
                self.unread.append((masked(raw.name), found))
                continue
            dataset = self._dataset(raw.name, found)
            if dataset.name not in seen:
                seen.add(dataset.name)
                dataset.sources.append(masked(raw.name))
                dataset.bytes += raw.size if len(seen) == 1 else 0
            if dataset.rows.rows < _ROWS:
                dataset.rows.batch(found.records)
            rows += found.records.num_rows
            if rows >= _ROWS_A_FILE:
                return

    def _dataset(self, name: str, found: Rows) -> Discovered:
        key = (feed(name), found.table, found.fields)
        if key not in self.found:
            stem = found.table or Path(name.rpartition("!")[2]).stem
            self.found[key] = Discovered(self._free(f"{Path(feed(name)).name}-{stem}"), [])
        return self.found[key]

    def _free(self, wanted: str) -> str:
        """Return a name for a document that no other has, of the letters that names have."""
        plain = re.sub(r"[^a-z0-9]+", "-", masked(wanted).lower()).strip("-")[: _NAME - 5].strip("-") or "dataset"
        name, number = plain, 2
        while name in self._names:
            name, number = f"{plain}-{number}", number + 1
        self._names.add(name)
        return name


def write_datasets(tables: Iterable[Discovered], out: Path) -> Path:
    """Write the Dataset documents into a folder, all or none, and return the file; what is there is not replaced."""
    path = out / DATASETS_FILE
    if path.exists():
        raise StorageError.of(
            "file-exists",
            f"{path} is there already",
            expected="a folder without it",
            hint="what a person confirmed is not overwritten: choose another --out",
        )
    texts = [_document(each) for each in tables]
    write_atomically(path, ["".join(f"# {line}\n" for line in _HEADING.splitlines()), *texts])
    return path


def _document(found: Discovered) -> str:
    proposal = found.proposal()
    fields = [
        f"{masked(each.name)}: {each.sensitivity.value} ({each.confidence:.2f}"
        f"{', NEEDS REVIEW' if each.needs_review else ''}): {'; '.join(each.evidence)}"
        for each in proposal.fields
    ]
    sources = f"from {found.sources[0]}" + (f" and {len(found.sources) - 1} more" if len(found.sources) > 1 else "")
    labels = {"labels": {"review": "to be reviewed"}} if proposal.needs_review else {}
    document = {
        "apiVersion": API_VERSION,
        "kind": "Dataset",
        "metadata": {"name": found.name, **labels},
        "spec": {"class": proposal.sensitivity.value, "home": _HOME, "volume": _volume(found.bytes), "bound": False},
    }
    return f"---\n{to_yaml([document], chr(10).join([sources, *fields]))}".replace("---\n#", "#", 1)


def _volume(size: int) -> str:
    unit, scale = next(((unit, scale) for unit, scale in _UNITS if size >= scale), ("kB", 10**3))
    return f"{max(size / scale, 0.001):.3g} {unit}"
