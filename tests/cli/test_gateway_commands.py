"""The commands about a gateway, as somebody types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / "examples/gateway.yaml"


def test_a_document_without_problems_is_counted(told: Callable[..., Any]) -> None:
    code, out, err = told("gateway", "check", EXAMPLE)
    assert (code, out.startswith("valid: 1 key, ")) == (0, True)
    assert "remark: no backend may answer on route cloud-reasoner unless a request names a class" in err


def test_every_problem_is_told_with_its_place(told: Callable[..., Any], tmp_path: Path) -> None:
    wrong = tmp_path / "gateway.yaml"
    text = (
        EXAMPLE.read_text()
        .replace("tier: onprem", "tier: onprm")
        .replace("backends: [cloud, edge]", "backends: [cloud, edge]\n      prefer: [prize]")
    )
    wrong.write_text(text)
    code, _, err = told("gateway", "check", wrong)
    assert code == 1
    lines = text.splitlines()
    for words, hint in (("tier: onprm", "onprem"), ("[prize]", "price")):
        (line,) = (number for number, each in enumerate(lines, 1) if words in each)
        assert any(f"{wrong}:{line}:" in told_ and f"did you mean '{hint}'?" in told_ for told_ in err.splitlines())
    code, out, _ = told("gateway", "check", wrong, "-o", "json")
    assert (code, json.loads(out)["valid"], len(json.loads(out)["diagnostics"])) == (1, False, 2)


def test_a_file_that_is_needed_and_not_there_is_remarked(told: Callable[..., Any], tmp_path: Path) -> None:
    document = tmp_path / "gateway.yaml"
    tls = "{certificate: no.crt, key: no.key, clientCa: no-ca.pem}"
    changes = {
        "port: 8781}": f"port: 8781, tls: {tls}}}",
        "      boundary: premises\n": "      boundary: premises\n      causes: no-causes.json\n",
        "      boundary: bloc\n": "      boundary: bloc\n      tls: {ca: no-backend-ca.pem}\n",
        "originals: kept}": "topology: no-estate}",
        "  quotas:": "  issuers: [{name: x, issuer: 'https://x', audience: y, jwks: {file: no-jwks.json}}]\n  quotas:",
    }
    text = EXAMPLE.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    document.write_text(text)
    code, _, err = told("gateway", "check", document)
    needed = ["listen.tls needs no.crt", "no.key", "no-ca.pem", "backend edge needs no-causes.json"]
    needed += ["backend cloud needs no-backend-ca.pem", "issuer x needs no-jwks.json"]
    needed += [f"edge needs {tmp_path / name}" for name in ("mappings/alarm-list.yaml", "no-estate")]
    assert code == 0
    assert [each for each in needed if f"{each}, which is not there" not in err] == []
    _, _, err = told("gateway", "check", EXAMPLE)
    assert "not there" not in err


def test_a_request_is_explained_as_a_table_and_as_json(told: Callable[..., Any]) -> None:
    code, out, _ = told("gateway", "explain", EXAMPLE, "--model", "auto", "--data-class", "signalling")
    assert code == 0
    assert "it may answer if it stood on the premises" in " ".join(out.split())
    code, out, _ = told("gateway", "explain", EXAMPLE, "--model", "auto", "-o", "json")
    found = json.loads(out)
    assert (code, found["route"], found["data_class"]) == (0, "auto", "signalling")
    assert [(item["backend"], item["place"]) for item in found["verdicts"]] == [("edge", 1), ("cloud", None)]


def test_a_request_that_nobody_may_answer_ends_as_denied(told: Callable[..., Any]) -> None:
    code, _, _ = told("gateway", "explain", EXAMPLE, "--model", "cloud-reasoner")
    assert code == 4


def test_a_request_is_read_from_a_file(told: Callable[..., Any], tmp_path: Path) -> None:
    body = tmp_path / "request.json"
    body.write_text('{"model": "auto", "messages": [{"role": "user", "content": "why?"}]}')
    code, out, _ = told("gateway", "explain", EXAMPLE, "--request", body, "-o", "json")
    assert (code, json.loads(out)["route"]) == (0, "auto")
    url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg=="
    content = [{"type": "image_url", "image_url": {"url": url}}]
    body.write_text(json.dumps({"model": "auto", "messages": [{"role": "user", "content": content}]}))
    _, out, _ = told("gateway", "explain", EXAMPLE, "--request", body, "--data-class", "anonymised", "-o", "json")
    assert [each["decided_by"] for each in json.loads(out)["verdicts"]] == ["listed", "guard"]
    body.write_text('{"model": "auto"}')
    code, _, err = told("gateway", "explain", EXAMPLE, "--request", body)
    assert (code, "messages must be a list" in err) == (64, True)


def test_the_difficulty_of_a_request_is_told_with_what_adds_to_it_and_how_often_it_errs(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    document, body = tmp_path / "gateway.yaml", tmp_path / "request.json"
    route = "backends: [cloud, edge]"
    document.write_text(EXAMPLE.read_text().replace(route, f"{route}\n      lightBelow: 0.5"))
    body.write_text('{"model": "auto", "messages": [{"role": "user", "content": "What does AMF stand for?"}]}')
    code, out, _ = told("gateway", "explain", document, "--request", body)
    assert code == 0
    assert "words of looking up" in out
    assert "it errs in" in " ".join(out.split())
    _, out, _ = told("gateway", "explain", document, "--request", body, "-o", "json")
    assert 0.0 <= json.loads(out)["difficulty"] < 0.5


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("gateway",), 64, "--config FILE"),
        (("gateway", "--config", EXAMPLE, "--plan", "plan.json"), 64, "--plan goes with --estate"),
        (("gateway", "check", EXAMPLE, "--estate", "estate"), 1, "--estate goes with --plan"),
        (("gateway", "--config", "missing.yaml"), 1, "missing.yaml"),
        (("gateway", "check", "missing.yaml"), 1, "missing.yaml"),
        (("gateway", "explain", EXAMPLE), 64, "--model or --request"),
        (("gateway", "explain", EXAMPLE, "--model", "atuo"), 64, "did you mean 'auto'?"),
        (("gateway", "explain", EXAMPLE, "--model", "auto", "--request", "missing.json"), 1, "missing.json"),
    ],
)
def test_what_is_missing_or_unknown_is_told(
    told: Callable[..., Any], arguments: tuple[object, ...], code: int, sentence: str
) -> None:
    found, _, err = told(*arguments)
    assert (found, sentence in err) == (code, True), err


def test_several_processes_do_not_share_an_embedded_store(told: Callable[..., Any], tmp_path: Path) -> None:
    document = tmp_path / "gateway.yaml"
    document.write_text(EXAMPLE.read_text().replace("port: 8781", "port: 0"))
    code, _, err = told("gateway", "--config", document, "--workers", 2)
    assert code != 0
    assert "embedded knowledge store site" in " ".join(err.split())
