"""The portal as an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from cellwright.errors import CellwrightError
from cellwright.portal.pages import STATIC, Pages
from cellwright.portal.security import LOOPBACK, Guard

if TYPE_CHECKING:
    from cellwright.portal.factory import Factory


def create_app(factory: Factory, hosts: frozenset[str] = LOOPBACK) -> FastAPI:
    """Return the portal of `factory`, which answers only to these host names, whatever their port.

    It reads and never changes anything; where it listens is the caller's business.
    """
    pages = Pages(factory)
    app = FastAPI(
        title="Cellwright portal",
        openapi_url=None,  # its documentation pages would load scripts from elsewhere
        routes=[
            Route("/", pages.overview),
            Route("/placements", pages.placements),
            Route("/placements/{workload:path}", pages.placement),
            Route("/incidents", pages.incidents),
            Route("/incidents/{incident:path}", pages.incident),
            Route("/lake", pages.lake),
            Route("/gateway", pages.gateway),
            Route("/report.html", pages.self_contained),
            Route("/style.css", pages.style),
            Route("/healthz", pages.health),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, hosts=hosts)],
    )
    app.add_exception_handler(HTTPException, pages.refused)
    app.add_exception_handler(CellwrightError, pages.refused)
    return app
