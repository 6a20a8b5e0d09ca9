"""The centre's side: a file is stored once all its messages are there, and only then are they acknowledged.

A file that the lake knows is not stored again, whoever sends it and however often. What does not add up is not stored:
its messages stay in the stream, and the reason is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cellwright.errors import StorageError
from cellwright.lake.folder import Lake
from cellwright.lake.record import FileState
from cellwright.lake.sealing import fingerprint
from cellwright.telemetry.forward_manifest import read_index, read_manifest
from cellwright.telemetry.forward_message import Kind, read_message, unpacked

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping
    from pathlib import Path

    from cellwright.lake.disk import Disk
    from cellwright.lake.record import FileRecord
    from cellwright.lake.writer import LakeWriter
    from cellwright.telemetry.forward import Tell
    from cellwright.telemetry.forward_inbox import Inbox
    from cellwright.telemetry.forward_manifest import Manifest
    from cellwright.telemetry.forward_message import Message


class Receipt(Protocol):
    """What is said to the stream about one message that it delivered."""

    @property
    def place(self) -> Hashable:
        """Return the place of the message in the stream; the same when it is delivered again."""
        ...

    async def accept(self) -> None:
        """Say that the message need not be kept any longer."""
        ...

    async def hold(self) -> None:
        """Say that it is still being worked on."""
        ...

    async def give_back(self) -> None:
        """Say that it is to be delivered again."""
        ...


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message as it was delivered."""

    headers: Mapping[str, str]
    payload: bytes
    receipt: Receipt


@dataclass(slots=True)
class Received:
    """What was received so far."""

    files: int = 0
    rows: int = 0
    duplicates: int = 0  # files that the lake knew
    foreign: int = 0  # messages of others
    missed: int = 0  # messages that the stream dropped before they came


@dataclass(slots=True)
class _Waiting:
    """A file that is not yet in the lake."""

    receipts: dict[Hashable, Receipt] = field(default_factory=dict)
    last: Message | None = None
    format: str | None = None
    problem: str = ""


class Receiver:
    """Stores files in the centre's lake from messages in any order, any number of times."""

    def __init__(self, lake: Path, key: bytes, inbox: Inbox, tell: Tell, disk: Disk | None = None) -> None:
        """`key`: the lake's, as for its writer; sites have to make their pseudonyms with the same."""
        self.received = Received()
        self._lake, self._key, self._inbox, self._tell, self._disk = lake, key, inbox, tell, disk
        self._fingerprint = fingerprint(key)
        self._waiting = dict[str, _Waiting]()
        self._touched = set[str]()  # files of which something arrived that was not looked at yet

    @property
    def unfinished(self) -> int:
        """Return how many files wait for messages, or for somebody to mend what was told of them."""
        return len(self._waiting)

    def receipts(self) -> list[Receipt]:
        """Return the receipts of all messages that are not acknowledged."""
        return [receipt for file in self._waiting.values() for receipt in file.receipts.values()]

    def take(self, parcels: Iterable[Parcel]) -> list[Receipt]:
        """Store the files that became whole and return the receipts of what need not be kept.

        After a StorageError nothing is lost: the next call, be it without parcels, tries again.
        """
        finished = [parcel.receipt for parcel in parcels if not self._keep(parcel)]
        if not self._touched:
            return finished
        with Lake.open(self._lake, disk=self._disk) as lake, lake.writer(self._key) as writer:
            for file_id in sorted(self._touched):
                finished += self._look(file_id, writer)
                self._touched.discard(file_id)
        return finished

    def miss(self, messages: int) -> None:
        """Count and tell messages that the stream dropped before they came."""
        if messages:
            self.received.missed += messages
            message = f"the stream dropped {messages} messages before they came to this centre"
            hint = "let it keep them for longer; cellwright forward --again at each site sends what is missing"
            self._tell(StorageError.of("messages-missed", message, hint=hint))

    def forget(self) -> None:
        """Forget the messages that are not acknowledged: they will be delivered again."""
        self._waiting.clear()
        self._touched.clear()
        self._inbox.clear()

    def _keep(self, parcel: Parcel) -> bool:
        """Put a message to those of its file; return False where it is none of ours."""
        message = read_message(parcel.headers, parcel.payload)
        if message is None:
            self.received.foreign += 1
            self._tell(StorageError.of("foreign-message", "a message in the stream is none of Cellwright's"))
            return False
        if message.kind is Kind.PIECE:
            self._inbox.put(message)
        file = self._waiting.setdefault(message.file_id, _Waiting())
        file.receipts[parcel.receipt.place] = parcel.receipt
        file.format = message.format
        if message.kind is not Kind.PIECE:
            file.last = message
        self._touched.add(message.file_id)
        return True

    def _look(self, file_id: str, writer: LakeWriter) -> list[Receipt]:
        """Store a file if it is whole; return the receipts of its messages if it is in the lake."""
        file = self._waiting[file_id]
        known = writer.known(file_id)
        if known and _is_settled(known, file.format):
            self.received.duplicates += file.last is not None
            return self._finish(file_id)
        try:
            manifest = self._manifest(file)
            if manifest is None or not self._inbox.has(file_id, manifest.pieces):
                return []
            self._check(manifest, file_id)
            self._store(manifest, writer)
        except ValueError as error:
            self._complain(file_id, file, str(error))
            return []
        return self._finish(file_id)

    def _manifest(self, file: _Waiting) -> Manifest | None:
        """Return the manifest if all of it has arrived."""
        last = file.last
        if last is None:
            return None
        if last.kind is Kind.MANIFEST:
            return read_manifest(last.payload)
        pieces = read_index(last.payload).pieces
        return read_manifest(self._inbox.read(last.file_id, pieces)) if self._inbox.has(last.file_id, pieces) else None

    def _check(self, manifest: Manifest, file_id: str) -> None:
        if manifest.file.file_id != file_id:
            msg = "its manifest is of another file"
            raise ValueError(msg)
        if manifest.key != self._fingerprint:
            msg = "its site has another key of pseudonyms: name its file with CELLWRIGHT_KEY_FILE, or another lake"
            raise ValueError(msg)

    def _store(self, manifest: Manifest, writer: LakeWriter) -> None:
        line = manifest.file
        with writer.file(line.file_id) as draft:
            draft.raw = line.raw
            draft.is_balanced = line.state != FileState.UNBALANCED
            for chunk in manifest.chunks:
                for batch in unpacked(manifest, chunk, self._inbox.read(line.file_id, chunk.pieces)):
                    draft.append(chunk.table, batch)
            for piece in manifest.quarantined:
                draft.quarantine(piece.ordinal, piece.facts, piece.line, piece.code, piece.reason, b"")
            for left_out in manifest.filtered:
                draft.leave_out(left_out.ordinal, left_out.facts, left_out.reason)
            if (draft.rows, draft.quarantined, draft.filtered) != (line.rows, line.quarantined, line.filtered):
                msg = "what arrived does not add up to what its site counted"
                raise ValueError(msg)
            record = draft.commit(
                tenant=line.tenant,
                source=line.source,
                format_name=line.format,
                vendor=line.vendor,
                sha256=line.sha256,
                size=line.size,
                ingested=line.ingested,
            )
        self.received.files += 1
        self.received.rows += record.rows

    def _finish(self, file_id: str) -> list[Receipt]:
        self._inbox.drop(file_id)
        return list(self._waiting.pop(file_id).receipts.values())

    def _complain(self, file_id: str, file: _Waiting, problem: str) -> None:
        if file.problem != problem:
            file.problem = problem
            message = f"the file {file_id} is not stored: {problem}"
            self._tell(StorageError.of("file-refused", message, hint="its messages stay in the stream until it can be"))


def _is_settled(known: FileRecord, format_name: str | None) -> bool:
    """Return whether a file that the lake knows is to be left as it is: all but one that no format had read."""
    return bool(known.rows) or known.format == format_name
