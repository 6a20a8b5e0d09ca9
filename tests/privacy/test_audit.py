"""What survives is found wherever it stands, and told without saying what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import sqlite3
import tarfile
import zipfile
import zlib
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import orc

from cellwright.errors import StorageError
from cellwright.privacy.audit import WINDOW, survivors_in_blob, survivors_in_bytes, survivors_in_text
from cellwright.privacy.identifiers import Kind, find
from cellwright.wiring.audits import audit_folder
from cellwright.wiring.progress import silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cellwright.wiring.audits import Audit

PLANTED = 10_000
NONE = frozenset[Kind]()
TRAPS = (
    "2026-03-01T12:00:00Z",
    "imsiAttachCount=123456",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "550e8400-e29b-41d4-a716-446655440000",
    "imsi~ghjkmnpqrstvwxyzghjk",
    "1677577599000",
    "nci=68719476735",
    "1.0383902723405558",
    "-0.01038390272340555",
)


class Planter:
    """Makes identifiers from a seed and remembers how many of each kind went into which file."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the same plants each time
        self.values: list[str] = []
        self.counts: Counter[tuple[str, Kind]] = Counter()

    def digits(self, count: int) -> str:
        return "".join(self.random.choices("0123456789", k=count))

    def imsi(self) -> str:
        return f"26{self.random.randint(1, 9)}{self.digits(12)}"

    def make(self, file: str) -> str:
        """Return text with one identifier in it, as a log would write it."""
        kind, text = self.random.choice(FORMS)(self)
        self.counts[file, kind] += 1
        self.values.append(text)
        return text

    def number(self, file: str, kind: Kind) -> str:
        """Return a number that only its column or key makes an identifier."""
        text = f"47{self.digits(8)}"
        self.counts[file, kind] += 1
        self.values.append(text)
        return text

    def trap(self) -> str:
        return self.random.choice(TRAPS)


FORMS: list[Callable[[Planter], tuple[Kind, str]]] = [
    lambda p: (Kind.IMSI, p.imsi()),
    lambda p: (Kind.IMSI, f"imsi-{p.imsi()}"),
    lambda p: (Kind.IMSI, f"262-01-1{p.digits(9)}"),
    lambda p: (Kind.SUPI, f"nai-user{p.digits(3)}@home.example.com"),
    lambda p: (Kind.SUCI, f"suci-0-262-01-0000-1-27-{p.digits(6)}abcdef"),
    lambda p: (Kind.GPSI, f"extid-meter{p.digits(2)}@utility.example"),
    lambda p: (Kind.MSISDN, f"+4917{p.digits(9)}"),
    lambda p: (Kind.MSISDN, f"msisdn={p.random.randint(2, 9)}{p.digits(9)}"),
    lambda p: (Kind.IMEI, f"imei-35{p.digits(13)}"),
    lambda p: (Kind.TMSI, f"5g-tmsi=0xdead{p.digits(4)}"),
    lambda p: (Kind.IP, f"10.{p.random.randint(10, 250)}.{p.random.randint(10, 250)}.7"),
    lambda p: (Kind.IP, f"2001:db8::{p.random.randint(16, 9999):x}"),
    lambda p: (Kind.IMEI, f"49-01542{p.digits(1)}-32375{p.digits(1)}-8"),
    lambda p: (Kind.MAC, f"02:{p.random.randint(16, 99)}:22:aa:bb:cc"),
]


def log(p: Planter, file: str) -> bytes:
    words = [f"{p.trap()} user {p.make(file)} gone\r\n" for _ in range(50)]
    return "".join([f"{p.make(file)}\n", *words, f"\u00e9 end {p.make(file)}"]).encode()


def utf16(p: Planter, file: str) -> bytes:
    return log(p, file).decode().encode("utf-16")


def latin1(p: Planter, file: str) -> bytes:
    return log(p, file).decode().encode("latin-1")


def one_line(p: Planter, file: str) -> bytes:
    """A line of several windows, with an identifier across each of their ends."""
    text = ""
    for end in range(WINDOW, 4 * WINDOW, WINDOW):
        text = text.ljust(end - p.random.randint(1, 12), "x") + f" {p.make(file)} "
    return text.encode()


def table(p: Planter, file: str) -> bytes:
    rows = "".join(f'{p.make(file)},{p.number(file, Kind.MSISDN)},"a, {p.trap()}\n{p.make(file)}"\n' for _ in range(60))
    return f"who,msisdn,text\n{rows}".encode()


def semicolons(p: Planter, file: str) -> bytes:
    return ("t;IMSI\n" + "".join(f"{i};{p.number(file, Kind.IMSI)}\n" for i in range(60))).encode()


def json_lines(p: Planter, file: str) -> bytes:
    rows = [{"a": p.make(file), p.make(file): 1, "msisdn": int(p.number(file, Kind.MSISDN))} for _ in range(40)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def json_pretty(p: Planter, file: str) -> bytes:
    value = {"msisdn": [p.number(file, Kind.MSISDN) for _ in range(20)], "count": 4712345678, "b": [[p.make(file)]]}
    return json.dumps(value, indent=2).encode()


def xml(p: Planter, file: str) -> bytes:
    rows = [f'<ue imsi="{p.number(file, Kind.IMSI)}"><n>{p.make(file)}</n></ue>\n' for _ in range(40)]
    return f"<r>{''.join(rows)}<msisdn>\n  {p.number(file, Kind.MSISDN)}\n</msisdn></r>".encode()


def binary(p: Planter, file: str) -> bytes:
    def noise() -> bytes:
        return bytes(p.random.choices(range(1, 32), k=p.random.randint(1, 3000)))

    narrow = b"".join(noise() + p.make(file).encode() for _ in range(150))
    wide = b"".join(noise() + p.make(file).encode("utf-16-le") for _ in range(50))
    return b"\x7fELF\0" + narrow + wide + b"\0"


def pdf(p: Planter, file: str) -> bytes:
    return b"%PDF-1.7\n" + b"".join(b"(%s) Tj\n" % p.make(file).encode() for _ in range(40)) + b"\xff\0\xfe"


def pdf_streams(p: Planter, file: str) -> bytes:
    def packed(text: bytes) -> bytes:
        return b"1 0 obj\n<</Filter /FlateDecode>>\nstream\r\n" + zlib.compress(text) + b"\nendstream\n"

    plain = b"".join(b"(%s) Tj\n" % p.make(file).encode() for _ in range(20))
    number = p.imsi()
    kerned = b"[(%s)-12.5(%s) 3 (%s)] TJ <%s> Tj" % (
        number[:4].encode(),
        number[4:9].encode(),
        number[9:].encode(),
        b"10.45.0.7".hex().encode(),
    )
    p.values.append(number)
    p.counts.update({(file, Kind.IMSI): 1, (file, Kind.IP): 1})
    return b"%PDF-1.7\n" + packed(plain) + packed(kerned) + b"stream\nno stream"


def arrow_table(p: Planter, file: str) -> pa.Table:
    rows = 40
    texts = [p.make(file) if i % 2 else p.trap() for i in range(rows)]
    pairs = [
        [("msisdn", p.number(file, Kind.MSISDN)), ("other", p.make(file)), (p.make(file), "x"), ("n", "4712345678")]
        for _ in range(rows)
    ]
    return pa.table(
        {
            "text": pa.array(texts),
            "large": pa.array([p.make(file) if i % 2 else None for i in range(rows)], pa.large_string()),
            "listed": pa.array([[p.make(file), p.trap()] if i % 2 else None for i in range(rows)]),
            "nested": pa.array([{"imsi": p.number(file, Kind.IMSI), "n": 7} for _ in range(rows)]),
            "mapped": pa.array(pairs, pa.map_(pa.string(), pa.string())),
            "blob": pa.array([b"\0\1" + p.make(file).encode() for _ in range(rows)]),
            "called_number": pa.array([int(p.number(file, Kind.MSISDN)) for _ in range(rows)]),
            "msin": pa.array([float(p.number(file, Kind.IMSI)) for _ in range(rows)]),
            "counter": pa.array([4712345678 + i for i in range(rows)]),
            "octets": pa.array([10**14 + i * 10**i for i in range(12)] + [0] * (rows - 12), pa.decimal128(38)),
        }
    )


def imsis_as_numbers(p: Planter, file: str) -> bytes:
    numbers = [int(p.imsi()) for _ in range(50)]
    p.counts[file, Kind.IMSI] += len(numbers)
    p.values += map(str, numbers)
    return parquet_of(pa.table({"a": numbers, "t_us": [1_772_366_400_000_000 + i for i in range(50)]}))


def parquet_of(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, row_group_size=16, compression="zstd")
    return sink.getvalue()


def parquet(p: Planter, file: str) -> bytes:
    rows = arrow_table(p, file)
    return parquet_of(rows.append_column("coded", pa.array([p.make(file) for _ in range(40)]).dictionary_encode()))


def arrow_file(p: Planter, file: str) -> bytes:
    sink, rows = io.BytesIO(), arrow_table(p, file)
    with pa.ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows, 7)
    return sink.getvalue()


def arrow_stream(p: Planter, file: str) -> bytes:
    sink, rows = io.BytesIO(), arrow_table(p, file)
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows, 7)
    return sink.getvalue()


def orc_file(p: Planter, file: str) -> bytes:
    sink = io.BytesIO()
    orc.write_table(pa.table({"t": [p.make(file) for _ in range(40)]}), sink)
    return sink.getvalue()


def tar_gz(p: Planter, file: str) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz") as archive:
        for name, make in (("a.csv", table), ("deep/b.zip", zip_of)):
            data = make(p, f"{file}!{name}")
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def zip_of(p: Planter, file: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.json", json_lines(p, f"{file}!x.json"))
        archive.writestr("y.parquet", parquet(p, f"{file}!y.parquet"))
    return sink.getvalue()


def sqlite(p: Planter, file: str, folder: Path) -> bytes:
    path = folder / "made.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE seen (t TEXT, b BLOB, msisdn INTEGER, n INTEGER)")
        database.executemany(
            "INSERT INTO seen VALUES (?, ?, ?, ?)",
            [
                (p.make(file), b"\0" + p.make(file).encode() + b"\xff", int(p.number(file, Kind.MSISDN)), i)
                for i in range(60)
            ],
        )
    database.close()
    data = path.read_bytes()
    path.unlink()
    return data


FILES: dict[str, Callable[[Planter, str], bytes]] = {
    "plain.log": log,
    "wide.txt": utf16,
    "latin.txt": latin1,
    "long.json": one_line,
    "table.csv": table,
    "semicolons.csv": semicolons,
    "lines.ndjson": json_lines,
    "pretty.json": json_pretty,
    "pm.xml": xml,
    "core.bin": binary,
    "paper.pdf": pdf,
    "streams.pdf": pdf_streams,
    "rows.parquet": parquet,
    "numbers.parquet": imsis_as_numbers,
    "rows.arrow": arrow_file,
    "rows.arrows": arrow_stream,
    "rows.orc": orc_file,
    "log.gz": lambda p, file: gzip.compress(log(p, file)),
    "log.bz2": lambda p, file: bz2.compress(log(p, file)),
    "log.xz": lambda p, file: lzma.compress(log(p, file)),
    "log.zst": lambda p, file: pa.compress(log(p, file), "zstd", asbytes=True),
    "all.tar.gz": tar_gz,
    "all.zip": zip_of,
}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planter, Audit]:
    planter, folder = Planter(7), tmp_path_factory.mktemp("planted")
    turn = 0
    while len(planter.values) < PLANTED:
        place = folder / f"{turn:02d}" / "inner"
        place.mkdir(parents=True)
        for name, make in FILES.items():
            file = f"{turn:02d}/inner/{name}"
            (place / name).write_bytes(make(planter, file))
        (place / "ledger.db").write_bytes(sqlite(planter, f"{turn:02d}/inner/ledger.db", folder))
        number = planter.imsi()
        planter.values.append(number)
        planter.counts[f"{turn:02d}/inner/trace_[imsi].log", Kind.IMSI] += 1
        (place / f"trace_{number}.log").write_bytes(b"clean\n")
        turn += 1
    return planter, audit_folder(folder, NONE, silent)


def counted(audit: Audit) -> Counter[tuple[str, Kind]]:
    found: Counter[tuple[str, Kind]] = Counter()
    for file in audit.survivors:
        found.update({(file.file, each.kind): each.count for each in file.found})
    return found


def test_every_one_of_ten_thousand_planted_identifiers_is_found_where_it_is(audited: tuple[Planter, Audit]) -> None:
    planter, audit = audited
    found = counted(audit)
    assert {key: (count, found[key]) for key, count in planter.counts.items() if found[key] != count} == {}
    assert sum(planter.counts.values()) >= PLANTED
    assert audit.unread == ()


def test_nothing_is_found_that_was_not_planted(audited: tuple[Planter, Audit]) -> None:
    planter, audit = audited
    assert counted(audit) - planter.counts == Counter()


def test_a_report_says_where_and_never_what(audited: tuple[Planter, Audit]) -> None:
    planter, audit = audited
    told = "\n".join(f"{each.file} {mine.places}" for each in audit.survivors for mine in each.found)
    assert all(place for each in audit.survivors for mine in each.found for place in map(str, mine.places))
    assert [value for value in planter.values if value in told] == []
    assert find(told) == ()


def test_kinds_that_are_allowed_are_counted_and_not_told(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("10.0.0.1 10.0.0.2 262011234567890", encoding="utf-8")
    audit = audit_folder(tmp_path, frozenset({Kind.IP}), silent)
    assert audit.allowed == {Kind.IP: 2}
    assert [[each.kind for each in file.found] for file in audit.survivors] == [[Kind.IMSI]]


def test_links_in_a_circle_end_and_each_file_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.log").write_text("10.0.0.1", encoding="utf-8")
    (tmp_path / "inner" / "up").symlink_to(tmp_path)
    (tmp_path / "z.log").symlink_to(tmp_path / "inner" / "a.log")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    audit = audit_folder(tmp_path, NONE, silent)
    assert audit.count == 1
    assert [(each.file, each.code) for each in audit.unread] == [("gone", "unreadable")]


def test_what_cannot_be_looked_into_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(40))
    (tmp_path / "b.parquet").write_bytes(b"PAR1 and then 262011234567890 PAR1")
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"10.0.0.1\n" * 90_000)[:-40])
    (tmp_path / "d.xz").write_bytes(lzma.compress(b"".join(b"10.0.0.1 %d\n" % n for n in range(40_000)))[:-40])
    (tmp_path / "g.pdf").write_bytes(b"%PDF-1.7\n<</Encrypt 5 0 R>>")
    (tmp_path / "e.db").write_bytes(b"SQLite format 3\0" + bytes(90))
    os.mkfifo(tmp_path / "f.pipe")
    audit = audit_folder(tmp_path, NONE, silent)
    assert {each.file: each.code for each in audit.unread} == {
        "a.7z": "archive-unsupported",
        "b.parquet": "damaged",
        "c.gz": "archive-truncated",
        "d.xz": "archive-damaged",
        "e.db": "damaged",
        "f.pipe": "no-regular-file",
        "g.pdf": "encrypted",
    }
    assert {file.file for file in audit.survivors} == {"b.parquet", "c.gz", "d.xz"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"x")
    (tmp_path / "a.log").chmod(0)
    assert [each.code for each in audit_folder(tmp_path, NONE, silent).unread] == ["unreadable"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no-source"):
        audit_folder(tmp_path / "none", NONE, silent)


def test_names_of_columns_and_metadata_are_looked_at_and_not_repeated(tmp_path: Path) -> None:
    rows = pa.table({"262011234567890": ["x"]}).replace_schema_metadata({"by": "10.0.0.1"})
    pq.write_table(rows, tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("msisdn 491711234567,t\n1,2\n", encoding="utf-8")
    audit = audit_folder(tmp_path, NONE, silent)
    places = {f"{each.kind}: {place}" for file in audit.survivors for each in file.found for place in each.places}
    assert "imsi: name of column, column 1" in places
    assert "ip: metadata" in places
    assert find("\n".join(places)) == ()


def test_digits_of_hashes_are_nobodys(tmp_path: Path) -> None:
    digest = f"{'1234567890' * 3}ab"
    (tmp_path / "sums").write_text(f"{digest} file\nx{digest}\n", encoding="utf-8")
    audit = audit_folder(tmp_path, NONE, silent)
    assert [str(place) for each in audit.survivors for mine in each.found for place in mine.places] == [
        "line 2, column 2"
    ]


CONTEXT = st.text(st.characters(exclude_categories=("Nd", "Cs"), exclude_characters="abcdefABCDEF:.%-_+~"), max_size=60)


@given(st.lists(st.tuples(CONTEXT, st.sampled_from(FORMS), st.integers(0, 99)), min_size=1, max_size=5), CONTEXT)
def test_what_is_planted_in_any_text_is_found(
    pieces: list[tuple[str, Callable[[Planter], tuple[Kind, str]], int]], tail: str
) -> None:
    made = [(context, *form(Planter(seed))) for context, form, seed in pieces]
    text = "".join(f"{context} {value} | " for context, _, value in made) + tail
    found = Counter(each.kind for each in survivors_in_text(io.BytesIO(text.encode())))
    assert Counter(kind for _, kind, _ in made) - found == Counter()


@given(st.binary(max_size=400), st.sampled_from(FORMS), st.sampled_from(["ascii", "utf-16-le", "utf-16-be"]))
def test_what_is_planted_in_any_bytes_is_found(
    noise: bytes, form: Callable[[Planter], tuple[Kind, str]], encoding: str
) -> None:
    kind, value = form(Planter(1))
    data = noise + b"\0\1\0" + value.encode(encoding) + b"\1\0\1" + noise
    assert kind in {each.kind for each in survivors_in_bytes(io.BytesIO(data))}
    assert kind in survivors_in_blob(data)


@given(st.binary(max_size=2000))
def test_any_file_can_be_audited(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for magic in (
        b"",
        b"PAR1",
        b"ARROW1\0\0",
        b"\xff\xff\xff\xff",
        b"ORC",
        b"BZh9",
        b"\x28\xb5\x2f\xfd",
        b"%PDF-stream\n",
        b"imsi,a\n",
    ):
        (folder / f"f{magic.hex()}").write_bytes(magic + data)
    audit_folder(folder, NONE, silent)


@given(st.binary(max_size=60), st.integers(0, 2000), st.integers(1, 400))
def test_a_damaged_table_is_named_or_read(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, length: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = parquet_of(pa.table({"t": ["262011234567890", "b"], "m": [[("a", "b")], []]}))
    (folder / "a.parquet").write_bytes(whole[:at] + noise + whole[at + length :])
    audit_folder(folder, NONE, silent)
