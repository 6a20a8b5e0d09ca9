"""What if one value of a document were another: `Workload/slice-policy/latency.p99=20 ms`, checked like any value."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.errors import UsageError, nearest
from cellwright.estate.yaml_nodes import Node, read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

_KEY: Final = re.compile(r"(?P<kind>\w+)/(?P<name>[^/=]+)/(?P<path>[^=]+?)\s*=\s*(?P<value>.*)", re.DOTALL)
_FORM: Final = "KIND/NAME/path.to.value=VALUE, such as Workload/slice-policy/latency.p99=20 ms"
_NAMING_KEYS: Final = ("name", "dataset", "workload", "site", "tier", "model")  # what an entry of a list is called by


@dataclass(frozen=True, slots=True)
class Supposition:
    """One value of one document's spec that is taken to be another; null: taken to be absent."""

    kind: str
    name: str
    path: tuple[str, ...]
    value: Node


def read_supposition(text: str) -> Supposition:
    """Return what `text` supposes; raise UsageError that says how to write it."""
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise UsageError.of("what-if-form", f"{text!r} names no value", expected=_FORM)
    read = read_yaml(f"--what-if {text}", f"value: {match['value']}")
    if read.problems or len(read.documents) != 1 or list(read.documents[0].children) != ["value"]:
        why = read.problems[0].message if read.problems else "it is no single value"
        raise UsageError.of("what-if-value", f"the value of {text!r} cannot be read: {why}", expected=_FORM)
    path = tuple(match["path"].split("."))
    return Supposition(match["kind"], match["name"], path, read.documents[0].children["value"])


def suppose(documents: Sequence[Node], supposed: Supposition) -> tuple[Node, ...]:
    """Return the documents with one value changed; raise UsageError where there is no such document or place."""
    known = [_called(node) for node in documents]
    wanted = (supposed.kind.lower(), supposed.name)
    if wanted not in known:
        names = [f"{kind}/{name}" for kind, name in known if name]
        raise UsageError.of(
            "what-if-document",
            f"the estate has no {supposed.kind} named {supposed.name!r}",
            expected=_FORM,
            hint=nearest("/".join(wanted), names),
        )
    at = known.index(wanted)
    changed = _changed(documents[at], ("spec", *supposed.path), supposed)
    return (*documents[:at], changed, *documents[at + 1 :])


def _called(node: Node) -> tuple[str, str]:
    """Return kind, in small letters, and name of a document, as far as they can be read."""
    metadata = node.children.get("metadata")
    kind = node.children.get("kind")
    name = metadata.children.get("name") if metadata else None
    return str(kind.value).lower() if kind else "", str(name.value) if name else ""


def _changed(node: Node, path: tuple[str, ...], supposed: Supposition) -> Node:
    """Return a node whose value at `path` is the supposed one."""
    if not path:
        return supposed.value
    if isinstance(node.value, list):
        return _with_entry(node, path, supposed)
    if not isinstance(node.value, dict):
        raise _no_place(supposed, path[0])
    step, mark = path[0], supposed.value.mark
    child = node.children.get(step, Node({}, mark))
    changed = _changed(child, path[1:], supposed)
    children, marks = {**node.children, step: changed}, {**node.key_marks, step: node.key_marks.get(step, mark)}
    values = {**node.value, step: changed.value}
    if len(path) == 1 and changed.value is None:
        for mapping in (children, marks, values):
            del mapping[step]
    return replace(node, value=values, children=MappingProxyType(children), key_marks=MappingProxyType(marks))


def _with_entry(node: Node, path: tuple[str, ...], supposed: Supposition) -> Node:
    """Return a list with one entry changed, which `path` names by its place from 0 or by what it is called."""
    step = path[0]
    entries = [node.children[place] for place in range(len(node.value))]
    called = [place for place, entry in enumerate(entries) if _is_called(entry, step)]
    if not called and step.isdecimal() and int(step) < len(entries):
        called = [int(step)]
    if not called:
        raise _no_place(supposed, step)
    entries[called[0]] = _changed(entries[called[0]], path[1:], supposed)
    kept = [entry for entry in entries if entry.value is not None]
    return replace(node, value=[entry.value for entry in kept], children=MappingProxyType(dict(enumerate(kept))))


def _is_called(entry: Node, name: str) -> bool:
    if not isinstance(entry.value, dict):
        return str(entry.value) == name
    return any(str(entry.value.get(key)) == name for key in _NAMING_KEYS if key in entry.value)


def _no_place(supposed: Supposition, step: str) -> UsageError:
    message = f"{supposed.kind} {supposed.name} has nothing at {step!r} that a value could be put into"
    return UsageError.of("what-if-place", message, expected=_FORM)
