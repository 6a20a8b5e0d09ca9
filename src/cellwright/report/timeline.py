"""The timeline of an incident: a lane for each alarm type or element, and for each counter or log line beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from cellwright.report.marks import gravity, severity_mark, severity_words, use
from cellwright.report.svg import element, short, strip
from cellwright.report.text import middle, plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from cellwright.digest.counters_text import CounterChange
    from cellwright.digest.spans import Span
    from cellwright.report.model import IncidentView

_MOST_LANES: Final = 14
_MOST_BESIDE: Final = 4  # lanes of counters, and of log lines
_MOST_NAMES: Final = 24  # of what shares the last lane
_NAME_CHARACTERS: Final = 90
_FIRST_CHARACTERS: Final = 48
_US: Final = 1_000_000
_HEIGHT: Final = 28.0  # px of a lane
_AXIS_HEIGHT: Final = 18.0
_QUARTERS: Final = 4
_EDGE: Final = 1.2  # per cent kept free at either end, half a mark
_BINS: Final = 120  # places along a lane that are told apart
_SLIVER: Final = 0.2  # per cent: the least length of a band
# How long a quarter of the axis may be, in each unit.
_STEPS: Final = (0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30)
_UNITS: Final = (("s", 0.01), ("s", 0.1), ("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0), ("d", 8_640_000.0))
_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 10_000 * 86_400.0


@dataclass(frozen=True, slots=True)
class Lane:
    """One line of a timeline: its name, what is said of it, and the drawing; a probable root is said to be one."""

    name: str
    note: str
    drawing: Markup
    is_root: bool = False
    aside: str = ""  # "counter" or "log line" where it is no alarm


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened when, as lanes below each other on one axis."""

    by: str  # what lanes of alarms are: "alarm type" or "element"
    lanes: tuple[Lane, ...]
    rest: tuple[str, ...]  # names that share the last lane of alarms, the first of them
    more: int  # of which that many are not named
    axis: Markup
    legend: tuple[tuple[str, str], ...]  # marks that are drawn, and what they mean
    untimed: int  # alarms that cannot be drawn


class _Scale(NamedTuple):
    """The axis: a quarter of it, in seconds, and how that is said."""

    quarter_s: float
    labels: tuple[str, ...]

    def is_beyond(self, us: float) -> bool:
        """Return whether an instant lies behind the end of the axis."""
        return us > _QUARTERS * self.quarter_s * _US

    def at(self, us: float) -> float:
        """Return where an instant lies, in per cent; what lies beyond is at the edge."""
        share = min(max(us / _US / (_QUARTERS * self.quarter_s), 0), 1)
        return _EDGE + share * (100 - 2 * _EDGE)


def timeline(view: IncidentView) -> Timeline | None:
    """Return the timeline of an incident, None where no alarm of it says when it came."""
    timed = [span for span in view.spans if span.first_us is not None]
    if not timed:
        return None
    scale = _scale(timed, view.duration_s or 0)
    by, named = _grouping(timed)
    groups: dict[str, list[Span]] = {}
    for span in timed:
        groups.setdefault(named(span), []).append(span)
    root = _root_span(view, timed)
    kept, rest = _chosen(groups, None if root is None else named(root))
    lanes = [_lane(name, groups[name], scale, by, root) for name in kept]
    if rest:
        lanes.append(_rest_lane([span for name in rest for span in groups[name]], len(rest), scale, by, root))
    lanes += [*_counter_lanes(view, scale, root), *_log_lanes(view, scale, root)]
    return Timeline(
        by=by,
        lanes=tuple(lanes),
        rest=tuple(rest[:_MOST_NAMES]),
        more=max(0, len(rest) - _MOST_NAMES),
        axis=_axis(scale),
        legend=tuple(_legend(timed, lanes, scale, root)),
        untimed=sum(span.events for span in view.spans if span.first_us is None),
    )


def _legend(
    spans: Sequence[Span], lanes: Sequence[Lane], scale: _Scale, root: Span | None
) -> Iterator[tuple[str, str]]:
    """Yield the marks that are drawn, and what they mean."""
    begun = {severity_mark(span.severity) for span in spans if span.raised_us}
    yield from ((name, f"raised, {severity_words(name)}") for name in sorted(begun, key=gravity))
    asides = {lane.aside for lane in lanes}
    drawn = (
        ("root", "where the probable root began, with a line through all lanes", root is not None),
        ("again", "raised again", any(span.raised_us[1:] for span in spans)),
        ("raised", "until cleared, or raised for the last time", True),
        ("open", "not cleared", any(span.is_open for span in spans)),
        ("cleared", "cleared", any(span.ended_us is not None and not scale.is_beyond(span.ended_us) for span in spans)),
        ("later", "cleared behind the end", any(span.ended_us and scale.is_beyond(span.ended_us) for span in spans)),
        ("rise", "counter above what is usual", "counter" in asides),
        ("fall", "counter below", "counter" in asides),
        ("log", "rare log line", "log line" in asides),
    )
    yield from ((name, words) for name, words, is_drawn in drawn if is_drawn)


def _scale(spans: Sequence[Span], lasts_s: float) -> _Scale:
    """Return an axis that holds every event, and the clearings unless they come much later."""
    alarms_s = max(lasts_s, max(max(span.raised_us, default=0) for span in spans) / _US)
    ends_s = max((span.ended_us for span in spans if span.ended_us is not None), default=0) / _US
    longest_s = min(max(alarms_s, min(ends_s, 2 * alarms_s) if alarms_s else ends_s), _LONGEST_S)
    wanted = max(longest_s, _SHORTEST_S) / _QUARTERS
    steps = ((unit, size, step) for unit, size in _UNITS for step in _STEPS if step * size >= wanted)
    unit, size, step = next(steps)
    labels = [_amount(quarter * step * size, unit) for quarter in range(_QUARTERS + 1)]
    return _Scale(step * size, tuple(labels))


def _amount(seconds: float, unit: str) -> str:
    size = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}[unit]
    return f"{short(seconds / size)} {unit}" if seconds else "first alarm"


def _grouping(spans: Sequence[Span]) -> tuple[str, Callable[[Span], str]]:
    """Return what a lane is: an alarm type, unless there is but one, or too many of them and fewer elements."""
    types, elements = len({span.alarm_type for span in spans}), len({span.element for span in spans})
    if (types == 1 < elements <= _MOST_LANES) or types > max(_MOST_LANES, elements):
        return "element", lambda span: span.element
    return "alarm type", lambda span: span.alarm_type


def _root_span(view: IncidentView, spans: Iterable[Span]) -> Span | None:
    wanted = [(root.alarm_type, root.element) for root in view.roots[:1]]
    return next((span for span in spans if (span.alarm_type, span.element) in wanted), None)


def _chosen(groups: Mapping[str, Sequence[Span]], root: str | None) -> tuple[list[str], list[str]]:
    """Return the names that have a lane, by onset, and those that share one, gravest and largest first."""

    def weight(name: str) -> tuple[bool, int, int]:
        return (name != root, gravity(_gravest_of(groups[name])), -sum(span.events for span in groups[name]))

    ranked = sorted(groups, key=weight)
    most = _MOST_LANES if len(groups) <= _MOST_LANES else _MOST_LANES - 1
    kept = set(ranked[:most])
    return [name for name in groups if name in kept], ranked[most:]


def _lane(name: str, spans: Sequence[Span], scale: _Scale, by: str, root: Span | None) -> Lane:
    where = _counted(spans, "element" if by == "alarm type" else "alarm type")
    is_root = root is not None and any(span is root for span in spans)
    described = f"{middle(name, _NAME_CHARACTERS)}: {where}; {_told(spans)}{'; probable root' if is_root else ''}"
    return Lane(middle(name, _NAME_CHARACTERS), where, _drawn(spans, scale, root, described), is_root)


def _rest_lane(spans: Sequence[Span], names: int, scale: _Scale, by: str, root: Span | None) -> Lane:
    name = f"{plural(names, f'more {by}')}"
    ordered = sorted(spans, key=lambda span: span.first_us or 0)
    note = plural(sum(span.events for span in spans), "alarm")
    return Lane(name, note, _drawn(ordered, scale, root, f"{name}: {note}; {_told(ordered)}"))


def _counted(spans: Sequence[Span], other: str) -> str:
    """Return how many elements or alarm types a lane is of, which of them began first, and how many alarms it has."""
    names = [span.element if other == "element" else span.alarm_type for span in spans]
    first, alarms = middle(names[0], _FIRST_CHARACTERS), plural(sum(span.events for span in spans), "alarm")
    if len(set(names)) == 1:
        return f"{'on ' if other == 'element' else ''}{first}, {alarms}"
    return f"{plural(len(set(names)), other)}, first {first}; {alarms}"


def _told(spans: Sequence[Span]) -> str:
    """Return in words what the drawing of a lane shows."""
    first = min(span.first_us or 0 for span in spans) / _US
    last = max(span.last_us or 0 for span in spans) / _US
    is_open = sum(span.is_open for span in spans)
    state = f"{is_open:,} not cleared" if is_open else "all cleared"
    grave = severity_words(_gravest_of(spans))
    return f"first {short(first)} s, last {short(last)} s after the first alarm; {grave}; {state}"


def _drawn(spans: Sequence[Span], scale: _Scale, root: Span | None, described: str) -> Markup:
    """Return bands while something is raised, a mark where a span begins, ticks for repeats, checks for clearings."""
    firsts = ((scale.at(span.first_us or 0), severity_mark(span.severity)) for span in spans if span.raised_us)
    ended = [span.ended_us for span in spans if span.ended_us is not None]
    ends = {_bin(scale.at(instant)) for instant in ended if not scale.is_beyond(instant)}
    repeats = {_bin(scale.at(instant)) for span in spans for instant in span.raised_us[1:]}
    shapes = [
        *_grid(scale, root),
        *_bands([(scale.at(span.last_us or 0), 100.0) for span in spans if span.is_open], "open"),
        *_bands([(scale.at(span.first_us or 0), scale.at(_until(span))) for span in spans], "raised"),
        *(element("line", class_="again", x1=_per(at), x2=_per(at), y1=20, y2=25) for at in sorted(repeats)),
        *(use("cleared", _per(at), 22) for at in sorted(ends)),
        *([use("later", _per(100 - _EDGE), 22)] if any(map(scale.is_beyond, ended)) else []),
        *(use(mark, _per(at), 12) for at, mark in _gravest(firsts)),
    ]
    if root is not None and any(span is root for span in spans):
        shapes.append(use("root", _per(_bin(scale.at(root.first_us or 0))), 12))
    return strip(shapes, described, "track", _HEIGHT)


def _gravest_of(spans: Iterable[Span]) -> str:
    return min((severity_mark(span.severity) for span in spans), key=gravity)


def _until(span: Span) -> int:
    return span.last_us or 0


def _bin(at: float) -> float:
    """Return the nearest of the places along a lane that are told apart."""
    step = 100 / _BINS
    return round(at / step) * step


def _gravest(marks: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return one mark for each place, the gravest that is there; the graver are drawn last, on top."""
    best: dict[float, str] = {}
    for at, mark in marks:
        place = _bin(at)
        best[place] = min(best.get(place, mark), mark, key=gravity)
    return sorted(best.items(), key=lambda item: (-gravity(item[1]), item[0]))


def _bands(stretches: Sequence[tuple[float, float]], style: str) -> Iterator[Markup]:
    """Yield the union of stretches as bands."""
    merged: list[list[float]] = []
    for start, end in sorted(stretches):
        if merged and start <= merged[-1][1] + _SLIVER:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    for start, end in merged:
        if end - start >= _SLIVER:
            yield element("rect", class_=style, x=_per(start), width=_per(end - start), y=9, height=6)


def _grid(scale: _Scale, root: Span | None) -> Iterator[Markup]:
    yield use("grid")
    if root is not None:
        at = _per(_bin(scale.at(root.first_us or 0)))
        yield element("line", class_="onset", x1=at, x2=at, y1=0, y2="100%")


def _per(value: float) -> str:
    return f"{short(value)}%"


def _axis(scale: _Scale) -> Markup:
    anchors = ("start", "middle", "middle", "middle", "end")
    whole = 100 - 2 * _EDGE
    texts = (
        element("text", label, class_="degree", x=_per(_EDGE + whole * quarter / _QUARTERS), y=13, text_anchor=anchor)
        for quarter, (label, anchor) in enumerate(zip(scale.labels, anchors, strict=True))
    )
    return strip(texts, f"Time from the first alarm to {scale.labels[-1]} later", "track", _AXIS_HEIGHT)


def _counter_lanes(view: IncidentView, scale: _Scale, root: Span | None) -> Iterator[Lane]:
    """Yield a lane for each of the most unusual counters that broke."""
    if view.counters is None or view.start_us is None:
        return
    start_us = view.start_us
    for name, found in _by_counter(view.counters.changes):
        marks = {(_bin(scale.at(each.at_us - start_us)), "fall" if _falls(each) else "rise") for each in found}
        note = f"{plural(len({each.element for each in found}), 'object')}, {_change(found[0])}"
        begun = short((found[0].at_us - start_us) / _US)
        described = f"counter {name}: {note}; first unusual period begins {begun} s after the first alarm"
        shapes = [*_grid(scale, root), *(use(mark, _per(at), 13) for at, mark in sorted(marks))]
        yield Lane(middle(name, _NAME_CHARACTERS), note, strip(shapes, described, "track", _HEIGHT), aside="counter")


def _by_counter(changes: Sequence[CounterChange]) -> list[tuple[str, list[CounterChange]]]:
    groups: dict[str, list[CounterChange]] = {}
    for change in changes:
        groups.setdefault(change.counter, []).append(change)
    return list(groups.items())[:_MOST_BESIDE]


def _falls(change: CounterChange) -> bool:
    return change.percent is not None and change.percent < 0


def _change(change: CounterChange) -> str:
    return f"{change.percent:+} %" if change.percent is not None else f"{change.seen:g} where nothing is usual"


def _log_lanes(view: IncidentView, scale: _Scale, root: Span | None) -> Iterator[Lane]:
    """Yield a lane for each of the rarest log lines that the digest tells."""
    if view.log is None or view.log.start_s is None or view.start_us is None:
        return
    begun = view.log.start_s * _US - view.start_us
    timed = [(begun + each.at, each) for each in view.log.told if each.at is not None]
    rarest = sorted(timed, key=lambda line: line[1].times)[:_MOST_BESIDE]
    for at, told in sorted(rarest, key=lambda line: line[0]):
        note = "once" if told.times == 1 else f"stands for {told.times:,} lines alike"
        described = f"log line, {short(at / _US)} s after the first alarm, {note}: {told.text}"
        shapes = [*_grid(scale, root), use("log", _per(_bin(scale.at(at))), 13)]
        text = middle(told.text, _NAME_CHARACTERS)
        yield Lane(text, note, strip(shapes, described, "track", _HEIGHT), aside="log line")
