"""The first inputs of the fuzzer, for every format; `make fuzz` goes on for minutes."""

from __future__ import annotations

from itertools import islice

import pytest
from format_kit import check_conservation
from fuzz import inputs, seeds

from cellwright.plugins import PluginSet

FORMATS = PluginSet("formats")
INPUTS = 120


@pytest.mark.parametrize("name", FORMATS.names())
def test_damaged_files_of_every_format_neither_raise_nor_lose_a_fact(name: str) -> None:
    assert seeds(name), "every format has conformance cases"
    form = FORMATS.get(name)()
    for _, data in islice(inputs(name, 0), INPUTS):
        check_conservation(form, data)
