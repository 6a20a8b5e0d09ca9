"""A lake as it grows: its alarms become incidents that open, change and close."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Literal

from cellwright.digest.alarms import alarms_of
from cellwright.digest.compose import BUDGET_TOKENS
from cellwright.digest.correlate import Correlator
from cellwright.digest.correlate_clock import AlarmClock
from cellwright.digest.storms import storms
from cellwright.digest.tokens import token_counter
from cellwright.lake.delta_lake import open_lake
from cellwright.wiring.evidence import Evidence
from cellwright.wiring.incidents import learn, tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cellwright.digest.alarms import Alarm
    from cellwright.digest.causes_artefact import Learned
    from cellwright.digest.correlate import Correlated
    from cellwright.digest.correlate_topology import Topology
    from cellwright.lake.address import Address
    from cellwright.wiring.incidents import Storyline

State = Literal["open", "closed"]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one incident, which `number` names while it is followed; a storm may have several pieces."""

    number: int
    state: State
    pieces: tuple[Storyline, ...]


class Follower:
    """Reads what is new in a lake at each call of `poll`; raises StorageError when there is no lake at `place`.

    What the lake holds at first is what lags and precedence are learned from.
    """

    def __init__(
        self,
        place: Path | Address,
        topology: Topology | None = None,
        budget: int = BUDGET_TOKENS,
        causes: Learned | None = None,
    ) -> None:
        self._place, self._budget = place, budget
        self._counter = token_counter()
        with open_lake(place) as lake:
            known, _ = learn(lake.read("alarm_events"), topology, self._counter)
        self._known = replace(known, learned=causes)
        self._read: set[str] = set()
        self._clock = AlarmClock()
        self._correlator = Correlator(self._known.surroundings)

    def poll(self, clock_us: int) -> tuple[Change, ...]:
        """Return the incidents that closed or changed since the last call; the clock is in us since 1970 UTC."""
        alarms = self._new()
        closed: list[Correlated] = []
        for alarm in alarms:
            if alarm.ts is not None and self._clock.moved(alarm.ts, clock_us):
                closed += self._correlator.advance(alarm.ts)
            self._correlator.push(alarm)
        closed += self._correlator.advance(self._clock.now(clock_us))
        changed: list[tuple[Correlated, State]] = [(joined, "closed") for joined in closed]
        return self._changes([*changed, *((joined, "open") for joined in self._correlator.updated())])

    def _new(self) -> list[Alarm]:
        """Return the alarms of files that were not read before, by time."""
        with open_lake(self._place) as lake:
            files = {file.file_id for file in lake.files() if file.file_id not in self._read}
            table = lake.read_of("alarm_events", files)
        self._read |= files
        return sorted(alarms_of(table), key=lambda alarm: (alarm.ts is None, alarm.ts or 0))

    def _changes(self, changed: Sequence[tuple[Correlated, State]]) -> tuple[Change, ...]:
        if not changed:
            return ()
        pieces = [tuple(storms(joined, self._counter, self._known.surroundings)) for joined, _ in changed]
        with open_lake(self._place) as lake:
            evidence = Evidence(lake, chain.from_iterable(pieces))
        return tuple(
            Change(
                joined.number,
                state,
                tuple(tell(piece, self._known, self._budget, self._counter, evidence) for piece in group),
            )
            for (joined, state), group in zip(changed, pieces, strict=True)
        )


def changes(follower: Follower, every_s: float) -> Iterator[Change]:
    """Yield what changes until Ctrl-C or SIGTERM, looking every so many seconds."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while not stop.is_set():
            yield from follower.poll(time.time_ns() // 1_000)
            stop.wait(every_s)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
