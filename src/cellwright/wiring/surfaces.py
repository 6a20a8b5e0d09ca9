"""Surfaces served beside a factory; they are plugins, because surfaces know wiring and not the other way round."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from cellwright.gateway.serve import bind
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from cellwright.wiring.factory import RunningFactory

_HOST: Final = "127.0.0.1"
_GRACE_S: Final = 3  # for pages under way when the portal is stopped


@contextlib.contextmanager
def reserved_port(port: int) -> Iterator[socket.socket]:
    """Hold a port on 127.0.0.1 until the block ends; raise UnavailableError before any work when it is taken."""
    with contextlib.closing(bind(_HOST, port)) as bound:
        yield bound


def serve_portal(factory: RunningFactory, bound: socket.socket) -> None:
    """Serve the portal on a bound socket until Ctrl-C or SIGTERM."""
    create: Callable[[RunningFactory], Any] = PluginSet[Any]("surfaces").get("portal")
    config = uvicorn.Config(
        create(factory),
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    with contextlib.suppress(KeyboardInterrupt):  # the way a server is meant to be stopped
        uvicorn.Server(config).run(sockets=[bound])
