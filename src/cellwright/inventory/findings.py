"""Collects what is wrong and what was assumed while a text is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cellwright.errors import Diagnostic, Mark, Severity
from cellwright.inventory.model import Remark

if TYPE_CHECKING:
    from collections.abc import Iterable

DIAGNOSTIC_LIMIT: Final = 1000
"""Problems told of one import: a file of another kind would otherwise print one a line."""

_TOO_MANY: Final = "too-many-problems"


class Findings:
    """Problems with their places, and remarks that gather names below one text."""

    def __init__(self) -> None:
        self._problems: list[Diagnostic] = []
        self._dropped = 0
        self._remarks: dict[tuple[str, str], list[str]] = {}

    def problem(  # noqa: PLR0913 - the parts of a diagnostic
        self,
        code: str,
        message: str,
        mark: Mark | None,
        *,
        expected: str | None = None,
        hint: str | None = None,
        severity: Severity = Severity.ERROR,
    ) -> None:
        """Note one problem."""
        if len(self._problems) < DIAGNOSTIC_LIMIT:
            self._problems.append(Diagnostic(code, message, mark, expected, hint, severity=severity))
        else:
            self._dropped += 1

    def add(self, diagnostics: Iterable[Diagnostic], remarks: Iterable[Remark] = ()) -> None:
        """Note what others found."""
        self._problems.extend(diagnostics)
        for remark in remarks:
            self._remarks.setdefault((remark.kind, remark.text), []).extend(remark.names)

    def assumed(self, text: str, name: str) -> None:
        """Note that a value was assumed for `name`."""
        self._remarks.setdefault(("assumed", text), []).append(name)

    def changed(self, text: str, name: str) -> None:
        """Note that something about `name` was changed."""
        self._remarks.setdefault(("changed", text), []).append(name)

    def skipped(self, text: str, name: str) -> None:
        """Note that `name` was left out."""
        self._remarks.setdefault(("skipped", text), []).append(name)

    @property
    def failed(self) -> bool:
        """Whether an error is among the problems."""
        return any(item.severity is Severity.ERROR for item in self._problems)

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Return the distinct problems by place."""
        nowhere = Mark("", 0, 0)
        found = dict.fromkeys(self._problems)
        if self._dropped:
            message = f"and {self._dropped} more problems"
            found[Diagnostic(_TOO_MANY, message, hint="mend the first ones first")] = None
        return tuple(
            sorted(found, key=lambda item: (item.code == _TOO_MANY, item.mark or nowhere, item.code, item.message))
        )

    def remarks(self) -> tuple[Remark, ...]:
        """Return the remarks, assumptions first, in the order in which they were made."""
        order = ("assumed", "changed", "skipped")
        found = sorted(self._remarks.items(), key=lambda item: order.index(item[0][0]))
        return tuple(Remark(kind, text, tuple(names)) for (kind, text), names in found)
