"""The tools of a site: SQL over its lake, its incidents and what they stand for, and why its workloads are where."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.digest.compose import BUDGET_TOKENS
from cellwright.digest.ledger import content_hash
from cellwright.digest.notation import incident_name
from cellwright.digest.tokens import token_counter
from cellwright.errors import UsageError, nearest
from cellwright.gateway.tools import Tool, ToolResult
from cellwright.lake.delta_lake import open_lake
from cellwright.lake.query import QueryLimits
from cellwright.lake.schema import TABLES
from cellwright.lake.tenant_rows import TenantRows
from cellwright.lake.values import plain, rows
from cellwright.placement.explain import explain, why_not
from cellwright.placement.explain_json import explanation_json, why_not_json
from cellwright.placement.planning import plan
from cellwright.wiring.estates import load_estate
from cellwright.wiring.evidence import Evidence
from cellwright.wiring.incidents import learn, tell
from cellwright.wiring.lakes import lake_at
from cellwright.wiring.opening import originals
from cellwright.wiring.settings import read_settings
from cellwright.wiring.topologies import load_topology

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cellwright.digest.correlate_topology import Topology
    from cellwright.digest.storms import Incident
    from cellwright.estate.model import Estate, SensitivityClass
    from cellwright.gateway.model import ToolServerSpec
    from cellwright.gateway.tools import ToolServer, ToolSupplies
    from cellwright.gateway.wire import JsonObject
    from cellwright.lake.address import Address
    from cellwright.lake.folder import Lake
    from cellwright.lake.record import TableRecord
    from cellwright.placement.plan import Plan
    from cellwright.wiring.incidents import Known

_MOST_ROWS: Final = 200  # of a query, or of originals
_MOST_INCIDENTS: Final = 100  # the latest
_MOST_ROOTS: Final = 5
_MEMORY_MIB: Final = 512
_AT_ONCE: Final = 2  # calls of one site that are worked on
_MS_PER_S: Final = 1000.0


def open_tools(spec: ToolServerSpec, supplies: ToolSupplies) -> ToolServer:
    """Return the tools of a site; raise UsageError where it has neither a lake nor an estate."""
    if spec.lake is None and spec.estate is None:
        expected = "a lake, an estate, or both"
        raise UsageError.of(
            "no-tools", f"tool server {spec.name} has nothing that its tools could read", expected=expected
        )
    place = lake_at(spec.lake, read_settings(supplies.environ, Path.home())) if spec.lake is not None else None
    return Site(spec, place, None if spec.estate is None else Path(spec.estate))


@dataclass(frozen=True, slots=True)
class _Found:
    """The incidents of a tenant by name, as a lake with these tables has them."""

    tables: tuple[TableRecord, ...]
    known: Known
    incidents: tuple[tuple[str, Incident], ...]


class Site:
    """Reads the lake and the estate of one site, for one tenant at a time; nothing can be written."""

    def __init__(self, spec: ToolServerSpec, lake: Path | Address | None, estate: Path | None) -> None:
        self._spec = spec
        self._lake = lake
        self._estate = estate
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._seen: dict[str, _Found] = {}
        self._topology: Topology | None = None
        self._plan: tuple[Estate, Plan] | None = None

    async def tools(self) -> Sequence[Tool]:
        """Return what can be called here."""
        of_lake = _LAKE_TOOLS if self._lake is not None else ()
        return (*of_lake, *(_ESTATE_TOOLS if self._estate is not None else ()))

    async def call(
        self,
        tool: str,
        arguments: JsonObject,
        tenant: str,
        data_class: SensitivityClass,  # noqa: ARG002 - the arguments stay here
    ) -> ToolResult:
        """Return what a tool finds for a tenant; raises CellwrightError."""
        named = next(each for each in await self.tools() if each.name == tool)
        given = _checked(named, arguments)
        async with self._turns:
            return ToolResult(structured=await asyncio.to_thread(_WORK[tool], self, tenant, **given))

    def query(self, tenant: str, sql: str) -> JsonObject:
        """Return the rows of a SELECT over the tenant's rows."""
        with open_lake(self._place) as lake:
            found = [*rows(TenantRows(lake, tenant).query(sql, self._limits()))]
        return {"rows": found[:_MOST_ROWS], "more": len(found) > _MOST_ROWS}

    def tables(self, tenant: str) -> JsonObject:
        """Return the tables that can be asked, with their columns and how many rows the tenant has in each."""
        with open_lake(self._place) as lake:
            counts = "SELECT " + ", ".join(f"(SELECT count(*) FROM {name}) AS {name}" for name in TABLES)  # noqa: S608 - names of our own
            counted = TenantRows(lake, tenant).query(counts, self._limits()).to_pylist()[0]
        return {
            "tables": [
                {"name": name, "rows": counted[name], "columns": {each.name: str(each.type) for each in schema}}
                for name, schema in TABLES.items()
            ]
        }

    def incidents(self, tenant: str) -> JsonObject:
        """Return the latest incidents, each with its name, its time and its size."""
        with open_lake(self._place) as lake:
            found = self._found(lake, tenant).incidents
        latest = sorted(found, key=lambda item: max((alarm.ts or 0 for alarm in item[1].alarms), default=0))
        told = [_summary(name, each) for name, each in reversed(latest[-_MOST_INCIDENTS:])]
        return {"incidents": told, "more": len(found) > len(told)}

    def digest(self, tenant: str, incident: str, budget: int = BUDGET_TOKENS) -> JsonObject:
        """Return the digest of an incident, with its probable roots."""
        counter = token_counter()
        with open_lake(self._place) as lake:
            found = self._found(lake, tenant)
            by_name = dict(found.incidents)
            if incident not in by_name:
                hint = nearest(incident, by_name) or "digest.list tells the names as of now"
                raise UsageError.of("no-such-incident", f"the lake has no incident {incident}", hint=hint)
            evidence = Evidence(TenantRows(lake, tenant), [by_name[incident]])
            told = tell(by_name[incident], found.known, budget, counter, evidence)
        roots = [
            {"type": root.alarm_type, "element": root.element, "score": round(root.score, 3)} for root in told.roots
        ]
        return {"digest": told.text, "tokens": told.tokens, "roots": roots[:_MOST_ROOTS]}

    def open(self, tenant: str, hash: str) -> JsonObject:  # noqa: A002 - the word of the command
        """Return the originals that a digest stands for."""
        with open_lake(self._place) as lake:
            found = originals(TenantRows(lake, tenant), hash, self._beside())
        return {"originals": [plain(each) for each in found[:_MOST_ROWS]], "more": len(found) > _MOST_ROWS}

    def explain(self, tenant: str, workload: str, why_not_at: str | None = None) -> JsonObject:  # noqa: ARG002 - one estate
        """Return why a workload is where it is, or what keeps it from a site and what would admit it."""
        estate, made = self._planned()
        if why_not_at is None:
            return explanation_json(explain(estate, made, workload))
        return why_not_json(why_not(estate, made, workload, why_not_at))

    @property
    def _place(self) -> Path | Address:
        if self._lake is None:
            msg = "a tool of a lake was called where there is none"
            raise RuntimeError(msg)
        return self._lake

    def _limits(self) -> QueryLimits:
        return QueryLimits(_MOST_ROWS, self._spec.timeout_ms / _MS_PER_S, _MEMORY_MIB)

    def _found(self, lake: Lake, tenant: str) -> _Found:
        """Return the incidents of a tenant, found again where the lake has changed."""
        with self._lock:
            found = self._seen.get(tenant)
            if found is None or found.tables != (tables := lake.tables()):
                tables = lake.tables()
                known, incidents = learn(TenantRows(lake, tenant).read("alarm_events"), self._beside(), token_counter())
                named = tuple((incident_name(content_hash(each.alarms)), each) for each in incidents)
                found = self._seen[tenant] = _Found(tables, known, named)
        return found

    def _beside(self) -> Topology | None:
        if self._topology is None and self._spec.topology is not None:
            self._topology = load_topology(Path(self._spec.topology), datetime.now(tz=UTC).date())
        return self._topology

    def _planned(self) -> tuple[Estate, Plan]:
        with self._lock:
            if self._plan is None:
                if self._estate is None:
                    msg = "a tool of an estate was called where there is none"
                    raise RuntimeError(msg)
                estate = load_estate(self._estate, datetime.now(tz=UTC).date())
                self._plan = estate, plan(estate)
        return self._plan


def _summary(name: str, incident: Incident) -> JsonObject:
    instants = sorted(alarm.ts for alarm in incident.alarms if alarm.ts is not None)
    return {
        "incident": name,
        "source": incident.source,
        "alarms": len(incident.alarms),
        "elements": len({alarm.element for alarm in incident.alarms}),
        "first": _iso(instants[0] if instants else None),
        "last": _iso(instants[-1] if instants else None),
    }


def _iso(instant_us: int | None) -> str | None:
    return None if instant_us is None else datetime.fromtimestamp(instant_us / 1e6, tz=UTC).isoformat()


def _checked(tool: Tool, arguments: JsonObject) -> JsonObject:
    """Return the arguments of a call; raise UsageError for one that is missing, unknown or of another type."""
    properties = tool.input_schema["properties"]
    for name in tool.input_schema["required"]:
        if name not in arguments:
            raise UsageError.of(
                "missing-argument", f"{tool.name} needs {name}", expected=properties[name]["description"]
            )
    for name, value in arguments.items():
        if name not in properties:
            hint = nearest(name, properties) or f"known are {', '.join(properties) or 'none'}"
            raise UsageError.of("unknown-argument", f"{tool.name} has no argument {name!r}", hint=hint)
        kind = properties[name]["type"]
        if not isinstance(value, _TYPES[kind]) or isinstance(value, bool):
            raise UsageError.of("wrong-argument", f"{name} of {tool.name} must be of type {kind}")
    return arguments


def _tool(name: str, description: str, needed: int = 0, **properties: tuple[str, str]) -> Tool:
    """Return a tool; `properties` are the type and the description of each argument, the first `needed` required."""
    told = {key: {"type": kind, "description": words} for key, (kind, words) in properties.items()}
    schema = {"type": "object", "properties": told, "required": [*told][:needed], "additionalProperties": False}
    return Tool(name, description, schema, reads_only=True)


_TYPES: Final = {"string": str, "integer": int}
_LAKE_TOOLS: Final = (
    _tool("lake.tables", "List the tables of this site's lake of network telemetry, with columns and row counts."),
    _tool(
        "lake.query",
        f"Answer one SELECT (DuckDB's SQL) over the lake's tables; at most {_MOST_ROWS} rows come back.",
        1,
        sql=("string", "one SELECT statement"),
    ),
    _tool("digest.list", f"List the latest incidents of this site, at most {_MOST_INCIDENTS}, the newest first."),
    _tool(
        "digest.read",
        "Tell the digest of one incident within a token budget, with its probable root causes.",
        1,
        incident=("string", "the name of an incident, as digest.list tells it"),
        budget=("integer", f"the most tokens of the digest; {BUDGET_TOKENS} if absent"),
    ),
    _tool(
        "digest.open",
        f"Fetch the original records that a digest stands for, at most {_MOST_ROWS}.",
        1,
        hash=("string", "the name of an incident or log, or eight letters or more of its sha256"),
    ),
)
_ESTATE_TOOLS: Final = (
    _tool(
        "placement.explain",
        "Say why a workload is placed where it is, or what keeps it from a site and what would admit it.",
        1,
        workload=("string", "the name of the workload; NAME#2 for its second replica"),
        why_not_at=("string", "a site: why is the workload not there?"),
    ),
)
_WORK: Final[dict[str, Callable[..., JsonObject]]] = {
    "lake.tables": Site.tables,
    "lake.query": Site.query,
    "digest.list": Site.incidents,
    "digest.read": Site.digest,
    "digest.open": Site.open,
    "placement.explain": Site.explain,
}
