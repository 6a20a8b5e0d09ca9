"""Planning makes millions of objects and hardly a cycle: looking for cyclic garbage would take a sixth of its time."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Put off the search for cyclic garbage until the block ends; what is in no cycle goes as always.

    What was made meanwhile counts as old afterwards, so that the next search for young garbage does not walk all of it.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        gc.enable()
