"""The gateway's document: built whole, or refused with every problem in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellwright.errors import UsageError
from cellwright.estate.model import Boundary, SensitivityClass, Tier
from cellwright.gateway.config import load_config
from cellwright.gateway.metering.meter import meter_url
from cellwright.gateway.model import AwsAccess, Route, Timeouts
from cellwright.gateway.wire import Operation

HASH = "ab" * 32
WHOLE = f"""\
apiVersion: cellwright.io/v1alpha1
kind: Gateway
metadata: {{name: edge}}
spec:
  listen: {{port: 8080}}
  dataClass: subscriber_pii
  keys:
    - {{name: noc, tenant: operator, sha256: {HASH}}}
  backends:
    - name: cloud
      type: openai
      model: org/model-1
      tier: region
      boundary: none
      baseUrl: https://models.example/v1/
      apiKeyEnv: MODEL_KEY
      price: {{currency: USD, source: list of 2026, inputPerMillion: 2.5, outputPerMillion: 10}}
    - {{name: local, type: reasoner, model: cellwright-reasoner, tier: onprem, boundary: premises, operations: [chat]}}
  routes:
    - {{name: auto, backends: [cloud, local], dataClass: anonymised}}
  rules:
    - {{name: home, classes: [subscriber_pii], boundary: premises, source: Act 1}}
  timeouts: {{total: 2 min}}
  meter: {{file: meter.db}}
"""


def problems(text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        load_config(text, "g.yaml")
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def test_a_document_becomes_a_frozen_configuration() -> None:
    config = load_config(WHOLE, "g.yaml")
    cloud, local = config.backends
    assert (config.host, config.port, config.data_class) == ("127.0.0.1", 8080, SensitivityClass.SUBSCRIBER_PII)
    assert (config.keys[0].tenant, config.keys[0].sha256) == ("operator", HASH)
    assert (cloud.base_url, cloud.api_key_env, cloud.tier) == ("https://models.example/v1", "MODEL_KEY", Tier.REGION)
    assert (cloud.operations, local.operations) == (None, frozenset({Operation.CHAT}))
    assert cloud.price is not None
    assert (cloud.price.input_nano, cloud.price.cached_nano) == (2_500_000_000, 2_500_000_000)
    assert (local.boundary, local.on_premises, local.price) == (Boundary.PREMISES, True, None)
    assert config.routes == (Route("auto", ("cloud", "local"), SensitivityClass.ANONYMISED),)
    assert config.timeouts == Timeouts(total_ms=120_000.0)
    assert (config.meter_file, config.meter_url_env) == ("meter.db", None)


def test_all_problems_are_told_at_once_each_in_its_place() -> None:
    text = WHOLE.replace("apiKeyEnv:", "apiKeyEnvv:").replace("dataClass: subscriber_pii", "dataClass: subscriber_pi")
    found = problems(text)
    assert [problem.split(" ", 2)[:2] for problem in found] == [
        ["g.yaml:6:14:", "error[unknown-value]:"],
        ["g.yaml:16:7:", "error[unknown-key]:"],
    ]
    assert found[0].endswith("hint: did you mean 'subscriber_pii'?")
    assert found[1].endswith("hint: did you mean 'apiKeyEnv'?")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("type: openai", "type: opneai", "g.yaml:11:13: error[unknown-name]: there is no type of backend named"),
        ("[cloud, local]", "[cloud, lcoal]", "did you mean 'local'?"),
        ("name: auto", "name: org/model-1", "error[duplicate-name]: the name 'org/model-1' is taken already"),
        ("name: local", "name: cloud", "error[duplicate-name]: the name 'cloud' is taken already"),
        (
            "  backends:",
            f"    - {{name: two, tenant: other, sha256: {HASH}}}\n  backends:",
            "g.yaml:9:42: error[duplicate-key]: key two has the sha256 of key noc",
        ),
        ("{file: meter.db}", "{file: meter.db, urlEnv: DB_URL}", "g.yaml:24:10: error[contradiction]"),
        ("port: 8080", "port: 80800", "spec.listen.port is the number 80800"),
        ("total: 2 min", "total: 2", "error[wrong-unit]"),
        ("total: 2 min", "total: 0 s", "error[out-of-range]: spec.timeouts.total"),
        ("inputPerMillion: 2.5", "inputPerMillion: 1e308", "error[out-of-range]"),
        ("kind: Gateway", "kind: Site", "g.yaml:2:7: error[unknown-value]"),
        (WHOLE, "", "g.yaml:1:1: error[not-a-gateway]: 0 documents stand here"),
        (WHOLE, "[", "error[yaml-syntax]"),
        (WHOLE, WHOLE + "---\n" + WHOLE, "2 documents stand here"),
    ],
)
def test_what_names_nothing_or_contradicts_itself_is_refused(old: str, new: str, expected: str) -> None:
    assert expected in problems(WHOLE.replace(old, new, 1))[0]


def test_a_gateway_always_knows_where_to_meter() -> None:
    silent = load_config(WHOLE.replace("  meter: {file: meter.db}\n", ""), "g.yaml")
    by_url = load_config(WHOLE.replace("{file: meter.db}", "{urlEnv: DB_URL}"), "g.yaml")
    assert meter_url(silent, {}) == "sqlite:///gateway-meter.db"
    assert meter_url(by_url, {"DB_URL": "postgresql://db/meters"}) == "postgresql://db/meters"
    with pytest.raises(UsageError, match="DB_URL is not set"):
        meter_url(by_url, {})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (HASH, "PLANTED-KEY"),
        ("apiKeyEnv: MODEL_KEY", "apiKeyEnv: sk-PLANTED"),
        ("https://models.example/v1/", "https://user:PLANTED@models.example/v1"),
        ("apiKeyEnv: MODEL_KEY", "apiKey: sk-PLANTED"),
    ],
)
def test_a_secret_in_the_wrong_place_is_refused_and_not_repeated(old: str, new: str) -> None:
    (problem,) = problems(WHOLE.replace(old, new))
    assert "PLANTED" not in problem


def test_the_backends_of_the_how_to_are_read_as_it_says() -> None:
    page = Path(__file__).parents[2] / "docs/how-to/connect-clients-and-models.md"
    block = page.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    keys = f"  dataClass: anonymised\n  keys:\n    - {{name: noc, tenant: operator, sha256: {HASH}}}\n"
    head = "apiVersion: cellwright.io/v1alpha1\nkind: Gateway\nmetadata: {name: edge}\n"
    edge, vectors, claude, bedrock = load_config(head + block + keys, "g.yaml").backends
    assert [spec.type for spec in (edge, vectors, claude, bedrock)] == ["openai", "openai", "anthropic", "bedrock"]
    assert vectors.operations == frozenset({Operation.EMBEDDINGS})
    assert bedrock.aws == AwsAccess()
