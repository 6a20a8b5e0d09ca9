"""Estates and plans between the file system and the pure rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.errors import EstateError, Severity, StorageError
from cellwright.estate.parsing import parse
from cellwright.estate.warnings import warnings_at
from cellwright.placement import encode
from cellwright.wiring.files import read_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from cellwright.errors import Diagnostic
    from cellwright.estate.model import Estate
    from cellwright.placement.plan import Plan


def check_estate(path: Path, today: date, supposed: Sequence[str] = ()) -> tuple[Estate | None, tuple[Diagnostic, ...]]:
    """Return the estate of a file or folder and every problem, warnings of the day included; None beside an error.

    `supposed` values, such as `Workload/NAME/latency.p99=20 ms`, stand in place of those in the files.
    """
    parsed = parse([(str(file), read_text(file)) for file in _documents(path)], supposed)
    if parsed.estate is None:
        return None, parsed.diagnostics
    return parsed.estate, (*parsed.diagnostics, *warnings_at(parsed, today))


def load_estate(path: Path, today: date, supposed: Sequence[str] = ()) -> Estate:
    """Return the estate of a file or folder; raise EstateError with every problem."""
    found, diagnostics = check_estate(path, today, supposed)
    if found is None:
        raise EstateError(*(item for item in diagnostics if item.severity is Severity.ERROR))
    return found


def load_plan(path: Path) -> Plan:
    """Return the plan in a JSON file; raise StorageError or the decoder's error when it is none."""
    return encode.from_json(read_text(path), str(path))


def _documents(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise StorageError.of(
            "no-estate", f"there is no estate at {path}", expected="a YAML file, or a folder of YAML files"
        )
    files = sorted(file for pattern in ("*.yaml", "*.yml") for file in path.rglob(pattern) if file.is_file())
    if not files:
        raise StorageError.of(
            "no-estate", f"the folder {path} holds no YAML file", expected="one or more files named *.yaml or *.yml"
        )
    return files
