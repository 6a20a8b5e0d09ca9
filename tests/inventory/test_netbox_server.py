"""NetBox over HTTP: pages, tokens, retries and refusals, against a small server of the same shape."""

from __future__ import annotations

from pathlib import Path

import pytest
from netbox_server import FakeNetBox, objects_of, serving

from cellwright.errors import UnavailableError, UsageError
from cellwright.estate.model import Tier
from cellwright.inventory.documents import to_yaml
from cellwright.inventory.formats.netbox import INVENTORY
from cellwright.inventory.model import Options, Source, TierRule
from cellwright.wiring.netbox import fetch_netbox

FOLDER = Path(__file__).parents[1] / "cases/inventory/netbox"
pytestmark = pytest.mark.integration


def fetched(
    netbox: FakeNetBox, token: str | None = None, url: str | None = None
) -> tuple[tuple[Source, ...], list[float]]:
    waits: list[float] = []
    with serving(netbox) as address:
        return fetch_netbox(url or address, token, lambda _done, _total: None, waits.append), waits


def test_the_server_gives_the_same_estate_as_its_exported_answers() -> None:
    netbox = FakeNetBox(objects_of(FOLDER), token="secret")
    sources, waits = fetched(netbox, "secret")
    options = Options(tier_rules=(TierRule("tag-core", "true", Tier.REGION),))
    imported = INVENTORY.documents(sources, options)
    assert to_yaml(imported.documents, "netbox") == (FOLDER / "expected.yaml").read_text(encoding="utf-8")
    assert len(sources) > len(netbox.objects)
    assert waits == []
    assert {authorization for _, authorization in netbox.asked} == {"Token secret"}


def test_a_busy_server_is_asked_again_after_the_time_it_names() -> None:
    netbox = FakeNetBox(objects_of(FOLDER), failures=[(503, {}), (429, {"Retry-After": "7"}), (500, {})])
    sources, waits = fetched(netbox)
    assert waits == [0.5, 7.0, 2.0]
    assert sources


def test_a_server_that_stays_busy_is_given_up_after_four_tries() -> None:
    netbox = FakeNetBox({}, failures=[(503, {})] * 9)
    with pytest.raises(UnavailableError, match=r"4 tries.*HTTP 503"):
        fetched(netbox)
    assert len(netbox.asked) == 4


def test_an_absent_server_is_told_in_a_sentence() -> None:
    with pytest.raises(UnavailableError, match="netbox-unavailable"):
        fetch_netbox("http://127.0.0.1:1", None, lambda _done, _total: None, lambda _seconds: None)


@pytest.mark.parametrize(("token", "hint"), [(None, "CELLWRIGHT_NETBOX_TOKEN"), ("wrong", "may this token")])
def test_a_refused_token_is_not_tried_again_and_never_shown(token: str | None, hint: str) -> None:
    netbox = FakeNetBox(objects_of(FOLDER), token="secret")
    with pytest.raises(UnavailableError, match=hint) as refused:
        fetched(netbox, token)
    assert len(netbox.asked) == 1
    assert "wrong" not in str(refused.value)


def test_a_redirection_is_not_followed() -> None:
    netbox = FakeNetBox({}, failures=[(302, {"Location": "http://127.0.0.1:1/"})])
    with pytest.raises(UnavailableError, match="HTTP 302"):
        fetched(netbox, "secret")
    assert len(netbox.asked) == 1


def test_the_next_page_is_asked_of_the_same_server_whatever_it_says() -> None:
    netbox = FakeNetBox(objects_of(FOLDER), next_host="http://198.51.100.7")
    assert fetched(netbox)[0]


@pytest.mark.parametrize("raw", [b"<html>", b"[]", b'{"results": 3}', b"[" * 100_000])
def test_a_server_that_is_no_netbox_is_told_in_a_sentence(raw: bytes) -> None:
    with pytest.raises(UnavailableError, match="not-netbox"):
        fetched(FakeNetBox({}, raw=raw))


def test_a_server_whose_pages_go_round_in_a_circle_is_read_once() -> None:
    raw = b'{"count": 1, "next": "http://x/?limit=500", "results": []}'
    assert len(fetched(FakeNetBox({}, raw=raw))[0]) < 20


@pytest.mark.parametrize("url", ["ftp://x", "netbox.example", "http://", "http://user:secret@x", "file:///etc/passwd"])
def test_what_is_no_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="bad-address"):
        fetch_netbox(url, None, lambda _done, _total: None)
