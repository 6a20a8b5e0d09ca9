"""What a user writes to offer tools through a gateway."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from cellwright.estate.documents.parts import Duration, Name, Part, Text, one_of
from cellwright.estate.model import Tier
from cellwright.gateway.documents.parts import DataClass, ServerAddress, Variable, Within
from cellwright.gateway.model import ToolServerSpec

_PREFIX: Final = r"^([A-Za-z0-9_-]{1,40}\.)?$"
_DEFAULT_TIMEOUT_MS: Final = 30_000.0


class ToolServerPart(Part):
    """Where tools run."""

    name: Name = Field(description="a unique name")
    type: Text = Field(description="the kind of server: site, or mcp")
    tenants: tuple[Name, ...] = Field(min_length=1, description="a list of the tenants that may call its tools")
    tier: Annotated[Tier, one_of(Tier)] = Field(description="the kind of place it stands at")
    boundary: Within = Field(description="the tightest boundary around the operator's data that it lies within")
    data_class: DataClass = Field(description="the class of what its tools return")
    prefix: Text = Field(default="", pattern=_PREFIX, description="put before the names of its tools, such as oslo.")
    tools: tuple[Text, ...] = Field(default=(), description="a list of the tools that are offered; all if absent")
    timeout: Duration = Field(default=_DEFAULT_TIMEOUT_MS, description="for one call")
    base_url: ServerAddress | None = Field(default=None, description="the address of a server that speaks MCP")
    api_key_env: Variable | None = Field(default=None, description="the environment variable that holds its key")
    lake: Text | None = Field(default=None, min_length=1, description="a site's lake: a folder or an address")
    estate: Text | None = Field(default=None, min_length=1, description="a site's estate: a file or a folder")
    topology: Text | None = Field(default=None, min_length=1, description="a site's topology: an estate or a CSV")

    def build(self) -> ToolServerSpec:
        """Return the frozen server."""
        return ToolServerSpec(
            name=self.name,
            type=self.type,
            tenants=frozenset(self.tenants),
            tier=self.tier,
            boundary=self.boundary,
            data_class=self.data_class,
            prefix=self.prefix,
            tools=frozenset(self.tools),
            timeout_ms=self.timeout,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            lake=self.lake,
            estate=self.estate,
            topology=self.topology,
        )
