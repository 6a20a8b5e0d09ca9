"""A gateway's document read anew when it changes, or on SIGHUP, without a request being dropped.

Requests under way finish with what they began with; those that come in later find the new policy. A document with
mistakes changes nothing: the log says what and where they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from cellwright.errors import CellwrightError

if TYPE_CHECKING:
    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.server import Gateway

EVERY_S: Final = 1.0
OF_THE_START: Final = (
    "host",
    "port",
    "tls",
    "limits",
    "timeouts",
    "batches",
    "meter_file",
    "meter_url_env",
    "quota_url_env",
)
"""Fields of a configuration that what is open depends on; changes to them wait for the next start."""

_log: Final = logging.getLogger("cellwright.gateway")


class Source(Protocol):
    """Where a configuration comes from; its methods may block and are called outside the event loop."""

    def stamp(self) -> object:
        """Return what differs when the document may have changed."""
        ...

    def read(self) -> GatewayConfig:
        """Return the configuration as it is now; raise CellwrightError with every problem."""
        ...


class Reloading:
    """Gives a gateway each new version of its document; `loaded` is its stamp from before it was read for the start."""

    def __init__(self, app: Gateway, source: Source, loaded: object, every_s: float = EVERY_S) -> None:
        self._app = app
        self._source = source
        self._loaded = loaded
        self._every_s = every_s
        self._asked = asyncio.Event()
        self._refused = False

    async def watch(self) -> None:
        """Look every `every_s` seconds, and at once on SIGHUP where the platform has it; runs until cancelled."""
        if threading.current_thread() is threading.main_thread():
            with contextlib.suppress(NotImplementedError, AttributeError):
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._asked.set)
        if (before := await asyncio.to_thread(self._stamp)) != self._loaded:  # it changed since the start was read
            self._loaded = before
            await self.reload()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), self._every_s)
            asked, found = self._asked.is_set(), await asyncio.to_thread(self._stamp)
            self._asked.clear()
            if asked or (found != self._loaded and found == before):  # seen twice: nobody is writing it
                self._loaded = found
                await self.reload()
            before = found

    async def reload(self) -> bool:
        """Read the document and change the gateway to it; return whether that was done."""
        try:
            found = await asyncio.to_thread(self._source.read)
            config, waiting = carried(self._app.config, found)
            self._app.change(config)
        except CellwrightError as error:
            for diagnostic in error.diagnostics:
                _log.error("the old policy stays in force: %s", diagnostic)
            self._refused = True
            return False
        for name in waiting:
            _log.warning("%s changed in the document: that waits for the next start", name)
        told = _log.warning if self._refused else _log.info  # whoever was told of mistakes is told of their end
        told("the policy was read anew: %d routes, %d rules", len(config.routes), len(config.rules))
        self._refused = False
        return True

    def _stamp(self) -> object:
        try:
            return self._source.stamp()
        except CellwrightError:
            return None  # in the middle of being replaced


def carried(old: GatewayConfig, new: GatewayConfig) -> tuple[GatewayConfig, tuple[str, ...]]:
    """Return the new configuration with what belongs to the start as it was, and the names of what differs there."""
    kept = {name: getattr(old, name) for name in OF_THE_START}
    waiting = tuple(name for name, value in kept.items() if value != getattr(new, name))
    return replace(new, **kept), waiting
