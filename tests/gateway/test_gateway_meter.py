"""The meter: exact sums, nothing lost, unknown stays unknown."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import TYPE_CHECKING

import postgresql_kit
import pytest
from gateway_kit import PRICE, Bench, Scripted, WordCounter, allow, config, opener, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.event import listen

from cellwright.errors import StorageError
from cellwright.estate.model import TokenPrices
from cellwright.gateway.metering import series
from cellwright.gateway.metering.meter import Meter, charge
from cellwright.gateway.metering.row import MeterRow
from cellwright.gateway.model import ModelPrice
from cellwright.gateway.server import create_app
from cellwright.gateway.wire import Usage
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

ROW = MeterRow(
    request_id="r",
    started_us=1,
    tenant="a",
    key_name="k",
    model="m",
    route="auto",
    data_class="anonymised",
    backend="b",
    tier="region",
    attempts=1,
    stream=True,
    status=200,
    error=None,
    tokens_in=10,
    tokens_out=5,
    tokens_cached=2,
    estimated=False,
    cost_in_nano=100,
    cost_out_nano=50,
    currency="USD",
    price_source="list",
    ttft_ms=1.5,
    duration_ms=2.5,
)


def row_with(**changes: object) -> MeterRow:
    return ROW._replace(**changes)


COUNTS = st.integers(0, 10**9)
ROWS = st.lists(
    st.builds(
        lambda tenant, tokens_in, tokens_out, cost: row_with(
            tenant=tenant, tokens_in=tokens_in, tokens_out=tokens_out, cost_in_nano=cost
        ),
        st.sampled_from("abc"),
        COUNTS,
        COUNTS,
        st.integers(0, 10**12),
    ),
    max_size=20,
)


def url(folder: Path) -> str:
    return sqlite_url(str(folder / "meter.db"))


def test_a_row_comes_back_as_it_was_recorded(tmp_path: Path) -> None:
    with Meter(url(tmp_path)) as meter:
        meter.record(ROW)
        assert list(meter.rows()) == [ROW]


def test_what_was_recorded_before_closing_is_there_when_opened_again(tmp_path: Path) -> None:
    with Meter(url(tmp_path)) as meter:
        for number in range(1200):
            meter.record(row_with(request_id=str(number), started_us=number))
    with Meter(url(tmp_path)) as meter:
        assert [row.request_id for row in meter.rows()] == [str(number) for number in range(1200)]


@given(ROWS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_totals_are_the_sums_of_the_rows_however_they_are_grouped(tmp_path: Path, rows: list[MeterRow]) -> None:
    database = tmp_path / "sums.db"
    database.unlink(missing_ok=True)
    with Meter(sqlite_url(str(database))) as meter:
        for number, row in enumerate(rows):
            meter.record(
                row_with(
                    request_id=str(number),
                    tenant=row.tenant,
                    tokens_in=row.tokens_in,
                    tokens_out=row.tokens_out,
                    cost_in_nano=row.cost_in_nano,
                )
            )
        (total,) = meter.totals()
        groups = meter.totals("tenant")
    for name in ("tokens_in", "tokens_out", "cost_in_nano"):
        expected = sum(getattr(row, name) for row in rows)
        assert getattr(total, name) == expected == sum(getattr(group, name) for group in groups)
    assert total.requests == len(rows) == sum(group.requests for group in groups)
    assert [group.key for group in groups] == [(tenant,) for tenant in sorted({row.tenant for row in rows})]


def test_an_unknown_cost_makes_the_total_unknown_and_so_do_two_currencies(tmp_path: Path) -> None:
    with Meter(url(tmp_path)) as meter:
        meter.record(ROW)
        meter.record(row_with(request_id="free", tenant="b", cost_in_nano=None, cost_out_nano=None, currency=None))
        meter.record(row_with(request_id="euro", tenant="c", currency="EUR"))
        meter.record(row_with(request_id="dollar", tenant="c", error="timeout", estimated=True))
        (total,) = meter.totals()
        a, b, c = meter.totals("tenant")
    assert (total.requests, total.failed, total.estimated, total.tokens_in) == (4, 1, 1, 40)
    assert (total.cost_in_nano, total.currency) == (None, None)
    assert (a.cost_in_nano, a.cost_out_nano, a.currency) == (100, 50, "USD")
    assert b.cost_in_nano is None
    assert c.cost_in_nano is None


@pytest.mark.integration
def test_meters_of_several_gateways_add_up_in_one_postgresql() -> None:
    rows = [row_with(request_id=str(number), started_us=number, tenant="ab"[number % 2]) for number in range(600)]
    with postgresql_kit.running() as server, Meter(server) as one, Meter(server) as other:
        for number, row in enumerate(rows):
            (one, other)[number % 3 == 0].record(row)
        other.flush()
        assert list(one.rows()) == rows
        (total,) = one.totals()
        requests = {found.labels[0]: found.total for found in one.series() if found.measure is series.REQUESTS}
    assert (total.requests, total.tokens_in, total.cost_in_nano) == (600, 6_000, 60_000)
    assert requests == {"a": 300, "b": 300}


def test_rows_are_grouped_by_known_columns_only(tmp_path: Path) -> None:
    with Meter(url(tmp_path)) as meter, pytest.raises(ValueError, match="grouped by tenant"):
        meter.totals("request_id; drop table")


def test_rows_that_cannot_be_stored_are_kept_until_they_can(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = create_engine(url(tmp_path))
    with Meter(url(tmp_path)) as meter:
        with other.begin() as connection:
            connection.execute(text("ALTER TABLE gateway_requests RENAME TO elsewhere"))
        meter.record(ROW)
        meter.flush()
        assert not meter.healthy
        with other.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO gateway_requests"))
        meter.record(row_with(request_id="second"))
        assert len(list(meter.rows())) == 2
        assert meter.healthy
    other.dispose()
    assert caplog.text.count("cannot be stored") == 1


def test_two_rows_of_one_id_are_both_kept_and_stop_nothing(tmp_path: Path) -> None:
    with Meter(url(tmp_path)) as meter:
        for tokens in (3, 4, 5):
            meter.record(row_with(request_id="a", tokens_in=tokens))
        meter.record(row_with(request_id="b", tokens_in=6))
        meter.flush()  # fails as a whole; the next attempt looks closer
        assert {row.request_id: row.tokens_in for row in meter.rows()} == {"a": 3, "a~2": 4, "a~3": 5, "b": 6}
        assert meter.healthy


def test_rows_that_are_lost_in_the_end_are_told(tmp_path: Path) -> None:
    meter = Meter(url(tmp_path))
    other = create_engine(url(tmp_path))
    with other.begin() as connection:
        connection.execute(text("DROP TABLE gateway_requests"))
    other.dispose()
    meter.record(ROW)
    logging.getLogger("cellwright.gateway").disabled = True
    with pytest.raises(StorageError, match="1 metered requests could not be stored"):
        meter.close()
    logging.getLogger("cellwright.gateway").disabled = False
    meter.close()


@given(COUNTS, COUNTS, st.integers(0, 10**6))
def test_a_charge_is_off_by_half_a_nano_unit_at_most(tokens_in: int, tokens_out: int, cached: int) -> None:
    cached = min(cached, tokens_in)
    cost_in, cost_out = charge(Usage(tokens_in, tokens_out, cached), PRICE)
    exact = Fraction((tokens_in - cached) * PRICE.input_nano + cached * PRICE.cached_nano, 10**6)
    assert cost_in is not None
    assert cost_out is not None
    assert abs(cost_in - exact) <= Fraction(1, 2)
    assert cost_in == round(exact)
    assert cost_out == tokens_out * 10_000


def test_a_price_book_entry_is_kept_exactly() -> None:
    price = ModelPrice.of(TokenPrices("m", 0.15, 0.6), "USD", "list")
    assert (price.input_nano, price.output_nano, price.cached_nano) == (150_000_000, 600_000_000, 150_000_000)
    assert charge(Usage(20_000, 200), ModelPrice.of(TokenPrices("m", 2.5, 10.0), "USD", "list")) == (
        50_000_000,
        2_000_000,
    )


def test_without_a_price_a_charge_is_unknown() -> None:
    assert charge(Usage(1, 1), None) == (None, None)


def test_what_cannot_be_metered_any_more_is_not_asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    backend, setup = Scripted((whole(usage=Usage(3, 2)),)), config()
    with Meter(url(tmp_path), most_waiting=2) as meter:
        app = create_app(setup, guard=allow, counter=WordCounter(), meter=meter, secrets={}, openers=opener(backend))
        bench = Bench(app, meter)
        other = create_engine(url(tmp_path))
        with other.begin() as connection:
            connection.execute(text("ALTER TABLE gateway_requests RENAME TO elsewhere"))
        answers = []
        for _ in range(4):
            answers.append(bench.ask().status)
            meter.flush()
        with other.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO gateway_requests"))
        other.dispose()
        meter.flush()
        answers.append(bench.ask().status)
        assert answers == [200, 200, 503, 503, 200]
        assert len(backend.asked) == len(list(meter.rows())) == 3
    assert "cannot be stored" in caplog.text


def test_nobody_waits_for_an_attempt_for_each_row_where_none_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("cellwright.gateway.metering.meter._BATCH", 1)
    attempts: list[object] = []
    meter = Meter(url(tmp_path))
    other = create_engine(url(tmp_path))
    with other.begin() as connection:
        connection.execute(text("ALTER TABLE gateway_requests RENAME TO elsewhere"))
    meter.record(ROW)
    meter.flush()
    assert not meter.healthy
    listen(meter._engine, "begin", attempts.append)
    for number in range(40):
        meter.record(row_with(request_id=f"r{number}"))
    meter.flush()
    assert len(attempts) < 10
    with other.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO gateway_requests"))
    other.dispose()
    assert len(list(meter.rows())) == 41
    assert caplog.text.count("are stored again") == 1
    meter.close()


@pytest.mark.parametrize("tokens", [2**63, 2**100])
def test_a_value_that_no_column_holds_stops_nothing(tmp_path: Path, tokens: int) -> None:
    meter = Meter(url(tmp_path))
    meter.record(row_with(tokens_in=tokens))
    meter.flush()
    assert not meter.healthy
    with pytest.raises(StorageError, match="1 metered requests could not be stored"):
        meter.close()
