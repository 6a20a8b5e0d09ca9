"""The drawings of a scene: the map of sites, links and data, and small maps of where data may go."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from markupsafe import Markup

from cellwright.report.captions import Caption, captions
from cellwright.report.geography import frame
from cellwright.report.graticule import graticule, scale_bar
from cellwright.report.map import abroad, ground
from cellwright.report.picture.links import bundles, lines
from cellwright.report.picture.reach import Verdict
from cellwright.report.picture.scene import MOST_PANELS
from cellwright.report.spots import dots, marked, spots, stipple, thinned, told
from cellwright.report.svg import element, short
from cellwright.report.text import listed, phrase, plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cellwright.estate.model import Dataset
    from cellwright.report.picture.links import Bundle
    from cellwright.report.picture.reach import Reach
    from cellwright.report.picture.scene import Scene
    from cellwright.report.spots import Spot

PANEL_PX: Final = 212.0
_MOST_NAMED: Final = 34  # sites that ask for a label
_MOST_LINES: Final = 4  # datasets below a site's name
_NAMES_ALL: Final = 40  # sites, up to which every one is named
_SAME_PX: Final = 2.5  # of a small map: dots nearer than this are one
_CROSS_PX: Final = 4.0
_MOST_CROSSES: Final = 150  # beyond that they stand apart, so that the dots below stay visible
_STYLES: Final = {Verdict.ALLOWED: ("allowed", 4.2), Verdict.REVIEW: ("review", 4.2)}


@dataclass(frozen=True, slots=True)
class Chart:
    """The map of a scene, what its lines stand for, and how much of it had to be thinned out."""

    drawing: Markup
    width: float
    height: float
    bundles: tuple[Bundle, ...]
    dots: int  # sites that are dots, without a mark of their own
    unnamed: int  # datasets whose home has no room for a label


@dataclass(frozen=True, slots=True)
class Panel:
    """A small map: where some datasets may go."""

    drawing: Markup
    height: float
    title: str
    classes: tuple[str, ...]
    datasets: tuple[Dataset, ...]
    counts: tuple[tuple[Verdict, int], ...]
    rules: str


def chart(scene: Scene, width: float, data_lines: int = _MOST_LINES) -> Chart:
    """Return the map, `width` px wide, with up to `data_lines` datasets below the name of their home."""
    drawn = frame(scene.sites, width, padding=width * 0.09)
    data: dict[str, list[Dataset]] = {}
    for dataset in scene.datasets:
        data.setdefault(dataset.home, []).append(dataset)
    everybody = (site.name for site in scene.sites) if len(scene.sites) <= _NAMES_ALL else ()
    weighed: dict[str, tuple[str, ...]] = dict.fromkeys(
        (*scene.named, *data, *everybody), ("",)
    )  # these keep marks of their own, the first first
    found = [replace(spot, runs=("data",) if spot.name in data else ()) for spot in spots(scene.sites, weighed, drawn)]
    by_name = {spot.name: spot for spot in found}
    grid = graticule(drawn)
    asked = _captions(scene, by_name, data, data_lines)
    labels = captions(asked, found, [line.box for line in grid], drawn)
    joined = bundles(scene.links, by_name)
    middle = (width / 2, drawn.height / 2)
    body = [
        ground(found, width),
        *(line.draw() for line in grid),
        *lines(joined),
        *dots(found),
        *(_halo(by_name[name]) for name in scene.roles if name in by_name),
        *(marked(spot, _told(spot, scene, data), middle) for spot in found if not spot.dot),
        *labels,
        scale_bar(drawn),
    ]
    shown = sum(len(data[caption.name]) for caption in asked if caption.name in data)
    return Chart(
        Markup("").join(body),
        width,
        drawn.height,
        joined,
        sum(spot.dot for spot in found),
        len(scene.datasets) - shown,
    )


def panels(scene: Scene) -> tuple[Panel, ...]:
    """Return the small maps: where all data may be together, then dataset by dataset, the most confined first."""
    if not scene.reaches:
        return ()
    drawn = frame(scene.sites, PANEL_PX, padding=PANEL_PX * 0.1)
    found = spots(scene.sites, {}, drawn)
    joint = [scene.joint] if scene.joint and len(scene.reaches) > 1 else []
    return tuple(
        _panel(
            reach, found, drawn.height, _verdicts(scene, reach), "All of it together" if reach is scene.joint else ""
        )
        for reach in [*joint, *scene.reaches[: MOST_PANELS - len(joint)]]
    )


def _verdicts(scene: Scene, reach: Reach) -> dict[str, Verdict]:
    return dict(zip((site.name for site in scene.sites), reach.verdicts, strict=True))


def _panel(reach: Reach, found: Sequence[Spot], height: float, verdicts: dict[str, Verdict], title: str) -> Panel:
    parts = [ground(found, PANEL_PX)]
    for verdict, (style, width) in _STYLES.items():
        chosen = [spot for spot in found if verdicts[spot.name] is verdict]
        parts.append(stipple(thinned(chosen, _SAME_PX), f"verdict {style}", width))
    refused = [spot for spot in found if verdicts[spot.name] is Verdict.FORBIDDEN]
    apart = _CROSS_PX if len(refused) <= _MOST_CROSSES else 2 * _CROSS_PX
    parts.append(crosses((spot.x, spot.y) for spot in thinned(refused, apart)))
    parts += [_home(spot) for spot in found if spot.name in reach.homes]
    counts = Counter(reach.verdicts)
    return Panel(
        Markup("").join(parts),
        height,
        title or _titled(reach.datasets),
        tuple(sorted({dataset.sensitivity.value for dataset in reach.datasets})),
        reach.datasets,
        tuple((verdict, counts[verdict]) for verdict in Verdict if counts[verdict]),
        _drawn_by(reach, title),
    )


def picture(body: Markup, size: tuple[float, float], title: str, described: str, **place: float) -> Markup:
    """Return a drawing as an SVG element with its name and description; `place` puts it on a larger drawing."""
    return element(
        "svg",
        element("title", title),
        element("desc", described),
        body,
        class_="map",
        role="img",
        viewBox=f"0 0 {short(size[0])} {short(size[1])}",
        **place,
    )


def panel_words(panel: Panel) -> str:
    """Return how many sites a panel admits, in words."""
    words = {Verdict.ALLOWED: "allowed", Verdict.REVIEW: "after a review", Verdict.FORBIDDEN: "forbidden"}
    return ", ".join(f"{number:,} {words[verdict]}" for verdict, number in panel.counts)


def _titled(datasets: Sequence[Dataset]) -> str:
    first = datasets[0].name
    return first if len(datasets) == 1 else f"{first} and {len(datasets) - 1:,} more"


def _drawn_by(reach: Reach, title: str) -> str:
    bound = sum(dataset.bound for dataset in reach.datasets)
    law = listed(reach.rules[:2]) if reach.rules else "no regulation names the class"
    more = f" and {len(reach.rules) - 2} more" if len(reach.rules) > 2 else ""  # noqa: PLR2004 - those named before
    if title:
        return "every rule of every dataset"
    tied = "bound to its home" if len(reach.datasets) == 1 else f"{bound} of them bound to their home"
    return f"{law}{more}" + (f"; {tied}" if bound else "")


def _captions(scene: Scene, by_name: dict[str, Spot], data: dict[str, list[Dataset]], data_lines: int) -> list[Caption]:
    """Return what asks for a label: what the focus names, homes of data, tiers of few sites, in small estates all."""
    few = {tier for tier, number in scene.tiers if number <= _NAMES_ALL / 2}
    others = sorted(name for name, spot in by_name.items() if spot.site.tier in few or spot.distance_km is not None)
    everybody = sorted(by_name) if len(by_name) <= _NAMES_ALL else []
    order = dict.fromkeys(name for name in (*scene.named, *data, *others, *everybody) if name in by_name)
    names = [name for name in order if not by_name[name].dot or name in scene.roles]
    return [_caption(by_name[name], scene, data.get(name, []), data_lines) for name in names[:_MOST_NAMED]]


def _caption(spot: Spot, scene: Scene, data: Sequence[Dataset], data_lines: int) -> Caption:
    role = scene.roles.get(spot.name)
    before = (*((role,) if role else ()), *abroad(spot))
    shown = data[:data_lines]
    more = len(data) - len(shown)
    rest = (f"+ {more:,} more",) if more and shown else ()
    names = tuple(dataset.name for dataset in shown)
    styles = (*("" for _ in before), *(f"s-{dataset.sensitivity}" for dataset in shown))
    return Caption(spot, spot.name, (*before, *names, *rest), styles if names else ())


def _told(spot: Spot, scene: Scene, data: dict[str, list[Dataset]]) -> str:
    homes = data.get(spot.name, [])
    role = scene.roles.get(spot.name)
    names = [f"{dataset.name} ({phrase(dataset.sensitivity)})" for dataset in homes[:12]]
    more = [plural(len(homes) - 12, "more dataset")] if len(homes) > 12 else []  # noqa: PLR2004 - those named before
    return told(spot) + (f", {role}" if role else "") + (f"; data: {listed([*names, *more])}" if homes else "")


def _halo(spot: Spot) -> Markup:
    return element("circle", class_="halo", cx=spot.x, cy=spot.y, r=11)


def _home(spot: Spot) -> Markup:
    return element("circle", element("title", f"home: {spot.name}"), class_="home", cx=spot.x, cy=spot.y, r=5.5)


def crosses(places: Iterable[tuple[float, float]]) -> Markup:
    """Return one path of small crosses: what is refused is told by shape as well as colour."""
    d = "".join(f"M{short(round(x - 2, 1))} {short(round(y - 2, 1))}l4 4m0-4l-4 4" for x, y in places)
    return element("path", class_="verdict forbidden", d=d) if d else Markup("")
