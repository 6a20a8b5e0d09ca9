"""The desk of an edge filter that may never see a record: what reads records takes memory and time to load."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from cellwright.gateway.filter_policy import DEFAULT_EDGE
from cellwright.gateway.filtering.locate import Locator
from cellwright.privacy.keys import load_or_create_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cellwright.gateway.filter_policy import EdgeSpec
    from cellwright.gateway.filtering.edge import Desk
    from cellwright.gateway.filtering.tell import Told
    from cellwright.wiring.settings import Settings


def open_desk(spec: EdgeSpec, settings: Settings, base: Path) -> Desk:
    """Return the desk of what stands at the edge; names in `spec` are relative to `base`.

    Where nothing is set up but the key of pseudonyms, it is opened in the filter's thread by the first record. Raises
    UsageError, EstateError or StorageError for what is wrong.
    """
    if spec != DEFAULT_EDGE or settings.vault or settings.privacy_policy:
        return _open(spec, settings, base)
    load_or_create_key(settings.key_file)  # one that cannot be read is told at the start
    return _Standby(functools.partial(_open, spec, settings, base))


def _open(spec: EdgeSpec, settings: Settings, base: Path) -> Desk:
    from cellwright.wiring.edge import EdgeDesk  # noqa: PLC0415 - what this module is for

    return EdgeDesk(spec, settings, base)


class _Standby:
    """A desk that is opened when it is asked for more than where records stand."""

    def __init__(self, open_desk: Callable[[], Desk]) -> None:
        self._desk = functools.cache(open_desk)
        self.locator = Locator()

    def tell(self, raw: bytes, tenant: str, budget: int) -> Told | None:
        return self._desk().tell(raw, tenant, budget)

    def keep(self, raw: bytes, tenant: str) -> bool | None:
        return self._desk().keep(raw, tenant)

    def without_identifiers(self, text: str, tenant: str) -> str:
        return self._desk().without_identifiers(text, tenant)

    def incident(self, name: str, tenant: str, budget: int) -> Told | None:
        return self._desk().incident(name, tenant, budget)
