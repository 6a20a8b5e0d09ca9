"""The command: runs one, turns every failure into a sentence and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from types import MappingProxyType
from typing import Final

import typer

from cellwright.cli import console
from cellwright.cli.app import app
from cellwright.errors import CellwrightError, ExitCode

MODULES: Final = MappingProxyType(
    {
        "estates": ("check", "schema"),
        "planning": ("plan", "plan verify", "explain", "report"),
        "telemetry": ("simulate", "mediate"),
        "lakes": ("lake",),
        "collecting": ("collect",),
        "forwarding": ("forward", "receive"),
        "incidents": ("digest",),
        "learning": ("digest learn",),
        "opening": ("digest open",),
        "advising": ("digest advise",),
        "inventories": ("import",),
        "pictures": ("estate",),
        "assess": ("assess",),
        "privacy": ("privacy", "anonymise"),
        "discovery": ("classify",),
        "serving": ("up",),
        "gateway": ("gateway",),
    }
)
"""The module of each command: one command loads its own module alone, so that a plan does not wait for a web server."""

_OF_TWO_WORDS: Final = frozenset(name for names in MODULES.values() for name in names if " " in name)
"""Commands beside a command of their first word alone."""

_TYPER_USAGE: Final = 2  # Typer's own exit code for a wrong command line


def run(arguments: list[str]) -> int:
    """Run the command `arguments` and return its exit code; no failure shows a traceback."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # others keep 50 MiB more and are no faster
    try:
        return _invoke(arguments)
    except console.Finish as finish:
        return finish.code
    except CellwrightError as error:
        console.tell(error.diagnostics)
        return error.exit_code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.ERROR
    except OSError as error:
        console.note(f"error[system]: {_sentence(error)}")
        return ExitCode.ERROR


def load_commands(wanted: str | None) -> None:
    """Hang the command `wanted` on `app`, or all of them where there is no such command."""
    found = [module for module, commands in MODULES.items() if wanted in commands]
    for module in found or MODULES:
        importlib.import_module(f"cellwright.cli.{module}")


def _invoke(arguments: list[str]) -> int:
    if " ".join(arguments[:2]) in _OF_TWO_WORDS:
        arguments = [" ".join(arguments[:2]), *arguments[2:]]
    if arguments != ["--version"]:  # which no command has a part in
        load_commands(arguments[0] if arguments else None)
    try:
        typer.main.get_command(app).main(args=arguments, prog_name="cellwright")
    except SystemExit as leave:
        code = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
        if code == ExitCode.INTERRUPTED:
            return _interrupted()
        return ExitCode.USAGE if code == _TYPER_USAGE else code
    return ExitCode.DONE


def _interrupted() -> int:
    console.note("interrupted: what was finished is kept, nothing is half-written")
    return ExitCode.INTERRUPTED


def _sentence(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    hint = "; hint: free some space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else ""
    return f"{error.strerror or type(error).__name__}{where}{hint}"
