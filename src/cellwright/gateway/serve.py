"""Runs a gateway on a socket: in a thread for the work of one command, or in the foreground until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, Final

from cellwright.errors import UnavailableError
from cellwright.gateway.http.server import Server
from cellwright.gateway.memory import keep_trimmed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.server import Gateway

    Beside = Coroutine[object, object, None]

_log: Final = logging.getLogger("cellwright.gateway")
_GRACE_S: Final = 10.0  # for answers under way when the gateway is stopped
_SWITCH_S: Final = 0.0005  # for which a thread has the interpreter while another waits for it
_LAST_S: Final = 5.0  # for requests that are told to stop to leave their row in the meter


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket bound to an address, port 0 for any free one; raise UnavailableError that says what to do.

    A `shared` port may be bound several times by the same user.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except (OSError, UnicodeError) as error:
        bound.close()
        from cellwright.telemetry.listeners.sockets import unbound  # noqa: PLC0415 - a served gateway holds no telemetry

        raise unbound(error, "the gateway", host, port) from error
    return bound


class _Life:
    """One gateway from its start to its end; `stop` may be called from another thread."""

    def __init__(
        self, app: Gateway, bound: socket.socket, ready: Callable[[], None], beside: Callable[[], Beside] | None
    ) -> None:
        self._app = app
        self._bound = bound
        self._ready = ready
        self._beside = beside
        self._server = Server(app.answer, app.config.limits, app.config.timeouts, app.network.deadlines)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = asyncio.Event()
        self.began = False

    def run(self, lifeline: int | None = None) -> None:
        """Serve in an event loop of its own until told to stop, or until `lifeline` can be read."""
        with asyncio.Runner(loop_factory=_fast_loop()) as runner:
            runner.run(self._live(lifeline))

    def stop(self) -> None:
        """Let answers under way be finished, then end."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopped.set)

    async def _live(self, lifeline: int | None) -> None:
        self._loop = asyncio.get_running_loop()
        if lifeline is not None:
            self._loop.add_reader(lifeline, self._let_go, lifeline)
        if threading.current_thread() is threading.main_thread():
            self._heed_signals()
        await self._app.open()
        certificate = self._app.certificate
        await self._server.listen(self._bound, certificate.context if certificate else None)
        self.began = True
        work = [keep_trimmed(), *([self._beside()] if self._beside is not None else [])]
        tasks = [asyncio.ensure_future(each) for each in work]
        self._ready()
        await self._stopped.wait()
        for task in tasks:
            task.cancel()
        await self._server.stop(_GRACE_S, _LAST_S)
        await self._app.close()

    def _heed_signals(self) -> None:
        """Stop at the first signal, and without grace at the second."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # on Windows Ctrl-C raises KeyboardInterrupt
                asyncio.get_running_loop().add_signal_handler(number, self._leave)

    def _let_go(self, lifeline: int) -> None:
        asyncio.get_running_loop().remove_reader(lifeline)
        self._stopped.set()

    def _leave(self) -> None:
        if self._stopped.is_set():
            self._server.hasten()
        self._stopped.set()


@contextlib.contextmanager
def running(app: Gateway, beside: Callable[[], Beside] | None = None) -> Iterator[str]:
    """Serve in a thread while the block runs; gives the base URL, such as http://127.0.0.1:49152/v1.

    `beside` gives what runs beside it in its event loop. On leaving, answers under way are let finish. Raises
    UnavailableError where the port is taken.
    """
    with contextlib.closing(bind(app.config.host, app.config.port)) as bound:
        settled = threading.Event()
        life = _Life(app, bound, settled.set, beside)
        thread = threading.Thread(target=_run, args=(life, settled), name="gateway", daemon=True)
        thread.start()
        settled.wait()
        if not life.began:
            raise UnavailableError.of("gateway-not-started", "the gateway did not start", hint="its log says why")
        try:
            yield base_url(app.config, bound)
        finally:
            life.stop()
            thread.join()


def serve(app: Gateway, announce: Callable[[str], None], beside: Callable[[], Beside] | None = None) -> None:
    """Serve in this thread until Ctrl-C or SIGTERM; `announce` is told the base URL once clients may connect.

    `beside` gives what runs beside it in its event loop. Raises UnavailableError where the port is taken.
    """
    with contextlib.closing(bind(app.config.host, app.config.port)) as bound:
        address = base_url(app.config, bound)
        with _tuned(), contextlib.suppress(KeyboardInterrupt):  # the way a server is meant to be stopped
            _Life(app, bound, lambda: announce(address), beside).run()


def serve_beside(
    app: Gateway, bound: socket.socket, lifeline: int, ready: Callable[[], None], beside: Callable[[], Beside]
) -> None:
    """Serve in this process as one of several, on a socket of its own, until `lifeline` can be read."""
    with _tuned():
        _Life(app, bound, ready, beside).run(lifeline)


@contextlib.contextmanager
def _tuned() -> Iterator[None]:
    """Serve with full collections spared what is loaded, and with no thread holding up the loop for long.

    What is loaded is freed at the end all the same. A digest or a write of the meter has the interpreter for half a
    millisecond at a time, not for the five that are usual: a request comes by several times.
    """
    usual_s = sys.getswitchinterval()
    gc.freeze()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
        gc.unfreeze()


def base_url(config: GatewayConfig, bound: socket.socket) -> str:
    """Return the address clients are given."""
    host, port = bound.getsockname()[:2]
    scheme = "https" if config.tls else "http"
    return f"{scheme}://[{host}]:{port}/v1" if ":" in host else f"{scheme}://{host}:{port}/v1"


def _run(life: _Life, settled: threading.Event) -> None:
    """Run a gateway to its end; whoever waits for it learns of the end too."""
    try:
        life.run()
    except Exception as error:  # noqa: BLE001 - a thread's boundary: who waits for it learns of it below
        _log.error("the gateway ended early with %s", type(error).__name__)
    finally:
        settled.set()


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes event loops of uvloop where it is installed; None for those of the standard library."""
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
