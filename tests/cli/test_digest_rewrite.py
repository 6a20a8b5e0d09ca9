"""A model at the edge says digests in prose; what loses or adds a fact is rejected."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from cellwright.cli.main import run
from cellwright.digest.text import decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Writer(BaseHTTPRequestHandler):
    """Says what every digest says, but for every second one, of which it forgets an element."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append(body)
        facts = decode(body["messages"][1]["content"])
        told = [f"The probable root is {facts.root}; the highest severity is {facts.highest}."]
        told += [f"{kind.name} came on {', '.join(one.element for one in kind.occurrences)}." for kind in facts.types]
        if int(facts.incident[-1]) % 2:
            told.pop()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        delta = {"index": 0, "delta": {"content": "\n\n".join(told)}, "finish_reason": "stop"}
        self.wfile.write(f"data: {json.dumps({'choices': [delta]})}\n\ndata: [DONE]\n\n".encode())

    def log_message(self, *_: object) -> None:
        pass


class Refuser(BaseHTTPRequestHandler):
    """Is not ready yet."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b'{"error": {"message": "loading the model"}}')

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    monkeypatch.setattr(Writer, "asked", [], raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), Writer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("CELLWRIGHT_EDGE_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("CELLWRIGHT_EDGE_MODEL", "small")
        yield Writer.asked
        server.shutdown()


@pytest.mark.integration
def test_prose_stands_where_it_says_the_same_and_its_flaws_where_it_does_not(
    simulated_lake: Path, edge: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["digest", str(simulated_lake), "--rewrite", "-o", "json"]) == 0
    digests = json.loads(capsys.readouterr().out)["digests"]
    assert {body["model"] for body in edge} == {"small"}
    assert sorted(body["messages"][1]["content"] for body in edge) == sorted(each["text"] for each in digests)
    for each in digests:
        if int(each["incident"][-1]) % 2:
            assert each["prose"] is None
            assert each["prose_flaws"][0].startswith("loses ")
        else:
            assert each["prose_flaws"] == []
            assert all(kind.name in each["prose"] for kind in decode(each["text"]).types)
    assert {int(each["incident"][-1]) % 2 for each in digests} == {0, 1}


def test_without_a_model_it_is_said_how_to_name_one(
    simulated_lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["digest", str(simulated_lake), "--rewrite"]) == 64
    assert "CELLWRIGHT_EDGE_BASE_URL" in capsys.readouterr().err
    monkeypatch.setenv("CELLWRIGHT_EDGE_MODEL", "small")
    assert run(["digest", str(simulated_lake), "--rewrite"]) == 64
    assert "error[edge-tier-incomplete]" in capsys.readouterr().err


@pytest.mark.integration
def test_prose_that_is_accepted_stands_behind_its_digest_in_the_text(
    simulated_lake: Path, edge: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["digest", str(simulated_lake), "-o", "json"]) == 0
    *_, kept = (each for each in json.loads(capsys.readouterr().out)["digests"] if int(each["incident"][-1]) % 2 == 0)
    assert run(["digest", str(simulated_lake), "--rewrite", "--incident", kept["incident"]]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(kept["text"])
    assert " came on " in said.out.removeprefix(kept["text"])
    assert "1 digests said in prose; 0 rejected" in said.err
    assert len(edge) == 1


@pytest.mark.integration
def test_a_server_that_does_not_answer_costs_the_prose_and_not_the_digests(
    simulated_lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLWRIGHT_EDGE_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("CELLWRIGHT_EDGE_MODEL", "small")
    capsys.readouterr()
    assert run(["digest", str(simulated_lake), "--rewrite", "-o", "json"]) == 5
    for each in json.loads(capsys.readouterr().out)["digests"]:
        assert each["text"]
        assert (each["prose"], each["prose_flaws"]) == (None, [])
        assert "no answer from" in each["prose_error"]


@pytest.mark.integration
def test_what_a_server_says_against_it_is_told(
    simulated_lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refuser) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("CELLWRIGHT_EDGE_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("CELLWRIGHT_EDGE_MODEL", "small")
        capsys.readouterr()
        assert run(["digest", str(simulated_lake), "--rewrite", "-o", "json"]) == 5
        server.shutdown()
    digests = json.loads(capsys.readouterr().out)["digests"]
    assert {each["prose_error"] for each in digests} == {"loading the model"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CELLWRIGHT_EDGE_BASE_URL", "http://user:s3cret@127.0.0.1:1/v1"),
        ("CELLWRIGHT_EDGE_BASE_URL", "ftp://s3cret/v1"),
        ("CELLWRIGHT_EDGE_BASE_URL", "http://s3cret:port/v1"),
        ("CELLWRIGHT_EDGE_API_KEY", "s3cret\nb"),
    ],
)
def test_an_address_with_a_password_and_a_key_of_two_lines_are_refused_unseen(
    name: str, value: str, simulated_lake: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLWRIGHT_EDGE_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("CELLWRIGHT_EDGE_MODEL", "small")
    monkeypatch.setenv(name, value)
    capsys.readouterr()
    assert run(["digest", str(simulated_lake), "--rewrite"]) == 64
    told = capsys.readouterr()
    assert "error[edge-tier-address]" in told.err
    assert "s3cret" not in told.err + told.out
