"""Sections of a gateway's document on how much tenants and keys may use."""

from __future__ import annotations

import pytest
from test_gateway_config import WHOLE, problems

from cellwright.gateway.config import load_config
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit

FREE = "price: {currency: USD, source: our own, inputPerMillion: 0, outputPerMillion: 0}"
PRICED = WHOLE.replace("type: reasoner,", f"type: reasoner, {FREE},")
MINUTE, DAY, MONTH = Period.MINUTE, Period.DAY, Period.MONTH


def with_quotas(*lines: str, text: str = WHOLE) -> str:
    return text + "  quotas:\n" + "".join(f"    - {line}\n" for line in lines)


def test_quotas_are_read_whole() -> None:
    text = with_quotas(
        "{tenant: operator, requestsPerMinute: 60, tokensPerMinute: 9000, atOnce: 4}",
        "{key: noc, budgets: [{per: day, tokens: 1000}, {per: month, amount: 12.5, currency: USD}]}",
        "{key: '*', atOnce: 2}",
        text=PRICED,
    )
    config = load_config(text + "  quotaStore: {urlEnv: QUOTA_URL}\n", "g.yaml")
    assert config.quota_url_env == "QUOTA_URL"
    assert config.quotas == (
        Quota(Holder.TENANT, "operator", (Bound(Unit.REQUESTS, MINUTE, 60), Bound(Unit.TOKENS, MINUTE, 9000)), 4),
        Quota(Holder.KEY, "noc", (Bound(Unit.TOKENS, DAY, 1000), Bound(Unit.COST, MONTH, 12_500_000_000, "USD"))),
        Quota(Holder.KEY, None, (), 2),
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{tenant: operator, key: noc, atOnce: 1}", "either a tenant or a key"),
        ("{atOnce: 1}", "either a tenant or a key"),
        ("{tenant: operator}", "a rate, atOnce or a budget"),
        ("{key: nok, atOnce: 1}", "did you mean 'noc'?"),
        ("{tenant: operator, budgets: [{per: minute, tokens: 1}]}", "expected day or month"),
        ("{tenant: operator, budgets: [{per: day}]}", "tokens, or an amount with its currency"),
        ("{tenant: operator, budgets: [{per: day, amount: 1}]}", "both amount and currency"),
        ("{tenant: operator, budgets: [{per: day, amount: 1, currency: EUR}]}", "backend cloud has a price in USD"),
        ("{tenant: operator, budgets: [{per: day, amount: 1, currency: USD}]}", "backend local has no price"),
        ("{tenant: operator, requestsPerMinute: 0}", "out-of-range"),
        ("{tenant: operator, tokensPerMinute: 9999999999999999}", "out-of-range"),
    ],
)
def test_quotas_that_make_no_sense_are_refused(line: str, expected: str) -> None:
    assert expected in "\n".join(problems(with_quotas(line)))


def test_nobody_has_two_quotas() -> None:
    assert "has a quota already" in "\n".join(problems(with_quotas("{key: noc, atOnce: 1}", "{key: noc, atOnce: 2}")))
