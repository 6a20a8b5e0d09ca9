"""The neighbourhood of an incident: its elements and the links between them, as one SVG for each width of page."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.report.layout import ROW_GAP, place
from cellwright.report.marks import gravity, severity_mark, severity_words, use
from cellwright.report.svg import element, short
from cellwright.report.text import listed, middle, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from cellwright.digest.vicinity import Node, Vicinity

_MOST_NODES: Final = 28
_MOST_NAMES: Final = 40  # of those that are not drawn
_MOST_DESCRIBED: Final = 12
_WIDE_PX: Final = 640.0
_NARROW_PX: Final = 330.0
_NAME_CHARACTERS: Final = 18
_NAME_PX: Final = 7.4  # advance of a character of a name, at 12 px semibold
_NOTE_PX: Final = 6.3  # of the line below it, at 11 px
_MARK_PX: Final = 22.0  # height of a mark with its ring
_NAME_LINE: Final = 14.0
_NOTE_LINE: Final = 13.0
_FRAME: Final = 8.0  # px kept free at the edge


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The drawing in two widths, and what stands beside it; no drawing where no link is known."""

    wide: Markup | None
    narrow: Markup | None
    told: str  # what is drawn, or why nothing is, in a sentence or two
    legend: tuple[tuple[str, str], ...]  # marks that are drawn, and what they mean
    unknown: tuple[str, ...]  # elements that the topology lacks
    more_unknown: int
    rest: tuple[str, ...]  # elements that are not drawn
    more: int


def neighbourhood(found: Vicinity) -> Neighbourhood:
    """Return the picture of a vicinity."""
    alarmed = [node for node in found.nodes if node.alarms]
    unknown = [node.name for node in alarmed if node.is_unknown]
    nothing = _nothing(found, alarmed)
    if nothing:
        return Neighbourhood(None, None, nothing, (), (), 0, (), 0)
    chosen = _chosen(found)
    nodes = [found.nodes[at] for at in chosen]
    rest = [node.name for node in found.nodes if node.alarms and node not in nodes]
    drawn = [_drawing(found, chosen, width) for width in (_WIDE_PX, _NARROW_PX)]
    return Neighbourhood(
        wide=drawn[0],
        narrow=drawn[1],
        told=_told(found, plural(len(alarmed), "element")),
        legend=tuple(_legend(found, nodes)),
        unknown=tuple(unknown[:_MOST_NAMES]),
        more_unknown=max(0, len(unknown) - _MOST_NAMES),
        rest=tuple(rest[:_MOST_NAMES]),
        more=max(0, len(rest) - _MOST_NAMES),
    )


def _nothing(found: Vicinity, alarmed: Sequence[Node]) -> str:
    """Return why there is nothing to draw, empty where there is something."""
    if len(found.nodes) == 1:
        lacks = ", which the topology lacks" if alarmed[0].is_unknown else ""
        return f"All of it is in one element, {alarmed[0].name}{lacks}."
    if found.told_by == "names" and not found.links:
        size = plural(len(alarmed), "element")
        return f"No topology was given, and the names of the {size} tell no links, so there is nothing to draw."
    return ""


def _told(found: Vicinity, size: str) -> str:
    quiet = sum(not node.alarms for node in found.nodes)
    between = f"; {plural(quiet, 'element')} without an alarm between them" if quiet else ""
    if found.told_by == "names":
        return f"{size} in alarm{between}. No topology was given: links are those that names of ports tell."
    links = plural(len(found.links), "link") if found.links else "no link"
    return f"{size} in alarm{between}, with {links} of the topology among them."


def _chosen(found: Vicinity) -> list[int]:
    """Return the positions that are drawn: what is nearest to the probable root, then what has most alarms."""
    near: dict[int, list[int]] = {}
    for one, other in found.links:
        near.setdefault(one, []).append(other)
        near.setdefault(other, []).append(one)
    by_alarms = sorted(range(len(found.nodes)), key=lambda at: (-found.nodes[at].alarms, at))
    order: dict[int, None] = {}
    for start in ([] if found.root is None else [found.root]) + by_alarms:
        queue = deque([start])
        while queue:
            at = queue.popleft()
            if at not in order:
                order[at] = None
                queue.extend(sorted(near.get(at, ()), key=lambda other: (-found.nodes[other].alarms, other)))
    kept = [at for at in order if found.nodes[at].alarms][:_MOST_NODES]
    between = [at for at in order if not found.nodes[at].alarms and len(set(near[at]) & set(kept)) > 1]
    return kept + between


def _legend(found: Vicinity, nodes: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """Yield the marks that are drawn, and what they mean."""
    grave = {severity_mark(node.severity) for node in nodes if node.alarms}
    yield from ((name, severity_words(name)) for name in sorted(grave, key=gravity))
    if found.root is not None:
        yield "root", "probable root"
    if any(node.is_unknown for node in nodes):
        yield "unknown", "unknown to the topology"
    if any(not node.alarms for node in nodes):
        yield "quiet", "no alarm, between others"


def _drawing(found: Vicinity, chosen: Sequence[int], width: float) -> Markup:
    nodes = [found.nodes[at] for at in chosen]
    position = {at: order for order, at in enumerate(chosen)}
    links = [(position[one], position[other]) for one, other in found.links if one in position and other in position]
    root = position.get(found.root) if found.root is not None else None
    notes = [_note(node, is_root=order == root) for order, node in enumerate(nodes)]
    sizes = [_size(node, note) for node, note in zip(nodes, notes, strict=True)]
    centres = [(x + _FRAME, y + _FRAME) for x, y in place(sizes, links, width - 2 * _FRAME)]
    height = max(y + size[1] / 2 for (_, y), size in zip(centres, sizes, strict=True)) + _FRAME
    marks = [(x, y - size[1] / 2 + _MARK_PX / 2) for (x, y), size in zip(centres, sizes, strict=True)]
    body = [
        element("title", "Elements of the incident and the links between them"),
        element("desc", _description(nodes, notes, len(links))),
        *_rule(sizes, centres, links, width),
        *(_link(marks[one], marks[other]) for one, other in links),
        *(_node(node, note, mark, is_root=order == root)
          for order, (node, note, mark) in enumerate(zip(nodes, notes, marks, strict=True))),
    ]  # fmt: skip
    return element("svg", *body, class_="map", role="img", viewBox=f"0 0 {short(width)} {short(height)}")


def _rule(
    sizes: Sequence[tuple[float, float]],
    centres: Sequence[tuple[float, float]],
    links: Sequence[tuple[int, int]],
    width: float,
) -> Iterator[Markup]:
    """Yield a line above what has no links, and what it says, where something has some."""
    linked = {end for link in links for end in link}
    tops = [y - size[1] / 2 for at, ((_, y), size) in enumerate(zip(centres, sizes, strict=True)) if at not in linked]
    if tops and linked:
        y = min(tops) - ROW_GAP / 2
        yield element("line", class_="rule", x1=_FRAME, x2=width - _FRAME, y1=y - 8, y2=y - 8)
        yield element("text", "no link known to these", class_="degree", x=_FRAME, y=y + 5)


def _note(node: Node, *, is_root: bool) -> str:
    if is_root:
        return "probable root"
    return plural(node.alarms, "alarm") if node.alarms else "no alarm"


def _size(node: Node, note: str) -> tuple[float, float]:
    name = middle(node.name, _NAME_CHARACTERS)
    width = max(len(name) * _NAME_PX, len(note) * _NOTE_PX, _MARK_PX)
    return (float(round(width)) + 4, _MARK_PX + _NAME_LINE + _NOTE_LINE)


def _link(one: tuple[float, float], other: tuple[float, float]) -> Markup:
    return element("line", class_="wire", x1=one[0], y1=one[1], x2=other[0], y2=other[1])


def _node(node: Node, note: str, at: tuple[float, float], *, is_root: bool) -> Markup:
    x, y = at
    said = severity_words(severity_mark(node.severity)) if node.alarms else "no alarm"
    rings = [use(name, x, y) for name, holds in (("unknown", node.is_unknown), ("root", is_root)) if holds]
    lines = (
        element("tspan", middle(node.name, _NAME_CHARACTERS), class_="site", x=x, y=y + _MARK_PX / 2 + 11),
        element("tspan", note, x=x, dy=_NOTE_LINE),
    )
    return element(
        "g",
        element("title", f"{node.name}: {plural(node.alarms, 'alarm')}, {said}"),
        use(severity_mark(node.severity) if node.alarms else "quiet", x, y),
        *rings,
        _plate(node, note, at),
        element("text", *lines, text_anchor="middle"),
        class_="label" if node.alarms else "label faint",
    )


def _plate(node: Node, note: str, at: tuple[float, float]) -> Markup:
    """Return what keeps links from running through a label."""
    width, height = _size(node, note)
    left, top = at[0] - width / 2, at[1] + _MARK_PX / 2
    return element("rect", class_="plate", x=left, y=top, width=width, height=height - _MARK_PX, rx=3)


def _description(nodes: Sequence[Node], notes: Sequence[str], links: int) -> str:
    shown = [f"{node.name} ({note})" for node, note in zip(nodes, notes, strict=True)][:_MOST_DESCRIBED]
    more = len(nodes) - len(shown)
    return f"{listed([*shown, *([f'{more} more'] if more > 0 else [])])}; {plural(links, 'link')}."
