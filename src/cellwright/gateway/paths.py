"""The table of paths: which handler answers what, and in which form a client there expects errors."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.errors import nearest
from cellwright.gateway.wire import error_body, invalid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from cellwright.gateway.connection import Call
    from cellwright.gateway.wire import ApiError, JsonObject

    Handler = Callable[[Call], Awaitable[None]]

_PARAMETER: Final = re.compile(r"\{(\w+)(:path)?\}")
_SEGMENT: Final = r"[^/\0]+"  # no database keeps NUL
_REST: Final = ".+"
_LONGEST: Final = 100  # characters of a path that is compared with those that there are
DESCRIPTION: Final = "/openapi.json"  # of all paths
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class About:
    """What the description of the API says of a path."""

    summary: str
    request: JsonObject | None = None  # JSON schema of the body
    answer: JsonObject = field(default_factory=dict)  # of a whole answer
    streams: bool = False  # where the request asks for it
    kind: str = "application/json"  # of a whole answer
    keyed: bool = True


@dataclass(frozen=True, slots=True)
class Path:
    """One line of the table.

    `template` may hold `{name}`, which stands for one segment, and at its end `{name:path}`, for all that follow.
    """

    method: str
    template: str
    handler: Handler
    errors: Callable[[ApiError], bytes] = error_body
    about: About | None = None  # None: not described


class Paths:
    """Finds the line of a request."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._exact: dict[str, dict[str, Path]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Path]]] = []
        by_template: dict[str, dict[str, Path]] = {}
        for path in paths:
            by_template.setdefault(path.template, {})[path.method] = path
        for template, methods in by_template.items():
            if "{" in template:
                self._patterns.append((_pattern(template), methods))
            else:
                self._exact[template] = methods

    def find(self, method: str, path: str) -> tuple[Path, Mapping[str, str]]:
        """Return the line for a path and the values of its parameters; raise ApiError (404, 405)."""
        methods, values = self._methods(path.rstrip("/"))
        found = methods.get("GET" if method == "HEAD" else method)
        if found is None:
            allowed = _allowed(methods)
            raise invalid("method_not_allowed", f"this path takes {allowed}", status=405, allow=allowed)
        return found, values

    def allowed(self, path: str) -> str:
        """Return the methods that a path takes, with commas; raise ApiError (404)."""
        return _allowed(self._methods(path.rstrip("/"))[0])

    def _methods(self, path: str) -> tuple[Mapping[str, Path], Mapping[str, str]]:
        if (exact := self._exact.get(path)) is not None:
            return exact, _NOTHING
        for pattern, methods in self._patterns:
            if match := pattern.fullmatch(path):
                return methods, match.groupdict()
        hint = nearest(path[:_LONGEST], self._exact) or f"{DESCRIPTION} says what there is"
        raise invalid("unknown_path", f"there is nothing at this path; {hint}", status=404)


def _allowed(methods: Iterable[str]) -> str:
    """Return these methods and those that follow from them."""
    return ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])


def _pattern(template: str) -> re.Pattern[str]:
    """Return the pattern of a template; only `{name}` is special in it."""
    pieces, place = [], 0
    for parameter in _PARAMETER.finditer(template):
        pieces.append(re.escape(template[place : parameter.start()]))
        pieces.append(f"(?P<{parameter[1]}>{_REST if parameter[2] else _SEGMENT})")
        place = parameter.end()
    return re.compile("".join([*pieces, re.escape(template[place:])]))
