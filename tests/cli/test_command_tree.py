from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from cellwright.cli.app import app
from cellwright.cli.main import MODULES, load_commands, run


def test_every_command_is_listed_under_the_module_that_defines_it() -> None:
    load_commands(None)
    commands = get_command(app).commands
    modules = {name: command.callback.__module__ for name, command in commands.items() if command.callback}
    assert (
        modules.items() <= {name: f"cellwright.cli.{module}" for module in MODULES for name in MODULES[module]}.items()
    )
    assert sorted(commands) == sorted(name for names in MODULES.values() for name in names)


@pytest.mark.parametrize("name", [name for names in MODULES.values() for name in names if " " in name])
def test_a_command_of_two_words_stands_beside_that_of_the_first(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (name.split(), name.split()[:1]):
        assert run([*words, "--help"]) == 0
        assert f"Usage: cellwright {' '.join(words)} [OPTIONS]" in capsys.readouterr().out


def test_the_version_is_told_without_loading_a_command() -> None:
    told = "import sys; from cellwright.cli.main import run; run(['--version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60)
    version, modules = done.stdout.splitlines()
    assert version.startswith("cellwright ")
    assert {f"cellwright.cli.{module}" for module in MODULES}.isdisjoint(modules.split())
