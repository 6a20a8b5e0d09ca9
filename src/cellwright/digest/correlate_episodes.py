"""Episodes: alarms of one type at one place without a pause, and which of them are near each other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.digest.alarms import JITTER_US
from cellwright.digest.correlate_topology import Place, subnetwork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cellwright.digest.alarms import Alarm
    from cellwright.digest.correlate_topology import Topology

# One granularity period of performance management, the slowest rhythm at which an element reports (15 minutes:
# TS 28.550 clause 5.1.1.2, TS 32.401 clause 5.2.3): what comes later is another matter.
QUIET_GAP_US: Final = 900 * 1_000_000
# The shortest of those periods (5 minutes): what elements side by side report of one cause, they report within it.
ADJACENT_US: Final = 300 * 1_000_000
# Ours, for elements of which only the time is known: alarms of one type within 15 seconds, up to 30 seconds apart.
UNPLACED_US: Final = 15 * 1_000_000
# Alarms follow their cause by an exponential lag, the kernel of a Hawkes process: 95 of 100 within three mean lags.
_MEAN_LAGS: Final = 3
_NEVER: Final = 1 << 70  # before all instants, as a negative number


@dataclass(frozen=True, slots=True)
class Lags:
    """Which alarm types follow each other and how fast, as learned; microseconds, by (cause, effect)."""

    types: frozenset[str]
    mean_us: Mapping[tuple[str, str], int]
    bound: Mapping[str, frozenset[str]] = field(default_factory=dict)  # pairs of which one is seldom alone

    def window_us(self, one: str, other: str, widest_us: int) -> int | None:
        """Return how far apart alarms of two types may be and belong together, None where neither causes the other.

        At least the jitter of detection; `widest_us` for equal types and for those that were not seen in learning.
        """
        if one == other or one not in self.types or other not in self.types:
            return widest_us
        means = [self.mean_us[pair] for pair in ((one, other), (other, one)) if pair in self.mean_us]
        return min(max(_MEAN_LAGS * max(means), JITTER_US), widest_us) if means else None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What correlation knows beside the alarms; with neither, time and subnetworks alone decide."""

    topology: Topology | None = None
    lags: Lags | None = None

    @property
    def quiet_us(self) -> int:
        """Return the longest pause within an incident."""
        return QUIET_GAP_US if self.topology is None else ADJACENT_US

    def spot(self, alarm: Alarm) -> Spot:
        """Return where and as what an alarm counts."""
        place = Place(subnetwork(alarm.element)) if self.topology is None else self.topology.place(alarm.element)
        kind = alarm.alarm_type if self.topology is not None or self.lags is not None else ""
        return Spot(place, kind)

    def lacks(self, place: Place) -> bool:
        """Return whether there is a topology and it lacks the element of a place, and the one that it faces."""
        return self.topology is not None and self.topology.neighbours.keys().isdisjoint(place)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place and an alarm type, empty where types do not matter."""

    place: Place
    kind: str


class Moment(NamedTuple):
    """Thirty seconds of one alarm type; each instant is in two of them, which overlap by half."""

    kind: str
    half: int


@dataclass(slots=True, eq=False)
class Group:
    """The episodes and alarms that belong together so far."""

    number: int
    tenant: str
    source: str
    last: int
    touched: int
    alarms: list[Alarm] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    moments: set[Moment] = field(default_factory=set)
    late: list[tuple[str, int]] = field(default_factory=list)
    ahead: list[tuple[str, int]] = field(default_factory=list)
    fresh: bool = True
    into: Group | None = None  # what it was joined into

    def root(self) -> Group:
        """Return what the group was joined into in the end, itself where it was not."""
        group = self
        while group.into is not None:
            group.into = group.into.into or group.into
            group = group.into
        return group

    def joined(self, other: Group) -> Group:
        """Return two groups as one, which keeps the lower number; the shorter lists are moved."""
        if other is self:
            return self
        kept, gone = (self, other) if len(self.alarms) >= len(other.alarms) else (other, self)
        kept.number = min(kept.number, gone.number)
        kept.last = max(kept.last, gone.last)
        kept.touched = max(kept.touched, gone.touched)
        kept.late += gone.late
        kept.ahead += gone.ahead
        kept.fresh = True
        kept.alarms += gone.alarms
        kept.episodes += gone.episodes
        kept.moments |= gone.moments
        gone.into = kept
        gone.alarms, gone.episodes, gone.moments = [], [], set()
        return kept


@dataclass(slots=True, eq=False)
class Episode:
    """The instants from `start` to `end` at a spot, in microseconds, without a pause; and the group it is in."""

    spot: Spot
    start: int
    end: int
    group: Group

    def within(self, start: int, end: int, window: int) -> bool:
        """Return whether the episode is at most `window` before or after a stretch of time."""
        return self.start - window <= end and start <= self.end + window


@dataclass(slots=True, eq=False)
class _Meeting:
    """The episodes with an alarm in one moment of a type, and those that go with it where no topology knows.

    Joined once one of them is where no topology knows.
    """

    own: set[Episode] = field(default_factory=set)
    guests: set[Episode] = field(default_factory=set)
    has_unplaced: bool = False

    def joining(self, episode: Episode, *, is_own: bool, unplaced: bool) -> set[Episode]:
        """Take an episode in, and return what it is joined with; one of these stands for all of them from then on."""
        (self.own if is_own else self.guests).add(episode)
        self.has_unplaced = self.has_unplaced or unplaced
        if not (self.own and self.has_unplaced):
            return set()
        met = self.own | self.guests
        self.own, self.guests = {episode}, set()
        return met


class Episodes:
    """The open episodes of one source, found by place."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._at: dict[Place, dict[str, list[Episode]]] = {}
        self._owners: set[str] = set()  # of the places that face none
        self._facing: defaultdict[str, set[Place]] = defaultdict(set)  # the others, by either end
        self._latest = -_NEVER
        self._meetings: defaultdict[Moment, _Meeting] = defaultdict(_Meeting)

    def __bool__(self) -> bool:
        """Return whether any episode is open."""
        return bool(self._at)

    def add(self, spot: Spot, instant: int, opened: Callable[[], Group]) -> Group:
        """Return the group that an alarm belongs to, all that it brings together joined; a new one where none is near.

        Episodes only grow and groups only join: the result is that of any order of arrival.
        """
        here = self._at.get(spot.place, {}).get(spot.kind, ())
        met = [each for each in here if each.within(instant, instant, self._surroundings.quiet_us)]
        latest, self._latest = self._latest, max(self._latest, instant)
        if len(met) == 1 and met[0].start <= instant and (instant <= met[0].end or latest <= met[0].end + JITTER_US):
            met[0].end = max(met[0].end, instant)  # nothing was open beyond its end that it comes near to only now
            return self._meet(met[0], instant)
        episode = met[0] if met else Episode(spot, instant, instant, opened())
        if not met:
            self._enter(episode)
        episode.start, episode.end = min(episode.start, instant), max(episode.end, instant)
        group = episode.group.root()
        for other in met[1:]:
            episode.start, episode.end = min(episode.start, other.start), max(episode.end, other.end)
            self._leave(other)
        for other in (*met[1:], *self._near(episode)):
            group = group.joined(other.group.root())
        return self._meet(episode, instant)

    def close(self, group: Group) -> None:
        """Forget the episodes of a group."""
        for episode in group.episodes:
            self._leave(episode)
        for moment in group.moments:
            self._meetings.pop(moment, None)  # it is past for whatever may still arrive in time

    def _near(self, episode: Episode) -> Iterator[Episode]:
        lags = self._surroundings.lags
        kind, start, end = episode.spot.kind, episode.start, episode.end
        for place, widest in self._near_places(episode.spot.place):
            for other, found in self._at.get(place, {}).items():
                window = lags.window_us(kind, other, widest) if lags else widest
                if window is not None:
                    yield from (each for each in found if each is not episode and each.within(start, end, window))

    def _near_places(self, place: Place) -> Iterable[tuple[Place, int]]:
        """Return the open places beside a place, itself included, and how far apart in time they may be."""
        topology = self._surroundings.topology
        if topology is None:
            return [(each, QUIET_GAP_US if each == place else ADJACENT_US) for each in self._at]
        if place.facing:
            beside = {place, Place(place.owner), Place(place.facing), Place(place.facing, place.owner)}
        else:
            neighbours = topology.neighbours.get(place.owner, frozenset()) & self._owners
            beside = {place, *map(Place, neighbours), *self._facing.get(place.owner, ())}
        return [(each, ADJACENT_US) for each in beside]

    def _meet(self, episode: Episode, instant: int) -> Group:
        """Join the episodes of one type that have an alarm near an instant, where no topology knows one of them.

        What no topology knows is joined with the types that its own is bound to, too.
        """
        group = episode.group.root()
        surroundings, kind = self._surroundings, episode.spot.kind
        if surroundings.topology is None:
            return group
        unplaced = surroundings.lacks(episode.spot.place)
        others = surroundings.lags.bound.get(kind, ()) if unplaced and surroundings.lags else ()
        half = instant // UNPLACED_US
        for each in (kind, *others):
            for moment in (Moment(each, half), Moment(each, half + 1)):
                group.moments.add(moment)
                for other in self._meetings[moment].joining(episode, is_own=each == kind, unplaced=unplaced):
                    group = group.joined(other.group.root())
        return group

    def _enter(self, episode: Episode) -> None:
        place, kind = episode.spot.place, episode.spot.kind
        self._at.setdefault(place, {}).setdefault(kind, []).append(episode)
        episode.group.episodes.append(episode)
        if place.facing:
            self._facing[place.owner].add(place)
            self._facing[place.facing].add(place)
        else:
            self._owners.add(place.owner)

    def _leave(self, episode: Episode) -> None:
        """Remove an episode, and each name that nothing is open under any more."""
        place, kind = episode.spot.place, episode.spot.kind
        kinds = self._at.get(place, {})
        found = kinds.get(kind, [])
        if episode not in found:
            return  # taken into another before
        found.remove(episode)
        if not found:
            del kinds[kind]
        if not kinds:
            del self._at[place]
            self._owners.discard(place.owner if not place.facing else "")
            for end in (place.owner, place.facing) if place.facing else ():
                _drop(self._facing, end, place)


def _drop(index: dict[str, set[Place]], key: str, place: Place) -> None:
    index[key].discard(place)
    if not index[key]:
        del index[key]
