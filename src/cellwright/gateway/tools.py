"""Tools of sites, called through the rules, the guard and the meter that stand before models as well.

Where a tool's results belong to a data class, and where the caller stands outside the boundary that a rule draws around
it, the tool is neither shown nor called. Where the arguments belong to a class that may not go to where a tool's server
stands, it is not called either. What goes to a server off the premises and what comes back to a caller off the
premises passes the guard.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson

from cellwright.errors import CellwrightError, Diagnostic, nearest
from cellwright.estate.model import Boundary
from cellwright.gateway.egress import leaves, let_pass
from cellwright.gateway.metering.row import MeterRow
from cellwright.gateway.pots import Hold
from cellwright.gateway.quota import spent
from cellwright.gateway.routing.route import standing_against
from cellwright.gateway.wire import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cellwright.digest.tokens import TokenCounter
    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.egress import Guard
    from cellwright.gateway.metering.meter import Meter
    from cellwright.gateway.model import AccessKey, Rule, ToolServerSpec
    from cellwright.gateway.wire import JsonObject

_log: Final = logging.getLogger("cellwright.gateway")
ROUTE: Final = "tools"  # in the meter
_FAILED: Final = ApiError(
    Diagnostic("internal_error", "the tool failed; the log of the gateway names this request"),
    status=500,
    kind="server_error",
)
_LARGEST_RESULT: Final = 256 * 1024  # characters
_OK: Final = 200
_MS_PER_S: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Tool:
    """What can be called, as a caller is told of it."""

    name: str
    description: str
    input_schema: JsonObject  # JSON Schema of the arguments
    reads_only: bool = False


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool found: a JSON object, or texts; `failed` where it says why it found nothing."""

    texts: tuple[str, ...] = ()
    structured: JsonObject | None = None
    failed: bool = False

    @property
    def said(self) -> tuple[str, ...]:
        """Return the texts; those who read no JSON object are given it as text."""
        return self.texts or (orjson.dumps(self.structured, default=str).decode(),)

    @property
    def value(self) -> JsonObject:
        """Return all that it says as one JSON value, for the guard and for counts."""
        return {"texts": [*self.texts], "structured": self.structured}


class ToolServer(Protocol):
    """Where tools run: a site, or a server of a tenant."""

    async def tools(self) -> Sequence[Tool]:
        """Return what can be called; raise CellwrightError where that cannot be told."""
        ...

    async def call(self, tool: str, arguments: JsonObject, tenant: str, data_class: SensitivityClass) -> ToolResult:
        """Return what a tool finds for a tenant; raise CellwrightError where it cannot.

        `data_class` is that of the arguments.
        """
        ...


@dataclass(frozen=True, slots=True)
class ToolSupplies:
    """What a tool server may use."""

    environ: Mapping[str, str] = field(repr=False)
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Offer:
    spec: ToolServerSpec
    server: ToolServer
    tool: str  # as its server calls it


@dataclass(slots=True)
class _Call:
    """What the meter is told of one call."""

    key: AccessKey
    request_id: str
    name: str
    data_class: SensitivityClass  # of the arguments
    started_us: int = field(default_factory=lambda: time.time_ns() // 1000)
    began_s: float = field(default_factory=time.perf_counter)
    spec: ToolServerSpec | None = None
    sent: str = ""
    got: str = ""


class ToolDesk:
    """Shows callers the tools that they may call, and calls them."""

    def __init__(
        self,
        servers: Mapping[ToolServerSpec, ToolServer],
        rules: Sequence[Rule],
        guard: Guard,
        counter: TokenCounter,
        meter: Meter,
    ) -> None:
        self._servers = servers
        self._rules = tuple(rules)
        self._guard = guard
        self._counter = counter
        self._meter = meter

    async def shown(self, key: AccessKey) -> list[Tool]:
        """Return the tools that the holder of a key may call; a server that does not answer shows none."""
        return [replace(tool, name=name) for name, (tool, _) in (await self._offers(key)).items()]

    async def call(  # noqa: PLR0913, PLR0917 - what is asked, and who asks
        self,
        key: AccessKey,
        request_id: str,
        name: str,
        arguments: JsonObject,
        data_class: SensitivityClass,
        hold: Hold | ApiError | None = None,
    ) -> ToolResult:
        """Return what a tool found, and meter it; a refusal or a failure is a result that says why.

        `data_class` is that of the arguments. `hold` is what the call has reserved, or why it may not be made.
        """
        call = _Call(key, request_id, name, data_class, sent=_flat(arguments))
        status, error = 500, "internal_error"
        try:
            if isinstance(hold, ApiError):
                raise hold  # noqa: TRY301 - answered as other refusals are
            result = await self._called(call, arguments)
            call.got = _flat(result.value)
            status, error = _OK, "tool_failed" if result.failed else ""
        except ApiError as refusal:
            status, error = refusal.status, refusal.code
            result = _told(refusal)
        except CellwrightError as failure:
            status, error = 424, failure.diagnostics[0].code
            result = _told(failure)
        except Exception as failure:  # noqa: BLE001 - a plugin boundary; message and traceback may quote the arguments
            _log.error("tool call %s failed with %s", request_id, type(failure).__name__)
            result = _told(_FAILED)
        finally:
            row = self._row(call, status, error or None)
            self._meter.record(row)
            if isinstance(hold, Hold):
                hold.settle(*spent((row,)))
        return result

    async def _called(self, call: _Call, arguments: JsonObject) -> ToolResult:
        offers = await self._offers(call.key)
        if call.name not in offers:
            raise await self._refusal(call, tuple(offers))
        offer = offers[call.name][1]
        call.spec = offer.spec
        if rules := standing_against(self._rules, call.data_class, offer.spec.boundary):
            where = f"tool server {offer.spec.name} stands within {offer.spec.boundary}"
            raise _kept(rules, call.data_class, where)
        if offer.spec.boundary is not Boundary.PREMISES:
            let_pass(self._guard, arguments)
        try:
            async with asyncio.timeout(offer.spec.timeout_ms / _MS_PER_S):
                result = await offer.server.call(offer.tool, arguments, call.key.tenant, call.data_class)
        except TimeoutError:
            message = f"{call.name} found nothing within {offer.spec.timeout_ms / _MS_PER_S:g} s"
            raise ApiError(Diagnostic("tool_timeout", message), status=504, kind="server_error") from None
        if (size := sum(map(len, result.said))) > _LARGEST_RESULT:
            message = (
                f"the result of {call.name} has {size} characters, and {_LARGEST_RESULT} are the most; ask for less"
            )
            raise ApiError(Diagnostic("result_too_large", message), status=413, kind="invalid_request_error")
        if call.key.boundary is not Boundary.PREMISES:
            let_pass(self._guard, result.value)
        return result

    async def _offers(self, key: AccessKey) -> dict[str, tuple[Tool, _Offer]]:
        """Return the tools that a key may call by the names they are shown under."""
        mine = [
            (spec, server)
            for spec, server in self._servers.items()
            if key.tenant in spec.tenants and not standing_against(self._rules, spec.data_class, key.boundary)
        ]
        listed = await asyncio.gather(*(_listed(spec, server) for spec, server in mine))
        found: dict[str, tuple[Tool, _Offer]] = {}
        for (spec, server), tools in zip(mine, listed, strict=True):
            for tool in tools:
                if not spec.tools or tool.name in spec.tools:
                    found.setdefault(f"{spec.prefix}{tool.name}", (tool, _Offer(spec, server, tool.name)))
        return found

    async def _refusal(self, call: _Call, shown: Sequence[str]) -> ApiError:
        """Return why a tool may not be called: a rule where one keeps it from the caller, else that there is none."""
        for spec in self._servers:
            rules = standing_against(self._rules, spec.data_class, call.key.boundary)
            if rules and call.key.tenant in spec.tenants and call.name.startswith(spec.prefix):
                call.spec, call.name = spec, ""  # no server was asked whether it has such a tool
                return _kept(rules, spec.data_class, f"key {call.key.name} stands within {call.key.boundary}")
        hint = nearest(call.name, shown) or f"known are {', '.join(shown) or 'none'}"
        message = f"there is no such tool; {hint}"
        return ApiError(Diagnostic("unknown_tool", message), status=404, kind="invalid_request_error")

    def _row(self, call: _Call, status: int, error: str | None) -> MeterRow:
        spec, count = call.spec, self._counter
        return MeterRow(
            request_id=f"{call.request_id}",
            started_us=call.started_us,
            tenant=call.key.tenant,
            key_name=call.key.name,
            model=call.name if spec else "",
            route=ROUTE,
            data_class=spec.data_class if spec else None,
            backend=spec.name if spec else None,
            tier=spec.tier if spec else None,
            attempts=1 if spec else 0,
            stream=False,
            status=status,
            error=error,
            tokens_in=count.count(call.sent),
            tokens_out=count.count(call.got),
            tokens_cached=0,
            estimated=not count.exact,
            cost_in_nano=0,
            cost_out_nano=0,
            currency=None,
            price_source=None,
            ttft_ms=None,
            duration_ms=(time.perf_counter() - call.began_s) * _MS_PER_S,
            operation="execute_tool",
        )


async def _listed(spec: ToolServerSpec, server: ToolServer) -> Sequence[Tool]:
    try:
        async with asyncio.timeout(spec.timeout_ms / _MS_PER_S):
            return await server.tools()
    except (CellwrightError, TimeoutError):
        return ()
    except Exception as error:  # noqa: BLE001 - a plugin boundary: one that fails hides no other
        _log.error("tool server %s failed with %s", spec.name, type(error).__name__)
        return ()


def _kept(rules: Sequence[Rule], data_class: SensitivityClass, where: str) -> ApiError:
    """Return the refusal that names the rules against data of a class where something stands."""
    words = "; ".join(
        f"rule {rule.name} keeps data of class {data_class} within {rule.boundary} ({rule.source}), and {where}"
        for rule in rules
    )
    return ApiError(Diagnostic("sovereignty", words), status=403, kind="permission_error")


def _flat(value: Any) -> str:  # noqa: ANN401 - JSON
    return "\n".join(leaves(value)) if value else ""


def _told(error: CellwrightError) -> ToolResult:
    """Return an error as a result that a model can read and act on."""
    said = error.diagnostics[0]
    words = [
        said.message,
        *(f"{name}: {text}" for name, text in (("expected", said.expected), ("hint", said.hint)) if text),
    ]
    return ToolResult((f"{said.code}: " + "; ".join(words),), failed=True)


if TYPE_CHECKING:
    OpenToolServer = Callable[[ToolServerSpec, ToolSupplies], ToolServer]  # an entry point of cellwright.tools
