"""A gateway for what a plan has placed: backends, routes, tiers and rules come from the plan and its estate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cellwright.errors import UsageError
from cellwright.estate.identity import fingerprint
from cellwright.estate.model import Boundary
from cellwright.gateway.model import BackendSpec, ModelPrice, Route, Rule
from cellwright.gateway.model_policy import Budget, Criterion, Expected, Policy
from cellwright.gateway.routing.route import rules_about
from cellwright.policy.residency import WIDENING, lies_within
from cellwright.wiring.cloud import home_of, rules_of
from cellwright.wiring.estates import load_estate, load_plan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from cellwright.estate.model import Estate, Measurement, SensitivityClass, Site, Workload
    from cellwright.gateway.model import GatewayConfig, ServerSpec
    from cellwright.placement.plan import Placement, Plan


def read_planned(config: GatewayConfig, plan: Path, estate: Path) -> tuple[GatewayConfig, tuple[str, ...]]:
    """Return a configuration with what the plan in a file has placed, as `with_plan` does; raise EstateError too."""
    return with_plan(config, load_plan(plan), load_estate(estate, datetime.now(tz=UTC).date()))


def with_plan(config: GatewayConfig, plan: Plan, estate: Estate) -> tuple[GatewayConfig, tuple[str, ...]]:
    """Return a configuration with what a plan has placed, and what a reader should know of it.

    Each placed workload becomes a route of its own name, each of its sites a backend where the configuration names a
    server. Raises UsageError where the plan is of another estate, or where no server goes with any placement.
    """
    if plan.estate_sha256 != fingerprint(estate):
        raise UsageError.of(
            "other-estate", "the plan was made of another estate, or of an older state of this one",
            hint="plan the estate anew: cellwright plan ESTATE --out FILE",
        )  # fmt: skip
    placed = _by_site(plan)
    servers = {key: server for key in placed if (server := _server(config.servers, *key)) is not None}
    if not servers:
        message = "no server of the configuration goes with a placement of the plan"
        raise UsageError.of("no-servers", message, hint=f"placed are {_told(placed)}")
    home = home_of(estate)
    rules = (*config.rules, *rules_of(estate))
    backends = tuple(_backend(server, estate, estate.sites[site], home) for (_, site), server in servers.items())
    workloads = dict.fromkeys(name for name, _ in servers)
    routes = tuple(_route(estate.workloads[name], estate, rules, servers) for name in workloads)
    found = replace(config, backends=(*config.backends, *backends), routes=(*config.routes, *routes), rules=rules)
    return found, tuple(_notes(config, placed, servers))


def _notes(
    config: GatewayConfig, placed: Iterable[tuple[str, str]], servers: Mapping[tuple[str, str], ServerSpec]
) -> Iterator[str]:
    """Yield which placements have no server, and which servers no placement."""
    if lacking := set(placed) - set(servers):
        yield f"no server in spec.servers goes with {_told(lacking)}"
    for server in config.servers:
        if server not in servers.values():
            where = f" at {server.site}" if server.site else ""
            yield f"no placement of the plan goes with the server of {server.workload}{where}"


def _by_site(plan: Plan) -> dict[tuple[str, str], Placement]:
    """Return the first placement of each workload at each of its sites."""
    found: dict[tuple[str, str], Placement] = {}
    for placement in plan.placements:
        if placement.site is not None:
            found.setdefault((placement.workload, placement.site), placement)
    return found


def _told(placed: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{workload} at {site}" for workload, site in sorted(placed))


def _server(servers: Iterable[ServerSpec], workload: str, site: str) -> ServerSpec | None:
    """Return the server of a workload at a site; one of that site goes before one of any."""
    mine = [server for server in servers if server.workload == workload and server.site in {None, site}]
    return min(mine, key=lambda server: server.site is None, default=None)


def _backend(server: ServerSpec, estate: Estate, site: Site, home: Site | None) -> BackendSpec:
    return replace(
        server.backend,
        name=f"{server.workload}-at-{site.name}"[:63].rstrip("-"),
        tier=site.tier,
        boundary=_boundary(estate, site, home),
        price=server.backend.price or _price(estate, server.backend.model),
        expected=server.backend.expected or _measured(estate.measurements.values(), server.workload, site.name),
    )


def _boundary(estate: Estate, site: Site, home: Site | None) -> Boundary:
    """Return the tightest boundary around the operator's home that a site lies within; a bloc is that of all rules."""
    if home is None:
        return Boundary.NONE
    blocs = [
        regulation.members
        for regulation in estate.regulations.values()
        if regulation.boundary is Boundary.BLOC and home.jurisdiction in regulation.jurisdictions
    ]
    members = frozenset.intersection(*blocs) if blocs else frozenset()
    return next(boundary for boundary in WIDENING if lies_within(boundary, home, site, members))


def _route(workload: Workload, estate: Estate, rules: Iterable[Rule], servers: Iterable[tuple[str, str]]) -> Route:
    """Return the route of a workload: its latency limit as the budget, its data's class as that of its requests."""
    limit_ms = workload.latency.p99_ms
    policy = Policy((Criterion.LATENCY, Criterion.LOAD), Budget(round_trip_ms=limit_ms))
    names = tuple(f"{name}-at-{site}"[:63].rstrip("-") for name, site in servers if name == workload.name)
    return Route(workload.name, names, _strictest(workload, estate, tuple(rules)), policy)


def _strictest(workload: Workload, estate: Estate, rules: tuple[Rule, ...]) -> SensitivityClass | None:
    """Return the class, of the data that a workload consumes, which the rules keep closest; None where it has none."""

    def reach(data_class: SensitivityClass) -> tuple[int, str]:
        return min(WIDENING.index(rule.boundary) for rule in rules_about(rules, data_class)), data_class

    classes = {estate.datasets[each.dataset].sensitivity for each in workload.consumes}
    return min(classes, key=reach, default=None)


def _price(estate: Estate, model: str) -> ModelPrice | None:
    found = ((book, prices) for book in estate.price_books.values() for prices in book.tokens if prices.model == model)
    return next((ModelPrice.of(prices, book.currency, book.source) for book, prices in found), None)


def _measured(measurements: Iterable[Measurement], workload: str, site: str) -> Expected | None:
    """Return what users measured of a workload at a site, the slowest of them; a P99 stands where a P95 is missing."""
    mine = [each for each in measurements if (each.workload, each.site) == (workload, site)]
    trips = [each.round_trip.p95_ms or each.round_trip.p99_ms for each in mine]
    firsts = [each.first_token.p95_ms or each.first_token.p99_ms for each in mine if each.first_token]
    if not mine:
        return None
    return Expected(max(firsts, default=None), max(trips), ", ".join(f"measurement {each.name}" for each in mine))
