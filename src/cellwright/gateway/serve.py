"""Runs a gateway on a socket: in a thread for the work of one command, or in the foreground until it is stopped."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

from cellwright.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cellwright.gateway.server import Gateway

_log: Final = logging.getLogger("cellwright.gateway")
_KEEP_ALIVE_S: Final = 75
_GRACE_S: Final = 10  # for answers under way when the gateway is stopped


class _Server(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, app: Gateway, ready: Callable[[], None]) -> None:
        super().__init__(_settings(app))
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections, then say so."""
        await super().startup(sockets=sockets)
        self._ready()


def bind(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address, port 0 for any free one; raise UnavailableError that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise UnavailableError.of(
            "port-taken" if error.errno == errno.EADDRINUSE else "port-unavailable",
            f"cannot listen on {host} port {port}",
            cause=error.strerror or type(error).__name__,
            hint="stop the program that uses the port, or choose another port; 0 takes any free one",
        ) from error
    return bound


@contextlib.contextmanager
def running(app: Gateway) -> Iterator[str]:
    """Serve in a thread while the block runs; gives the base URL, such as http://127.0.0.1:49152/v1.

    On leaving, answers under way are let finish. Raises UnavailableError where the port is taken.
    """
    with contextlib.closing(bind(app.config.host, app.config.port)) as bound:
        settled = threading.Event()
        server = _Server(app, settled.set)
        thread = threading.Thread(target=_run, args=(server, bound, settled), name="gateway", daemon=True)
        thread.start()
        settled.wait()
        if not server.started:
            raise UnavailableError.of("gateway-not-started", "the gateway did not start", hint="its log says why")
        try:
            yield base_url(bound)
        finally:
            server.should_exit = True
            thread.join()


def serve(app: Gateway, announce: Callable[[str], None]) -> None:
    """Serve in this thread until Ctrl-C or SIGTERM; `announce` is told the base URL once clients may connect.

    Raises UnavailableError where the port is taken.
    """
    with contextlib.closing(bind(app.config.host, app.config.port)) as bound:
        address = base_url(bound)
        with contextlib.suppress(KeyboardInterrupt):  # the way a server is meant to be stopped
            _Server(app, lambda: announce(address)).run(sockets=[bound])


def base_url(bound: socket.socket) -> str:
    """Return the address clients are given."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def _run(server: _Server, bound: socket.socket, settled: threading.Event) -> None:
    """Run a server to its end; whoever waits for it learns of the end too."""
    try:
        server.run(sockets=[bound])
    except Exception as error:  # noqa: BLE001 - a thread's boundary: who waits for it learns of it below
        _log.error("the gateway ended early with %s", type(error).__name__)
    finally:
        settled.set()


def _settings(app: Gateway) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="on",
        ws="none",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=app.config.limits.connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
