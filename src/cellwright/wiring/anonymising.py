"""A lake anonymised into a dataset of its own: Parquet tables, a certificate, and a document for the estate."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cellwright.errors import StorageError, UsageError, nearest
from cellwright.estate.documents.parts import API_VERSION
from cellwright.estate.model import SensitivityClass
from cellwright.inventory.documents import to_yaml
from cellwright.lake.delta_lake import open_lake
from cellwright.privacy.anonymise import Wanted, anonymise, smallest_class
from cellwright.privacy.anonymise_levels import Ladder
from cellwright.privacy.anonymise_spec import Mode, default_spec, load_spec
from cellwright.privacy.anonymise_subjects import PSEUDONYM
from cellwright.privacy.audit_columns import survivors_in_batch
from cellwright.wiring.files import read_text, storage_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cellwright.lake.address import Address
    from cellwright.lake.folder import Lake
    from cellwright.privacy.anonymise import Anonymised
    from cellwright.privacy.anonymise_spec import Spec, TableSpec
    from cellwright.wiring.progress import Progress

Certificate = dict[str, Any]
"""A certificate as JSON: boundaries alone read it."""

CERTIFICATE: Final = "certificate.json"
DATASET: Final = "dataset.yaml"
_FILL_IN: Final = "fill-in"
_CONTRIBUTORS: Final = "contributors"
_QUANTILES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_LIMITS: Final = (
    "attributes are not protected: what a class agrees in is known of everybody in it, but for columns with an l",
    "tables are anonymised one by one: joined, or beside another release of the lake, they may tell more",
    "kept columns count as unknown to whoever looks for somebody",
    "a person with several identifiers that never stand in one row counts as several",
    "a row without a pseudonym counts as somebody of its own",
)
_HEADING: Final = (
    "Anonymised by `cellwright anonymise`; the guarantee and its limits are in certificate.json beside it."
)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for."""

    k: int
    diverse: tuple[tuple[str, int], ...] = ()
    spec: Path | None = None
    name: str | None = None  # of the dataset in the estate
    derived_from: str | None = None  # the dataset in the estate that the lake holds
    home: str | None = None


def anonymise_lake(source: Path | Address, out: Path, order: Order, progress: Progress) -> Certificate:
    """Write an anonymised copy of a lake's tables to a new folder, as a whole or not at all; return its certificate.

    A table is held in memory. What was written is read back and recounted; where it does not hold, or a pseudonym or an
    identifier is left, nothing is kept. Raises StorageError and UsageError.
    """
    if order.k < 2:  # noqa: PLR2004 - one alone is no crowd
        raise UsageError.of("wrong-k", f"k is {order.k}", expected="2 or more")
    if out.exists():
        raise StorageError.of("file-exists", f"{out} is there already", expected="a folder that does not exist")
    spec = load_spec(read_text(order.spec), str(order.spec)) if order.spec else default_spec()
    with open_lake(source) as lake, storage_errors("write", out):
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            certificate = _fill(lake, folder, spec, order, progress)
            (folder / CERTIFICATE).write_text(json.dumps(certificate, indent=2) + "\n", encoding="utf-8")
            (folder / DATASET).write_text(_document(folder, out, spec, order), encoding="utf-8")
            _sync(folder)
            folder.rename(out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return certificate


def recount(folder: Path) -> tuple[int, dict[str, int]]:
    """Return the k promised, and the rows of the smallest class of each table, 0 where it has none.

    For aggregates it is the smallest number of contributors.
    """
    certificate = json.loads(read_text(folder / CERTIFICATE))
    found = {}
    for name, told in certificate["tables"].items():
        rows = pq.read_table(folder / f"{name}.parquet")
        if told["mode"] == Mode.AGGREGATE:
            found[name] = pc.min(rows[_CONTRIBUTORS]).as_py() or 0
        else:
            found[name] = smallest_class(rows, [each["column"] for each in told["quasi"]])
    return int(certificate["k"]), found


def _fill(lake: Lake, folder: Path, spec: Spec, order: Order, progress: Progress) -> Certificate:
    stored = {each.name for each in lake.tables()}
    wanted = [name for name in spec.tables if name in stored or order.spec]
    _check_diverse(order, spec, wanted)
    tables: Certificate = {}
    with progress("anonymise") as advance:
        for done, name in enumerate(wanted):
            advance(done, len(wanted))
            tables[name] = _table(lake.read(name), folder / f"{name}.parquet", spec.tables[name], order)
        advance(len(wanted), len(wanted))
    unwritten = sorted(stored - set(wanted))
    return {
        "k": order.k,
        "guarantee": (
            f"whoever knows the quasi-identifiers of one subject finds at least {order.k} subjects in a table whose "
            "rows agree with them; rows of fewer were left out"
        ),
        "limits": list(_LIMITS),
        "source": {"ledger_sha256": _ledger_hash(lake), "files": len(lake.files())},
        "tables": tables,
        "tables_left_out": unwritten,
    }


def _check_diverse(order: Order, spec: Spec, wanted: list[str]) -> None:
    kept = sorted({each for name in wanted for each in (*spec.tables[name].keep, *spec.tables[name].measures)})
    for column, _ in order.diverse:
        if column not in kept:
            raise UsageError.of(
                "unknown-column",
                f"no table keeps a column {column!r}",
                expected="one of " + ", ".join(kept),
                hint=nearest(column, kept),
            )


def _table(rows: pa.Table, path: Path, spec: TableSpec, order: Order) -> Certificate:
    grouped = spec.mode is Mode.AGGREGATE
    quasi = {**spec.quasi, **(dict.fromkeys(spec.keep, Ladder.EXACT) if grouped else {})}
    kept = spec.measures if grouped else spec.keep
    diverse = tuple((name, least) for name, least in order.diverse if name in kept)
    made = anonymise(rows, Wanted(order.k, quasi, kept, spec.subject, diverse))
    written = _aggregated(made, tuple(quasi), spec.measures) if grouped else made.rows
    pq.write_table(written, path, compression="zstd")
    _check(path, made, order.k, tuple(quasi), grouped=grouped)
    return {
        "mode": spec.mode.value,
        "rows": rows.num_rows,
        "kept": made.rows.num_rows,
        "suppressed": made.suppressed,
        "written": written.num_rows,
        "unit": "subjects" if made.by_subjects else "rows",
        "quasi": [
            {"column": each.column, "ladder": each.ladder.value, "level": each.level, "of": each.steps - 1}
            | {"meaning": each.meaning}
            for each in made.generalised
        ],
        "kept_columns": list(kept),
        "dropped_columns": sorted(set(rows.schema.names) - set(quasi) - set(kept)),
        "diverse": dict(diverse),
        "loss": round(made.loss, 4),
        "classes": _sizes(made),
    }


def _sizes(made: Anonymised) -> dict[str, object]:
    sizes = made.class_sizes
    spread = [sizes[round(share * (len(sizes) - 1))] for share in _QUANTILES] if sizes else []
    return {"count": len(sizes), "sizes_min_quartiles_max": spread}


def _aggregated(made: Anonymised, by: tuple[str, ...], measures: tuple[str, ...]) -> pa.Table:
    """Return sums and means of each class, and how many subjects stand behind them."""
    rows = made.rows.append_column("_subject", pa.array(made.subjects))
    asked = [(name, how) for name in measures for how in ("sum", "mean", "count")]
    groups = rows.group_by(list(by), use_threads=False).aggregate([*asked, ("_subject", "count_distinct")])
    return groups.rename_columns(
        [_CONTRIBUTORS if name == "_subject_count_distinct" else name for name in groups.column_names]
    )


def _check(path: Path, made: Anonymised, k: int, quasi: tuple[str, ...], *, grouped: bool) -> None:
    """Raise StorageError unless what was written holds what is promised, read back and counted anew."""
    rows = pq.read_table(path)
    if grouped:
        smallest = pc.min(rows[_CONTRIBUTORS]).as_py() or 0
    else:
        smallest = smallest_class(rows, quasi, made.subjects, made.named)
    named = any(pc.any(pc.match_substring_regex(text, PSEUDONYM)).as_py() for text in _texts(rows))
    left = sum(1 for _ in _survivors(rows))
    if (rows.num_rows and smallest < k) or named or left:
        what = f"its smallest class has {smallest}" if smallest < k else f"{left} identifiers or pseudonyms are left"
        raise StorageError.of(
            "not-anonymous",
            f"{path.stem} was not written: {what}",
            expected=f"classes of {k} or more, and nobody named",
            hint="keep fewer columns" if smallest >= k else "report this: the search and the recount disagree",
        )


def _texts(rows: pa.Table) -> Iterator[pa.ChunkedArray]:
    return (rows[name] for name in rows.schema.names if pa.types.is_string(rows[name].type))


def _survivors(rows: pa.Table) -> Iterator[object]:
    for batch in rows.to_batches():
        yield from survivors_in_batch(batch, 1)


def _ledger_hash(lake: Lake) -> str:
    """Return the SHA-256 of what the ledger lists: each file, its content and what became of it."""
    lines = sorted(f"{each.file_id} {each.sha256} {each.rows} {each.state}" for each in lake.files())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _document(folder: Path, out: Path, spec: Spec, order: Order) -> str:
    """Return the Dataset of the copy; its class is lower than the source's."""
    aggregates = all(each.mode is Mode.AGGREGATE for each in spec.tables.values())
    sensitivity = SensitivityClass.AGGREGATED_KPI if aggregates else SensitivityClass.ANONYMISED
    size = sum(each.stat().st_size for each in folder.glob("*.parquet"))
    body: Mapping[str, object] = {
        "apiVersion": API_VERSION,
        "kind": "Dataset",
        "metadata": {
            "name": order.name or re.sub(r"[^a-z0-9]+", "-", out.name.lower()).strip("-")[:63] or "anonymised",
            "labels": {"k": str(order.k), "certificate": CERTIFICATE},
        },
        "spec": {
            "class": sensitivity.value,
            "home": order.home or _FILL_IN,
            "volume": f"{max(size / 1e6, 0.001):.3g} MB",
            "bound": False,
            "derivedFrom": [order.derived_from or _FILL_IN],
        },
    }
    return to_yaml([body], _HEADING)


def _sync(folder: Path) -> None:
    """Make the files of a folder durable, and the folder one that others may read."""
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    folder.chmod(0o755)
