"""Throws damaged files at every format: nothing may raise, hang, take much memory, or lose a fact.

    python tests/telemetry/fuzz.py --seconds 600

Inputs are the conformance cases, cut, spliced, repeated and flipped by a seeded generator; one that fails is written to
the folder named by --keep, with the seed that makes it again.
"""

from __future__ import annotations

import argparse
import itertools
import random
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from format_kit import check_conservation

from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellwright.telemetry.format import Format

CASES = Path(__file__).parent.parent / "cases" / "telemetry"
LONGEST_S = 20  # of one input
MOST_BYTES = 4 << 30  # of memory in all
LARGEST = 64 << 10  # bytes of an input
EDGES = (
    b"",
    b"\0",
    b"\xff" * 8,
    b"\n",
    b"\r\n",
    b"9" * 40,
    b"-1",
    b"1e999",
    b"NaN",
    b"\xef\xbb\xbf",
    b"<" * 9,
    b"{" * 70,
)


def seeds(name: str) -> list[bytes]:
    """Return the conformance cases of a format."""
    folder = CASES / name
    if not folder.is_dir():
        return []
    return [path.read_bytes() for path in sorted(folder.iterdir()) if ".expected" not in path.name and path.is_file()]


def damaged(raw: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Return a file after a few random changes."""
    data = bytearray(raw[:LARGEST])
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        to = min(len(data), at + chance.choice((1, 2, 4, 16, 64, 500)))
        match chance.randrange(7):
            case 0:
                del data[at:to]
            case 1:
                data[at:at] = data[at:to] * chance.choice((1, 3, 20))
            case 2:
                data[at:to] = chance.choice(EDGES)
            case 3 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 4:
                del data[at:]
            case 5:
                other = chance.choice(others)
                start = chance.randint(0, len(other))
                data[at:at] = other[start : start + chance.choice((3, 30, 300))]
            case _:
                data[at:to] = chance.randbytes(to - at)
        del data[LARGEST:]
    return bytes(data)


def inputs(name: str, start: int) -> Iterator[tuple[int, bytes]]:
    """Yield numbered inputs for a format without end; a number always makes the same one."""
    known = seeds(name) or [b"x"]
    for number in itertools.count(start):
        chance = random.Random(f"{name} {number}")  # noqa: S311 - repeatable, not secret
        yield number, damaged(chance.choice(known), known, chance)


def survives(form: Format, data: bytes) -> bool:
    """Return whether a format reads an input as it must; print what it raised."""
    signal.alarm(LONGEST_S)
    try:
        check_conservation(form, data)
    except BaseException:  # noqa: BLE001 - whatever it is, it is a finding
        traceback.print_exc()
        return False
    finally:
        signal.alarm(0)
    return True


def too_slow(*_: object) -> None:
    raise TimeoutError


def main() -> int:
    """Fuzz all formats in turns until the time is over; return how many inputs failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--start", type=int, default=0, help="number of the first input")
    parser.add_argument("--keep", type=Path, default=Path(), help="folder for inputs that fail")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    plugins: PluginSet[type[Format]] = PluginSet("formats")
    turns = [(plugins.get(name)(), inputs(name, options.start)) for name in plugins.names()]
    end, tried, failed = time.monotonic() + options.seconds, 0, 0
    for form, feed in itertools.cycle(turns):
        if time.monotonic() > end:
            break
        number, data = next(feed)
        tried += 1
        if not survives(form, data):
            failed += 1
            (options.keep / f"{form.name}-{number}.failed").write_bytes(data)
            sys.stderr.write(f"{form.name}: input {number} failed\n")
    sys.stdout.write(f"{tried} inputs for {len(turns)} formats, {failed} failed\n")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
