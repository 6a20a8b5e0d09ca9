"""Tools of a server that speaks MCP over streamable HTTP, such as a tenant's own; one connection a call.

Protocol: Model Context Protocol, revisions 2024-11-05 to 2026-07-28, by its own Python SDK.
"""

from __future__ import annotations

import contextlib
import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from cellwright.errors import UnavailableError, UsageError
from cellwright.gateway.tools import Tool, ToolResult
from cellwright.gateway.wire import CLASS_HEADER
from cellwright.plugins import load_extra

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.model import ToolServerSpec
    from cellwright.gateway.tools import ToolServer, ToolSupplies
    from cellwright.gateway.wire import JsonObject

_MS_PER_S: Final = 1000.0
_MOST_PAGES: Final = 20  # of a list of tools


def open_tools(spec: ToolServerSpec, supplies: ToolSupplies) -> ToolServer:
    """Return the server of a specification; raise UsageError where it has no address."""
    if spec.base_url is None:
        raise UsageError.of(
            "missing-address", f"tool server {spec.name} has no baseUrl", expected="such as https://tools.example/mcp"
        )
    return McpServer(spec, spec.base_url, supplies.api_key)


class McpServer:
    """Asks a server what it offers, and has it called."""

    def __init__(self, spec: ToolServerSpec, url: str, api_key: str | None) -> None:
        self._spec = spec
        self._url = url
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._sdk = load_extra("mcp", "tools of MCP servers need", "mcp", "client", "client.streamable_http")
        self._http = load_extra("mcp", "tools of MCP servers need", "httpx2")

    async def tools(self) -> Sequence[Tool]:
        """Return what the server offers; raise UnavailableError where it does not answer."""
        found: list[Tool] = []
        async with self._connected() as client:
            cursor: str | None = None
            for _ in range(_MOST_PAGES):
                page = await client.list_tools(cursor=cursor)
                found += [Tool(each.name, each.description or "", each.input_schema) for each in page.tools]
                if (cursor := page.next_cursor) is None:
                    break
        return found

    async def call(
        self,
        tool: str,
        arguments: JsonObject,
        tenant: str,  # noqa: ARG002 - it has one
        data_class: SensitivityClass,
    ) -> ToolResult:
        """Return what a tool of the server finds; raise UnavailableError where it does not answer.

        The server, which may be a gateway, is told the class of the arguments, so that its own rules hold for them.
        """
        async with self._connected({CLASS_HEADER: data_class.value}) as client:
            result = await client.call_tool(tool, arguments)
        texts = tuple(each.text for each in result.content if each.type == "text")
        if len(texts) != len(result.content):
            raise UsageError.of(
                "unsupported-content",
                f"tool {tool} of {self._spec.name} returned something else than text",
                expected="text or a JSON object",
            )
        structured = result.structured_content
        return ToolResult(texts, structured if isinstance(structured, dict) else None, bool(result.is_error))

    @contextlib.asynccontextmanager
    async def _connected(self, said: Mapping[str, str] = MappingProxyType({})) -> AsyncIterator[Any]:
        logging.getLogger("mcp").setLevel(logging.WARNING)
        timeout = self._http.Timeout(self._spec.timeout_ms / _MS_PER_S)
        try:
            async with (
                self._http.AsyncClient(headers=self._headers | dict(said), timeout=timeout, trust_env=False) as http,
                self._sdk.Client(
                    self._sdk.client.streamable_http.streamable_http_client(self._url, http_client=http)
                ) as client,
            ):
                yield client
        except (ExceptionGroup, OSError, RuntimeError, ValueError, self._http.HTTPError, self._sdk.MCPError) as error:
            raise self._failure(error) from error

    def _failure(self, error: BaseException) -> Exception:
        """Return what a failure means; the SDK's own groups of errors hold the one that matters innermost."""
        while isinstance(error, BaseExceptionGroup) and error.exceptions:
            error = error.exceptions[0]
        if isinstance(error, UsageError):
            return error
        return UnavailableError.of(
            "tool-server-failed",
            f"tool server {self._spec.name} did not answer",
            cause=type(error).__name__,
            hint="check that it runs, and that its address and key are right",
        )
