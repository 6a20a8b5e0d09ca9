"""A small NetBox on the loopback interface: pages of the REST API, tokens, and failures on demand."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = 2  # objects of a page, whatever the client asks for


@dataclass
class FakeNetBox:
    """What the server holds and what it was asked."""

    objects: dict[str, list[dict[str, object]]]  # by endpoint, such as dcim/sites
    token: str | None = None
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # answered first, one a request
    raw: bytes | None = None  # answered to everything
    next_host: str | None = None  # put into `next` in place of its own
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""


def objects_of(folder: Path) -> dict[str, list[dict[str, object]]]:
    """Return the objects of the pages in a folder by endpoint."""
    found: dict[str, list[dict[str, object]]] = {}
    for path in sorted(folder.glob("*.json")):
        area = "circuits" if path.stem == "circuits" else "dcim"
        found[f"{area}/{path.stem}"] = json.loads(path.read_text(encoding="utf-8"))["results"]
    return found


@contextlib.contextmanager
def serving(netbox: FakeNetBox) -> Iterator[str]:
    """Serve `netbox` while the block runs; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            netbox.asked.append((self.path, self.headers.get("Authorization")))
            status, headers, body = _answer(netbox, self.path, self.headers.get("Authorization"))
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    netbox.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield netbox.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(netbox: FakeNetBox, path: str, authorization: str | None) -> tuple[int, dict[str, str], bytes]:
    if netbox.failures:
        status, headers = netbox.failures.pop(0)
        return status, headers, b"{}"
    if netbox.raw is not None:
        return 200, {}, netbox.raw
    if netbox.token and authorization != f"Token {netbox.token}":
        return 403, {}, b'{"detail": "Invalid token"}'
    parts = urlsplit(path)
    endpoint = parts.path.removeprefix("/api/").strip("/")
    if endpoint not in netbox.objects:
        return 404, {}, b'{"detail": "Not found."}'
    results = netbox.objects[endpoint]
    offset = int(parse_qs(parts.query).get("offset", ["0"])[0])
    after = offset + PAGE
    host = netbox.next_host or netbox.url
    following = f"{host}{parts.path}?limit={PAGE}&offset={after}" if after < len(results) else None
    page = {"count": len(results), "next": following, "previous": None, "results": results[offset:after]}
    return 200, {"Content-Type": "application/json"}, json.dumps(page).encode()
