"""Where collections of knowledge live, as the configuration says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from cellwright.estate.model import Boundary, SensitivityClass

EMBEDDED: Final = "embedded"  # one file, which one process has open at a time
TENANT_BYTES: Final = 1024**3
GATEWAY: Final = "gateway"  # a store of another site, asked through its gateway


@dataclass(frozen=True, slots=True)
class KnowledgeSpec:
    """A store of collections: what keeps it, where it stands, whom it answers."""

    name: str
    type: str  # entry point in the group cellwright.knowledge
    boundary: Boundary  # the tightest one around the operator's data that the store stands within
    data_class: SensitivityClass  # of a collection that names none
    tenants: frozenset[str] = frozenset()  # who may use it; empty: every tenant
    embedder: str | None = None  # a backend that has embeddings; None: the embedded lexical one
    tenant_bytes: int = TENANT_BYTES  # of texts and vectors that one tenant may keep
    file: str | None = None
    url_env: str | None = None  # name of the environment variable that holds a database's URL
    base_url: str | None = None  # of the gateway at another site
    api_key_env: str | None = None


def store_types() -> tuple[str, ...]:
    """Return the kinds of stores that a configuration may name."""
    return (*PluginSet[object]("knowledge").names(), GATEWAY)
