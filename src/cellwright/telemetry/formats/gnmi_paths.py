"""Reads gNMI paths (gNMI specification 2.2.2), as elements and as text, into names and keys."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

_ORIGIN: Final = re.compile(r"([A-Za-z0-9_.-]+):(?=/)")
_STEP: Final = re.compile(
    r"/|\[(?P<key>[^\]\[=\\]++)=(?P<value>(?:[^\]\\]|\\.)*+)\]|(?P<name>(?:[^/\[\]\\]|\\.)++)", re.DOTALL
)
_LONGEST_CACHED: Final = 512  # characters
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_MODULE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_.-]*):(?=.)")


class InvalidError(Exception):
    """A member is not what the protocol says; the text says what was expected, never what was found."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value belongs: its path without keys, and the keys as `element.key` with their values."""

    origin: str | None = None
    target: str | None = None
    names: tuple[str, ...] = ()
    keys: dict[str, str] = field(default_factory=dict)

    def step(self, name: str, keys: dict[str, str] | None = None) -> Place:
        """Return the place one element deeper; a module before the name says the origin if none is known."""
        module = _MODULE.match(name)
        bare = name[module.end() :] if module else name
        origin = self.origin or (_origin_of(module[1]) if module and not self.names else None)
        names = (*self.names, bare)
        return Place(origin, self.target, names, self._with(names, keys) if keys else self.keys)

    def with_key(self, key: str, value: str) -> Place:
        """Return the same place with one more key of its last element."""
        return Place(self.origin, self.target, self.names, self._with(self.names, {key: value}))

    def _with(self, names: tuple[str, ...], keys: dict[str, str]) -> dict[str, str]:
        merged = dict(self.keys)
        for key, value in keys.items():
            short = f"{names[-1] if names else ''}.{key}"
            merged[f"{'/'.join(names)}.{key}" if short in merged else short] = value
        return merged

    def path(self) -> str:
        """Return the path as text, without keys."""
        return "/" + "/".join(self.names)


def _origin_of(module: str) -> str | None:
    return "openconfig" if module.startswith("openconfig-") else None


def follow_text(start: Place, text: object) -> Place:
    """Return the place that a path such as `origin:/a/b[key=value]/c` leads to from `start`; raise InvalidError."""
    if text is None:
        return start
    if not isinstance(text, str):
        msg = "expected a path that is text"
        raise InvalidError(msg)
    origin, steps = _cached_steps(text) if len(text) <= _LONGEST_CACHED else _steps(text)
    place = Place(origin or start.origin, start.target, start.names, start.keys)
    for name, key, value in steps:
        if key is None:
            place = place.step(name)
        elif place.names:
            place = place.with_key(key, value)
        else:
            msg = "expected a name before a key"
            raise InvalidError(msg)
    return place


def _steps(text: str) -> tuple[str | None, tuple[tuple[str, str | None, str], ...]]:
    """Return the origin and the steps of a path: (name, None, "") or ("", key, value); raise InvalidError."""
    origin = _ORIGIN.match(text)
    position = origin.end() if origin else 0
    steps: list[tuple[str, str | None, str]] = []
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            msg = "expected a path of names and keys in brackets"
            raise InvalidError(msg)
        if step["name"] is not None:
            steps.append((_unescape(step["name"]), None, ""))
        elif step["key"] is not None:
            steps.append(("", _unescape(step["key"]), _unescape(step["value"])))
        position = step.end()
    return origin[1] if origin else None, tuple(steps)


_cached_steps = lru_cache(maxsize=4096)(_steps)  # a device says the same paths again and again


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def follow_elements(start: Place, path: object) -> Place:
    """Return the place that a Path message leads to from `start`; raise InvalidError."""
    if path is None:
        return start
    if isinstance(path, str):
        return follow_text(start, path)
    if not isinstance(path, dict):
        msg = "expected a path with elements"
        raise InvalidError(msg)
    origin, target = _text(path, "origin"), _text(path, "target")
    place = Place(origin or start.origin, target or start.target, start.names, start.keys)
    for name in _list(path, "element"):  # as gNMI 0.3 had it
        place = follow_text(place, name)
    for element in _list(path, "elem"):
        if not isinstance(element, dict):
            msg = "expected path elements that are objects"
            raise InvalidError(msg)
        place = place.step(_text(element, "name") or "", _keys(element))
    return place


def _keys(element: dict[str, Any]) -> dict[str, str]:
    keys = element.get("key") or {}
    if not isinstance(keys, dict) or not all(isinstance(value, str) for value in keys.values()):
        msg = "expected keys that are an object of texts"
        raise InvalidError(msg)
    return keys


def _text(around: dict[str, Any], key: str) -> str | None:
    value = around.get(key)
    if value is not None and not isinstance(value, str):
        msg = f"expected {key} to be text"
        raise InvalidError(msg)
    return value or None


def _list(around: dict[str, Any], key: str) -> list[Any]:
    value = around.get(key)
    if value is not None and not isinstance(value, list):
        msg = f"expected {key} to be an array"
        raise InvalidError(msg)
    return value or []
