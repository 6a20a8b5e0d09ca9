"""Small inputs and what becomes of them: `expected.yaml` holds the documents, `expected.txt` what the user is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from cellwright.errors import Severity
from cellwright.estate.model import Control, OnCall, Tier
from cellwright.estate.parsing import parse
from cellwright.inventory.documents import to_yaml
from cellwright.inventory.model import Imported, Options, Role, Source, TierRule
from cellwright.wiring.inventories import inventories

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = Path(__file__).parents[1] / "cases" / "inventory"
ROLES = {"sites.csv": Role.SITES, "nodes.csv": Role.NODES, "links.csv": Role.LINKS}
OWN = {"case.yaml", "expected.yaml", "expected.txt"}
READERS: dict[str, Callable[..., object]] = {
    "control": Control,
    "on_call": OnCall,
    "tier": Tier,
    "skills": frozenset,
    "tier_rules": lambda rules: tuple(TierRule(each["attribute"], each["value"], Tier(each["tier"])) for each in rules),
}


def imported_from(folder: Path) -> Imported:
    case = yaml.safe_load((folder / "case.yaml").read_text(encoding="utf-8"))
    options = {key: READERS.get(key, lambda value: value)(value) for key, value in case["options"].items()}
    files = sorted(path for path in folder.iterdir() if path.name not in OWN)
    texts = [Source(path.name, path.read_bytes(), ROLES.get(path.name, Role.INVENTORY)) for path in files]
    return inventories().get(case["form"]).documents(texts, Options(**options))


def told(imported: Imported) -> str:
    remarks = [f"{each.kind} {each.count}: {each.text} [{', '.join(each.names)}]" for each in imported.remarks]
    return "".join(f"{line}\n" for line in (*map(str, imported.diagnostics), *remarks))


@pytest.mark.parametrize("folder", sorted(CASES.iterdir()), ids=lambda folder: folder.name)
def test_each_case_gives_its_documents_and_says_what_was_assumed(folder: Path, request: pytest.FixtureRequest) -> None:
    imported = imported_from(folder)
    made = {"expected.yaml": to_yaml(imported.documents, folder.name), "expected.txt": told(imported)}
    for name, text in made.items():
        if request.config.getoption("--update"):
            (folder / name).write_text(text, encoding="utf-8")
        assert text == (folder / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", sorted(CASES.iterdir()), ids=lambda folder: folder.name)
def test_what_is_imported_passes_the_check_of_estates_and_means_the_same(folder: Path) -> None:
    imported = imported_from(folder)
    failed = any(item.severity is Severity.ERROR for item in imported.diagnostics)
    assert failed == folder.name.startswith("bad-") == (not imported.documents)
    if failed:
        return
    parsed = parse([("estate.yaml", to_yaml(imported.documents, "heading"))])
    assert parsed.diagnostics == ()
    assert parsed.estate is not None
    assert {site.name: site for site in imported.sites} == dict(parsed.estate.sites)
    assert {link.name: link for link in imported.links} == dict(parsed.estate.links)


def test_the_same_input_gives_the_same_bytes() -> None:
    for folder in sorted(CASES.iterdir()):
        assert to_yaml(imported_from(folder).documents, "") == to_yaml(imported_from(folder).documents, "")
