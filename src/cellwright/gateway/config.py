"""A gateway's YAML document becomes a GatewayConfig, or every problem with its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellwright.errors import Diagnostic, Mark, Severity, UsageError, nearest
from cellwright.estate.refusals import refusals
from cellwright.estate.yaml_nodes import read_yaml
from cellwright.gateway.document import GatewayDocument
from cellwright.plugins import PluginSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cellwright.estate.documents.parts import Document
    from cellwright.estate.yaml_nodes import Node
    from cellwright.gateway.document import GatewaySpec
    from cellwright.gateway.model import GatewayConfig


def load_config(text: str, file: str) -> GatewayConfig:
    """Return the configuration in a YAML text; raise UsageError with every problem, marked with `file`."""
    content = read_yaml(file, text)
    problems = list(content.problems)
    document: Document | None = None
    if len(content.documents) == 1:
        document, found = refusals(GatewayDocument, content.documents[0])
        problems.extend(found)
    elif not problems:
        expected = "one document with apiVersion, kind: Gateway, metadata and spec"
        problems.append(
            Diagnostic("not-a-gateway", f"{len(content.documents)} documents stand here", Mark(file, 1, 1), expected)
        )
    if isinstance(document, GatewayDocument):
        problems.extend(_inconsistencies(document.spec, content.documents[0]))
    if any(problem.severity is Severity.ERROR for problem in problems) or not isinstance(document, GatewayDocument):
        raise UsageError(*sorted(problems, key=lambda problem: problem.mark or Mark(file, 0, 0)))
    return document.build()


def _inconsistencies(spec: GatewaySpec, node: Node) -> Iterator[Diagnostic]:
    """Yield what no single value shows: names that occur twice, or that nothing has."""
    names = [backend.name for backend in spec.backends]
    yield from _repeated("keys", [key.name for key in spec.keys], node)
    yield from _repeated("backends", names, node)
    yield from _repeated("routes", [route.name for route in spec.routes], node, {item.model for item in spec.backends})
    types = PluginSet[object]("backends").names()
    for index, backend in enumerate(spec.backends):
        yield from _unknown(backend.type, types, node.descend(("spec", "backends", index, "type")), "type of backend")
    for index, route in enumerate(spec.routes):
        for place, name in enumerate(route.backends):
            yield from _unknown(name, names, node.descend(("spec", "routes", index, "backends", place)), "backend")
    if spec.meter.file and spec.meter.url_env:
        mark = node.descend(("spec", "meter")).mark
        yield Diagnostic("contradiction", "spec.meter has both file and urlEnv", mark, "one of the two")


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
