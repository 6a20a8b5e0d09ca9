"""The command import: an operator's own network becomes estate documents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cellwright.cli import console
from cellwright.cli.app import Output, OutputOption, app
from cellwright.errors import UsageError, nearest
from cellwright.estate.model import Control, Location, OnCall, Tier
from cellwright.inventory.countries import jurisdiction_of
from cellwright.inventory.model import Options, Role, TierRule
from cellwright.inventory.names import plain, slug
from cellwright.inventory.quantities import RATE
from cellwright.wiring.inventories import (
    check_target,
    import_estate,
    inventories,
    read_columns,
    read_source,
    summary_of,
    write_estate,
)
from cellwright.wiring.netbox import TOKEN_VARIABLE, fetch_netbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellwright.inventory.model import Imported, Source

_SHOWN: Final = 4  # names of a remark in the terminal
_LISTED: Final = 1000  # names of a remark in JSON
_Paths = list[Path] | None
_Texts = list[str] | None
_DEFAULTS: Final = Options()


@app.command(name="import")
def import_network(  # noqa: PLR0913 - one parameter an option
    form: Annotated[str, typer.Argument(metavar="csv|graphml|netbox|kubernetes", help="What the input is.")],
    files: Annotated[_Paths, typer.Argument(metavar="FILE", help="Its files; - is standard input.")] = None,
    *,
    out: Annotated[Path, typer.Option(help="The folder, or .yaml file, to write.")] = Path("estate"),
    sites: Annotated[_Paths, typer.Option(help="A table of sites: for csv, or for what others leave out.")] = None,
    nodes: Annotated[_Paths, typer.Option(help="A table of machines.")] = None,
    links: Annotated[_Paths, typer.Option(help="A table of links.")] = None,
    url: Annotated[str | None, typer.Option(help=f"netbox: the server; its token is in {TOKEN_VARIABLE}.")] = None,
    columns: Annotated[
        _Texts, typer.Option(metavar="OURS=THEIRS", help="Which header is which column; or a YAML file of such pairs.")
    ] = None,
    tier: Annotated[Tier, typer.Option(help="Of sites that do not say.")] = _DEFAULTS.tier,
    tier_by: Annotated[
        _Texts, typer.Option(metavar="LABEL=VALUE:TIER", help="The tier of sites with this label or column.")
    ] = None,
    control: Annotated[Control, typer.Option(help="Who controls sites that do not say.")] = _DEFAULTS.control,
    jurisdiction: Annotated[str | None, typer.Option(metavar="XX", help="The country of sites without one.")] = None,
    location: Annotated[str | None, typer.Option(metavar="LAT,LON", help="Of sites that nothing places.")] = None,
    skip_unplaced: Annotated[bool, typer.Option("--skip-unplaced", help="Leave such sites out.")] = False,
    managed: Annotated[bool, typer.Option("--managed", help="A provider looks after sites that do not say.")] = False,
    on_call: Annotated[OnCall, typer.Option(help="How quickly somebody attends there.")] = _DEFAULTS.on_call,
    skill: Annotated[_Texts, typer.Option(help="What people there can do; repeat it.")] = None,
    bandwidth: Annotated[str, typer.Option(help="Of links that do not say.")] = "10 Gbit/s",
    nic_bandwidth: Annotated[str, typer.Option(help="Of network cards that do not say.")] = "25 Gbit/s",
    p99_factor: Annotated[float, typer.Option(min=1.0, max=100.0, help="P99 over P50 where unknown.")] = 1.5,
    site_by: Annotated[str | None, typer.Option(metavar="LABEL", help="kubernetes: names a node's site.")] = None,
    tolerate: Annotated[_Texts, typer.Option(metavar="TAINT", help="kubernetes: keep nodes with this taint.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of texts that are not UTF-8, such as cp1252.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier import.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Write estate documents from tables, a topology, NetBox or Kubernetes, and say what was assumed."""
    options = Options(
        tier=tier,
        tier_rules=tuple(map(_tier_rule, tier_by or ())),
        control=control,
        jurisdiction=_jurisdiction(jurisdiction),
        location=_location(location),
        managed=managed,
        on_call=on_call,
        skills=frozenset(filter(None, map(slug, skill or ()))),
        bandwidth_gbps=_rate(bandwidth, "--bandwidth"),
        nic_gbps=_rate(nic_bandwidth, "--nic-bandwidth"),
        p99_factor=p99_factor,
        columns=read_columns(columns or ()),
        site_by=site_by,
        tolerate=frozenset(tolerate or ()),
        skip_unplaced=skip_unplaced,
        encoding=encoding,
    )
    inventories().get(form)  # a name that does not exist is told before anything is read
    check_target(out, force=force)
    texts = _texts(form, files or (), url, {Role.SITES: sites, Role.NODES: nodes, Role.LINKS: links})
    imported = import_estate(form, texts, options)
    written = write_estate(out, imported, _heading(form, texts, imported), force=force)
    _print(imported, written, out, output)


def _texts(form: str, files: Sequence[Path], url: str | None, tables: dict[Role, _Paths]) -> list[Source]:
    texts = [read_source(path, Role.INVENTORY) for path in files]
    if url is not None:
        if form != "netbox":
            raise UsageError.of("unused-option", f"--url says nothing to {form}", expected="netbox, or files")
        with console.progress_bar("netbox") as advance:
            texts.extend(fetch_netbox(url, os.environ.get(TOKEN_VARIABLE) or None, advance))
    texts.extend(read_source(path, role) for role, paths in tables.items() for path in paths or ())
    return texts


def _tier_rule(text: str) -> TierRule:
    attribute, equals, rest = text.partition("=")
    value, colon, tier = rest.rpartition(":")
    if not (equals and colon and attribute):
        raise UsageError.of(
            "bad-tier-rule", f"{text!r} is no rule", expected="LABEL=VALUE:TIER, such as type=Core:region"
        )
    if tier not in set(Tier):
        raise UsageError.of(
            "bad-tier-rule",
            f"{tier!r} is no tier",
            expected=f"one of {', '.join(Tier)}",
            hint=nearest(tier, map(str, Tier)),
        )
    return TierRule(attribute.strip(), value, Tier(tier))


def _jurisdiction(text: str | None) -> str | None:
    code = jurisdiction_of(text) if text is not None else None
    if text is not None and code is None:
        raise UsageError.of("bad-jurisdiction", f"{text!r} is no country", expected="ISO 3166-1 alpha-2, such as IT")
    return code


def _location(text: str | None) -> Location | None:
    if text is None:
        return None
    try:
        lat, lon = map(float, text.split(","))
    except ValueError:
        lat = lon = float("nan")
    if not (-90 <= lat <= 90 and -180 <= lon <= 180):  # noqa: PLR2004 - degrees
        raise UsageError.of("bad-location", f"{text!r} is no place", expected="LAT,LON in degrees, such as 44.49,11.34")
    return Location(lat, lon)


def _rate(text: str, option: str) -> float:
    try:
        value = RATE.parse(text, None)
    except ValueError as error:
        raise UsageError.of("bad-bandwidth", f"{option} is {text!r}", expected=str(error)) from error
    if value == 0:
        raise UsageError.of("bad-bandwidth", f"{option} is {text!r}", expected="more than zero")
    return value


def _heading(form: str, texts: Sequence[Source], imported: Imported) -> str:
    """Return the comment above the documents: where they come from and what was assumed; no clock in it."""
    names = list(dict.fromkeys(plain(Path(text.name.partition("?")[0]).name or text.name) for text in texts))
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    lines = [f"Written by cellwright import {form} from {shown}."]
    lines += [f"{remark.kind.capitalize()}: {plain(remark.text)} ({remark.count})" for remark in imported.remarks]
    return "\n".join(lines)


def _print(imported: Imported, written: Sequence[Path], out: Path, output: Output) -> None:
    counts = summary_of(imported)
    if output is Output.JSON:
        remarks = [
            {"kind": each.kind, "text": each.text, "count": each.count, "names": each.names[:_LISTED]}
            for each in imported.remarks
        ]
        diagnostics = [console.diagnostic_json(item) for item in imported.diagnostics]
        paths = [str(path) for path in written]
        console.say_json({"written": paths, **counts, "remarks": remarks, "diagnostics": diagnostics})
        return
    console.tell(imported.diagnostics)
    console.say(
        f"wrote {counts['sites']} sites with {counts['machines']} machines and {counts['links']} links "
        f"({counts['estimated_links']} with estimated round trips) to {out}"
    )
    rows = [(each.kind, str(each.count), each.text, _names(each.names)) for each in imported.remarks]
    if rows:
        console.table(None, ("", "how often", "what", "such as"), rows, ("how often",))
    console.say(f"next: cellwright check {out}")


def _names(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    return ", ".join(distinct[:_SHOWN]) + (", ..." if len(distinct) > _SHOWN else "")
