"""A small S3 on the loopback interface, in memory: what a lake asks of a store, and a failure at any request.

Conditional puts (`If-None-Match: *`), ranges, listing in pages, uploads in parts. Signatures are not checked.
"""

from __future__ import annotations

import hashlib
import re
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUCKET = "lakes"
PAGE = 3  # few keys, so that paging is tried too


class FakeS3(ThreadingHTTPServer):
    """Objects by key. `before` and `after` hear of each request that changes something; raising cuts it off."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.requests: list[str] = []
        self.refuses: tuple[int, str] | tuple[()] = ()
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        self.guard = threading.Lock()

    @property
    def environment(self) -> dict[str, str]:
        """Return what a client needs to know."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_address[1]}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_REGION": "us-east-1",
        }

    def names(self, prefix: str = "") -> list[str]:
        """Return the keys below a prefix."""
        return sorted(key for key in self.objects if key.startswith(prefix))

    def handle_error(self, *_: object) -> None:
        """Be silent: clients are killed, and connections dropped on purpose."""


@contextmanager
def fake_s3() -> Iterator[FakeS3]:
    """Serve for the block."""
    with FakeS3() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FakeS3

    def log_message(self, *_: object) -> None:
        pass

    def _handle(self) -> None:
        body = self._body()
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        place = f"{self.command} {key or '?'}"
        changes = self.command in {"PUT", "POST", "DELETE"}
        if changes:
            self.server.before(place)
        with self.server.guard:
            self.server.requests.append(place)
            answer = self._answer(bucket, key, query, body)
        if changes:
            self.server.after(place)
        self._send(*answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - as http.server calls them

    def _answer(self, bucket: str, key: str, query: dict[str, str], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if self.server.refuses or bucket != BUCKET:
            return _error(*(self.server.refuses or (404, "NoSuchBucket")))
        match self.command:
            case "POST":
                return self._post(key, query, body)
            case "PUT":
                return self._put(key, query, body)
            case "DELETE":
                self.server.objects.pop(key, None)
                return 204, b"", {}
        return self._get(key) if key else self._list(query)

    def _put(self, key: str, query: dict[str, str], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if "uploadId" in query:
            self.server.uploads[query["uploadId"]][int(query["partNumber"])] = body
            return 200, b"", {"ETag": _tag(body)}
        if self.headers.get("If-None-Match") == "*" and key in self.server.objects:
            return _error(412, "PreconditionFailed")
        self.server.objects[key] = body, datetime.now(tz=UTC)
        return 200, b"", {"ETag": _tag(body)}

    def _post(self, key: str, query: dict[str, str], body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if "uploads" in query:
            upload = f"upload-{len(self.server.uploads)}"
            self.server.uploads[upload] = {}
            return 200, _xml("InitiateMultipartUploadResult", f"<UploadId>{upload}</UploadId>"), {}
        if "uploadId" in query:
            pieces = self.server.uploads.pop(query["uploadId"])
            whole = b"".join(pieces[number] for number in sorted(pieces))
            self.server.objects[key] = whole, datetime.now(tz=UTC)
            return 200, _xml("CompleteMultipartUploadResult", f"<ETag>{_tag(whole)}</ETag>"), {}
        gone = [unquote(name) for name in re.findall(r"<Key>(.*?)</Key>", body.decode())]
        for name in gone:
            self.server.objects.pop(name, None)
        return 200, _xml("DeleteResult", "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in gone)), {}

    def _get(self, key: str) -> tuple[int, bytes, dict[str, str]]:
        if key not in self.server.objects:
            return _error(404, "NoSuchKey")
        data, at = self.server.objects[key]
        headers = {"ETag": _tag(data), "Last-Modified": at.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        if found := re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")):
            first = int(found[1]) if found[1] else len(data) - int(found[2])
            last = min(int(found[2]) if found[1] and found[2] else len(data) - 1, len(data) - 1)
            return 206, data[first : last + 1], headers | {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        return 200, data, headers

    def _list(self, query: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        after = query.get("continuation-token") or query.get("start-after", "")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        found, folders = [], set[str]()
        for key in self.server.names(prefix):
            rest = key.removeprefix(prefix)
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.partition(delimiter)[0] + delimiter)
            elif key > after:
                found.append(key)
        page, more = found[:PAGE], len(found) > PAGE
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{at.isoformat()}</LastModified>"
            f"<ETag>{_tag(data)}</ETag><Size>{len(data)}</Size></Contents>"
            for key in page
            for data, at in [self.server.objects[key]]
        )
        shared = "".join(
            f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(folders)
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        head = f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}<KeyCount>{len(page)}</KeyCount>"
        return 200, _xml("ListBucketResult", head + contents + shared), {}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, body: bytes, headers: dict[str, Any]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _error(status: int, code: str) -> tuple[int, bytes, dict[str, str]]:
    return status, _xml("Error", f"<Code>{code}</Code><AWSAccessKeyId>AKIDEXAMPLE</AWSAccessKeyId>"), {}


def _xml(name: str, inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}>{inner}</{name}>'.encode()


def _tag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
