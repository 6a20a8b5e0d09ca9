from __future__ import annotations

from typer.main import get_command

from cellwright.cli.app import app
from cellwright.cli.main import MODULES, load_commands


def test_every_command_is_listed_under_the_module_that_defines_it() -> None:
    load_commands(None)
    commands = get_command(app).commands
    modules = {name: command.callback.__module__ for name, command in commands.items() if command.callback}
    assert (
        modules.items() <= {name: f"cellwright.cli.{module}" for module in MODULES for name in MODULES[module]}.items()
    )
    assert sorted(commands) == sorted(name for names in MODULES.values() for name in names)
