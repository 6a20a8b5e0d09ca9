from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from asking import SpecimenFactory, get

from cellwright.portal import create_app
from cellwright.portal.security import host_name

if TYPE_CHECKING:
    from fastapi import FastAPI


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(SpecimenFactory())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8443", "localhost:8000", "LOCALHOST", "[::1]:8000", "[::1]"])
def test_loopback_names_are_answered_on_any_port(app: FastAPI, host: str) -> None:
    assert get(app, "/healthz", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "evil@localhost", "", "[::2]", None],
)
def test_other_names_are_refused_so_that_rebinding_a_name_reads_nothing(app: FastAPI, host: str | None) -> None:
    answer = get(app, "/", host=host)
    assert answer.status == 421
    assert "operator" not in answer.text


def test_two_host_headers_are_refused(app: FastAPI) -> None:
    assert get(app, "/", more=("evil.example",)).status == 421


def test_named_hosts_can_be_served() -> None:
    app = create_app(SpecimenFactory(), hosts=frozenset({"factory.example"}))
    assert get(app, "/healthz", host="factory.example").status == 200
    assert get(app, "/healthz", host="localhost").status == 421


@pytest.mark.parametrize(("values", "name"), [(["A.B:1"], "a.b"), (["[::1]:1"], "::1"), ([], None), (["a", "a"], None)])
def test_host_names_lose_port_case_and_brackets(values: list[str], name: str | None) -> None:
    assert host_name(values) == name


@pytest.mark.parametrize("address", ["/", "/nowhere", "/static/charts.js", "/style.css", "/healthz"])
def test_every_answer_forbids_foreign_and_inline_code(app: FastAPI, address: str) -> None:
    headers = get(app, address).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert (policy["script-src"], policy["style-src"], policy["connect-src"]) == ("'self'", "'self'", "'self'")
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_the_self_contained_page_has_the_stricter_policy_of_a_file(app: FastAPI) -> None:
    policy = get(app, "/report.html").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy


def test_a_refusal_carries_the_headers_too(app: FastAPI) -> None:
    assert "content-security-policy" in get(app, "/", host="evil.example").headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(app: FastAPI, method: str) -> None:
    assert get(app, "/placements", method=method).status == 405


@pytest.mark.parametrize("address", ["/docs", "/redoc", "/openapi.json"])
def test_pages_that_would_load_foreign_scripts_are_off(app: FastAPI, address: str) -> None:
    assert get(app, address).status == 404
