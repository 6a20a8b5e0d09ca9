"""What pydantic refused, as diagnostics with a place, what was expected and the nearest valid name."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from cellwright.errors import Diagnostic, nearest
from cellwright.estate.documents.parts import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from cellwright.estate.documents.parts import Document
    from cellwright.estate.yaml_nodes import Node, Path

_TYPES: Final = MappingProxyType(
    {
        "string_type": "text",
        "int_type": "a whole number",
        "float_type": "a number",
        "bool_type": "true or false",
        "tuple_type": "a list",
        "model_type": "a mapping",
        "dict_type": "a mapping",
    }
)
_BOUNDS: Final = MappingProxyType(
    {
        "greater_than_equal": ("ge", "{} or more"),
        "greater_than": ("gt", "more than {}"),
        "less_than_equal": ("le", "{} or less"),
    }
)


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One error of pydantic, with the field it is about where there is one."""

    kind: str
    path: Path
    context: Mapping[str, Any]
    field: FieldInfo | None
    siblings: tuple[str, ...]  # keys that the enclosing mapping may have


def refusals(document: type[Document], node: Node) -> tuple[Document | None, tuple[Diagnostic, ...]]:
    """Return the document that `node` holds, or everything that is wrong with it."""
    try:
        return document.model_validate(node.value), ()
    except ValidationError as error:
        found = [_refusal(document, item) for item in error.errors(include_url=False)]
    meant = {(*item.path[:-1], _meant(item)) for item in found if item.kind == "extra_forbidden"}
    kept = (item for item in found if not (item.kind == "missing" and item.path in meant))
    return None, tuple(_diagnostic(item, node) for item in kept if not _follows(item, node))


def _follows(item: _Refusal, node: Node) -> bool:
    """Return whether a list is only called too short because its items were refused, each on its own."""
    return item.kind == "too_short" and bool(node.descend(item.path).value)


def path_text(path: Iterable[str | int]) -> str:
    """Return a path as a user reads it: `spec.nodes[0].cores`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _refusal(document: type[Document], item: ErrorDetails) -> _Refusal:
    path: Path = item["loc"]
    keys, in_dict = _keys(document), False
    for step in path[:-1]:
        if in_dict or not isinstance(step, str):  # a user's own key, or a place in a list
            in_dict = False
            continue
        within = keys.get(step)
        keys, in_dict = _keys(_part_of(within)), within is not None and get_origin(within.annotation) is dict
    field = keys.get(str(path[-1])) if path else None
    return _Refusal(item["type"], path, item.get("ctx", {}), field, tuple(keys))


def _keys(part: type[BaseModel] | None) -> dict[str, FieldInfo]:
    """Return the fields of a model by the key a user writes."""
    return {field.alias or name: field for name, field in part.model_fields.items()} if part else {}


def _part_of(field: FieldInfo | None) -> type[BaseModel] | None:
    """Return the model inside a field's type, as in `tuple[NodePart, ...]` and `GpusPart | None`."""
    pending = [field.annotation] if field else []
    while pending:
        kind = pending.pop()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
        pending.extend(get_args(kind))
    return None


def _meant(item: _Refusal) -> str | None:
    """Return the key that an unknown one is probably a misspelling of."""
    hint = nearest(str(item.path[-1]), item.siblings)
    return hint.split("'")[1] if hint else None


def _diagnostic(item: _Refusal, node: Node) -> Diagnostic:
    path = (*item.path, *item.context.get("at", ()))
    name, mark = path_text(path) or "the document", node.descend(path).mark
    if item.kind == "extra_forbidden":
        key = str(item.path[-1])
        one_of = f"one of {', '.join(item.siblings)}"
        message = f"{path_text(item.path[:-1]) or 'the document'} has no key {key!r}"
        return Diagnostic("unknown-key", message, node.key_mark(item.path), one_of, nearest(key, item.siblings))
    if item.kind == "missing":
        return Diagnostic("missing-key", f"{name} is missing", mark, item.field.description if item.field else None)
    if item.kind == "refused":
        code, words = item.context["code"], item.context["message"]
        return Diagnostic(code, f"{name} is {words}", mark, item.context["expected"], item.context["hint"])
    code, expected = _expectation(item)
    value = node.descend(item.path).value  # as written: item.value may be converted already
    return Diagnostic(code, f"{name} is {shown(value)}", mark, expected, _truth_hint(item.kind, value))


def _truth_hint(kind: str, value: object) -> str | None:
    """Return which of true and false a word of YAML 1.1 meant."""
    if kind != "bool_type" or not isinstance(value, str):
        return None
    meant = {"yes": "true", "on": "true", "no": "false", "off": "false", "true": "true", "false": "false"}
    word = meant.get(value.lower())
    return f"write {word} without quotes" if word else None


def _expectation(item: _Refusal) -> tuple[str, str | None]:
    """Return the code of a refusal by pydantic's own rules, and what was expected instead."""
    description = item.field.description if item.field else None
    if item.kind in _TYPES:
        words = _TYPES[item.kind]
        return "wrong-type", f"{words}: {description}" if description else words
    if item.kind in _BOUNDS:
        key, words = _BOUNDS[item.kind]
        return "out-of-range", words.format(f"{item.context[key]:g}")
    if item.kind == "finite_number":
        return "out-of-range", "a finite number"
    if item.kind == "literal_error":
        return "unknown-value", item.context["expected"]
    if item.kind in ("too_short", "string_too_short"):
        return "empty-value", description
    return "wrong-format", description
