"""The stores of a configuration, opened: those of this site, and the gateways of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError
from cellwright.estate.model import Boundary, Tier
from cellwright.gateway.egress import Egress
from cellwright.gateway.knowledge.federated import RemoteSite
from cellwright.gateway.knowledge.service import Knowledge, Place, Site
from cellwright.gateway.knowledge.travel import Borders
from cellwright.gateway.knowledge_spec import GATEWAY
from cellwright.gateway.model import BackendSpec
from cellwright.gateway.remote import Absent, Remote
from cellwright.gateway.secret import key_of
from cellwright.gateway.wire import Operation
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellwright.digest.tokens import TokenCounter
    from cellwright.gateway.backend import Backend
    from cellwright.gateway.egress import Guard
    from cellwright.gateway.http.client import Pool
    from cellwright.gateway.knowledge.embedder import Holding
    from cellwright.gateway.knowledge.embedding import Embedder
    from cellwright.gateway.knowledge.service import Uploads
    from cellwright.gateway.knowledge.store import OpenStore, Store
    from cellwright.gateway.knowledge_spec import KnowledgeSpec
    from cellwright.gateway.metering.row import MeterRow
    from cellwright.gateway.model import GatewayConfig


_ABSENT: Final = Absent("site", "not_found", "has no such collection, or none that the key it gave may search", 404)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What collections work with; `stores` are open, by type and place: the next configuration finds them again."""

    pool: Pool
    stores: dict[tuple[str, str], Store]
    guard: Guard
    counter: TokenCounter
    record: Callable[[MeterRow], None]
    hold: Holding
    secrets: Mapping[str, str]
    uploads: Uploads | None = None


def open_knowledge(config: GatewayConfig, backends: Mapping[str, Backend], around: Surroundings) -> Knowledge | None:
    """Return the collections of a configuration, None where it names no store.

    Raises UsageError for a store that lacks what it needs, and StorageError for one that cannot be opened.
    """
    if not config.knowledge:
        return None
    from cellwright.gateway.knowledge.embedder import BackendEmbedder, LexicalEmbedder  # noqa: PLC0415 - loads NumPy

    openers: PluginSet[OpenStore] = PluginSet("knowledge")
    specs = {spec.name: spec for spec in config.backends}
    places, sites = [], []
    for spec in config.knowledge:
        if spec.type == GATEWAY:
            sites.append(Site(spec, _remote(spec, around)))
            continue
        embedder: Embedder = LexicalEmbedder()
        if spec.embedder is not None:
            backend = backends[spec.embedder]
            if Operation.EMBEDDINGS not in backend.operations:
                words = f"backend {spec.embedder} of the knowledge store {spec.name} has no embeddings"
                raise UsageError.of("no-embeddings", words, expected="a backend that has them")
            embedder = BackendEmbedder(specs[spec.embedder], backend, around.counter, around.record, around.hold)
        at = (spec.type, spec.file or spec.url_env or "")
        if at not in around.stores:
            around.stores[at] = openers.get(spec.type)(spec, around.secrets)
        places.append(Place(spec, around.stores[at], embedder))
    return Knowledge(places, sites, Borders(config.rules, around.guard), around.uploads)


def _remote(spec: KnowledgeSpec, around: Surroundings) -> RemoteSite:
    if spec.base_url is None:
        expected = "the address of its gateway, such as https://oslo.example/v1"
        raise UsageError.of("missing-address", f"the knowledge store {spec.name} has no baseUrl", expected=expected)
    key = key_of(spec.name, spec.api_key_env, around.secrets)
    egress = Egress(around.pool, None if spec.boundary is Boundary.PREMISES else around.guard)
    asked = BackendSpec(spec.name, spec.type, spec.name, Tier.ONPREM, spec.boundary, base_url=spec.base_url)
    return RemoteSite(spec, Remote(asked, egress, absent=_ABSENT), spec.base_url, key)
