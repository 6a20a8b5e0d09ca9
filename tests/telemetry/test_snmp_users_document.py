"""Users of SNMPv3: what their document becomes, every problem of it, and where their passwords come from."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from capture_kit import ENGINE, USER, pcap, scoped, secured, trap_pdu, udp

from cellwright.cli.main import run
from cellwright.errors import CellwrightError, ExitCode, UsageError
from cellwright.lake.folder import Lake
from cellwright.telemetry.collector_document import CollectorConfig
from cellwright.telemetry.listener import ListenerSpec
from cellwright.telemetry.snmp_keys import Keys
from cellwright.telemetry.snmp_users_document import Secret, UserSpec, load_users
from cellwright.wiring.collecting import build
from cellwright.wiring.settings import read_settings
from cellwright.wiring.snmp_users import read_usm

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "apiVersion: cellwright.io/v1alpha1\nkind: SnmpUsers\nmetadata: { name: ran }\nspec:\n  users:\n"
NMS = "    - name: nms\n      authentication: { protocol: SHA-256, passwordFile: nms.auth }\n"


def problems(text: str) -> list[str]:
    with pytest.raises(UsageError) as refused:
        load_users(text, "u.yaml")
    return [str(each) for each in refused.value.diagnostics]


def test_a_document_becomes_users() -> None:
    text = (
        f'{HEAD}{NMS}      privacy: {{ protocol: AES, passwordEnv: NMS_PRIV }}\n{NMS}      engine: "0x8000001F8801"\n'
    )
    signing = Secret("SHA-256", "nms.auth", None)
    assert load_users(text, "u.yaml") == (
        UserSpec("nms", None, signing, Secret("AES", None, "NMS_PRIV")),
        UserSpec("nms", bytes.fromhex("8000001f8801"), signing, None),
    )


@pytest.mark.parametrize(
    ("user", "place", "told"),
    [
        (NMS.replace("SHA-256", "SHA-265"), "u.yaml:7:", "SHA-256"),
        (NMS.replace("nms.auth", "nms.auth, passwordEnv: A"), "u.yaml:7:", "passwordFile or passwordEnv"),
        (NMS.replace(", passwordFile: nms.auth", ""), "u.yaml:7:", "passwordFile or passwordEnv"),
        (NMS.replace("passwordFile: nms.auth", "password: tellnobody"), "u.yaml:7:", "password"),
        (NMS + "      engine: 8000000001\n", "u.yaml:8:", "in quotes"),
        (NMS + NMS, "u.yaml:8:", "another name, or another engine"),
        (NMS + "      privacy: { protocol: 3DES, passwordEnv: P }\n", "u.yaml:8:", "AES-256-C"),
    ],
)
def test_every_problem_has_its_place(user: str, place: str, told: str) -> None:
    found = problems(HEAD + user)
    assert any(place in problem and told in problem for problem in found), found
    assert not any("tellnobody" in problem for problem in found)


def written(folder: Path, secret: bytes, mode: int = 0o600) -> Path:
    (folder / "nms.auth").write_bytes(secret)
    (folder / "nms.auth").chmod(mode)
    privacy = "      privacy: { protocol: AES, passwordEnv: NMS_PRIV }\n"
    (folder / "users.yaml").write_text(HEAD + NMS.replace("name: nms", f"name: {USER.decode()}") + privacy)
    return folder / "users.yaml"


def test_passwords_stand_in_files_beside_the_document_and_in_the_environment(tmp_path: Path) -> None:
    usm = read_usm(written(tmp_path, b"authpass99\r\n"), {"NMS_PRIV": "privpass99"})
    assert usm.keys(USER, ENGINE) == Keys.of(ENGINE, ("SHA-256", b"authpass99"), ("AES", b"privpass99"))
    assert usm.keys(b"other", ENGINE) is None


@pytest.mark.parametrize(
    ("secret", "mode", "privacy", "told"),
    [
        (b"authpass99", 0o640, "privpass99", "mode 0640"),
        (b"xyz", 0o600, "privpass99", "at least 8 characters"),
        (b"authpass99", 0o600, "xyz", "at least 8 characters"),
        (b"authpass99", 0o600, "", "NMS_PRIV is not set"),
    ],
)
def test_a_password_that_is_absent_short_or_shared_is_refused_and_never_shown(
    tmp_path: Path, secret: bytes, mode: int, privacy: str, told: str
) -> None:
    with pytest.raises(CellwrightError) as refused:
        read_usm(written(tmp_path, secret, mode), {"NMS_PRIV": privacy})
    shown = "".join(map(str, refused.value.diagnostics))
    assert told in shown
    assert not any(word in shown for word in ("authpass99", "privpass99", "xyz"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with users, and a trap that one of them signed and encrypted."""
    monkeypatch.setenv("CELLWRIGHT_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("NMS_PRIV", "privpass99")
    written(tmp_path, b"authpass99\n")
    keys = Keys.of(ENGINE, ("SHA-256", b"authpass99"), ("AES", b"privpass99"))
    trap = secured(scoped(trap_pdu("1.3.6.1.6.3.1.1.5.1")), keys)
    (tmp_path / "trap.pcap").write_bytes(pcap([udp(trap, ports=(40000, 162))]))
    return tmp_path


def problems_in(lake: Path) -> list[str]:
    with Lake.open(lake) as opened:
        return opened.read("alarm_events", ["specific_problem"])["specific_problem"].to_pylist()


def test_captures_are_mediated_with_the_passwords_of_users(folder: Path) -> None:
    command = ["mediate", str(folder / "trap.pcap"), "--lake"]
    assert run([*command, str(folder / "sealed")]) == ExitCode.PARTIAL
    assert run([*command, str(folder / "read"), "--snmp-users", str(folder / "users.yaml")]) == 0
    assert problems_in(folder / "read") == ["coldStart"]


def test_a_collector_reads_with_the_passwords_of_users(folder: Path) -> None:
    settings = read_settings({"CELLWRIGHT_KEY_FILE": str(folder / "key")}, folder)
    listener = ListenerSpec("traps", "snmp", "127.0.0.1", 0)
    config = CollectorConfig("c", "lake", "spool", 10**9, 1.0, (), (listener,), (), snmp_users="users.yaml")
    record = (folder / "trap.pcap").read_bytes()[24:]

    async def collect() -> None:
        collector = build(config, folder, settings)
        await collector._intakes[0].keep([record])
        await collector.close()

    asyncio.run(collect())
    assert problems_in(folder / "lake") == ["coldStart"]
