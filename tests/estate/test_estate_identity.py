"""Any change of what an estate means changes its fingerprint, whatever the field."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import pytest
from fine_estate import FINE

from cellwright.estate import model
from cellwright.estate.identity import fingerprint
from cellwright.estate.parsing import parse

HINTS = vars(model) | {"Mapping": Mapping, "date": date}


def sample(hint: object) -> object:
    """Return some value of a type of the model."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return sample(arguments[0])
    if origin is tuple:
        return (sample(arguments[0]),) if arguments[-1] is ... else tuple(map(sample, arguments))
    if origin in (frozenset, Mapping):
        return frozenset({sample(arguments[0])}) if origin is frozenset else {"sample": sample(arguments[1])}
    if dataclasses.is_dataclass(hint):
        kinds = typing.get_type_hints(hint, HINTS)
        return hint(**{field.name: sample(kinds[field.name]) for field in dataclasses.fields(hint)})
    scalars = {bool: True, int: 7, float: 7.5, str: "sample", date: date(2030, 1, 1)}
    return scalars[hint] if hint in scalars else next(iter(hint))


def others(value: object, hint: object) -> Iterator[object]:
    """Yield values that differ from `value` in one place, for every place in it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        yield from [sample(arguments[0])] if value is None else [None, *others(value, arguments[0])]
    elif origin is tuple and arguments[-1] is ...:
        yield (*value, sample(arguments[0]))
        for index, item in enumerate(value):
            yield (*value[:index], *value[index + 1 :])
            yield from ((*value[:index], other, *value[index + 1 :]) for other in others(item, arguments[0]))
    elif origin is frozenset:
        yield value ^ {sample(arguments[0])}
    elif origin is Mapping:
        yield {**value, "sample": sample(arguments[1])}
        for key, item in value.items():
            yield {other: each for other, each in value.items() if other != key}
            yield from ({**value, key: other} for other in others(item, arguments[1]))
    elif dataclasses.is_dataclass(value):
        yield from (other for _, other in changed_fields(value))
    else:
        yield changed_scalar(value)


def changed_scalar(value: object) -> object:
    match value:
        case StrEnum():
            return next(member for member in type(value) if member is not value)
        case bool():
            return not value
        case date():
            return value + timedelta(days=1)
        case str():
            return f"{value}x"
    return value + 1


def changed_fields(value: object) -> Iterator[tuple[str, object]]:
    """Yield each field's name with a value in which that field has changed."""
    kinds = typing.get_type_hints(type(value), HINTS)
    for field in dataclasses.fields(value):
        for other in others(getattr(value, field.name), kinds[field.name]):
            yield field.name, dataclasses.replace(value, **{field.name: other})


def fine() -> model.Estate:
    built = parse([("a", FINE)]).estate
    assert built is not None
    return built


KINDS = [each.name for each in dataclasses.fields(model.Estate)]


@pytest.mark.parametrize("kind", KINDS)
def test_changing_any_one_field_of_any_document_changes_the_fingerprint(kind: str) -> None:
    one = fine()
    before = fingerprint(one)
    found = [fingerprint(changed) for name, changed in changed_fields(one) if name == kind]
    assert len(found) > 2
    assert before not in found
    assert len(set(found)) == len(found)


def test_every_type_of_the_model_is_in_the_estate_that_is_changed() -> None:
    seen, pending = set[type](), [fine()]
    while pending:
        value: Any = pending.pop()
        if dataclasses.is_dataclass(value):
            seen.add(type(value))
            pending += [getattr(value, field.name) for field in dataclasses.fields(value)]
        elif isinstance(value, Mapping):
            pending += value.values()
        elif isinstance(value, tuple | frozenset):
            pending += value
    kinds = {each for each in vars(model).values() if dataclasses.is_dataclass(each) and isinstance(each, type)}
    assert seen == kinds
