"""A gateway's YAML document becomes a GatewayConfig, or every problem with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.single import load_single
from cellwright.gateway.documents.gateway import GatewayDocument
from cellwright.gateway.documents.quota import quota_problems
from cellwright.gateway.knowledge_spec import GATEWAY, store_types
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cellwright.estate.yaml_nodes import Node
    from cellwright.gateway.documents.gateway import BackendPart, GatewaySpec, ServerPart
    from cellwright.gateway.documents.knowledge import KnowledgePart
    from cellwright.gateway.documents.tools import ToolServerPart
    from cellwright.gateway.model import GatewayConfig


def load_config(text: str, file: str) -> GatewayConfig:
    """Return the configuration in a YAML text; raise UsageError with every problem, marked with `file`."""
    return load_single(GatewayDocument, "not-a-gateway", text, file, _inconsistencies).build()


def _inconsistencies(document: GatewayDocument, node: Node) -> Iterator[Diagnostic]:
    """Yield what no single value shows: names that occur twice, or that nothing has."""
    spec = document.spec
    names = [backend.name for backend in spec.backends]
    yield from _callers(spec, node)
    yield from _repeated("backends", names, node)
    yield from _repeated("routes", [route.name for route in spec.routes], node, {item.model for item in spec.backends})
    yield from _types(spec, node)
    for index, route in enumerate(spec.routes):
        for place, name in enumerate(route.backends):
            yield from _unknown(name, names, node.descend(("spec", "routes", index, "backends", place)), "backend")
    yield from _repeated("tools", [server.name for server in spec.tools], node)
    currencies = {backend.name: backend.price.currency if backend.price else None for backend in spec.backends}
    yield from quota_problems(spec.quotas, spec.keys, currencies, node.descend(("spec", "quotas")))
    yield from _stores(spec.knowledge, names, node)
    for name, kept in (("meter", spec.meter), ("batches", spec.batches)):
        if kept is not None and kept.file and kept.url_env:
            mark = node.descend(("spec", name)).mark
            yield Diagnostic("contradiction", f"spec.{name} has both file and urlEnv", mark, "one of the two")


def _callers(spec: GatewaySpec, node: Node) -> Iterator[Diagnostic]:
    """Yield what is wrong with who may ask."""
    yield from _repeated("keys", [key.name for key in spec.keys], node)
    yield from _repeated("issuers", [issuer.name for issuer in spec.issuers], node, {key.name for key in spec.keys})
    yield from _same_callers(spec, node)
    if not spec.keys and not spec.issuers:
        yield Diagnostic("missing-value", "nobody may ask: spec has neither keys nor issuers", node.mark, "one of them")
    if spec.listen.tls is None or spec.listen.tls.client_ca is None:
        for index, key in enumerate(spec.keys):
            if key.certificate is not None:
                mark = node.descend(("spec", "keys", index, "certificate")).mark
                message = f"key {key.name} is known by a certificate, and clients are asked for none"
                yield Diagnostic("contradiction", message, mark, "spec.listen.tls.clientCa")


def _same_callers(spec: GatewaySpec, node: Node) -> Iterator[Diagnostic]:
    """Yield keys by which nobody could tell whose request it is: what they are known by is that of another one."""
    seen: dict[tuple[str, str], str] = {}
    for index, key in enumerate(spec.keys):
        for known_by, value in (("sha256", key.sha256), ("certificate", key.certificate)):
            if value is None:
                continue
            first = seen.setdefault((known_by, value), key.name)
            if first != key.name:
                mark = node.descend(("spec", "keys", index, known_by)).mark
                message = f"key {key.name} has the {known_by} of key {first}"
                yield Diagnostic("duplicate-key", message, mark, "one of its own")


def _types(spec: GatewaySpec, node: Node) -> Iterator[Diagnostic]:
    """Yield types that no plugin has, and that nothing answers."""
    if not spec.backends and not spec.servers:
        mark = node.descend(("spec",)).mark
        yield Diagnostic("missing-value", "nothing answers", mark, "spec.backends, or spec.servers and a plan")
    backends, tools = PluginSet[object]("backends").names(), PluginSet[object]("tools").names()
    placed: tuple[tuple[str, Sequence[BackendPart | ServerPart | ToolServerPart], Iterable[str], str], ...] = (
        ("backends", spec.backends, backends, "type of backend"),
        ("servers", spec.servers, backends, "type of backend"),
        ("tools", spec.tools, tools, "type of tool server"),
    )
    for key, parts, known, noun in placed:
        for index, part in enumerate(parts):
            yield from _unknown(part.type, known, node.descend(("spec", key, index, "type")), noun)


def _stores(stores: Sequence[KnowledgePart], backends: list[str], node: Node) -> Iterator[Diagnostic]:
    """Yield what is wrong with stores of collections."""
    yield from _repeated("knowledge", [store.name for store in stores], node)
    for index, store in enumerate(stores):
        at = ("spec", "knowledge", index)
        yield from _unknown(store.type, store_types(), node.descend((*at, "type")), "type of knowledge store")
        if store.embedder is not None:
            yield from _unknown(store.embedder, backends, node.descend((*at, "embedder")), "backend")
        taken = [(each.file, each.url_env) for each in stores[:index] if each.file or each.url_env]
        if (store.file, store.url_env) in taken:
            mark = node.descend(at).mark
            yield Diagnostic("duplicate-store", "another store keeps its collections there", mark, "a place of its own")
        if store.type == GATEWAY and not store.tenants:
            mark = node.descend(at).mark
            yield Diagnostic("missing-tenants", "a store of another site names the tenants that may ask it", mark)


def _repeated(key: str, names: list[str], node: Node, taken: Iterable[str] = ()) -> Iterator[Diagnostic]:
    seen = set(taken)
    for index, name in enumerate(names):
        if name in seen:
            mark = node.descend(("spec", key, index, "name")).mark
            yield Diagnostic("duplicate-name", f"the name {name!r} is taken already", mark, "a name of its own")
        seen.add(name)


def _unknown(name: str, valid: Iterable[str], node: Node, noun: str) -> Iterator[Diagnostic]:
    valid = tuple(valid)
    if name not in valid:
        expected = f"one of {', '.join(valid)}"
        yield Diagnostic(
            "unknown-name", f"there is no {noun} named {name!r}", node.mark, expected, nearest(name, valid)
        )
