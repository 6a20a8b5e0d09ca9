"""Sites, machines and price books for the tests of economics."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st

from cellwright.estate.model import (
    Arch,
    ComputePrices,
    Control,
    Demand,
    Gpus,
    Location,
    Node,
    OnCall,
    Operations,
    OwnedHardware,
    PriceBook,
    Site,
    Tier,
)

X86 = frozenset({Arch.X86_64})
TIER_PRICES = ComputePrices(Tier.METRO, None, 0.05, 0.01, {"L40S": 2.0, "H100-80GB": 4.0}, 0.02)
SITE_PRICES = ComputePrices(Tier.METRO, "roma", 0.10, 0.02, {"L40S": 4.0}, 0.04)
OWNED = OwnedHardware(Tier.METRO, None, None, 87_660.0, 5.0, 0.5, 2.0, 0.25)  # 4 an hour, 0.5 for its energy


def node(name: str = "rack", gpus: Gpus | None = None, **facts: object) -> Node:
    return Node(name, 1, Arch.X86_64, 32, 128.0, gpus, unified_memory=False) if not facts else _node(name, gpus, facts)


def _node(name: str, gpus: Gpus | None, facts: dict) -> Node:
    defaults = {"cores": 32, "memory_gib": 128.0, "unified_memory": False}
    return Node(name=name, count=1, arch=Arch.X86_64, gpus=gpus, **(defaults | facts))


def site(*nodes: Node, name: str = "roma", tier: Tier = Tier.METRO, pue: float | None = None) -> Site:
    operations = Operations(managed=True, skills=frozenset(), on_call=OnCall.ALWAYS)
    place = Location(41.9, 12.5)
    return Site(
        name, tier, "IT", Control.PROVIDER, isolated=False, location=place, operations=operations, nodes=nodes, pue=pue
    )


def demand(cores: int = 8, memory: float = 32.0, gpus: int = 0, **facts: object) -> Demand:
    return Demand(cores, memory, gpus, 24.0 if gpus else 0.0, X86, **facts)


def book(
    *compute: ComputePrices, owned: tuple[OwnedHardware, ...] = (), name: str = "list", currency: str = "EUR"
) -> PriceBook:
    return PriceBook(name, currency, "price list", date(2026, 3, 1), date(2027, 1, 1), compute, (), owned)


_TIERS = st.sampled_from([Tier.METRO, Tier.METRO, Tier.METRO, Tier.REGION])
_SITE_NAMES = ("aosta", "bari", "como")
_NODE_NAMES = ("n1", "n2")
_MODELS = ("L40S", "H100-80GB", "A30", "rumoured")
_price = st.floats(0.001, 50)

gpus = st.builds(Gpus, st.sampled_from(_MODELS), st.integers(1, 8), st.sampled_from([24.0, 80.0]), st.booleans())
nodes = st.builds(
    node,
    st.sampled_from(_NODE_NAMES),
    st.none() | gpus,
    cores=st.integers(1, 128),
    memory_gib=st.sampled_from([0.0, 16.1, 128.0]),
    threads_per_core=st.integers(1, 4),
    unified_memory=st.booleans(),
)
sites = st.lists(
    st.builds(
        lambda name, tier, nodes, pue: site(*nodes, name=name, tier=tier, pue=pue),
        st.sampled_from(_SITE_NAMES),
        _TIERS,
        st.lists(nodes, min_size=1, max_size=2, unique_by=lambda each: each.name),
        st.none() | st.sampled_from([1.0, 1.37]),
    ),
    max_size=3,
    unique_by=lambda each: each.name,
)
_places = st.none() | st.sampled_from(_SITE_NAMES)
_compute = st.builds(
    ComputePrices, _TIERS, _places, _price, _price, st.dictionaries(st.sampled_from(_MODELS), _price), _price
)
_hardware = st.builds(
    OwnedHardware,
    _TIERS,
    _places,
    st.none() | st.sampled_from(_NODE_NAMES),
    st.floats(0, 1e6),
    st.floats(0.5, 15),
    st.floats(0.01, 1),
    st.sampled_from([0.0, 0.7, 10.2]),
    st.sampled_from([0.0, 0.21]),
)
books = st.lists(
    st.builds(
        lambda name, currency, compute, owned: book(*compute, owned=tuple(owned), name=name, currency=currency),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["EUR", "EUR", "EUR", "EUR", "USD"]),
        st.lists(_compute, max_size=3),
        st.lists(_hardware, max_size=2),
    ),
    max_size=3,
    unique_by=lambda each: each.name,
)
demands = st.builds(
    lambda cores, memory, gpus, share, **facts: demand(
        cores, memory, gpus, gpu_share=share if gpus == 1 else 1.0, **facts
    ),
    st.integers(0, 64),
    st.sampled_from([0.0, 0.1, 3.3, 96.0]),
    st.integers(0, 2),
    st.sampled_from([0.25, 0.333, 1.0]),
    mig_profile=st.sampled_from([None, None, "1g.10gb", "2g.12gb", "7g.80gb"]),
    pinned=st.booleans(),
    hugepages_gib=st.sampled_from([0.0, 4.0]),
)
hours = st.sampled_from([24.0, 6.0, 7.35, 0.1])
