"""What rows add up to: exact over batches, workers and restarts, and named as the field names it."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, inspect, text
from test_gateway_meter import ROW

from cellwright.gateway.metering import genai, series
from cellwright.gateway.metering.meter import GROUPS, Meter
from cellwright.gateway.metering.series import Summing
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from pathlib import Path

    from cellwright.gateway.metering.row import MeterRow
    from cellwright.gateway.metering.series import Series

WAITED = ROW._replace(upstream_ms=40.0, overhead_ms=0.25, gaps=4, gap_ms=80.0, longest_gap_ms=50.0, duration_ms=120.5)
SUMMED = ("tokens_in", "tokens_out", "tokens_cached", "cost_in_nano", "cost_out_nano")
SMALL = st.sampled_from
ROWS = st.lists(
    st.builds(
        WAITED._replace,
        tenant=SMALL("ab"),
        key_name=SMALL("kl"),
        model=SMALL("mn"),
        route=SMALL(["auto", None]),
        data_class=SMALL(["anonymised", None]),
        backend=SMALL(["edge", "cloud", None]),
        tier=SMALL(["onprem", None]),
        operation=SMALL(["chat", "embeddings"]),
        part_of=SMALL([None, None, "first"]),
        status=SMALL([200, 403, 499]),
        error=SMALL([None, "client_gone"]),
        estimated=st.booleans(),
        tokens_in=st.integers(0, 10**9),
        tokens_out=st.integers(0, 10**9),
        tokens_cached=st.integers(0, 10**6),
        tokens_saved=st.integers(-9, 10**6),
        cost_in_nano=SMALL([None, 0, 7, 10**15]),
        currency=SMALL(["USD", "EUR"]),
        ttft_ms=st.none() | st.floats(0, 20_000),
        upstream_ms=st.none() | st.floats(0, 20_000),
        overhead_ms=st.none() | st.floats(0, 500),
        duration_ms=st.floats(0, 100_000),
    ),
    max_size=25,
)


def numbered(rows: list[MeterRow]) -> list[MeterRow]:
    return [row._replace(request_id=f"{number:04}", started_us=number) for number, row in enumerate(rows)]


@given(ROWS, st.integers(1, 3))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_totals_and_series_agree_however_rows_are_grouped_and_whoever_wrote_them(
    tmp_path: Path, rows: list[MeterRow], workers: int
) -> None:
    database = tmp_path / "sums.db"
    database.unlink(missing_ok=True)
    rows = numbered(rows)
    whole = [row for row in rows if row.part_of is None]
    for worker in range(workers):
        with Meter(sqlite_url(str(database))) as meter:
            for row in rows[worker::workers]:
                meter.record(row)
    with Meter(sqlite_url(str(database))) as meter:
        assert list(meter.rows()) == rows
        (total,) = meter.totals()
        groupings = [by for size in (1, 2) for by in itertools.combinations(GROUPS, size)]
        for by in [*groupings, GROUPS]:
            groups = meter.totals(*by)
            assert sum(group.requests for group in groups) == total.requests == len(whole)
            for name in SUMMED[:3]:
                assert sum(getattr(group, name) for group in groups) == getattr(total, name)
            members = Counter(tuple(getattr(row, name) for name in by) for row in whole)
            assert +Counter({group.key: group.requests for group in groups}) == members
        found = meter.series()
        own = meter.series("a")
    assert own == tuple(item for item in found if item.labels[0] == "a")
    recounted(found, rows)


def recounted(found: tuple[Series, ...], rows: list[MeterRow]) -> None:
    """Check series against the rows, by another way than the meter's."""

    def total(measure: series.Measure, detail: str | None = None) -> int:
        return sum(item.total for item in found if item.measure == measure and detail in {None, item.detail})

    def counted(measure: series.Measure) -> int:
        return sum(sum(item.counts) for item in found if item.measure == measure)

    whole = [row for row in rows if row.part_of is None]
    assert total(series.REQUESTS) == len(whole) == counted(series.DURATION)
    assert total(series.REQUESTS, "499") == sum(row.status == 499 for row in whole)
    assert total(series.TOKENS, "input") == sum(row.tokens_in for row in rows)
    assert total(series.TOKENS, "output") == sum(row.tokens_out for row in rows)
    assert total(series.CACHED) == sum(row.tokens_cached for row in rows)
    assert total(series.SAVED) == sum(max(0, row.tokens_saved) for row in rows)
    assert total(series.ESTIMATED) == sum(row.estimated for row in rows)
    assert total(series.UNPRICED) == sum(row.cost_in_nano is None for row in rows)
    assert total(series.COST) == sum(row.cost_in_nano + 50 for row in rows if row.cost_in_nano is not None)
    assert total(series.DURATION) == sum(round(row.duration_ms * 1000) for row in whole)
    for measure, name in (
        (series.UPSTREAM, "upstream_ms"),
        (series.OVERHEAD, "overhead_ms"),
        (series.FIRST_TOKEN, "ttft_ms"),
    ):
        values = [round(getattr(row, name) * 1000) for row in whole if getattr(row, name) is not None]
        assert (total(measure), counted(measure)) == (sum(values), len(values))
        for place, bound in enumerate(measure.bounds):
            below = sum(sum(item.counts[: place + 1]) for item in found if item.measure == measure)
            assert below == sum(value <= bound for value in values)


def test_labels_beyond_the_bound_are_summed_up_without_their_tenant() -> None:
    summing = Summing(most_labels=2)
    rows = [ROW._replace(tenant=tenant) for tenant in "abcda"]
    sums = summing.increments(rows)
    requests = {labels[0]: found["requests", "200", series.SUM] for labels, found in sums.items()}
    assert requests == {"a": 2, "b": 1, series.REST: 2}


def test_every_measure_has_a_name_and_a_unit_that_ends_it_in_prometheus() -> None:
    assert set(genai.INSTRUMENTS) == set(series.MEASURES)
    assert len({instrument.name for instrument in genai.INSTRUMENTS.values()}) == len(series.MEASURES)
    assert len(get_args(series.Labels)) == len(series.LABELS) == len(genai.ATTRIBUTES)


def test_series_read_as_prometheus_text_under_the_names_of_opentelemetry(tmp_path: Path) -> None:
    row = WAITED._replace(tenant='a"b\\c\nd', duration_ms=20.0, backend="edge")
    with Meter(sqlite_url(str(tmp_path / "meter.db"))) as meter:
        meter.record(row)
        lines = genai.prometheus(meter.series(), {"edge": "bedrock"}).splitlines()
    labels = (
        'cellwright_tenant="a\\"b\\\\c\\nd",gen_ai_request_model="m",cellwright_route="auto",cellwright_tier="region",'
        'cellwright_backend="edge",gen_ai_operation_name="chat",gen_ai_provider_name="aws.bedrock"'
    )
    assert f'cellwright_gateway_requests_total{{{labels},http_response_status_code="200"}} 1' in lines
    assert f'gen_ai_client_token_usage_sum{{{labels},gen_ai_token_type="input"}} 10' in lines
    assert f'cellwright_gateway_cost_total{{{labels},cellwright_currency="USD"}} 0.00000015' in lines
    assert f"cellwright_gateway_tokens_cached_total{{{labels}}} 2" in lines
    duration = [line for line in lines if line.startswith("gen_ai_server_request_duration_seconds")]
    assert duration[0] == f'gen_ai_server_request_duration_seconds_bucket{{{labels},le="0.01"}} 0'
    assert duration[1] == f'gen_ai_server_request_duration_seconds_bucket{{{labels},le="0.02"}} 1'
    assert duration[-3:] == [
        f'gen_ai_server_request_duration_seconds_bucket{{{labels},le="+Inf"}} 1',
        f"gen_ai_server_request_duration_seconds_sum{{{labels}}} 0.02",
        f"gen_ai_server_request_duration_seconds_count{{{labels}}} 1",
    ]
    assert f"gen_ai_client_operation_duration_seconds_sum{{{labels}}} 0.04" in lines
    assert f"cellwright_gateway_overhead_seconds_sum{{{labels}}} 0.00025" in lines
    assert f"gen_ai_server_time_to_first_token_seconds_sum{{{labels}}} 0.0015" in lines
    assert f"gen_ai_server_time_per_output_token_seconds_sum{{{labels}}} 0.02" in lines
    kinds = [line.split() for line in lines if line.startswith("# TYPE")]
    assert {kind for *_, kind in kinds} == {"counter", "histogram"}


def test_the_exposition_parses_with_prometheus_own_parser(tmp_path: Path) -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="SKIPPED LOUDLY: no prometheus-client here")
    with Meter(sqlite_url(str(tmp_path / "meter.db"))) as meter:
        meter.record(WAITED)
        families = list(parser.text_string_to_metric_families(genai.prometheus(meter.series(), {"b": "openai"})))
    assert {family.type for family in families} == {"counter", "histogram"}
    (tokens,) = [family for family in families if family.name == "gen_ai_client_token_usage"]
    assert sum(sample.value for sample in tokens.samples if sample.name.endswith("_sum")) == 15


def test_a_database_of_an_older_version_gets_the_columns_it_lacks(tmp_path: Path) -> None:
    url = sqlite_url(str(tmp_path / "meter.db"))
    with Meter(url) as meter:
        meter.record(ROW)
    older = create_engine(url)
    with older.begin() as connection:
        for name in ("operation", "upstream_ms", "overhead_ms", "gaps", "gap_ms", "longest_gap_ms"):
            connection.execute(text(f"ALTER TABLE gateway_requests DROP COLUMN {name}"))
    with Meter(url) as meter:
        meter.record(WAITED._replace(request_id="second", started_us=2))
        assert list(meter.rows()) == [ROW, WAITED._replace(request_id="second", started_us=2)]
    assert "gap_ms" in {column["name"] for column in inspect(older).get_columns("gateway_requests")}
    older.dispose()


WORKER = """
import sys
from cellwright.gateway.metering.meter import Meter
from cellwright.gateway.metering.row import MeterRow
common = dict(started_us=1, key_name="k", model="m", route="auto", data_class="anonymised", backend="b", tier="region",
    attempts=1, stream=True, status=200, error=None, tokens_in=10, tokens_out=5, tokens_cached=2, estimated=False,
    cost_in_nano=7, cost_out_nano=50, currency="USD", price_source="list", ttft_ms=1.5, duration_ms=2.5)
with Meter(sys.argv[1]) as meter:
    for number in range(300):
        meter.record(MeterRow(request_id=f"{sys.argv[2]}-{number}", tenant="ab"[number % 2], **common))
"""


@pytest.mark.integration
def test_what_workers_measure_at_the_same_time_adds_up(tmp_path: Path) -> None:
    url = sqlite_url(str(tmp_path / "meter.db"))
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, url, str(each)]) for each in range(2)]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    with Meter(url) as meter:
        recounted(meter.series(), list(meter.rows()))
        assert sum(item.total for item in meter.series("a") if item.measure == series.REQUESTS) == 300
