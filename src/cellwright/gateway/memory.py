"""Gives memory back to the system: holes that bodies leave in the heap, and tables of tokens that were read once.

`malloc_trim` is glibc's, <https://man7.org/linux/man-pages/man3/malloc_trim.3.html>: 0.2 ms where there is nothing to
give back, some 15 ms for 60 MiB in holes. What is mapped is told by `/proc/self/smaps`, proc(5).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import functools
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.digest.tokens import tables_file

if TYPE_CHECKING:
    from collections.abc import Callable

_EVERY_S: Final = 10.0
_DONT_NEED: Final = 4  # MADV_DONTNEED, madvise(2)
_UNTOUCHED: Final = re.compile(  # mappings for reading alone, no page of which is this process's own
    r"^([0-9a-f]+)-([0-9a-f]+) r--p \S+ \S+ \d+ +(\S.*)\n(?:\w+:.*\n)*?Anonymous: +0 kB$", re.MULTILINE
)


def trim() -> None:
    """Give back what is free of this process's heap, and the tables that tokens are counted with once they are read."""
    if sys.platform != "linux":
        return
    if (heap := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:  # other C libraries have none
        heap(0)
    if (tables := tables_file()) is not None:
        _forget(tables)


async def keep_trimmed(trim: Callable[[], None] = trim, every_s: float = _EVERY_S) -> None:
    """Give back what is free again and again, in a thread, until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(trim)


@functools.cache
def _forget(file: str) -> None:
    """Let go of the pages of a file that is mapped; whoever looks at one again has it read again."""
    mapped = ""
    with contextlib.suppress(OSError):  # where nothing is told, all is kept
        mapped = Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace")
    for start, end, name in _UNTOUCHED.findall(mapped):
        if name == file:
            place = int(start, 16)
            ctypes.CDLL(None).madvise(ctypes.c_void_p(place), ctypes.c_size_t(int(end, 16) - place), _DONT_NEED)
