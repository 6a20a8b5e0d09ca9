"""The fingerprint by which a plan names the estate it was made from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cellwright.estate.model import Estate


_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def fingerprint(estate: Estate) -> str:
    """Return the SHA-256, in hex, of what the estate means: not of files, their order or their formatting."""
    text = json.dumps(_plain(estate), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(value: object) -> object:
    """Return a value of the model as JSON values that do not depend on an order nobody wrote.

    What equals its default is left out, so that an estate keeps its fingerprint when the model learns to say more.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted((_plain(item) for item in value), key=str)  # names, members of enums, pairs
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, date):
        return value.isoformat()
    kind: Any = type(value)
    return {
        name: item if type(item) in _SCALARS else _plain(item)
        for name, default in _fields(kind)
        if (item := getattr(value, name)) != default
    }


@cache
def _fields(kind: type[Any]) -> tuple[tuple[str, object], ...]:
    """Return the fields of a dataclass of the model with their defaults, `MISSING` where there is none."""
    return tuple(
        (field.name, field.default if field.default_factory is dataclasses.MISSING else field.default_factory())
        for field in dataclasses.fields(kind)
    )
