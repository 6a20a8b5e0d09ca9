"""Objects below one address of an object store: the few requests a lake needs, and what a user reads when one fails.

`obstore` speaks to S3, GCS and Azure alike and finds credentials in the environment, by the names of the stores' own
tools. What a store answers is never shown: it may repeat a credential.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.fs as pafs

from cellwright.errors import StorageError
from cellwright.plugins import load_extra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from typing_extensions import Buffer

_TIMEOUT: Final = timedelta(seconds=60)  # of one request
_CONNECT: Final = timedelta(seconds=5)
_RETRIES: Final = {"max_retries": 6, "retry_timeout": timedelta(seconds=120)}  # the first 0.1 s later, each twice that
_CHUNK: Final = 16 * 2**20  # bytes of one piece of a large object
_ANSWER: Final = re.compile(r"<Code>([A-Za-z]{1,40})</Code>|status code: (\d{3})")
_OPENED: Final = "opened"
_PLAIN: Final = "builder error"  # what the HTTP client calls an address without TLS unless that is allowed
_DENIED: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "401", "403"}
)
_ABSENT: Final = frozenset({"NoSuchBucket", "ContainerNotFound", "404"})


class Object(NamedTuple):
    """One object, without its content. `tag` changes with the content."""

    path: str
    tag: str
    size: int
    at: datetime  # when it was stored, by the store's clock


class _Words(NamedTuple):
    """What it is called by which a kind of store is reached: credentials, where it is, and leave to do without TLS."""

    credentials: str
    place: str
    allow_http: str


_AZURE: Final = _Words(
    "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_ALLOW_HTTP"
)
_WORDS: Final = {
    "s3": _Words("AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL and AWS_REGION", "AWS_ALLOW_HTTP"),
    "gs": _Words("GOOGLE_APPLICATION_CREDENTIALS", "gcs_base_url in the service account's key", "GOOGLE_ALLOW_HTTP"),
}


def _words(url: str) -> _Words:
    return _WORDS.get(url.partition(":")[0], _AZURE)


class ExistsError(Exception):
    """There is an object of that name already."""


class Bucket:
    """The objects below an address; paths are relative to it. Every method raises StorageError when the store fails."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._obstore = obs = _obstore()
        allowed = os.environ.get(_words(url).allow_http, "")  # obstore reads the rest of the environment
        plain = allowed.lower() in {"1", "true"}
        options = {"timeout": _TIMEOUT, "connect_timeout": _CONNECT, "allow_http": plain}
        with self._errors(_OPENED):
            self._store = obs.store.from_url(url, client_options=options, retry_config=_RETRIES)

    def create(self, path: str, data: bytes) -> str:
        """Store an object whose name is free, in one step, and return its tag; raise ExistsError where it is taken.

        After a StorageError it may be there or not.
        """
        with self._errors("written"):
            try:
                return _tag(self._obstore.put(self._store, path, data, mode="create", use_multipart=False)["e_tag"])
            except self._obstore.exceptions.AlreadyExistsError as error:
                raise ExistsError(path) from error

    def put(self, path: str, source: Path | bytes) -> None:
        """Store an object, in the place of what was there; large ones go in pieces and appear as a whole."""
        with self._errors("written"):
            self._obstore.put(self._store, path, source, chunk_size=_CHUNK)

    def get(self, path: str) -> bytes:
        """Return the content of an object; raise FileNotFoundError."""
        with self._errors("read"):
            return bytes(self._obstore.get(self._store, path).bytes())

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield the content of an object piece by piece; raise FileNotFoundError."""
        with self._errors("read"):
            yield from map(bytes, self._obstore.get(self._store, path).stream())

    def size(self, path: str) -> int:
        """Return the bytes of an object; raise FileNotFoundError."""
        with self._errors("read"):
            return int(self._obstore.head(self._store, path)["size"])

    def read(self, path: str, start: int, length: int) -> bytes:
        """Return some bytes of an object; raise FileNotFoundError."""
        with self._errors("read"):
            return bytes(self._obstore.get_range(self._store, path, start=start, length=length))

    def list(self, folder: str, after: str | None = None) -> Iterator[Object]:
        """Yield the objects in a folder, by name, from the first name behind `after` on."""
        with self._errors("listed"):
            for chunk in self._obstore.list(self._store, folder, offset=after):
                for each in sorted(chunk, key=lambda each: str(each["path"])):
                    yield Object(each["path"], _tag(each["e_tag"]), each["size"], each["last_modified"])

    def delete(self, path: str) -> None:
        """Delete an object, if there is one."""
        with self._errors("written"), contextlib.suppress(FileNotFoundError):
            self._obstore.delete(self._store, path)

    @contextlib.contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except (self._obstore.exceptions.BaseError, FileNotFoundError) as error:
            if isinstance(error, FileNotFoundError) and not _codes(error) & (_ABSENT - {"404"}):
                raise FileNotFoundError(errno.ENOENT, "the store lacks an object that the ledger lists") from None
            raise failure(self.url, action, error) from None  # the store's words may repeat a credential


def failure(url: str, action: str, error: Exception) -> StorageError:
    """Return what a user reads when a store fails: what it answered, without its words."""
    codes, words = _codes(error), _words(url)
    if codes & _DENIED:
        code, cause = "store-denied", "the store refuses the credentials"
        hint = f"check the credentials in the environment, such as {words.credentials}, and what they may do"
    elif codes & _ABSENT:
        code, cause = "no-bucket", "there is no such bucket or container"
        hint = f"check the address, and {words.place} where set; buckets and containers are not made"
    elif _PLAIN in str(error):
        code, cause = "store-in-the-clear", "the store is reached by http: anybody on the way could read what is stored"
        hint = f"use https, or set {words.allow_http}=true where the network itself is private"
    elif action == _OPENED:
        code, cause = "store-unset", "the environment does not say how to reach the store, or says it wrongly"
        hint = f"set what its own tools ask for, such as {words.credentials}"
    elif codes:
        code, cause = "store-failed", "the store answered " + ", ".join(sorted(codes))
        hint = "run the command again; what was written stays whole"
    else:
        code, cause = "store-unreachable", "the store does not answer, or no credentials were found"
        hint = f"check the network, credentials such as {words.credentials}, and {words.place} where set"
    return StorageError.of(code, f"the lake {url} cannot be {action}", cause=cause, hint=hint)


class Files(pafs.FileSystemHandler):  # type: ignore[misc] # pyarrow has no types
    """The objects of a bucket as Arrow reads files: by ranges, and nothing else."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def get_type_name(self) -> str:
        """Return what messages call it."""
        return "bucket"

    def normalize_path(self, path: str) -> str:
        """Return the path."""
        return path

    def get_file_info(self, paths: list[str]) -> list[pafs.FileInfo]:
        """Return what is at paths."""
        return [self._info(path) for path in paths]

    def open_input_file(self, path: str) -> pa.NativeFile:
        """Return an object for reading in any order."""
        return pa.PythonFile(_Ranges(self._bucket, path), mode="r")

    open_input_stream = open_input_file

    def _info(self, path: str) -> pafs.FileInfo:
        try:
            return pafs.FileInfo(path, pafs.FileType.File, size=self._bucket.size(path))
        except FileNotFoundError:
            return pafs.FileInfo(path, pafs.FileType.NotFound)

    def _refuse(self, *_: object, **__: object) -> Any:  # noqa: ANN401 - never returns
        raise NotImplementedError

    copy_file = create_dir = delete_dir = delete_dir_contents = delete_file = delete_root_dir_contents = _refuse
    get_file_info_selector = move = open_append_stream = open_output_stream = _refuse


class _Ranges(io.RawIOBase):
    """One object as a file."""

    def __init__(self, bucket: Bucket, path: str) -> None:
        super().__init__()
        self._bucket, self._path, self._at, self._size = bucket, path, 0, bucket.size(path)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go somewhere else."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Return where it stands."""
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        """Read as much as fits."""
        view = memoryview(buffer)
        length = min(len(view), self._size - self._at)
        if length <= 0:
            return 0
        view[:length] = self._bucket.read(self._path, self._at, length)
        self._at += length
        return length


def _codes(error: Exception) -> set[str]:
    return {code or status for code, status in _ANSWER.findall(str(error))}


def _tag(text: str | None) -> str:
    return (text or "").strip('"')  # Azure quotes it in some answers and not in others


def _obstore() -> Any:  # noqa: ANN401 - an optional package
    return load_extra("store", "lakes in object stores need", "obstore", "exceptions", "store")
