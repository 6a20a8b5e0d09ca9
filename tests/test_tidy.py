"""The house rules that no other tool checks."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCHES = sorted((ROOT / "bench").rglob("*.py"))
FORBIDDEN_NAMES = re.compile(
    r"(Manager|Helper|Utils?|Base|Impl|Misc)(?=[A-Z_]|$)|(?:^|_)(manager|helpers?|utils?|impl|misc)(?:_|$)"
)


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: the tracked files are unknown")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize(("paths", "limit"), [(SOURCES + BENCHES, 600), (TESTS, 800)], ids=["sources", "tests"])
def test_no_file_outgrows_its_idea(paths: list[Path], limit: int) -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    assert {name: size for name, size in sizes.items() if size > limit} == {}


def test_no_function_is_longer_than_sixty_lines() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{function.lineno} {function.name}": _length(function)
        for path in SOURCES + BENCHES
        for function in _functions(path)
        if _length(function) > 60
    }
    assert long == {}


def test_the_median_function_has_at_most_ten_lines() -> None:
    assert statistics.median(_length(function) for path in SOURCES for function in _functions(path)) <= 10


def test_no_drawer_names() -> None:
    names = {str(path.relative_to(ROOT)): path.stem for path in SOURCES}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                names[f"{path.relative_to(ROOT)}:{node.lineno}"] = node.name
    assert {place: name for place, name in names.items() if FORBIDDEN_NAMES.search(name)} == {}


def test_no_boolean_positional_arguments() -> None:
    """Ruff's FBT sees annotations and defaults; its silencing comment is what must not appear."""
    assert [str(path) for path in SOURCES if "FBT00" in path.read_text(encoding="utf-8")] == []


def test_broad_excepts_explain_their_boundary() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"except (Exception|BaseException)\b", line) and "# noqa: BLE001 - " not in line
    ]
    assert bare == []


def test_every_suppression_names_its_rule_and_reason() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(r"# noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)* - )|# type: ignore(?!\[)", line)
    ]
    assert bare == []


def test_locks_and_texts_carry_no_registry_address_or_machine_path() -> None:
    pattern = re.compile(rb"index-url|files\.pythonhosted|registry\.npmjs|\"resolved\"|(?<![\w.])/(?:work|farm|root)/")
    mine = Path(__file__)
    dirty = [
        str(path.relative_to(ROOT))
        for path in _tracked()
        if path != mine and path.name != "Makefile" and pattern.search(path.read_bytes())
    ]
    assert dirty == []


def test_every_top_level_room_has_a_docstring() -> None:
    rooms = list((ROOT / "src/cellwright").glob("*/__init__.py"))
    assert [str(room) for room in rooms if not ast.get_docstring(ast.parse(room.read_text(encoding="utf-8")))] == []
