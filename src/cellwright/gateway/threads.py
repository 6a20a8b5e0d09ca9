"""Blocking work in threads, which nothing stops once it has begun."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable

_Given = TypeVarTuple("_Given")
_Result = TypeVar("_Result")


async def to_its_end(work: Callable[[Unpack[_Given]], _Result], *given: *_Given) -> _Result:
    """Return what blocking work comes to; whoever is cancelled meanwhile waits for its end.

    So what is done after a cancellation finds the work done, well or not, and not amid it.
    """
    going = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        return await asyncio.shield(going)
    except asyncio.CancelledError:
        await asyncio.gather(going, return_exceptions=True)
        raise
