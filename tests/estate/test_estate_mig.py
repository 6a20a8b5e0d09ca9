from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.estate.mig import MODELS, Geometry, geometry


def known(model: str) -> Geometry:
    found = geometry(model)
    assert found is not None, model
    return found


@pytest.mark.parametrize(
    ("model", "canonical"),
    [
        ("NVIDIA-A100-SXM4-80GB", "A100-80GB"),
        ("nvidia-a100-pcie-40gb", "A100-40GB"),
        ("A100 80 GB", "A100-80GB"),
        ("A30", "A30-24GB"),
        ("NVIDIA-H100-80GB-HBM3", "H100-80GB"),
        ("H100", "H100-80GB"),
        ("NVIDIA H100 NVL", "H100-94GB"),
        ("NVIDIA-GH200-480GB", "H100-96GB"),
        ("nvidia_h200", "H200-141GB"),
        ("NVIDIA-H200-NVL", "H200-141GB"),
    ],
)
def test_a_model_is_known_by_the_names_people_write(model: str, canonical: str) -> None:
    assert geometry(model) is known(canonical)


@pytest.mark.parametrize("model", ["L40S", "A100", "L4", "Jetson-AGX-Orin", "A100-64GB", "", "-", "H100 80 94"])
def test_a_model_without_mig_or_too_vague_a_name_has_no_geometry(model: str) -> None:
    assert geometry(model) is None


@given(st.text(max_size=20))
def test_any_name_is_answered(model: str) -> None:
    geometry(model)


@pytest.mark.parametrize("model", MODELS)
def test_profiles_are_named_by_what_they_are(model: str) -> None:
    for name, profile in known(model).profiles.items():
        assert name == profile.name
        compute, gigabytes = name.removesuffix("gb").split("g.")
        assert int(compute) == profile.compute_slices
        assert float(gigabytes) * 0.85 < profile.memory_gib <= float(gigabytes)


def layouts(found: Geometry) -> set[frozenset[tuple[str, int]]]:
    """Return every set of instances whose memory slices do not overlap, by brute force over the slices."""
    spans = {
        (name, start): frozenset(range(start, start + profile.memory_slices))
        for name, profile in found.profiles.items()
        for start in profile.starts
    }
    seen = set[frozenset[tuple[str, int]]]()
    pending = [frozenset[tuple[str, int]]()]
    while pending:
        layout = pending.pop()
        if layout not in seen:
            seen.add(layout)
            taken = frozenset[int]().union(*(spans[each] for each in layout))
            pending += [layout | {each} for each, span in spans.items() if not taken & span]
    return seen


@pytest.mark.parametrize("model", MODELS)
def test_instances_that_share_no_memory_slice_never_ask_for_too_much(model: str) -> None:
    found = known(model)
    for layout in layouts(found):
        assert sum(found.profiles[name].compute_slices for name, _ in layout) <= found.compute_slices
        assert sum(found.profiles[name].memory_gib for name, _ in layout) <= float(model.split("-")[1][:-2])


@pytest.mark.parametrize("model", MODELS)
def test_no_instance_leaves_its_gpu(model: str) -> None:
    found = known(model)
    for profile, start in ((p, s) for p in found.profiles.values() for s in p.starts):
        assert 0 <= start <= found.memory_slices - profile.memory_slices


def test_instances_begin_where_the_guide_lists_them() -> None:
    assert {name: (profile.starts, profile.memory_slices) for name, profile in known("H100").profiles.items()} == {
        "1g.10gb": ((0, 1, 2, 3, 4, 5, 6), 1),
        "1g.20gb": ((0, 2, 4, 6), 2),
        "2g.20gb": ((0, 2, 4), 2),
        "3g.40gb": ((0, 4), 4),
        "4g.40gb": ((0,), 4),
        "7g.80gb": ((0,), 8),
    }
    assert {name: (profile.starts, profile.memory_slices) for name, profile in known("A30").profiles.items()} == {
        "1g.6gb": ((0, 1, 2, 3), 1),
        "2g.12gb": ((0, 2), 2),
        "4g.24gb": ((0,), 4),
    }


def test_the_eighth_memory_slice_has_no_compute_slice_of_its_own() -> None:
    for model, name in product(MODELS[1:], ("1g", "2g")):
        smallest = [profile for key, profile in known(model).profiles.items() if key.startswith(name)]
        assert min(profile.memory_slices for profile in smallest) + max(smallest[0].starts) < 8
