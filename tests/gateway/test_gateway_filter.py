"""Requests that carry raw records or name an incident: what leaves, what the answer says, what is refused."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from filter_kit import MAPPING, SUBSCRIBER, batch, desk, event, lines, settings, syslog, table
from gateway_kit import FREE, QUESTION, RULE, Scripted, bench, config, opener, remote, spec, whole
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from cellwright.digest.ledger import content_hash
from cellwright.digest.notation import incident_name
from cellwright.digest.storms import incidents
from cellwright.digest.text import decode
from cellwright.digest.tokens import token_counter
from cellwright.errors import StorageError, UsageError
from cellwright.estate.model import Boundary, SensitivityClass
from cellwright.gateway.config import load_config
from cellwright.gateway.filter_policy import DEFAULT_EDGE, EdgeSpec, FilterMode, FilterPolicy, Unread
from cellwright.gateway.filtering.tell import tell
from cellwright.gateway.model import Route, Rule
from cellwright.gateway.wire import Usage
from cellwright.lake.folder import Lake
from cellwright.privacy.egress import guard_egress
from cellwright.telemetry.mediate import mediate_received
from cellwright.telemetry.sources import RawFile
from cellwright.wiring.edge import EdgeDesk
from cellwright.wiring.opening import originals
from cellwright.wiring.pseudonyms import Pseudonyms
from cellwright.wiring.standby import open_desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway_kit import Response

    from cellwright.gateway.filtering.edge import Desk
    from cellwright.gateway.model import GatewayConfig

CLASS = "x-cellwright-data-class"
HOME = Rule("home", frozenset({SensitivityClass.SIGNALLING}), Boundary.PREMISES, "Act 1, article 5")


def asked(content: object, **members: object) -> dict[str, Any]:
    return QUESTION | {"messages": [{"role": "user", "content": content}]} | members


def exchange(
    folder: Path,
    body: object,
    setup: GatewayConfig,
    with_desk: Desk | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[Response, list[Any]]:
    """Return the answer to a body, and the bodies that backends were sent."""
    backends = [Scripted((whole(usage=Usage(3, 2)),)) for _ in setup.backends]
    with bench(folder, setup, opener(*backends), guard=guard_egress, desk=with_desk or desk(folder)) as gateway:
        response = gateway.ask(body, headers=headers)
    return response, [request.body for backend in backends for request in backend.asked]


def filtered(folder: Path, body: object, policy: FilterPolicy, with_desk: Desk | None = None) -> Any:  # noqa: ANN401
    return exchange(folder, body, config(remote(), filter=policy), with_desk)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (batch(60), "alarms=60"),
        (lines(60), "alarms=60"),
        (table(300), "alarms=300"),
        (syslog(60), "logs=60"),
    ],
)
def test_what_leaves_is_a_digest_within_the_budget_that_names_nobody(tmp_path: Path, records: str, said: str) -> None:
    policy = FilterPolicy(budget=600)
    prose = f"IMSI {SUBSCRIBER} complains. Why?"
    response, (sent,) = filtered(tmp_path, asked(f"{prose}\n\n```\n{records}\n```\nBe brief."), policy)
    text = sent["messages"][0]["content"]
    assert response.headers["x-cellwright-filtered"].startswith(said)
    assert SUBSCRIBER not in orjson.dumps(sent).decode()
    guard_egress(text)
    assert "commonEventHeader" not in text
    assert text.startswith("IMSI imsi~")
    assert text.endswith("Be brief.")
    before, after = (int(response.headers[f"x-cellwright-tokens-{when}"]) for when in ("before", "after"))
    assert after < before / 2
    assert token_counter().count(text) <= 600 + token_counter().count(prose) + 60


def test_a_desk_with_nothing_at_the_edge_is_opened_by_the_first_record(tmp_path: Path) -> None:
    edge = open_desk(DEFAULT_EDGE, settings(tmp_path), tmp_path)
    assert not isinstance(edge, EdgeDesk)
    body = asked(f"IMSI {SUBSCRIBER} complains. Why?\n\n{batch(60)}\n\n{syslog(2)}")
    response, sent = filtered(tmp_path, body, FilterPolicy(), edge)
    assert response.headers["x-cellwright-filtered"] == "alarms=60, as they are=1"
    assert sent == filtered(tmp_path, body, FilterPolicy(), desk(tmp_path, mappings=()))[1]
    response, sent = filtered(tmp_path, asked("cellwright:incident/g0000000000"), FilterPolicy(), edge)
    assert (response.status, response.error, sent) == (404, "unknown_incident", [])


def test_whatever_stands_at_the_edge_is_opened_and_checked_at_the_start(tmp_path: Path) -> None:
    assert isinstance(open_desk(EdgeSpec(mappings=(str(MAPPING),)), settings(tmp_path), tmp_path), EdgeDesk)
    with pytest.raises(StorageError, match=r"absent\.yaml"):
        open_desk(EdgeSpec(mappings=("absent.yaml",)), settings(tmp_path), tmp_path)
    with pytest.raises(StorageError, match=r"absent\.yaml"):
        open_desk(DEFAULT_EDGE, replace(settings(tmp_path), privacy_policy=tmp_path / "absent.yaml"), tmp_path)
    settings(tmp_path).key_file.chmod(0o644)
    with pytest.raises(StorageError, match="key-file-shared"):
        open_desk(DEFAULT_EDGE, settings(tmp_path), tmp_path)


def test_ordinary_requests_pass_as_they_are_and_unlabelled(tmp_path: Path) -> None:
    body = asked("What does commonEventHeader mean?", tools=[{"type": "function", "function": {"name": "f"}}])
    response, (sent,) = filtered(tmp_path, body, FilterPolicy())
    assert sent == body
    assert "x-cellwright-filtered" not in response.headers


def test_all_texts_of_a_conversation_are_filtered(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": batch(30)}, {"type": "text", "text": "and"}]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": "As you say."},
        {"role": "tool", "tool_call_id": "1", "content": syslog(40)},
        {"role": "user", "content": batch(30)},
    ]
    response, (sent,) = filtered(tmp_path, QUESTION | {"messages": messages}, FilterPolicy())
    assert [message["role"] for message in sent["messages"]] == [message["role"] for message in messages]
    assert sent["messages"][1]["content"][0]["text"].strip() == sent["messages"][4]["content"].strip()
    assert sent["messages"][3]["tool_call_id"] == "1"
    assert "<134>" not in orjson.dumps(sent).decode()
    assert response.headers["x-cellwright-filtered"] == "alarms=30, logs=40"


def test_records_no_format_reads_are_refused_where_they_would_leave_and_only_there(tmp_path: Path) -> None:
    unread = "id;alarm;severity;element\n" + "1;LOS;MAJOR;gNB-1\n" * 60
    response, sent = filtered(tmp_path, asked(unread), FilterPolicy())
    assert (response.status, response.error, sent) == (403, "unreadable_records", [])
    assert "gNB-1" not in response.body.decode()
    response, (body,) = filtered(tmp_path, asked(f"see\n{unread}"), FilterPolicy(unread=Unread.MASK))
    assert response.status == 200
    assert "gNB-1" not in body["messages"][0]["content"]
    assert response.headers["x-cellwright-filtered"] == "unread=1"
    response, (body,) = exchange(tmp_path, asked(unread), config(spec(), filter=FilterPolicy(on_premises=False)))
    assert (response.status, body) == (200, asked(unread))


def test_a_record_among_others_that_cannot_be_read_is_refused_or_left_out_and_told(tmp_path: Path) -> None:
    bad = event(7)
    bad["commonEventHeader"]["lastEpochMicrosec"] = "yesterday"
    mixed = orjson.dumps({"eventList": [*(event(number) for number in range(6)), bad]}).decode()
    response, sent = filtered(tmp_path, asked(mixed), FilterPolicy())
    assert (response.status, response.error, sent) == (403, "unreadable_records", [])
    response, (body,) = filtered(tmp_path, asked(mixed), FilterPolicy(unread=Unread.MASK))
    assert response.headers["x-cellwright-filtered"] == "alarms=6, unread=1"
    assert "yesterday" not in body["messages"][0]["content"]


@pytest.mark.parametrize(
    "body",
    [
        asked("hello", metadata={"note": lines(1)}),
        asked("hello", user=lines(1)),
        asked("hello", stop=[syslog(1)]),
        asked("hello", seed=lines(1)),
        asked("hello", stream_options={"note": lines(1)}),
        asked("hello", tools=[{"type": "function", "function": {"name": "f", "description": syslog(3)}}]),
        QUESTION
        | {"messages": [{"role": "assistant", "content": "x", "tool_calls": [{"function": {"arguments": lines(1)}}]}]},
        asked('{"result": ' + orjson.dumps(batch(2)).decode() + "}"),
    ],
)
def test_records_where_nothing_is_digested_do_not_leave(tmp_path: Path, body: object) -> None:
    response, sent = filtered(tmp_path, body, FilterPolicy())
    assert response.status == 403
    assert response.error in {"raw_records", "unreadable_records"}
    assert sent == []


def test_a_body_too_deep_to_be_looked_through_is_refused(tmp_path: Path) -> None:
    deep = orjson.dumps(QUESTION)[:-1] + b',"a":' + b"[" * 1000 + b"]" * 1000 + b"}"
    response, sent = filtered(tmp_path, deep, FilterPolicy())
    assert (response.status, response.error, sent) == (400, "invalid_json", [])


def test_what_embeddings_are_asked_for_does_not_leave_raw(tmp_path: Path) -> None:
    body = {"model": "auto", "input": [lines(1), "hello"]}
    setup = config(remote())
    with bench(tmp_path, setup, opener(Scripted((whole(),))), desk=desk(tmp_path)) as gateway:
        response = gateway.ask(body, path="/v1/embeddings")
    assert (response.status, response.error) == (403, "raw_records")


def test_the_meter_knows_what_was_saved(tmp_path: Path) -> None:
    backend = Scripted((whole(usage=Usage(3, 2)),))
    with bench(tmp_path, config(remote()), opener(backend), guard=guard_egress, desk=desk(tmp_path)) as gateway:
        response = gateway.ask(asked(batch(60)))
        (row,) = gateway.meter.rows()
        (total,) = gateway.meter.totals()
    before, after = (int(response.headers[f"x-cellwright-tokens-{when}"]) for when in ("before", "after"))
    assert row.tokens_saved == total.tokens_saved == before - after > 0


def test_mode_refuse_keeps_records_on_the_premises_and_off_lets_the_guard_decide(tmp_path: Path) -> None:
    body = asked(batch(30))
    response, sent = filtered(tmp_path, body, FilterPolicy(mode=FilterMode.REFUSE))
    assert (response.status, response.error, sent) == (403, "raw_records", [])
    response, (sent,) = exchange(tmp_path, body, config(spec(), filter=FilterPolicy(mode=FilterMode.REFUSE)))
    assert (response.status, response.headers["x-cellwright-filtered"]) == (200, "alarms=30")
    harmless = asked(table(30))
    response, (sent,) = filtered(tmp_path, harmless, FilterPolicy(mode=FilterMode.OFF))
    assert sent == harmless


def test_a_route_has_a_policy_of_its_own(tmp_path: Path) -> None:
    routes = (Route("auto", ("cloud",)), Route("raw", ("cloud",), filter=FilterPolicy(mode=FilterMode.OFF)))
    setup = config(remote(), routes=routes)
    body = asked(table(60))
    assert exchange(tmp_path, body, setup)[1] != [body]
    response, (sent,) = exchange(tmp_path, body | {"model": "raw"}, setup)
    assert sent["messages"] == body["messages"]
    assert "x-cellwright-filtered" not in response.headers


def test_few_records_stay_as_they_are_without_identifiers(tmp_path: Path) -> None:
    _, (sent,) = filtered(tmp_path, asked(f"why?\n{syslog(1)}"), FilterPolicy())
    assert sent["messages"][0]["content"].startswith(
        "why?\n<134>1 2026-02-02T02:40:00Z amf-1 amf - - - registration of"
    )
    assert SUBSCRIBER not in sent["messages"][0]["content"]
    _, (sent,) = filtered(tmp_path, asked(f"why?\n{syslog(1)}"), FilterPolicy(min_tokens=0))
    assert "\nlog " in sent["messages"][0]["content"]


def test_a_digest_may_leave_where_its_records_may_not(tmp_path: Path) -> None:
    becomes = {SensitivityClass.SIGNALLING: SensitivityClass.ANONYMISED}
    setup = config(remote(), rules=(RULE, FREE, HOME), filter=FilterPolicy(becomes=becomes))
    headers = {CLASS: "signalling"}
    assert exchange(tmp_path, QUESTION, setup, headers=headers)[0].error == "sovereignty"
    response, (sent,) = exchange(tmp_path, asked(f"Why?\n{batch(30)}"), setup, headers=headers)
    assert response.status == 200
    assert "incident " in sent["messages"][0]["content"]
    picture = [
        {"type": "text", "text": batch(30)},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
    ]
    assert exchange(tmp_path, asked(picture), setup, headers=headers)[0].error == "sovereignty"
    few, sent = exchange(tmp_path, asked(f"Why?\n{syslog(1)}"), setup, headers=headers)  # no digest stands for them
    assert (few.error, sent) == ("sovereignty", [])


def test_more_runs_of_records_than_digests_fit_the_budget_are_refused(tmp_path: Path) -> None:
    apart = "\nand\n".join(batch(number) for number in range(3, 10))
    response, _ = filtered(tmp_path, asked(apart), FilterPolicy(budget=1_000))
    assert (response.status, response.error) == (403, "too_many_records")


def test_originals_are_kept_where_a_lake_is_and_open_by_the_hash_in_the_answer(tmp_path: Path) -> None:
    edge = desk(tmp_path, originals="kept")
    response, _ = filtered(tmp_path, asked(batch(30)), FilterPolicy(), edge)
    assert response.headers["x-cellwright-originals"] == "kept"
    name, _, sha256 = response.headers["x-cellwright-digests"].partition("=")
    with Lake.open(tmp_path / "kept") as lake:
        assert len(originals(lake, sha256, None)) == 30
        assert len(originals(lake, name, None)) == 30
        assert SUBSCRIBER not in str(lake.read("alarm_events").to_pylist())
    again, _ = filtered(tmp_path, asked(f"Once more:\n{batch(30)}"), FilterPolicy(), edge)
    assert again.headers["x-cellwright-digests"] == response.headers["x-cellwright-digests"]


def test_an_incident_that_is_named_is_looked_up_for_its_tenant_alone(tmp_path: Path) -> None:
    _fill(tmp_path, "operator")
    with Lake.open(tmp_path / "lake") as lake:
        (incident,) = incidents(lake.read("alarm_events"), token_counter())
    name = incident_name(content_hash(incident.alarms))
    edge = desk(tmp_path, lake="lake")
    response, (sent,) = filtered(tmp_path, asked(f"What caused cellwright:incident/{name}?"), FilterPolicy(), edge)
    text = sent["messages"][0]["content"]
    assert f"\nincident {name} " in text
    assert text.startswith("What caused ")
    assert response.headers["x-cellwright-filtered"] == "alarms=30"
    other, sent = filtered(tmp_path, asked("cellwright:incident/g0000000000"), FilterPolicy(), edge)
    assert (other.status, other.error, sent) == (404, "unknown_incident", [])
    keys = tuple(key.__class__(key.name, "another", key.sha256) for key in config().keys)
    setup = config(remote(), keys=keys)
    assert exchange(tmp_path, asked(f"cellwright:incident/{name}"), setup, edge)[0].error == "unknown_incident"


def test_an_incident_that_is_named_has_the_digest_and_the_root_that_its_lake_has(
    simulated_lake: Path, tmp_path: Path, told: Callable[..., tuple[int, str, str]]
) -> None:
    digests = orjson.loads(told("digest", simulated_lake, "-o", "json")[1])["digests"]
    edge = desk(tmp_path, lake=str(simulated_lake))
    for each in digests:
        found = edge.incident(each["incident"], each["tenant"], 2_000)
        assert found is not None
        assert found.text == each["text"]
        assert decode(found.text).root == each["roots"][0]["alarm_type"]


def test_records_in_a_request_are_told_with_their_probable_root(simulated_lake: Path, edge: EdgeDesk) -> None:
    truth = orjson.loads((simulated_lake.parent / "sim/truth.json").read_bytes())
    sleeping = next(fault for fault in truth["faults"] if fault["kind"] == "sleeping-cell")
    ids = {alarm["event_id"] for alarm in sleeping["alarms"]}
    files = sorted((simulated_lake.parent / "sim/telemetry/ves").iterdir())
    events = [event for file in files for event in orjson.loads(file.read_bytes())["eventList"]]
    own = [event for event in events if event["commonEventHeader"]["eventId"] in ids]
    records = edge.read(orjson.dumps({"eventList": own}), "operator")
    assert records is not None
    root = decode(tell(records, budget=2_000, count=token_counter()).text).root
    assert root is not None
    assert root.partition("/")[0] == sleeping["root_alarm"]


def test_a_lake_that_cannot_be_read_is_said_and_nothing_leaves(tmp_path: Path) -> None:
    body = asked("cellwright:incident/g0000000000")
    response, sent = filtered(tmp_path, body, FilterPolicy(), desk(tmp_path, lake="absent"))
    assert (response.status, response.error, sent) == (503, "incident_unavailable", [])


@hypothesis_settings(max_examples=15, deadline=None)
@given(alarms=st.integers(1, 120), logs=st.integers(0, 80), budget=st.integers(260, 1_500))
def test_what_is_told_of_records_keeps_the_budget(edge: EdgeDesk, alarms: int, logs: int, budget: int) -> None:
    found = edge.read(batch(alarms).encode(), "operator")
    lines_found = edge.read(syslog(logs).encode(), "operator") if logs else None
    assert found is not None
    tables = {**found.tables, **(lines_found.tables if lines_found else {})}
    records = found.__class__(tables, alarms + logs, 0, 0)
    told = tell(records, budget=budget, count=token_counter())
    assert told.tokens <= budget
    assert sum(told.counts.values()) == alarms + logs
    assert told.left_out <= alarms + logs


def test_a_look_at_an_ordinary_request_costs_no_more_than_reading_its_json_a_few_times(edge: EdgeDesk) -> None:
    text = "Please tell me what the most likely cause of a degraded cell may be, in a few words.\n" * 10
    raw = orjson.dumps({"messages": [{"role": "user", "content": text}]})
    suspects = edge.locator.suspects

    def best(work: Any, value: object) -> float:  # noqa: ANN401 - a function
        times = []
        for _ in range(7):
            began = time.perf_counter()
            for _ in range(200):
                work(value)
            times.append(time.perf_counter() - began)
        return min(times)

    assert best(suspects, text) < 40 * best(orjson.loads, raw)


def _fill(folder: Path, tenant: str) -> None:
    raw = batch(30).encode()
    file = RawFile("feed/one.json", io.BytesIO(raw), len(raw), "0" * 64)
    with Pseudonyms(settings(folder), []) as pseudonyms, Lake.open(folder / "lake", create=True) as lake:
        pseudonymiser = pseudonyms.now()
        (read_as,) = (each for each in desk(folder)._formats if each.name == "ves")
        mediate_received(
            file,
            lake,
            read_as=read_as,
            pseudonymiser=pseudonymiser,
            tenant=tenant,
            now=lambda: datetime(2026, 2, 3, tzinfo=UTC),
        )


def test_the_document_says_what_the_filter_does() -> None:
    example = (MAPPING.parents[1] / "gateway.yaml").read_text()
    example = re.sub(r"  filter:.*?(?=  knowledge:)", "", example, flags=re.DOTALL)
    own = "filter: {mode: refuse, budget: 300, unread: mask, becomes: {signalling: anonymised}}"
    text = example.replace("spec:\n", f"spec:\n  {own}\n  edge: {{lake: here}}\n", 1)
    built = load_config(text, "gateway.yaml")
    assert (built.filter.mode, built.filter.budget, built.filter.unread) == (FilterMode.REFUSE, 300, Unread.MASK)
    assert built.filter.becomes == {SensitivityClass.SIGNALLING: SensitivityClass.ANONYMISED}
    assert built.edge.lake == "here"
    with pytest.raises(UsageError, match="budget"):
        load_config(text.replace("budget: 300", "budget: 100"), "gateway.yaml")


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> EdgeDesk:
    return desk(tmp_path_factory.mktemp("desk"))
