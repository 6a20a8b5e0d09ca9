"""Sections of a gateway's document on who may ask and who may see what is measured."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from test_gateway_config import WHOLE, problems

from cellwright.gateway.config import load_config
from cellwright.gateway.model import HERE


def test_a_key_is_good_through_its_last_day() -> None:
    text = WHOLE.replace("tenant: operator", "tenant: operator, notAfter: '2026-12-31', roles: [metrics]")
    (key,) = load_config(text, "g.yaml").keys
    assert key.not_after_s == datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    assert key.roles == {"metrics"}


def test_networks_that_see_metrics_are_read_and_this_machine_where_nothing_is_said() -> None:
    assert load_config(WHOLE, "g.yaml").metrics_from == HERE
    config = load_config(WHOLE + "  metrics: {allowFrom: [10.20.0.0/16, 'fd00::/8']}\n", "g.yaml")
    assert config.metrics_from == (ip_network("10.20.0.0/16"), ip_network("fd00::/8"))
    assert load_config(WHOLE + "  metrics: {allowFrom: []}\n", "g.yaml").metrics_from == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("tenant: operator", "tenant: operator, roles: [metric]", "did you mean 'metrics'?"),
        ("tenant: operator", "tenant: operator, notAfter: tomorrow", "expected a date such as '2026-03-31'"),
        ("  meter:", "  metrics: {allowFrom: [here]}\n  meter:", "expected a network such as 10.20.0.0/16"),
        ("  meter:", "  metrics: {allowFrom: [10.20.0.1/16]}\n  meter:", "expected a network such as 10.20.0.0/16"),
    ],
)
def test_what_makes_no_sense_is_refused(old: str, new: str, expected: str) -> None:
    assert expected in "\n".join(problems(WHOLE.replace(old, new)))


def test_the_example_is_a_gateway() -> None:
    path = Path(__file__).parents[2] / "examples" / "gateway.yaml"
    assert load_config(path.read_text(encoding="utf-8"), str(path)).metrics_from == HERE
