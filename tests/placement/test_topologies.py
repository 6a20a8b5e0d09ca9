"""Operator networks that nobody here drew: imported, populated from a seed, planned, verified and planned again."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellwright.estate.model import Tier
from cellwright.placement.encode import to_json
from cellwright.placement.planning import plan
from cellwright.placement.verify import verify

if TYPE_CHECKING:
    from types import ModuleType

    from cellwright.estate.model import Estate

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CELLWRIGHT_DATA") or ROOT / "../shared/data")
TOPOLOGIES = sorted((DATA / "topologies").glob("*.gml"))
GENERATORS = ROOT / "bench" / "estates.py"


def generators() -> ModuleType:
    """The generators that benchmarks use."""
    if "bench_estates" not in sys.modules:
        spec = importlib.util.spec_from_file_location("bench_estates", GENERATORS)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["bench_estates"] = module
        spec.loader.exec_module(module)
    return sys.modules["bench_estates"]


def build(path: Path, seed: int) -> Estate:
    """A network with three machines and one workload of two replicas for each site, at most a hundred of these."""
    make = generators()
    sites, links = make.from_topology(path)
    jobs = min(len(sites), 100)
    return make.populated(sites, links, make.Size(len(sites), 3 * len(sites), jobs, 2 * jobs), seed)


@pytest.mark.data
@pytest.mark.skipif(not TOPOLOGIES, reason=f"no topologies at {DATA}")
@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_a_published_network_gets_a_sound_plan_and_the_same_one_again(path: Path) -> None:
    built = build(path, seed=1)
    made = plan(built)
    assert verify(built, made) == ()
    assert sum(each.site is not None for each in made.placements) > len(made.placements) / 2
    assert to_json(plan(built)) == to_json(made)


@pytest.mark.data
@pytest.mark.skipif(not TOPOLOGIES, reason=f"no topologies at {DATA}")
@pytest.mark.parametrize("path", TOPOLOGIES, ids=lambda path: path.stem)
def test_a_published_network_is_replanned_soundly_when_its_busiest_site_is_lost(path: Path) -> None:
    built = build(path, seed=2)
    before = plan(built)
    sites = [each.site for each in before.placements if each.site]
    lost = max(sorted(set(sites)), key=sites.count)
    changed = replace(built, sites={**built.sites, lost: replace(built.sites[lost], nodes=())})
    after = plan(changed, against=before)
    assert verify(changed, after) == ()
    stayed = {
        (each.workload, each.replica): (each.site, each.node)
        for each in before.placements
        if each.site not in {None, lost}
    }
    now = {(each.workload, each.replica): (each.site, each.node) for each in after.placements}
    moved = sum(now[replica] != seat for replica, seat in stayed.items())
    assert moved <= 0.1 * sites.count(lost)


def test_a_grown_network_has_every_tier_and_is_one_piece() -> None:
    built = generators().grown_estate(generators().Size(200, 600, 50, 100), seed=3)
    assert {each.tier for each in built.sites.values()} == set(Tier) - {Tier.AI_FACTORY}
    reached, queue = set(), ["s00000"]
    near = {name: set() for name in built.sites}
    for each in built.links.values():
        near[each.a].add(each.b)
        near[each.b].add(each.a)
    while queue:
        site = queue.pop()
        if site not in reached:
            reached.add(site)
            queue += near[site]
    assert reached == set(built.sites)
    assert sum(node.count for each in built.sites.values() for node in each.nodes) == pytest.approx(600, rel=0.1)
