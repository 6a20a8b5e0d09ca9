"""The exception tree, and the Diagnostic every user-visible problem is told with."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable


class ExitCode(IntEnum):
    """Exit codes of every command; the numbers are a contract."""

    DONE = 0
    ERROR = 1
    CHANGES = 2
    INFEASIBLE = 3
    DENIED = 4
    PARTIAL = 5
    USAGE = 64
    INTERRUPTED = 130


class Severity(StrEnum):
    """How grave a diagnostic is: errors stop a command, warnings do not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in a text file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem as a user reads it: what, where, what was expected, how to mend it."""

    code: str  # kebab-case, stable
    message: str
    mark: Mark | None = None
    expected: str | None = None
    hint: str | None = None
    cause: str | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        where = f"{self.mark}: " if self.mark else ""
        tail = "".join(
            f"; {label}{text}"
            for label, text in (("expected ", self.expected), ("cause: ", self.cause), ("hint: ", self.hint))
            if text
        )
        return f"{where}{self.severity}[{self.code}]: {self.message}{tail}"


class CellwrightError(Exception):
    """Root of all errors a caller may handle; carries the exit code and what the user is told."""

    exit_code = ExitCode.ERROR

    def __init__(self, *diagnostics: Diagnostic) -> None:
        self.diagnostics = diagnostics
        super().__init__("\n".join(str(diagnostic) for diagnostic in diagnostics))

    @classmethod
    def of(cls, code: str, message: str, **details: str | None) -> Self:
        """Return an error with a single diagnostic; `details` are expected, hint and cause."""
        return cls(Diagnostic(code, message, **details))  # type: ignore[arg-type]


class EstateError(CellwrightError):
    """The estate has problems; nothing was computed from it."""


class UsageError(CellwrightError):
    """The command line or a configuration file asks for something that does not exist."""

    exit_code = ExitCode.USAGE


class StorageError(CellwrightError):
    """A file or database cannot be read or written."""


class UnavailableError(CellwrightError):
    """A port, peer or network that was needed is not there."""


class DeniedError(CellwrightError):
    """Policy forbids it; never retried elsewhere."""

    exit_code = ExitCode.DENIED


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """Return the hint "did you mean ...?" for the valid name closest to `name`, or None when none is close."""
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.6)
    return f"did you mean {matches[0]!r}?" if matches else None
