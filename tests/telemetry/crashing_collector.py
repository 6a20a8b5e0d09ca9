"""Kills a collector at every step at which something becomes durable, starts it again, and prints what it finds.

For each step a process of its own is forked: it collects messages and is killed (SIGKILL) just before or just after the
step. Then another finishes the work. One line of JSON a step; the last run is not killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from cellwright.lake.folder import Lake
from cellwright.lake.ledger import Ledger
from cellwright.telemetry.collector_document import CollectorConfig
from cellwright.telemetry.listener import ListenerSpec
from cellwright.wiring.collecting import build
from cellwright.wiring.settings import read_settings

MESSAGES = 4
MOST_STEPS = 400
LISTENER = ListenerSpec("syslog-udp", "syslog-udp", "127.0.0.1", 0)
CONFIG = CollectorConfig("edge", "lake", "spool", 10**9, 1.0, (), (LISTENER,), ())


class Killer:
    """Counts steps and kills the process at one of them."""

    def __init__(self, step: int) -> None:
        self.left = step

    def _passed(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str) -> None:  # noqa: ANN401 - a module or a class
        """Make the moments before and after a call steps."""
        call = getattr(owner, name)

        def stepped(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - as the call
            self._passed()
            result = call(*arguments, **more)
            self._passed()
            return result

        setattr(owner, name, stepped)


async def collect(folder: Path, messages: range) -> None:
    """Hand in messages one by one, note which were acknowledged, and bring them into the lake now and then."""
    collector = build(CONFIG, folder, replace(read_settings({}, folder), key_file=folder / "key"))
    acknowledged = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    intake = collector._intakes[0]
    for number in messages:
        await intake.keep([b"<13>1 2026-03-01T12:00:00Z h a - - - message %d" % number])
        os.write(acknowledged, b"%d\n" % number)
        if number % 2:
            await collector.flush()
    await collector.close()


def first_life(folder: Path, step: int) -> None:
    """Collect until the step comes."""
    killer = Killer(step)
    for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "unlink"), (Ledger, "commit")):
        killer.around(owner, name)
    asyncio.run(collect(folder, range(MESSAGES)))


def second_life(folder: Path, step: int) -> None:
    """Finish the work and print what there is."""
    asyncio.run(collect(folder, range(MESSAGES, MESSAGES)))
    with Lake.open(folder / "lake") as lake:
        bodies = Counter(lake.read("logs", ["body"])["body"].to_pylist())
        listed = {part.path for part in lake._ledger.parts()}
        found = {
            "step": step,
            "acknowledged": sorted(map(int, (folder / "acknowledged").read_text(encoding="ascii").split())),
            "rows": sorted(int(body.rpartition(" ")[2]) for body in bodies.elements()),
            "balanced": all(balance.ok for balance in lake.verify()),
            "spooled": sum(path.is_file() for path in (folder / "spool").rglob("*")),
            "unlisted": [
                str(path)
                for path in (folder / "lake/tables").rglob("*")
                if path.is_file() and path.relative_to(folder / "lake").as_posix() not in listed
            ],
        }
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def lived(life: Any, *arguments: Any) -> bool:  # noqa: ANN401 - one of the two lives
    """Run a life in a process of its own; return whether it came to its end."""
    child = os.fork()
    if not child:
        try:
            life(*arguments)
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(int(sys.exc_info()[0] is not None))
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit(f"a life ended with {os.WEXITSTATUS(status)}")
    return os.WIFEXITED(status)


def main() -> None:
    """Go through all steps."""
    base = Path(sys.argv[1])
    for step in range(1, MOST_STEPS):
        folder = base / str(step)
        folder.mkdir()
        (folder / "acknowledged").touch()
        ended = lived(first_life, folder, step)
        lived(second_life, folder, step)
        if ended:
            return


if __name__ == "__main__":
    main()
