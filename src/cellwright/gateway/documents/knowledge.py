"""What a user writes about collections of knowledge: where they live, and whom they answer."""

from __future__ import annotations

from pydantic import Field

from cellwright.estate.documents.parts import Name, Part, PositiveCount, Text
from cellwright.gateway.documents.parts import DataClass, ServerAddress, Variable, Within
from cellwright.gateway.knowledge_spec import TENANT_BYTES, KnowledgeSpec


class KnowledgePart(Part):
    """A store of collections."""

    name: Name = Field(description="a unique name")
    type: Text = Field(description="the kind of store: embedded, pgvector, or gateway for one of another site")
    boundary: Within = Field(description="the tightest boundary around the operator's data that it lies within")
    data_class: DataClass = Field(description="the class of the data in a collection that names none")
    tenants: tuple[Name, ...] = Field(default=(), description="a list of the tenants that may use it; all if absent")
    embedder: Text | None = Field(default=None, description="a backend that has embeddings; words are hashed if absent")
    tenant_bytes: PositiveCount = Field(
        default=TENANT_BYTES, description="bytes of texts and vectors that one tenant may keep"
    )
    file: Text | None = Field(default=None, min_length=1, description="the file of an embedded store")
    url_env: Variable | None = Field(default=None, description="the environment variable that holds a database's URL")
    base_url: ServerAddress | None = Field(default=None, description="the address of another site's gateway")
    api_key_env: Variable | None = Field(default=None, description="the environment variable that holds its key")

    def build(self) -> KnowledgeSpec:
        """Return the frozen store."""
        return KnowledgeSpec(
            name=self.name,
            type=self.type,
            boundary=self.boundary,
            data_class=self.data_class,
            tenants=frozenset(self.tenants),
            embedder=self.embedder,
            tenant_bytes=self.tenant_bytes,
            file=self.file,
            url_env=self.url_env,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
        )
