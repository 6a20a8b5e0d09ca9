"""Asks an ASGI application without a socket, and a small factory to ask."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import specimen

from cellwright.errors import UnavailableError, UsageError
from cellwright.estate.model import (
    Arch,
    Control,
    Estate,
    Gpus,
    Link,
    Location,
    Node,
    OnCall,
    Operations,
    Quota,
    Site,
    Tenant,
    Tier,
)
from cellwright.placement.explain import WhyNot
from cellwright.placement.plan import Dimension

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

    from cellwright.report.model import FactoryReport


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


def get(
    app: ASGIApp, address: str, *, host: str | None = "127.0.0.1:8000", method: str = "GET", more: tuple[str, ...] = ()
) -> Answer:
    """Return the answer to one request; `more` are further Host headers."""
    hosts = [*([host] if host is not None else []), *more]
    parts = urlsplit(address)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "root_path": "",
        "headers": [(b"host", each.encode()) for each in hosts],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
    }
    sent: list[Message] = []

    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Message:
        for message in asked:
            return message
        await asyncio.Event().wait()  # the client stays connected until the answer is complete
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:]).decode())


class SpecimenFactory:
    """A factory of fixed values."""

    def __init__(self, report: FactoryReport | None = None) -> None:
        self.shown = report or specimen.report()
        self.asked: list[tuple[str, str]] = []

    def estate(self) -> Estate:
        return small_estate()

    def report(self) -> FactoryReport:
        return self.shown

    def why_not(self, workload: str, site: str) -> WhyNot:
        self.asked.append((workload, site))
        if site != "region-dublin":
            raise UsageError.of(
                "unknown-site", f"the estate has no site {site!r}", hint="did you mean 'region-dublin'?"
            )
        found = specimen.violation(Dimension.LATENCY, "p99", 41.5, 10.0)
        return WhyNot(
            workload=workload,
            site=site,
            tier=Tier.REGION,
            chosen="metro-roma",
            violations=(found,),
            changes=(),
            verified=False,
            chosen_after="metro-roma",
            cost_per_hour=None,
            cost_difference=None,
            currency="EUR",
        )


class AbsentFactory(SpecimenFactory):
    """A factory whose job has not finished."""

    def report(self) -> FactoryReport:
        raise UnavailableError.of("no-report", "the main job is still running", hint="reload in a moment")


def small_estate() -> Estate:
    node = Node("gpu", 2, Arch.X86_64, 64, 512.0, Gpus("L40S", 4, 48.0), unified_memory=False)
    bare = Node("arm", 1, Arch.ARM64, 8, 32.0, None, unified_memory=False)
    sites = {"metro": _site("metro", Tier.METRO, node), "edge": _site("edge", Tier.FAR_EDGE, bare)}
    return Estate(
        sites=sites,
        links={"metro-edge": Link("metro-edge", "metro", "edge", 2.0, 4.5, 10.0)},
        datasets={},
        regulations={},
        workloads={},
        tenants={"operator": Tenant("operator", "The operator", Quota(None, None, None))},
        price_books={},
    )


def _site(name: str, tier: Tier, node: Node) -> Site:
    return Site(
        name=name,
        tier=tier,
        jurisdiction="IT",
        control=Control.OPERATOR,
        isolated=False,
        location=Location(45.0, 9.0),
        operations=Operations(managed=False, skills=frozenset(), on_call=OnCall.NONE),
        nodes=(node,),
    )
