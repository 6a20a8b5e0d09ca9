"""The pages: each asks the factory, and answers with HTML that works without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from cellwright.errors import CellwrightError, Diagnostic, UnavailableError, UsageError, nearest
from cellwright.portal.charts import charts
from cellwright.portal.layers import layers
from cellwright.report.decisions import Decisions, decision, decisions, total, works
from cellwright.report.page import environment, policy, render, stylesheet, view

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from cellwright.portal.factory import Factory
    from cellwright.report.model import FactoryReport

STATIC: Final = Path(__file__).parent / "static"
_NAVIGATION: Final = (
    ("/", "Overview"),
    ("/placements", "Placements"),
    ("/incidents", "Incidents"),
    ("/lake", "Lake"),
    ("/gateway", "Gateway"),
)
_NOT_FOUND: Final = 404
_MOST_SUGGESTED: Final = 500  # sites that a form suggests


class Pages:
    """The handlers of all routes; each reads the factory once."""

    def __init__(self, factory: Factory) -> None:
        self.factory = factory
        self.templates = environment("cellwright.portal", "cellwright.report")
        self._seen: tuple[FactoryReport, Mapping[str, object]] | None = None
        self.scripts = all((STATIC / "vendor" / name).is_file() for name in ("htmx.min.js", "echarts.min.js"))

    def overview(self, request: Request) -> Response:
        """Show what was decided, where, and the four layers."""
        report = self.factory.report()
        return self._page(request, "overview.html", layers=layers(self.factory.estate(), report))

    def placements(self, request: Request) -> Response:
        """Show the plan; with `?find=` only the workloads whose names hold that text."""
        wanted = request.query_params.get("find", "").strip()
        if not wanted:
            return self._page(request, "placements.html", find="", found=None)
        plan = self.factory.report().plan
        every = works(plan)
        found = [work for work in every if wanted.lower() in work.name.lower()]
        told = decisions(plan, found) if found else Decisions((), None)
        return self._page(
            request,
            "placements.html",
            200 if found else _NOT_FOUND,
            find=wanted,
            found=len(found),
            decisions=told.shown,
            rest=told.rest,
            works=found,
            total_cost=total(work.cost_per_hour for work in found if work.placed),
            refusal=nearest(wanted, [work.name for work in every]),
        )

    def placement(self, request: Request) -> Response:
        """Show one workload; with `?site=` also what stands against it there."""
        plan = self.factory.report().plan
        every = works(plan)
        name = request.path_params["workload"]
        work = every[_position(name, [each.name for each in every], "workload")]
        found = decision("w", work, plan.sites)
        site = request.query_params.get("site", "").strip()
        replica = request.query_params.get("replica", "").strip() or str(found.placement.replica)
        label = f"{name}#{replica}" if work.replicas > 1 else name
        answer, refusal = self._why_not(label, site) if site else (None, ())
        return self._page(
            request,
            "placement.html",
            _NOT_FOUND if refusal else 200,
            decision=found,
            replica=replica,
            suggested=plan.sites[:_MOST_SUGGESTED],
            asked=site,
            answer=answer,
            refusal=refusal,
            expanded=True,
        )

    def incidents(self, request: Request) -> Response:
        """Show the list of incidents, and the first of them beside it."""
        return self._page(request, "incident_list.html", position=0)

    def incident(self, request: Request) -> Response:
        """Show one incident beside the list."""
        known = [each.incident for each in self.factory.report().incidents]
        found = _position(request.path_params["incident"], known, "incident")
        return self._page(request, "incident_list.html", position=found)

    def lake(self, request: Request) -> Response:
        """Show what became of every fact."""
        return self._page(request, "lake.html")

    def gateway(self, request: Request) -> Response:
        """Show what answers took and what their tokens cost."""
        return self._page(request, "gateway.html")

    def self_contained(self, _request: Request) -> Response:
        """Send the report as one file, under its own policy."""
        headers = {"Content-Security-Policy": f"{policy()}; frame-ancestors 'none'"}
        return HTMLResponse(render(self.factory.report()), headers=headers)

    def style(self, _request: Request) -> Response:
        """Send the style that the report carries inside."""
        return Response(stylesheet(), media_type="text/css")

    def health(self, _request: Request) -> Response:
        """Say that the portal is up."""
        return PlainTextResponse("ok\n")

    def refused(self, request: Request, error: Exception) -> Response:
        """Show what a CellwrightError or an HTTP error says."""
        if isinstance(error, CellwrightError):
            return self._error(request, _status(error), error.diagnostics)
        status = error.status_code if isinstance(error, HTTPException) else 500
        told = "there is no such page" if status == _NOT_FOUND else "the portal does not do that"
        return self._error(request, status, (Diagnostic("http", told),))

    def _page(self, request: Request, name: str, status: int = 200, **more: object) -> Response:
        return self._rendered(request, name, status, {**self._view(), **more})

    def _view(self) -> Mapping[str, object]:
        """Return what all pages show of the report, worked out once for each report."""
        report = self.factory.report()
        if self._seen is None or self._seen[0] is not report:
            self._seen = report, view(report) | charts(report) | {"ask": "/placements/"}
        return self._seen[1]

    def _error(self, request: Request, status: int, diagnostics: tuple[Diagnostic, ...]) -> Response:
        return self._rendered(request, "error.html", status, {"diagnostics": diagnostics})

    def _rendered(self, request: Request, name: str, status: int, context: dict[str, object]) -> Response:
        context |= {"navigation": _NAVIGATION, "path": request.url.path, "scripts": self.scripts}
        body = self.templates.get_template(name).render(context)
        return HTMLResponse(body, status_code=status)

    def _why_not(self, workload: str, site: str) -> tuple[object, tuple[Diagnostic, ...]]:
        """Return the factory's answer, or what was wrong with the question."""
        try:
            return self.factory.why_not(workload, site), ()
        except UsageError as error:
            return None, error.diagnostics


def _position(name: str, known: list[str], kind: str) -> int:
    """Return where `name` is; raise UsageError with the nearest name."""
    if name not in known:
        raise UsageError.of("not-found", f"there is no {kind} {name!r}", hint=nearest(name, known))
    return known.index(name)


def _status(error: CellwrightError) -> int:
    if isinstance(error, UsageError):
        return _NOT_FOUND
    return 503 if isinstance(error, UnavailableError) else 500
