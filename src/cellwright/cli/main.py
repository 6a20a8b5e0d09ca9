"""The command: runs one, turns every failure into a sentence and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

import typer

from cellwright.cli import console, estates, incidents, serving, telemetry
from cellwright.cli.app import app
from cellwright.errors import CellwrightError, ExitCode

COMMANDS: Final = (estates, telemetry, incidents, serving)
"""The modules whose commands hang on `app` once they are imported."""

_TYPER_USAGE: Final = 2  # Typer's own exit code for a wrong command line


def main() -> None:
    """Run the command line and exit; no failure shows a traceback."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command `arguments` and return its exit code."""
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


def _invoke(arguments: list[str]) -> int:
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
