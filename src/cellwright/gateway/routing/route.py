"""Which backends may answer a request: a decision table compiled from the configuration. Pure.

Sovereignty is a filter, not a weight: a backend outside the boundary of the request's data class is not in the row,
and is asked about again before every attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from cellwright.estate.model import Boundary, SensitivityClass
from cellwright.gateway.model import Route, Rule
from cellwright.gateway.model_policy import AS_LISTED
from cellwright.policy.residency import WIDENING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cellwright.gateway.model import BackendSpec, GatewayConfig
    from cellwright.gateway.model_policy import Policy


@dataclass(frozen=True, slots=True)
class Barred:
    """A backend that a rule keeps the request from."""

    backend: str
    boundary: Boundary  # it lies within
    rule: Rule


@dataclass(frozen=True, slots=True)
class Decision:
    """One row: the backends that may answer as the route lists them, and why the others may not."""

    route: str
    data_class: SensitivityClass
    allowed: tuple[str, ...]
    barred: tuple[Barred, ...]
    policy: Policy = AS_LISTED
    rules: str = ""  # names of those about the class, for the headers of answers

    @property
    def sentence(self) -> str:
        """What the rules say against every barred backend."""
        return f"data of class {self.data_class} on route {self.route}: " + "; ".join(
            f"{item.backend} stands {place(item.boundary)}, but rule {item.rule.name} keeps the data "
            f"{place(item.rule.boundary)} ({item.rule.source})"
            for item in self.barred
        )


@dataclass(frozen=True, slots=True)
class DecisionTable:
    """Rows by route and class, and the route behind every model name."""

    rows: Mapping[tuple[str, SensitivityClass], Decision]
    chains: Mapping[str, tuple[str, ...]]  # all backends of a route, by the name clients ask for as a model
    presumed: Mapping[str, SensitivityClass]  # class of a request that names none, by route
    admitted: frozenset[tuple[SensitivityClass, str]]  # classes that a backend may be sent

    def decide(self, model: str, data_class: SensitivityClass | None) -> Decision | None:
        """Return the row for a model's name, None where no route has it."""
        if model not in self.presumed:
            return None
        return self.rows[model, data_class or self.presumed[model]]

    def admits(self, data_class: SensitivityClass, backend: str) -> bool:
        """Return whether the rules let data of the class go to the backend."""
        return (data_class, backend) in self.admitted


def compile_table(config: GatewayConfig) -> DecisionTable:
    """Return the table of all routes: those of the configuration, and one for each model by its own name."""
    specs = {spec.name: spec for spec in config.backends}
    against = {
        (data_class, spec.name): standing_against(config.rules, data_class, spec.boundary)
        for data_class in SensitivityClass
        for spec in config.backends
    }
    routes = (*config.routes, *_model_routes(config.backends))
    rows = {
        (route.name, data_class): _row(route, data_class, specs, against, config.rules)
        for route in routes
        for data_class in SensitivityClass
    }
    return DecisionTable(
        rows=MappingProxyType(rows),
        chains=MappingProxyType({route.name: route.backends for route in routes}),
        presumed=MappingProxyType({route.name: route.data_class or config.data_class for route in routes}),
        admitted=frozenset(cell for cell, rules in against.items() if not rules),
    )


def standing_against(rules: Iterable[Rule], data_class: SensitivityClass, boundary: Boundary) -> tuple[Rule, ...]:
    """Return the rules that keep data of the class from what stands within a boundary.

    A class that no rule names stays on the premises: silence is no permission.
    """
    return tuple(
        rule for rule in rules_about(rules, data_class) if WIDENING.index(boundary) > WIDENING.index(rule.boundary)
    )


def rules_about(rules: Iterable[Rule], data_class: SensitivityClass) -> tuple[Rule, ...]:
    """Return the rules that speak of a class; where none does, one that keeps it on the premises."""
    return tuple(rule for rule in rules if data_class in rule.classes) or (_silence(data_class),)


def _silence(data_class: SensitivityClass) -> Rule:
    return Rule("unclassified", frozenset({data_class}), Boundary.PREMISES, "no rule names the class")


def _model_routes(specs: Iterable[BackendSpec]) -> tuple[Route, ...]:
    chains: dict[str, list[str]] = {}
    for spec in specs:
        chains.setdefault(spec.model, []).append(spec.name)
    return tuple(Route(model, tuple(names)) for model, names in chains.items())


def _row(
    route: Route,
    data_class: SensitivityClass,
    specs: Mapping[str, BackendSpec],
    against: Mapping[tuple[SensitivityClass, str], tuple[Rule, ...]],
    rules: Iterable[Rule],
) -> Decision:
    barred = (Barred(name, specs[name].boundary, rule) for name in route.backends for rule in against[data_class, name])
    allowed = tuple(name for name in route.backends if not against[data_class, name])
    names = ", ".join(rule.name for rule in rules_about(rules, data_class))
    return Decision(route.name, data_class, allowed, tuple(barred), route.policy, names)


def place(boundary: Boundary) -> str:
    """Return a boundary in words."""
    match boundary:
        case Boundary.PREMISES:
            return "on the premises"
        case Boundary.COUNTRY:
            return "in the country"
        case Boundary.BLOC:
            return "in the bloc"
        case Boundary.NONE:
            return "outside every boundary"
