"""Tables of sites, machines and links: an inventory by themselves, or what completes another one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cellwright.errors import nearest
from cellwright.estate.model import Arch, Control, Execution, Gpus, Location, Nic, Node, OnCall, Tier
from cellwright.inventory.columns import check_overrides
from cellwright.inventory.findings import Findings
from cellwright.inventory.gpus import card_memory_gib, card_model
from cellwright.inventory.model import FoundLink, FoundSite, Network, Role
from cellwright.inventory.names import Names, slug
from cellwright.inventory.rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.errors import Mark
    from cellwright.inventory.model import Options, Source
    from cellwright.inventory.rows import Row

_HINTS: Final = 100
_ARCHS: Final = {
    **dict.fromkeys(("x86_64", "x86-64", "amd64", "x64", "x86", "intel", "amd"), Arch.X86_64),
    **dict.fromkeys(("arm64", "aarch64", "arm", "armv8", "neoverse"), Arch.ARM64),
}


def join(network: Network, texts: Sequence[Source], options: Options) -> Network:
    """Return the network with what the tables among `texts` add: sites, machines, links, and facts about sites."""
    tables = [source for source in texts if source.role is not Role.INVENTORY]
    if not tables:
        return network
    check_overrides(options.columns)
    findings = Findings()
    findings.add(network.diagnostics, network.remarks)
    by_name = _Index(network.sites)
    for source in tables:
        if source.role is Role.SITES:
            _add_sites(source, by_name, options, findings)
    machines: dict[str, list[Node]] = {}
    for source in tables:
        if source.role is Role.NODES:
            _add_nodes(source, by_name, machines, options, findings)
    links = list(network.links)
    for source in tables:
        if source.role is Role.LINKS:
            links.extend(_links(source, by_name, options, findings))
    sites = tuple(
        replace(site, nodes=(*site.nodes, *_named(machines[site.key], site, findings)))
        if site.key in machines
        else site
        for site in by_name.sites.values()
    )
    return Network(sites, tuple(links), findings.diagnostics(), findings.remarks())


class _Index:
    """Sites by key, found by name as written, without letter case, or by the name that documents will give them."""

    def __init__(self, sites: Sequence[FoundSite]) -> None:
        self.sites = {site.key: site for site in sites}
        self._keys: dict[str, str] = {}
        self._hints = 0
        for site in sites:
            self.add(site)

    def add(self, site: FoundSite) -> None:
        """Add or replace a site."""
        self.sites[site.key] = site
        for name in (site.key, site.name, site.name.casefold(), slug(site.name)):
            if name:
                self._keys.setdefault(name, site.key)

    def may_hint(self) -> bool:
        """Return whether another nearest name may be sought: each search compares all names."""
        self._hints += 1
        return self._hints <= _HINTS

    def find(self, name: str) -> FoundSite | None:
        """Return the site that `name` means."""
        key = next((self._keys[each] for each in (name, name.casefold(), slug(name)) if each in self._keys), None)
        return self.sites[key] if key is not None else None


def _add_sites(source: Source, index: _Index, options: Options, findings: Findings) -> None:
    first: dict[str, Mark] = {}
    for row in read_rows(source, ("name",), options, findings):
        name = row.required("name")
        if name is None:
            continue
        if name in first:
            findings.problem(
                "duplicate-site", f"the site {name!r} occurs twice", row.mark, hint=f"first at {first[name]}"
            )
            continue
        first[name] = row.mark
        known = index.find(name)
        if known is not None and known.mark.file == source.name and known.name != name:
            known = None  # two names of one table that differ are two sites, however alike they are
        found = _site(row, name)
        index.add(found if known is None else _merged(known, found))


def _merged(known: FoundSite, row: FoundSite) -> FoundSite:
    """Return a site with what the table says in place of what the inventory says."""
    return replace(
        known,
        location=row.location or known.location,
        country=row.country or known.country,
        tier=row.tier or known.tier,
        control=row.control or known.control,
        isolated=known.isolated if row.isolated is None else row.isolated,
        managed=known.managed if row.managed is None else row.managed,
        on_call=row.on_call or known.on_call,
        skills=known.skills if row.skills is None else row.skills,
        power_budget_kw=known.power_budget_kw if row.power_budget_kw is None else row.power_budget_kw,
        pue=known.pue if row.pue is None else row.pue,
        attributes={**known.attributes, **row.attributes},
    )


def _site(row: Row, name: str) -> FoundSite:
    lat, lon = row.number("lat", -90, 90), row.number("lon", -180, 180)
    if (row.text("lat") is None) != (row.text("lon") is None):
        row.bad("lon" if row.text("lon") is None else "lat", "is empty", "both coordinates, or none")
    tier, control, on_call = row.member("tier", Tier), row.member("control", Control), row.member("on_call", OnCall)
    skills = row.text("skills")
    return FoundSite(
        key=name,
        name=name,
        mark=row.mark,
        location=Location(lat, lon) if lat is not None and lon is not None else None,
        country=row.text("country"),
        tier=Tier(tier) if tier else None,
        control=Control(control) if control else None,
        isolated=row.flag("isolated"),
        managed=row.flag("managed"),
        on_call=OnCall(on_call) if on_call else None,
        skills=frozenset(filter(None, map(slug, skills.replace("|", ";").split(";")))) if skills else None,
        power_budget_kw=row.quantity("power_budget"),
        pue=row.number("pue", 1, 100),
        attributes=row.labels,
    )


def _add_nodes(
    source: Source, index: _Index, machines: dict[str, list[Node]], options: Options, findings: Findings
) -> None:
    for row in read_rows(source, ("site",), options, findings):
        key = _site_key(row, "site", row.required("site"), index)
        node = node_of(row, options)
        if key is not None and node is not None:
            machines.setdefault(key, []).append(node)


def node_of(row: Row, options: Options) -> Node | None:
    """Return the machines that a row describes, or None beside the problems of its cells."""
    threads_per_core = row.whole("threads_per_core", 1)
    cores, threads = row.whole("cores", 1), row.whole("threads", 1)
    memory = row.quantity("memory")
    if cores is None and threads is not None:
        if threads_per_core is None:
            row.findings.assumed("threads per core: 1, as only threads are given", row.text("name") or str(row.mark))
        cores = max(1, threads // (threads_per_core or 1))
    if cores is None and not (row.text("cores") or row.text("threads")):
        row.bad("cores", "is empty", "the processor cores of each machine")
    if not memory and row.text("memory") is None:
        row.bad("memory", "is empty", "the memory of each machine")
    elif memory == 0:
        row.bad("memory", "is 0", "more than zero")
    cells, sockets = row.whole("cells", 1), row.whole("sockets", 1) or 1
    if cells is not None and cells % sockets:
        row.bad("cells", f"is {cells}", f"a multiple of the {sockets} sockets")
    executions = _executions(row)
    gpus, nics = _gpus(row), _nics(row, options)
    arch = _arch(row)
    pages = row.quantity("hugepages_2mib") or 0.0, row.quantity("hugepages_1gib") or 0.0
    if memory and sum(pages) > memory:
        row.bad("hugepages_2mib", "and hugepages_1gib exceed the memory", "huge pages within the memory")
    fabric = row.text("fabric")
    extent = row.quantity("nvme") or 0.0, row.flag("dpu"), row.quantity("power"), row.whole("count", 1)
    unified = row.flag("unified_memory")
    if not cores or not memory or arch is None:
        return None
    return Node(
        name=row.text("name") or "",
        count=extent[3] or 1,
        arch=arch,
        cores=cores,
        memory_gib=memory,
        gpus=gpus,
        unified_memory=bool(unified),
        sockets=sockets,
        cells=cells or sockets,
        threads_per_core=threads_per_core or 1,
        hugepages_2mib_gib=int(pages[0] * 512) / 512,
        hugepages_1gib_gib=float(int(pages[1])),
        nvme_gb=extent[0],
        nics=nics,
        dpu=bool(extent[1]),
        fabric=slug(fabric) or None if fabric else None,
        executions=executions,
        power_kw=extent[2],
    )


def _arch(row: Row) -> Arch | None:
    value = row.text("arch")
    if value is None:
        row.findings.assumed("architecture: x86_64", row.text("name") or str(row.mark))
        return Arch.X86_64
    found = architecture(value)
    if found is None:
        row.bad("arch", f"is {value!r}", "x86_64 or arm64")
    return found


def architecture(text: str) -> Arch | None:
    """Return the architecture that a word in daily use means."""
    return _ARCHS.get(text.strip().casefold())


def _executions(row: Row) -> frozenset[Execution]:
    value = row.text("executions")
    words = [] if value is None else [w.strip().replace("-", "_") for w in value.replace("|", ";").split(";")]
    wrong = [word for word in words if word not in set(Execution)]
    if wrong:
        row.bad("executions", f"is {value!r}", f"some of {', '.join(Execution)}, with ; between them")
    return frozenset(Execution(word) for word in words if word not in wrong) or frozenset(Execution)


def _gpus(row: Row) -> Gpus | None:
    product, count = row.text("gpu_model"), row.whole("gpu_count", 0)
    if (product is None and not count) or count == 0:
        return None
    if product is None:
        row.bad("gpu_model", "is empty", "the model of the GPUs")
        return None
    memory = row.quantity("gpu_memory")
    model = card_model(product, memory)
    if memory is None and row.text("gpu_memory") is None:
        memory = card_memory_gib(product)
        if memory is not None:
            text = f"memory of each {model}: {memory:.10g} GiB, from its name or data sheet"
            row.findings.assumed(text, str(row.mark))
        else:
            row.bad("gpu_memory", "is empty", f"the memory of each {product}")
    if count is None and row.text("gpu_count") is None:
        row.findings.assumed("GPUs of a machine: 1, as a model is given", row.text("name") or str(row.mark))
    return Gpus(model, count or 1, memory, bool(row.flag("mig"))) if memory else None


def _nics(row: Row, options: Options) -> tuple[Nic, ...]:
    functions = row.whole("functions", 0)
    if not functions:
        return ()
    rate = row.quantity("nic_rate")
    if not rate:
        row.findings.assumed(f"network cards: {options.nic_gbps:g} Gbit/s (--nic-bandwidth)", str(row.mark))
    return (Nic(slug(row.text("nic") or "") or "nic", 0, functions, rate or options.nic_gbps),)


def _named(nodes: Sequence[Node], site: FoundSite, findings: Findings) -> tuple[Node, ...]:
    """Return the machines of a site with valid and unique names; identical ones without a name are counted together."""
    folded: dict[Node, int] = {}
    for node in nodes:
        alike = replace(node, count=1) if not node.name else node
        folded[alike] = folded.get(alike, 0) + (node.count if not node.name else 0)
    names = Names("node")
    for node in site.nodes:
        names.give(node.name)
    result = []
    for node, count in folded.items():
        wanted = node.name or (node.gpus.model if node.gpus else "general")
        name = names.give(wanted)
        if node.name and name != slug(node.name):
            findings.changed("a machine's name that occurs more than once got a number", f"{site.name}/{name}")
        result.append(replace(node, name=name, count=count or node.count))
    return tuple(result)


def _site_key(row: Row, fact: str, name: str | None, index: _Index) -> str | None:
    site = index.find(name) if name is not None else None
    if name is not None and site is None:
        hint = nearest(name, index.sites) if index.may_hint() else None
        row.bad(fact, f"is {name[:80]!r}, which is no site here", "the name of a site in this import", hint)
    return site.key if site else None


def _links(source: Source, index: _Index, options: Options, findings: Findings) -> list[FoundLink]:
    found = []
    for row in read_rows(source, ("a", "b"), options, findings):
        ends = [row.required("a"), row.required("b")]
        rtt, p99 = row.quantity("rtt"), row.quantity("rtt_p99")
        if rtt is not None and p99 is not None and p99 < rtt:
            row.bad("rtt_p99", f"is less than the median, {rtt:g} ms", "a 99th percentile of at least the median")
        for fact, value in (("bandwidth", row.quantity("bandwidth")), ("rtt", rtt)):
            if value == 0:
                row.bad(fact, "is 0", "more than zero")
        a, b = (_site_key(row, fact, end, index) for fact, end in zip(("a", "b"), ends, strict=True))
        rate, length = row.quantity("bandwidth") or None, row.quantity("length")
        if a is not None and b is not None:
            found.append(FoundLink(a, b, row.mark, row.text("name"), rtt, p99, rate, length))
    return found
