"""Alarm columns whose causes are known, for the tests of the cause graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cellwright.digest.causes_onsets import AlarmColumns

if TYPE_CHECKING:
    from collections.abc import Iterable

CUT, LOSS, LATE, FAR, NOISE = range(5)
NAMES = ("cut", "loss", "late", "far", "noise")
ELEMENTS = 40
LINKS = np.array([(element, element + 1) for element in range(ELEMENTS - 1)])
SPAN_S = 30 * 86_400


def columns(rows: Iterable[tuple[int, int, float]], names: tuple[str, ...] = NAMES) -> AlarmColumns:
    """Return (type, element, seconds) as columns."""
    table = np.array([(kind, element, round(at * 1_000_000)) for kind, element, at in rows], np.int64).reshape(-1, 3)
    return AlarmColumns(names, table[:, 0], table[:, 1], table[:, 2])


def planted(seed: int = 0, cuts: int = 300) -> list[tuple[int, int, float]]:
    """Return alarms in which a cut brings about a loss after about 20 s, any loss something late, and a cut far things.

    The far ones are on the next element. All but the cuts also come by themselves, as does noise, at any time.
    """
    random = np.random.default_rng(seed)
    places = [(int(random.integers(ELEMENTS - 1)), random.random() * SPAN_S) for _ in range(cuts)]
    losses = [(element, at + random.uniform(15, 25)) for element, at in places if random.random() < 0.8]
    losses += [(int(random.integers(ELEMENTS)), random.random() * SPAN_S) for _ in range(cuts)]
    rows = [(CUT, *place) for place in places] + [(LOSS, *place) for place in losses]
    rows += [(LATE, element, at + random.uniform(60, 90)) for element, at in losses if random.random() < 0.8]
    rows += [(FAR, element + 1, at + random.uniform(5, 10)) for element, at in places if random.random() < 0.7]
    for kind in (LATE, FAR, NOISE):
        rows += [(kind, int(random.integers(ELEMENTS)), random.random() * SPAN_S) for _ in range(cuts)]
    return rows
