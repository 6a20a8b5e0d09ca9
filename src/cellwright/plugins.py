"""PluginSet: built-ins and outside plugins load through the same entry points; duplicates are refused."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from cellwright.errors import CellwrightError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import EntryPoint

PluginT = TypeVar("PluginT")


def load_extra(extra: str, need: str, package: str, *modules: str) -> Any:  # noqa: ANN401 - a package without types here
    """Return a package of an optional extra with these modules of it; raise UsageError that says how to install it.

    `need` says in words what needs it.
    """
    try:
        for module in modules:
            importlib.import_module(f"{package}.{module}")
        return importlib.import_module(package)
    except ImportError as error:
        raise UsageError.of(
            "extra-missing", f"{need} the package {package}", hint=f"pip install 'cellwright[{extra}]'"
        ) from error


class PluginSet(Generic[PluginT]):
    """The plugins of one entry-point group `cellwright.<kind>`, by name, loaded on first use.

    Raises CellwrightError (`duplicate-plugin`) when two distributions register one name.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._loaded: dict[str, PluginT] = {}
        self._points: dict[str, EntryPoint] = {}
        for point in entry_points(group=f"cellwright.{kind}"):
            known = self._points.setdefault(point.name, point)
            if known.value != point.value:
                raise CellwrightError.of(
                    "duplicate-plugin",
                    f"two {kind} are named {point.name!r}: {known.value} and {point.value}",
                    hint="uninstall one of the two packages",
                )

    def names(self) -> tuple[str, ...]:
        """Return the registered names, sorted."""
        return tuple(sorted(self._points))

    def get(self, name: str) -> PluginT:
        """Return the plugin `name`; raise UsageError naming the nearest valid one."""
        if name not in self._points:
            raise UsageError.of(
                "unknown-plugin",
                f"there are no {self.kind} named {name!r}",
                expected="one of " + ", ".join(self.names()),
                hint=nearest(name, self._points),
            )
        if name not in self._loaded:
            self._loaded[name] = cast("PluginT", self._points[name].load())
        return self._loaded[name]

    def __iter__(self) -> Iterator[PluginT]:
        return (self.get(name) for name in self.names())
