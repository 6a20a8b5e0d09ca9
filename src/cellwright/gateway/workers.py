"""Several processes that serve one port: the system spreads connections over them, and one that dies is replaced.

Each is forked before it has threads or an event loop. It ends when the pipe that its parent holds open is closed, so
that none outlives the parent, however that ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NoReturn

from cellwright.errors import CellwrightError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[int, Callable[[], None]], None]  # takes what is readable at the end, and whom to tell

_log: Final = logging.getLogger("cellwright.gateway")
_DEATHS: Final = 5  # within the time below: no further worker is started
_WITHIN_S: Final = 60.0
_TO_STOP: Final = frozenset({signal.SIGINT, signal.SIGTERM})
_AWAITED: Final = _TO_STOP | {signal.SIGHUP, signal.SIGCHLD}


class Workers:
    """Runs `count` workers until told to stop; `work` is what each of them does."""

    def __init__(self, count: int, work: Work) -> None:
        self._count = count
        self._work = work
        self._running: set[int] = set()
        self._deaths: deque[float] = deque(maxlen=_DEATHS)
        self._lifeline, self._held = os.pipe()
        self._stops = False

    def run(self, ready: Callable[[], None]) -> None:
        """Return when all have ended after Ctrl-C or SIGTERM; `ready` is called once every worker serves.

        A second such signal stops them at once; SIGHUP is passed on. Raises UnavailableError when workers die as fast
        as they are replaced.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        try:
            for _ in range(self._count):
                self._start(awaited=True)
            ready()
            while self._running:
                self._heed(signal.sigwait(_AWAITED))
        finally:
            self._stop()
            self._reap()  # several that ended at once sent one signal, and it may have been heeded
            while self._running:
                self._heed(signal.sigwait(_AWAITED))
            os.close(self._lifeline)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _heed(self, number: int) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGHUP:
            self._tell(signal.SIGHUP)
        elif self._stops:
            self._tell(signal.SIGTERM)
        else:
            self._stop()

    def _reap(self) -> None:
        """Take note of workers that have ended, and replace them."""
        for pid in tuple(self._running):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                self._running.discard(pid)
                if not self._stops:
                    self._replace(pid, os.waitstatus_to_exitcode(status))

    def _replace(self, pid: int, code: int) -> None:
        now_s = time.monotonic()
        _log.error("worker %d of the gateway ended with %d", pid, code)
        self._deaths.append(now_s)
        if len(self._deaths) == _DEATHS and now_s - self._deaths[0] < _WITHIN_S:
            raise UnavailableError.of(
                "workers-die",
                f"{_DEATHS} workers of the gateway ended within {_WITHIN_S:g} s",
                hint="their last words stand above; a single one (--workers 1) tells more",
            )
        self._start(awaited=False)

    def _start(self, *, awaited: bool) -> None:
        """Fork a worker; where it is `awaited`, return when it serves."""
        news, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(news)
            os.close(self._held)
            self._be_worker(told)
        os.close(told)
        self._running.add(pid)
        serves = os.read(news, 1) if awaited else b"1"
        os.close(news)
        if not serves:
            raise UnavailableError.of("gateway-not-started", "a worker did not start", hint="its last words say why")

    def _be_worker(self, told: int) -> NoReturn:
        """Work in the process that was just made, and end it."""
        code = 1

        def serves() -> None:
            with contextlib.suppress(BrokenPipeError):  # nobody waits for a replacement
                os.write(told, b"1")
            os.close(told)

        try:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it has read the document: then it heeds it
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _AWAITED)
            self._work(self._lifeline, serves)
            code = 0
        except CellwrightError as error:
            sys.stderr.write(f"{error}\n")
        except Exception as error:  # noqa: BLE001 - a process boundary: the parent learns of it by the exit code
            _log.error("a worker of the gateway failed with %s", type(error).__name__)
        finally:
            sys.stderr.flush()
            os._exit(code)  # what the parent has to finish is none of a worker's

    def _tell(self, number: int) -> None:
        for pid in self._running:
            os.kill(pid, number)  # not yet reaped, so it is still this one's

    def _stop(self) -> None:
        """Let the workers end."""
        if not self._stops:
            self._stops = True
            os.close(self._held)
