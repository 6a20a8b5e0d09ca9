"""Tools behind the gateway, called by the official MCP client: rules, guard, meter and sites."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import mcp
import orjson
import pytest
from aiohttp import web
from gateway_kit import FREE, KEY, RULE, Upstream, WordCounter, allow, bench, call, config, spec
from mcp.client.streamable_http import streamable_http_client

from cellwright.errors import DeniedError, UnavailableError
from cellwright.estate.model import Boundary, SensitivityClass, Tier
from cellwright.gateway.keys import hash_key
from cellwright.gateway.metering.meter import Meter
from cellwright.gateway.model import AccessKey, ToolServerSpec
from cellwright.gateway.model_quota import Bound, Holder, Period, Quota, Unit
from cellwright.gateway.serve import running
from cellwright.gateway.tools import Tool, ToolDesk, ToolResult, ToolSupplies
from cellwright.gateway.tools_mcp import open_tools
from cellwright.store import sqlite_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from gateway_kit import Bench

    from cellwright.gateway.server import Gateway

pytestmark = pytest.mark.integration
OTHER_KEY, HOME_KEY = "another-key", "a-key-at-home"
KEYS = (
    AccessKey("abroad", "operator", hash_key(KEY)),
    AccessKey("other", "another-tenant", hash_key(OTHER_KEY)),
    AccessKey("home", "operator", hash_key(HOME_KEY), Boundary.PREMISES),
)
NOT_THERE = "region-milano"
ESTATE = Path(__file__).parents[2] / "examples" / "operator"
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
EXPLAIN = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
EXPLAIN |= {"params": {"name": "placement.explain", "arguments": {"workload": "slice-policy"}}}
SITE_TOOLS = ["lake.tables", "lake.query", "digest.list", "digest.read", "digest.open", "placement.explain"]


def site(lake: Path | None, **changes: Any) -> ToolServerSpec:  # noqa: ANN401 - any field
    values = {
        "name": "oslo",
        "type": "site",
        "tenants": frozenset({"operator", "another-tenant"}),
        "tier": Tier.ONPREM,
        "boundary": Boundary.PREMISES,
        "data_class": SensitivityClass.ANONYMISED,
        "lake": lake and str(lake),
        "estate": str(ESTATE),
    }
    return ToolServerSpec(**(values | changes))


@contextlib.contextmanager
def gateway(
    folder: Path,
    *servers: ToolServerSpec,
    guard: Callable[[str], None] | None = None,
    quotas: tuple[Quota, ...] = (),
) -> Iterator[tuple[Bench, str]]:
    setup = config(spec("edge", type="reasoner"), keys=KEYS, tools=servers, rules=(RULE, FREE), quotas=quotas)
    with bench(folder, setup, **({"guard": guard} if guard else {})) as opened, running(opened.app) as url:
        yield opened, url.removesuffix("/v1") + "/mcp"


@contextlib.asynccontextmanager
async def connected(url: str, key: str = KEY, mode: str = "auto") -> AsyncIterator[mcp.Client]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        mcp.Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


def asked(
    url: str, talk: Callable[[mcp.Client], Coroutine[object, object, Any]], key: str = KEY, mode: str = "auto"
) -> Any:  # noqa: ANN401
    async def main() -> Any:  # noqa: ANN401
        async with connected(url, key, mode) as client:
            return await talk(client)

    return asyncio.run(main())


def called(url: str, tool: str, key: str = KEY, **arguments: object) -> Any:  # noqa: ANN401 - a type of the SDK
    return asked(url, lambda client: client.call_tool(tool, arguments), key)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_of_every_era_lists_and_calls_the_tools_of_a_site(
    simulated_lake: Path, tmp_path: Path, mode: str
) -> None:
    with gateway(tmp_path, site(simulated_lake)) as (_, url):
        listed = asked(url, lambda client: client.list_tools(), mode=mode)
        found = asked(
            url, lambda client: client.call_tool("lake.query", {"sql": "SELECT count(*) AS n FROM logs"}), mode=mode
        )
    assert [tool.name for tool in listed.tools] == SITE_TOOLS
    assert all(tool.annotations.read_only_hint and tool.input_schema["type"] == "object" for tool in listed.tools)
    assert not found.is_error
    assert found.structured_content["rows"][0]["n"] > 0
    assert orjson.loads(found.content[0].text) == found.structured_content


def test_an_incident_is_found_read_and_opened_down_to_its_records(simulated_lake: Path, tmp_path: Path) -> None:
    with gateway(tmp_path, site(simulated_lake)) as (_, url):
        (newest, *_), more = (called(url, "digest.list").structured_content[key] for key in ("incidents", "more"))
        read = called(url, "digest.read", incident=newest["incident"], budget=1000).structured_content
        opened = called(url, "digest.open", hash=newest["incident"]).structured_content
    assert newest["alarms"] == len(opened["originals"])
    assert read["digest"].startswith(f"incident {newest['incident']}")
    assert read["tokens"] <= 1000
    assert read["roots"][0]["element"] in {each["object_dn"] for each in opened["originals"]}
    assert not more


def test_a_placement_is_explained_where_it_is_and_where_it_is_not(tmp_path: Path) -> None:
    with gateway(tmp_path, site(None)) as (_, url):
        assert [tool.name for tool in asked(url, lambda client: client.list_tools()).tools] == ["placement.explain"]
        explained = called(url, "placement.explain", workload="slice-policy").structured_content
        elsewhere = called(url, "placement.explain", workload="slice-policy", why_not_at=NOT_THERE).structured_content
        unknown = called(url, "placement.explain", workload="slice-polcy")
    assert (explained["workload"], explained["decided_by"] is not None) == ("slice-policy", True)
    assert elsewhere["site"] == NOT_THERE
    assert elsewhere["violations"]
    assert unknown.is_error
    assert "slice-policy" in unknown.content[0].text


@pytest.mark.parametrize(("unit", "size"), [(Unit.REQUESTS, 1), (Unit.TOKENS, 5)])
def test_calls_of_tools_keep_to_the_quota_of_their_caller(tmp_path: Path, unit: Unit, size: int) -> None:
    quotas = (Quota(Holder.TENANT, None, (Bound(unit, Period.MONTH, size),)),)
    setup = config(spec("edge", type="reasoner"), keys=KEYS, tools=(site(None),), rules=(RULE, FREE), quotas=quotas)

    async def talk(app: Gateway) -> list[Any]:
        return [(await call(app, EXPLAIN, path="/mcp", headers=ACCEPT)).json["result"] for _ in range(2)]

    with bench(tmp_path, setup) as opened:
        found = opened.run(talk)
        rows = sorted(opened.meter.rows(), key=lambda row: row.started_us)
    assert [each["isError"] for each in found] == [False, True]
    assert f"may use {size} {unit} a month" in found[1]["content"][0]["text"]
    assert [(row.status, row.error) for row in rows] == [(200, None), (429, "insufficient_quota")]


def test_a_tenant_sees_its_own_rows_alone(simulated_lake: Path, tmp_path: Path) -> None:
    with gateway(tmp_path, site(simulated_lake)) as (_, url):
        rows = {
            key: called(url, "lake.query", key, sql="SELECT count(*) AS n FROM alarm_events").structured_content["rows"]
            for key in (KEY, OTHER_KEY)
        }
        assert called(url, "digest.list", OTHER_KEY).structured_content["incidents"] == []
        joined = "SELECT (SELECT count(*) FROM (FROM alarm_events)) + (SELECT count(*) FROM logs) AS n"
        assert called(url, "lake.query", OTHER_KEY, sql=joined).structured_content["rows"] == [{"n": 0}]
    assert rows[KEY][0]["n"] > 0
    assert rows[OTHER_KEY] == [{"n": 0}]


def test_a_class_that_may_not_leave_is_neither_shown_nor_called_from_outside(
    simulated_lake: Path, tmp_path: Path
) -> None:
    with gateway(tmp_path, site(simulated_lake, data_class=SensitivityClass.SUBSCRIBER_PII)) as (opened, url):
        assert asked(url, lambda client: client.list_tools()).tools == []
        assert len(asked(url, lambda client: client.list_tools(), HOME_KEY).tools) == len(SITE_TOOLS)
        refused = called(url, "lake.query", sql="FROM logs")
        allowed = called(url, "lake.query", HOME_KEY, sql="SELECT count(*) AS n FROM logs")
        rows = sorted(opened.meter.rows(), key=lambda row: row.started_us)
    assert refused.is_error
    assert "stay-home" in refused.content[0].text
    assert "Act 1, article 2" in refused.content[0].text
    assert not allowed.is_error
    assert [(row.key_name, row.status, row.error) for row in rows] == [
        ("abroad", 403, "sovereignty"),
        ("home", 200, None),
    ]


def test_what_the_guard_denies_does_not_leave_and_is_metered_as_denied(simulated_lake: Path, tmp_path: Path) -> None:
    def deny(text: str) -> None:
        if "logs" in text:
            raise DeniedError.of("identifier", "an identifier would have left")

    with gateway(tmp_path, site(simulated_lake), guard=deny) as (opened, url):
        denied = called(url, "lake.tables")
        at_home = called(url, "lake.tables", HOME_KEY)
        rows = sorted(opened.meter.rows(), key=lambda row: row.started_us)
    assert denied.is_error
    assert denied.structured_content is None
    assert [part.text for part in denied.content] == ["egress_denied: an identifier would have left"]
    assert not at_home.is_error
    assert [(row.status, row.error, row.tokens_out > 0) for row in rows] == [
        (403, "egress_denied", False),
        (200, None, True),
    ]


def test_every_call_leaves_a_row_that_adds_up(simulated_lake: Path, tmp_path: Path) -> None:
    with gateway(tmp_path, site(simulated_lake)) as (opened, url):
        called(url, "lake.query", sql="SELECT 1 AS one")
        called(url, "lake.query", sql="DROP TABLE logs")
        called(url, "no.such.tool")
        (total,) = opened.meter.totals()
        rows = sorted(opened.meter.rows(), key=lambda row: row.started_us)
    assert [(row.model, row.backend, row.route, row.status, row.error) for row in rows] == [
        ("lake.query", "oslo", "tools", 200, None),
        ("lake.query", "oslo", "tools", 424, "not-a-query"),
        ("", None, "tools", 404, "unknown_tool"),
    ]
    assert total.tokens_in == sum(row.tokens_in for row in rows) > 0
    assert total.cost_in_nano == 0


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("lake.query", {}, "missing-argument: lake.query needs sql"),
        ("lake.query", {"sql": 5}, "wrong-argument: sql of lake.query must be of type string"),
        ("lake.query", {"sql": "FROM logs", "limit": 5}, "unknown-argument: lake.query has no argument 'limit'"),
        ("lake.query", {"sql": "FROM read_csv('/etc/passwd')"}, "query-failed"),
        ("lake.query", {"sql": "COPY logs TO '/tmp/x'"}, "not-a-query"),
        ("digest.read", {"incident": "A-000000"}, "no-such-incident"),
        ("lake.qeury", {"sql": "FROM logs"}, "unknown_tool: there is no such tool; did you mean 'lake.query'?"),
    ],
)
def test_a_wrong_call_is_answered_with_what_is_wrong(
    simulated_lake: Path, tmp_path: Path, tool: str, arguments: dict[str, object], said: str
) -> None:
    with gateway(tmp_path, site(simulated_lake)) as (_, url):
        found = called(url, tool, **arguments)
    assert found.is_error
    assert found.content[0].text.startswith(said)


def test_rows_beyond_the_most_are_said_to_be_there(simulated_lake: Path, tmp_path: Path) -> None:
    with gateway(tmp_path, site(simulated_lake)) as (_, url):
        found = called(url, "lake.query", sql="SELECT ordinal FROM logs").structured_content
    assert (len(found["rows"]), found["more"]) == (200, True)


def test_a_statement_without_end_is_cut_off(simulated_lake: Path, tmp_path: Path) -> None:
    endless = "SELECT max(hash(a.range * b.range * c.range)) FROM range(100000) a, range(100000) b, range(100000) c"
    with gateway(tmp_path, site(simulated_lake, timeout_ms=300.0)) as (_, url):
        found = called(url, "lake.query", sql=endless)
    assert found.is_error


def test_the_tools_of_another_gateway_are_called_through_this_one(simulated_lake: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with gateway(tmp_path / "a", site(simulated_lake)) as (_, far), pytest.MonkeyPatch.context() as patch:
        patch.setenv("SITE_KEY", KEY)
        server = site(None, name="far", type="mcp", prefix="oslo.", base_url=far, api_key_env="SITE_KEY", estate=None)
        setup = config(spec("edge", type="reasoner"), keys=KEYS, tools=(server,), rules=(RULE, FREE))
        with bench(tmp_path / "b", setup, secrets={"SITE_KEY": KEY}) as opened, running(opened.app) as url:
            near = url.removesuffix("/v1") + "/mcp"
            names = [tool.name for tool in asked(near, lambda client: client.list_tools()).tools]
            found = called(near, "oslo.lake.query", sql="SELECT count(*) > 0 AS some FROM logs")
            (row,) = opened.meter.rows()
    assert names == [f"oslo.{name}" for name in SITE_TOOLS]
    assert found.structured_content["rows"] == [{"some": True}]
    assert (row.model, row.backend) == ("oslo.lake.query", "far")


def test_a_server_that_does_not_answer_hides_no_other(simulated_lake: Path, tmp_path: Path) -> None:
    dead = site(None, name="dead", type="mcp", base_url="http://127.0.0.1:9/mcp", estate=None)
    with gateway(tmp_path, dead, site(simulated_lake)) as (_, url):
        assert [tool.name for tool in asked(url, lambda client: client.list_tools()).tools] == SITE_TOOLS


def test_no_key_no_tools_and_no_pages_of_another_origin(tmp_path: Path) -> None:
    setup = config(spec("edge", type="reasoner"), keys=KEYS, tools=(site(None),))
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    with bench(tmp_path, setup) as opened:
        assert opened.ask(ping, path="/mcp", key=None).status == 401
        headers = {"origin": "https://evil.example", "host": "127.0.0.1:8781"}
        assert opened.ask(ping, path="/mcp", headers=headers).status == 403
        assert opened.ask(b"no json", path="/mcp", headers={"content-type": "application/json"}).status in (400, 406)
        assert opened.run(lambda app: call(app, path="/mcp", method="GET")).status == 405


def test_arguments_of_a_class_go_to_no_server_outside_its_boundary(tmp_path: Path) -> None:
    abroad = site(None, name="abroad", boundary=Boundary.NONE)
    setup = config(spec("edge", type="reasoner"), keys=KEYS, tools=(abroad,), rules=(RULE, FREE))

    async def ask(app: Gateway, data_class: str) -> str:
        headers = ACCEPT | {"x-cellwright-data-class": data_class}
        answer = await call(app, EXPLAIN, path="/mcp", headers=headers)
        return str(answer.json["result"]["content"][0]["text"])

    with bench(tmp_path, setup) as opened:
        said = opened.run(lambda app: ask(app, "subscriber_pii"))
        assert said.startswith("sovereignty: rule stay-home keeps data of class subscriber_pii")
        assert not opened.run(lambda app: ask(app, "anonymised")).startswith("sovereignty")


def test_another_gateway_is_told_the_class_of_the_arguments() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=500)

    async def ask() -> list[str | None]:
        async with Upstream(refuse).open() as far:
            server = open_tools(site(None, type="mcp", base_url=far.url), ToolSupplies({}))
            with pytest.raises(UnavailableError):
                await server.call("lake.query", {}, "operator", SensitivityClass.TROUBLE_TICKET)
            return [each.get("x-cellwright-data-class") for each in far.headers]

    assert set(asyncio.run(ask())) == {"trouble_ticket"}


class Fails:
    """A server of tools with a mistake in it."""

    async def tools(self) -> list[Tool]:
        return [Tool("fails", "", {"type": "object"})]

    async def call(self, *given: object) -> ToolResult:
        raise ZeroDivisionError(given)


class Silent(Fails):
    async def tools(self) -> list[Tool]:
        raise ZeroDivisionError


def test_a_tool_that_fails_by_mistake_is_told_so_and_metered_without_what_it_was_asked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    servers = {site(None): Fails(), site(None, name="silent"): Silent()}
    with Meter(sqlite_url(str(tmp_path / "meter.db"))) as meter:
        desk = ToolDesk(servers, (FREE,), allow, WordCounter(), meter)
        asked = desk.call(KEYS[2], "r1", "fails", {"imsi": "PLANTED"}, SensitivityClass.ANONYMISED)
        result = asyncio.run(asked)
        (row,) = meter.rows()
    assert result.failed
    assert "internal_error" in result.texts[0]
    assert (row.status, row.error) == (500, "internal_error")
    assert "tool call r1 failed with ZeroDivisionError" in caplog.text
    assert "PLANTED" not in caplog.text + str(result)


def test_a_name_that_no_tool_has_is_not_kept_by_the_meter(simulated_lake: Path, tmp_path: Path) -> None:
    with gateway(tmp_path, site(simulated_lake, data_class=SensitivityClass.SUBSCRIBER_PII)) as (opened, url):
        assert called(url, "IMSI 262019876543210").is_error
        (row,) = opened.meter.rows()
    assert (row.model, row.error) == ("", "sovereignty")
