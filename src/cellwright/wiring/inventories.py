"""Inventories between files, NetBox's API and the pure room; an estate appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.errors import EstateError, Severity, StorageError, UsageError
from cellwright.estate.parsing import parse
from cellwright.estate.yaml_nodes import read_yaml
from cellwright.inventory.documents import to_files, to_yaml
from cellwright.inventory.model import Imported, Inventory, Source
from cellwright.plugins import PluginSet
from cellwright.wiring.files import read_text, storage_errors, write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.inventory.model import Options, Role

FILE_LIMIT: Final = 256 << 20
"""Bytes of one input; reading takes at most a few times that in memory."""

_STANDARD_INPUT: Final = "-"


def inventories() -> PluginSet[Inventory]:
    """Return the installed inventories."""
    return PluginSet[Inventory]("inventories")


def read_source(path: Path, role: Role) -> Source:
    """Return the bytes of a file, or of standard input for `-`; raise StorageError also where there are too many."""
    if str(path) == _STANDARD_INPUT:
        return _bounded("standard input", sys.stdin.buffer.read(FILE_LIMIT + 1), role)
    if path.is_dir():
        raise StorageError.of("not-a-file", f"{path} is a folder", expected="a file")
    with storage_errors("read", path), path.open("rb") as stream:
        data = stream.read(FILE_LIMIT + 1)
    return _bounded(str(path), data, role)


def _bounded(name: str, data: bytes, role: Role) -> Source:
    if len(data) > FILE_LIMIT:
        message = f"{name} has more than {FILE_LIMIT >> 20} MiB"
        raise StorageError.of("too-large", message, hint="import it in parts, or leave out what no estate holds")
    return Source(name, data, role)


def read_columns(given: Iterable[str]) -> dict[str, str]:
    """Return our columns by the headers of the source, from OURS=THEIRS and from YAML files of such pairs."""
    columns: dict[str, str] = {}
    for text in given:
        own, equals, theirs = text.partition("=")
        if equals:
            columns[own.strip()] = theirs.strip()
        else:
            columns.update(_columns_file(text))
    return columns


def _columns_file(name: str) -> dict[str, str]:
    if not name.endswith((".yaml", ".yml")):
        raise UsageError.of(
            "bad-columns", f"{name!r} maps no column", expected="OURS=THEIRS such as site=Standort, or a YAML file"
        )
    content = read_yaml(name, read_text(Path(name)))
    found = content.documents[0].value if len(content.documents) == 1 else None
    if content.problems:
        raise UsageError(*content.problems)
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise UsageError.of("bad-columns", f"{name} maps no columns", expected="lines such as site: Standort")
    return found


def import_estate(form: str, texts: Iterable[Source], options: Options) -> Imported:
    """Return what the inventory `form` makes of the texts; raise EstateError with every problem."""
    imported = inventories().get(form).documents(tuple(texts), options)
    errors = [item for item in imported.diagnostics if item.severity is Severity.ERROR]
    if errors:
        raise EstateError(*imported.diagnostics)
    return imported


def check_target(out: Path, *, force: bool) -> None:
    """Raise StorageError where something stands at `out` that an import would overwrite."""
    if force or not (out.exists() or out.is_symlink()):
        return
    with storage_errors("look into", out):
        empty = out.is_dir() and not any(out.iterdir())
    if not empty:
        what = "is not empty" if out.is_dir() else "exists"
        raise StorageError.of(
            "target-exists", f"{out} {what}", expected="a new or empty folder, or a new .yaml file", hint="or --force"
        )


def write_estate(out: Path, imported: Imported, heading: str, *, force: bool) -> tuple[Path, ...]:
    """Put the documents into one file (.yaml, .yml) or a folder; return what was written.

    A new folder appears whole, by rename. With `force`, files of an import's names are replaced one by one after all of
    them are safely on the disk; other files stay. Nothing is written that `cellwright check` would refuse.
    """
    check_target(out, force=force)
    if out.suffix in {".yaml", ".yml"}:
        text = to_yaml(imported.documents, heading)
        _check({out.name: text})
        write_atomically(out, text)
        return (out,)
    files = to_files(imported.documents, heading)
    _check(files)
    if out.exists() and not out.is_dir():
        raise StorageError.of("not-a-folder", f"{out} is a file", expected="a folder, or a name that ends in .yaml")
    _write_folder(out, files)
    return tuple(out / name for name in files)


def _check(files: Mapping[str, str]) -> None:
    problems = [item for item in parse(list(files.items())).diagnostics if item.severity is Severity.ERROR]
    if problems:
        raise EstateError(*problems)


def _write_folder(out: Path, files: Mapping[str, str]) -> None:
    """Write all files beside the target first, so that a full disk or Ctrl-C leaves the target as it was."""
    staging = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        for name, text in files.items():
            write_atomically(staging / name, text)
        with storage_errors("write", out):
            if not out.exists() or not any(out.iterdir()):
                staging.replace(out)
            else:
                _replace_files(staging, out, tuple(files))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _replace_files(staging: Path, out: Path, names: tuple[str, ...]) -> None:
    """Move files over those of the same name; an interruption in the middle waits until all are moved."""
    moved: set[str] = set()
    try:
        for name in names:
            (staging / name).replace(out / name)
            moved.add(name)
    except KeyboardInterrupt:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (staging / name).replace(out / name)
        raise


def summary_of(imported: Imported) -> dict[str, int]:
    """Return how much was imported."""
    machines = sum(node.count for site in imported.sites for node in site.nodes)
    estimated = sum(link.estimated for link in imported.links)
    return {
        "sites": len(imported.sites),
        "machines": machines,
        "links": len(imported.links),
        "estimated_links": estimated,
    }
