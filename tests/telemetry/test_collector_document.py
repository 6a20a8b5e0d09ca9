"""A collector's document: what it becomes, and every problem of it with its place."""

from __future__ import annotations

import pytest

from cellwright.errors import UsageError
from cellwright.estate.documents.tls import Tls
from cellwright.lake.staged import Commit
from cellwright.telemetry.collector_document import CollectorConfig, FolderSpec, KeepSpec, load_collector
from cellwright.telemetry.listener import ListenerSpec
from cellwright.telemetry.listeners.passwords import hashed

HEAD = "apiVersion: cellwright.io/v1alpha1\nkind: Collector\nmetadata: { name: edge-1 }\nspec:\n  lake: lake\n"


def problems(text: str) -> list[str]:
    with pytest.raises(UsageError) as refused:
        load_collector(text, "c.yaml")
    return [str(each) for each in refused.value.diagnostics]


def test_a_whole_document_becomes_a_configuration() -> None:
    password = hashed("secret")
    text = f"""{HEAD}  spool: spool
  spoolLimit: 2 GB
  every: 30 s
  mappings: [maps]
  listeners:
    - name: ves
      protocol: ves
      host: "::"
      port: 8443
      tls: {{ certificate: c.pem, key: k.pem, clientCa: ca.pem }}
      users: {{ gnb: "{password}" }}
      most: 1 MB
    - {{ name: flows, protocol: netflow, host: 0.0.0.0, port: 2055 }}
  folders:
    - {{ path: drop, after: delete }}
  snmpUsers: users.yaml
  keep: {{ files: 90 d, every: 1 min }}
"""
    ves = ListenerSpec("ves", "ves", "::", 8443, Tls("c.pem", "k.pem", "ca.pem"), (("gnb", password),), 10**6)
    flows = ListenerSpec("flows", "netflow", "0.0.0.0", 2055)  # noqa: S104 - a text
    assert load_collector(text, "c.yaml") == CollectorConfig(
        "edge-1",
        "lake",
        "spool",
        2 * 10**9,
        30.0,
        ("maps",),
        (ves, flows),
        (FolderSpec("drop", deletes=True),),
        KeepSpec(90 * 8.64e7, None, 60.0),
        snmp_users="users.yaml",
    )


def test_a_port_is_closed_to_others_unless_it_is_said_otherwise() -> None:
    config = load_collector(HEAD + "  listeners: [{ name: a, protocol: ves, port: 0 }]\n", "c.yaml")
    assert config.listeners[0].host == "127.0.0.1"
    assert config.spool is None


def test_every_problem_is_told_with_its_place_at_once() -> None:
    found = problems(
        HEAD
        + "  every: 1 ms\n"
        + "  listeners:\n"
        + "    - { name: a, protocol: vess, port: 99999, host: nowhere }\n"
        + "    - { name: b, protocol: ves, port: 1, users: { gnb: opensesame } }\n"
    )
    assert [each.split(": ", 1)[0] for each in found] == [
        "c.yaml:6:10",
        "c.yaml:8:28",
        "c.yaml:8:40",
        "c.yaml:8:53",
        "c.yaml:9:56",
    ]
    assert "did you mean 'ves'" in found[1]
    assert "opensesame" not in "".join(found)
    assert "--hash-password" in found[4]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("  listeners: [{ name: a, protocol: ves, host: 192.0.2.1, port: 1 }]\n", "plain: true"),
        (
            "  listeners: [{ name: a, protocol: ves, port: 1 }, { name: a, protocol: snmp, port: 2 }]\n",
            "'a' is taken already",
        ),
        ("", "listeners or folders"),
        ("  folder: [x]\n", "folders"),
        ("  listeners: [{ name: a, protocol: snmp, port: 1, zone: Europe/Paris }]\n", "a zone for syslog alone"),
        ("  listeners: [{ name: a, protocol: syslog-udp, port: 1, zone: Paris }]\n", "such as Europe/Paris"),
        ("  listeners: [{ name: a, protocol: syslog-udp, port: 1, zone: /etc/passwd }]\n", "such as Europe/Paris"),
        ("  commit: deltas\n  folders: [{ path: x }]\n", "c.yaml:6:11"),
        ("  commit: delta\n  keep: { files: 90 d }\n  folders: [{ path: x }]\n", "error[keep-of-others]"),
    ],
)
def test_what_is_unsafe_doubled_or_pointless_is_refused(spec: str, told: str) -> None:
    assert told in "\n".join(problems(HEAD + spec))


def test_datagrams_need_no_tls_and_a_private_network_may_do_without() -> None:
    listeners = "{ name: a, protocol: syslog-udp, host: 192.0.2.1, port: 1 }, "
    listeners += "{ name: b, protocol: ves, host: 192.0.2.1, port: 1, plain: true }"
    assert len(load_collector(f"{HEAD}  listeners: [{listeners}]\n", "c.yaml").listeners) == 2


def test_a_lake_of_many_machines_keeps_its_files_and_forgets_its_own_quarantine() -> None:
    text = f"{HEAD}  commit: delta\n  keep: {{ quarantine: 30 d }}\n  folders: [{{ path: x }}]\n"
    config = load_collector(text.replace("lake: lake", "lake: s3://bucket/lake"), "c.yaml")
    assert (config.lake, config.commit) == ("s3://bucket/lake", Commit.DELTA)


def test_a_file_of_another_kind_is_no_collector() -> None:
    assert "not-a-collector" in problems("")[0]
    assert "kind" in problems(HEAD.replace("Collector", "Gateway") + "  folders: [{ path: x }]\n")[0]
