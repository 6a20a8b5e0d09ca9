"""POST /mcp: the tools of sites for an orchestrator anywhere; every request stands for itself, no session is kept.

Protocol: Model Context Protocol over streamable HTTP, revisions 2024-11-05 to 2026-07-28, by its own Python SDK.
"""

from __future__ import annotations

import contextlib
import logging
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson

from cellwright.gateway.pipeline import read_data_class
from cellwright.gateway.pots import Hold
from cellwright.gateway.wire import ApiError, invalid
from cellwright.plugins import load_extra

if TYPE_CHECKING:
    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.connection import Call
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.model import AccessKey, GatewayConfig
    from cellwright.gateway.quota_setup import Quotas
    from cellwright.gateway.tools import Tool, ToolDesk, ToolResult

_NEED: Final = "tools by MCP need"
_INVALID_REQUEST: Final = -32600  # codes of JSON-RPC
_INTERNAL_ERROR: Final = -32603
_INSTRUCTIONS: Final = (
    "Tools that run at the sites of a telecom operator, next to the data. What they return is pseudonymised; "
    "what may not leave a site is not offered."
)


@dataclass(slots=True)
class _Asking:
    key: AccessKey
    request_id: str
    data_class: SensitivityClass
    hold: Hold | ApiError | None  # until somebody else settles it

    def taken(self) -> Hold | ApiError | None:
        """Return what is held, to be settled by who asks; nothing the next time."""
        hold, self.hold = self.hold, None
        return hold


class Mcp:
    """The endpoint of tools."""

    def __init__(self, config: GatewayConfig, callers: Callers, quotas: Quotas, desk: ToolDesk) -> None:
        self._config = config
        self._callers = callers
        self._quotas = quotas
        self._desk = desk
        self._asking: ContextVar[_Asking] = ContextVar("asking")
        server = load_extra("mcp", _NEED, "mcp", "server.lowlevel", "server.streamable_http_manager").server
        self._types = load_extra("mcp", _NEED, "mcp_types")
        self._manager = server.streamable_http_manager.StreamableHTTPSessionManager
        self._server = server.lowlevel.Server(
            "cellwright", instructions=_INSTRUCTIONS, on_list_tools=self._list, on_call_tool=self._call
        )
        logging.getLogger("mcp").setLevel(logging.WARNING)  # it tells of every request otherwise

    async def answer(self, call: Call) -> None:
        """Answer one message, which is one request of its caller.

        Raises ApiError for a caller without a key, from a page of another origin or beyond its quota; a call of a tool
        beyond the quota is answered with a result that says so, which models can read.
        """
        key = await self._callers.identify(call.headers, call.names)
        _refuse_other_origins(call)
        raw = await call.body()
        data_class = read_data_class(call.headers) or self._config.data_class
        asking = _Asking(key, call.reply.request_id, data_class, await self._hold(key, raw))
        self._asking.set(asking)
        if isinstance(asking.hold, Hold):
            call.reply.more = asking.hold.headers
        try:
            await self._hand_on(call, raw)
        finally:
            if isinstance(hold := asking.taken(), Hold):
                hold.settle(0, 0)

    async def _hold(self, key: AccessKey, raw: bytes) -> Hold | ApiError | None:
        """Return what a message reserves, or why a call of a tool may not; raise that for any other message."""
        calls_tool = _calls_tool(raw)
        try:
            return await self._quotas.hold(key, spends=calls_tool)
        except ApiError as refusal:
            if calls_tool:
                return refusal
            raise

    async def _hand_on(self, call: Call, raw: bytes) -> None:
        """Answer with what the SDK makes of a message."""
        answer = _Answer(raw)
        size = self._config.limits.body_bytes
        manager = self._manager(self._server, stateless=True, json_response=True, max_request_body_size=size)
        async with manager.run():
            await manager.handle_request(_scope(call), answer.receive, answer.send)
        await call.reply.json(bytes(answer.body), answer.status)

    async def _list(self, _context: object, _params: object) -> Any:  # noqa: ANN401 - a type of the SDK
        tools = await self._desk.shown(self._asking.get().key)
        return self._types.ListToolsResult(tools=[self._told(tool) for tool in tools])

    async def _call(self, _context: object, params: Any) -> Any:  # noqa: ANN401 - types of the SDK
        asking = self._asking.get()
        found = await self._desk.call(
            asking.key, asking.request_id, params.name, params.arguments or {}, asking.data_class, asking.taken()
        )
        return self._result(found)

    def _told(self, tool: Tool) -> Any:  # noqa: ANN401 - a type of the SDK
        annotations = self._types.ToolAnnotations(read_only_hint=True) if tool.reads_only else None
        return self._types.Tool(
            name=tool.name, description=tool.description, input_schema=tool.input_schema, annotations=annotations
        )

    def _result(self, found: ToolResult) -> Any:  # noqa: ANN401 - a type of the SDK
        texts = [self._types.TextContent(type="text", text=text) for text in found.said]
        return self._types.CallToolResult(content=texts, structured_content=found.structured, is_error=found.failed)


class _Answer:
    """One request and its answer, as the SDK's transport takes and gives them."""

    def __init__(self, raw: bytes) -> None:
        self._raw: bytes | None = raw
        self.status = 500
        self.body = bytearray()

    async def receive(self) -> dict[str, Any]:
        """Give the body, and then nothing any more."""
        raw, self._raw = self._raw, None
        if raw is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        """Take a piece of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.body += message.get("body", b"")


def error_body(error: ApiError) -> bytes:
    """Return the error to a message that was not looked at, as JSON-RPC 2.0 (section 5.1) says it."""
    said = f"{error.code}: {error.diagnostics[0].message}"
    code = _INTERNAL_ERROR if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else _INVALID_REQUEST
    return orjson.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": said}})


def _calls_tool(raw: bytes) -> bool:
    """Return whether a message calls a tool."""
    with contextlib.suppress(orjson.JSONDecodeError):
        message = orjson.loads(raw)
        return isinstance(message, dict) and message.get("method") == "tools/call"
    return False


def _scope(call: Call) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": call.path,
        "raw_path": call.path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*call.headers.items()],
        "client": None,
        "server": None,
    }


def _refuse_other_origins(call: Call) -> None:
    """Raise ApiError (403) for a request that a page of another origin made: a browser is no orchestrator."""
    origin, host = call.header(b"origin"), call.header(b"host") or b""
    if origin is not None and origin.partition(b"://")[2] != host:
        raise invalid("origin_not_allowed", "tools are not called from pages of another origin", status=403)
