"""Where a lake lies, as commands are told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.wiring.lakes import lake_at
from cellwright.wiring.settings import read_settings

if TYPE_CHECKING:
    from cellwright.lake.address import Address

LakeArgument = Annotated[
    str, typer.Argument(metavar="LAKE", help="A lake's folder, or its s3://, gs:// or abfss:// address.")
]


def place_of(lake: str) -> Path | Address:
    """Return the folder or the address that a command was given."""
    return lake_at(lake, read_settings(os.environ, Path.home()))
