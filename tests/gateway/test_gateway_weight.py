"""A gateway loads what its document and its traffic need, and no more: the rest is memory and time to start."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import orjson
import pytest
from aiohttp import web
from gateway_kit import KEY, Upstream

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration
HEAVY = frozenset({"aiohttp", "cryptography", "duckdb", "highspy", "mcp", "numpy", "pyarrow"})
PACKAGES = ("digest.compose", "estate.documents.kinds", "lake", "placement", "telemetry", "wiring.edge")
DOCUMENT = """
apiVersion: cellwright.io/v1alpha1
kind: Gateway
metadata: {{name: light}}
spec:
  listen: {{host: 127.0.0.1, port: 0}}
  keys: [{{name: tests, tenant: operator, sha256: '{sha256}'}}]
  dataClass: anonymised
  backends:
    - {{name: edge, type: openai, model: small, tier: onprem, boundary: premises, baseUrl: '{url}'}}
    - {{name: cloud, type: openai, model: large, tier: region, boundary: bloc, baseUrl: '{url}',
        price: {{currency: USD, source: tests, inputPerMillion: 3, outputPerMillion: 12}}}}
  routes:
    - name: auto
      backends: [cloud, edge]
      prefer: [latency, price, load]
      lightBelow: 0.5
      hedgeAfter: 10 s
      restart: true
      filter: {{mode: digest}}
  rules:
    - {{name: digests, classes: [anonymised, aggregated_kpi], boundary: none, source: tests}}
  quotas: [{{tenant: operator, requestsPerMinute: 100, budgets: [{{per: month, tokens: 1000000}}]}}]
  meter: {{file: '{folder}/meter.db'}}
  batches: {{file: '{folder}/batches.db'}}
"""
SERVED = """
import os, signal, sys, threading, urllib.request
from cellwright.cli.main import load_commands
from cellwright.wiring.gateway import Documents, serve_gateway
from pathlib import Path

def ask(address):
    for stream in (b"false", b"true"):
        body = b'{"model": "auto", "stream": %b, "messages": [{"role": "user", "content": "why?"}]}' % stream
        headers = {"authorization": "Bearer " + sys.argv[2], "content-type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(address + "/chat/completions", body, headers)) as answer:
            answer.read()
    print(*sorted(sys.modules), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

load_commands("gateway")
announce = lambda address: threading.Thread(target=ask, args=(address,)).start()
serve_gateway(Documents(Path(sys.argv[1])), os.environ, announce, print)
"""


def test_a_gateway_that_was_shown_no_record_holds_nothing_that_reads_records(tmp_path: Path) -> None:
    async def model(request: web.Request) -> web.StreamResponse:
        said = {"role": "assistant", "content": "because"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1}
        if not (await request.json())["stream"]:
            return web.json_response({"choices": [{"index": 0, "message": said}], "usage": usage})
        events = ({"choices": [{"index": 0, "delta": said}]}, {"choices": [], "usage": usage})
        text = b"".join(b"data: %b\n\n" % orjson.dumps(event) for event in events) + b"data: [DONE]\n\n"
        return web.Response(body=text, content_type="text/event-stream")

    async def served() -> tuple[bytes, bytes]:
        async with Upstream(model).open() as upstream:
            document = tmp_path / "gateway.yaml"
            sha256 = hashlib.sha256(KEY.encode()).hexdigest()
            document.write_text(DOCUMENT.format(sha256=sha256, url=upstream.url, folder=tmp_path))
            settings = os.environ | {"CELLWRIGHT_KEY_FILE": str(tmp_path / "pseudonym.key")}
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SERVED, document, KEY,
                env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            return await asyncio.wait_for(process.communicate(), 60)

    out, err = asyncio.run(served())
    assert err == b""
    loaded = set(out.decode().splitlines()[-1].split())
    assert "cellwright.gateway.backends.openai" in loaded
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    assert {*(f"cellwright.{name}" for name in PACKAGES), "sqlalchemy.dialects.postgresql"} & loaded == set()
