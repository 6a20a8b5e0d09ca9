"""Changes of an estate that would turn a "no" into a "yes": each says what it changes and can be applied, purely."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from cellwright.estate.model import Link
from cellwright.placement.wording import number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from cellwright.estate.model import Dataset, Estate, PriceBook, Regulation, Site, Tenant, Workload

    class Named(Protocol):
        """Whatever an estate keeps by name."""

        @property
        def name(self) -> str:
            """Its name."""

    NamedT = TypeVar("NamedT", bound=Named)


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest change that lifts one violation: `subject` goes from `before` to `after`."""

    code: str  # of the violation it lifts
    subject: str
    before: float | str | None
    after: float | str | None
    unit: str
    text: str
    apply: Callable[[Estate], Estate] = field(compare=False, repr=False)


def with_workload(estate: Estate, workload: Workload) -> Estate:
    """Return the estate with `workload` in the place of the one of its name."""
    return replace(estate, workloads=_put(estate.workloads, workload))


def with_site(estate: Estate, site: Site) -> Estate:
    """Return the estate with `site` in the place of the one of its name."""
    return replace(estate, sites=_put(estate.sites, site))


def with_dataset(estate: Estate, dataset: Dataset) -> Estate:
    """Return the estate with `dataset` added, or in the place of the one of its name."""
    return replace(estate, datasets=_put(estate.datasets, dataset))


def with_regulation(estate: Estate, regulation: Regulation) -> Estate:
    """Return the estate with `regulation` added, or in the place of the one of its name."""
    return replace(estate, regulations=_put(estate.regulations, regulation))


def with_link(estate: Estate, link: Link) -> Estate:
    """Return the estate with `link` added, or in the place of the one of its name."""
    return replace(estate, links=_put(estate.links, link))


def with_tenant(estate: Estate, tenant: Tenant) -> Estate:
    """Return the estate with `tenant` in the place of the one of its name."""
    return replace(estate, tenants=_put(estate.tenants, tenant))


def with_price_book(estate: Estate, book: PriceBook) -> Estate:
    """Return the estate with `book` added, or in the place of the one of its name."""
    return replace(estate, price_books=_put(estate.price_books, book))


def new_link(code: str, a: str, b: str, rtt_p99_ms: float, bandwidth_gbps: float) -> Change:
    """Return the change that joins two sites."""

    def apply(estate: Estate) -> Estate:
        name = unused(f"{a}-{b}", estate.links)
        return with_link(estate, Link(name, a, b, rtt_p99_ms, rtt_p99_ms, bandwidth_gbps))

    text = f"a link from {a} to {b} with P99 of at most {number(rtt_p99_ms)} ms and {number(bandwidth_gbps)} Gbit/s"
    return Change(code, f"{a}-{b}", None, rtt_p99_ms, "ms", text, apply)


def unused(name: str, taken: Mapping[str, object]) -> str:
    """Return `name`, with the first number behind it that makes it unused where it is taken."""
    if name not in taken:
        return name
    return next(f"{name}-{n}" for n in range(2, len(taken) + 3) if f"{name}-{n}" not in taken)


def from_to(what: str, before: float | None, after: float, unit: str) -> str:
    """Return the sentence "what from 10 ms to 13.2 ms"."""
    return f"{what} from {number(before)} {unit} to {number(after)} {unit}"


def _put(things: Mapping[str, NamedT], thing: NamedT) -> Mapping[str, NamedT]:
    """Return `things`, by name and in name order, with `thing` among them."""
    return dict(sorted({**things, thing.name: thing}.items()))
