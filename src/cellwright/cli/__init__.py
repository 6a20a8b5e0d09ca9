"""Command line: thin commands over wiring."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit; Ctrl-C ends in a sentence even while the program is still loading."""
    try:
        from cellwright.cli.main import run  # noqa: PLC0415 - loading takes time in which a user may change their mind

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing was done\n")
        os._exit(130)  # whatever is half loaded has nothing to put in order
    sys.exit(code)
