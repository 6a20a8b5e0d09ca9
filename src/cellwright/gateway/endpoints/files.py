"""/v1/files: the files that batches are made of, and what came of them.

Shapes: the OpenAI API reference (files), version 1 of the protocol; RFC 7578 for uploads.
"""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Final

import orjson
from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError

from cellwright.errors import StorageError
from cellwright.gateway.batches.store import FULL
from cellwright.gateway.forms.paging import listed, read_page
from cellwright.gateway.wire import ApiError, invalid

if TYPE_CHECKING:
    from python_multipart.multipart import Field, File

    from cellwright.errors import CellwrightError
    from cellwright.gateway.batches.store import BatchStore, StoredFile
    from cellwright.gateway.connection import Call
    from cellwright.gateway.keys import Callers
    from cellwright.gateway.wire import JsonObject

_PURPOSES: Final = ("batch", "user_data", "assistants")
_LONGEST_NAME: Final = 200
_IN_MEMORY: Final = {"MAX_MEMORY_FILE_SIZE": math.inf}  # a temporary file would keep it in the clear
_MOST_LISTED: Final = 10_000


class Files:
    """The endpoints of files; a tenant sees its own."""

    def __init__(self, store: BatchStore, callers: Callers) -> None:
        self._store = store
        self._callers = callers
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # what it warns of quotes the request

    async def add(self, call: Call) -> None:
        """Keep an uploaded file."""
        key = await self._callers.identify(call.headers, call.names)
        purpose, name, content = _uploaded(call.header(b"content-type") or b"", await call.body())
        try:
            stored = await asyncio.to_thread(self._store.add_file, key.tenant, purpose, name, content)
        except StorageError as error:
            raise refused(error, 413) from None
        await call.reply.json(orjson.dumps(told(stored)))

    async def every(self, call: Call) -> None:
        """List the tenant's files."""
        key = await self._callers.identify(call.headers, call.names)
        page, purpose = read_page(call.query, _MOST_LISTED, _MOST_LISTED), call.query.get("purpose")
        every = await asyncio.to_thread(self._store.files, key.tenant)
        found, has_more = page.of([each for each in every if purpose in {None, each.purpose}])
        await call.reply.json(orjson.dumps(listed([told(each) for each in found], has_more=has_more)))

    async def one(self, call: Call) -> None:
        """Tell of one file."""
        key = await self._callers.identify(call.headers, call.names)
        stored = await asyncio.to_thread(self._store.about, key.tenant, call.parameters["file"])
        if stored is None:
            raise no_such_file()
        await call.reply.json(orjson.dumps(told(stored)))

    async def content(self, call: Call) -> None:
        """Give a file's content back."""
        key = await self._callers.identify(call.headers, call.names)
        found = await asyncio.to_thread(self._store.file, key.tenant, call.parameters["file"])
        if found is None:
            raise no_such_file()
        await call.reply.whole(found[1], b"application/octet-stream")

    async def remove(self, call: Call) -> None:
        """Delete a file."""
        key = await self._callers.identify(call.headers, call.names)
        if not await asyncio.to_thread(self._store.remove_file, key.tenant, call.parameters["file"]):
            raise no_such_file()
        await call.reply.json(orjson.dumps({"id": call.parameters["file"], "object": "file", "deleted": True}))


def told(stored: StoredFile) -> JsonObject:
    """Return a file as clients read it."""
    return {
        "id": stored.id,
        "object": "file",
        "bytes": stored.size,
        "created_at": stored.created_s,
        "filename": stored.name,
        "purpose": stored.purpose,
        "status": "processed",
    }


def no_such_file() -> ApiError:
    """Return the error for a file that the tenant does not have."""
    return invalid("file_not_found", "there is no such file", "file_id", status=404)


def refused(error: StorageError, status: int) -> CellwrightError:
    """Return what a client is told where a tenant keeps too much (with `status`); else the error, which is logged."""
    if error.diagnostics[0].code not in FULL:
        return error
    return ApiError(*error.diagnostics, status=status, kind="invalid_request_error")


def _uploaded(content_type: bytes, raw: bytes) -> tuple[str, str, bytes]:
    """Return purpose, name and content of an upload; raise ApiError."""
    fields: dict[bytes | None, bytes | None] = {}
    files: list[tuple[bytes | None, bytes]] = []

    def on_field(field: Field) -> None:
        fields[field.field_name] = field.value

    def on_file(file: File) -> None:
        file.file_object.seek(0)
        files.append((file.file_name, file.file_object.read()))
        file.close()

    try:
        parser = create_form_parser({"Content-Type": content_type}, on_field, on_file, _IN_MEMORY)
        parser.write(raw)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise invalid("invalid_upload", "the body is no multipart/form-data with a file in it") from error
    purpose = (fields.get(b"purpose") or b"").decode("utf-8", "replace")
    if purpose not in _PURPOSES:
        raise invalid("invalid_value", f"purpose must be one of {', '.join(_PURPOSES)}", "purpose")
    if len(files) != 1:
        raise invalid("invalid_upload", "the upload must hold one file, under the name file", "file")
    name, content = files[0]
    if b"\0" in (name or b""):
        raise invalid("invalid_upload", "the name of the file holds the character NUL", "file")
    return purpose, (name or b"file").decode("utf-8", "replace")[:_LONGEST_NAME], content
