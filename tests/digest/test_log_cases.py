"""Logs as networks, hosts, applications and builds write them, with what a reader must not miss."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

from cellwright.digest.logs import read_lines
from cellwright.digest.logs_compose import digest_log
from cellwright.digest.tokens import EstimatingCounter

if TYPE_CHECKING:
    from collections.abc import Callable


def router(chance: random.Random) -> tuple[list[str], list[str]]:
    lines = [
        f"<189>{n}: Mar  4 05:{n // 60 % 60:02}:{n % 60:02}.{chance.randrange(1000):03}: "
        + chance.choice(
            [
                f"%SEC-6-IPACCESSLOGP: list 102 denied tcp 10.0.6.{n % 250}({n}) -> 172.16.4.7(139), 1 packet",
                f"%SYS-5-CONFIG_I: Configured from console by netops on vty{n % 5} (10.1.1.{n % 9})",
            ]
        )
        for n in range(2_000)
    ]
    signals = [
        "%LINK-3-UPDOWN: Interface TenGigabitEthernet0/1/3, changed state to down",
        "%BGP-5-ADJCHANGE: neighbor 192.0.2.17 Down Interface flap",
        "from FULL to DOWN, Neighbor Down: Dead timer expired",
    ]
    happened = [*signals[:2], f"%OSPF-5-ADJCHG: Process 1, Nbr 10.255.0.3 on TenGigabitEthernet0/1/3 {signals[2]}"]
    lines[900:900] = [f"<187>900: Mar  4 05:15:00.{n}12: {each}" for n, each in enumerate(happened)]
    return lines, signals


def host(chance: random.Random) -> tuple[list[str], list[str]]:
    lines = [
        f"Mar  4 02:{n // 60 % 60:02}:{n % 60:02} edge-07 "
        + chance.choice(
            [
                f"systemd[1]: Started Session {n} of user ops.",
                f"sshd[{n + 1000}]: Accepted publickey for ops from 10.9.8.{n % 250} port {n + 1024} ssh2",
                f"chronyd[622]: Selected source 10.2.0.{n % 9}",
            ]
        )
        for n in range(2_000)
    ]
    happened = [
        "kernel: upf-dataplane invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0",
        "kernel: CPU: 3 PID: 22871 Comm: upf-dataplane Not tainted 6.1.0-18-amd64 #1 Debian 6.1.76-1",
        "kernel: Call Trace:",
        *(f"kernel:  step_{n}+0x{n:x}f/0x100" for n in range(25)),
        "kernel: Memory cgroup out of memory: Killed process 22871 (upf-dataplane) total-vm:9124512kB",
        "systemd[1]: upf.service: Main process exited, code=killed, status=9/KILL",
        "systemd[1]: upf.service: Failed with result 'oom-kill'.",
    ]
    lines[1_500:1_500] = [f"Mar  4 02:25:00 edge-07 {each}" for each in happened]
    for n in range(1_540, 1_700, 20):
        lines[n] = f"Mar  4 02:26:{n % 60:02} edge-07 smf[811]: PFCP association with 10.4.0.7 lost, heartbeat timeout"
    return lines, [
        "upf-dataplane invoked oom-killer",
        "Killed process 22871 (upf-dataplane)",
        "code=killed, status=9/KILL",
        "Failed with result 'oom-kill'",
        "PFCP association with 10.4.0.7 lost",
    ]


def functions(chance: random.Random) -> tuple[list[str], list[str]]:
    def line(level: str, app: str, said: str, **more: object) -> str:
        return json.dumps({"ts": "2026-03-04T00:22:10Z", "level": level, "svc": app, "msg": said, **more})

    lines = [
        line("info", chance.choice(["amf", "smf", "nrf"]), "registration complete", latency_ms=chance.randrange(90))
        for _ in range(2_500)
    ]
    lines[700] = line("warn", "nrf", "certificate expires in 0 days", subject="CN=nrf.core")
    lines[1_200] = line(
        "error", "amf", "nrf discovery failed", err="x509: certificate has expired", caller="nrf/client.go:217"
    )
    for n in range(1_210, 2_500, 9):
        lines[n] = line("error", "smf", "sbi request rejected", status=503, attempt=n % 5)
    lines[2_400] = line("fatal", "smf", "liveness probe failed, exiting", exit_code=137)
    return lines, [
        "certificate expires in 0 days",
        "x509: certificate has expired",
        "nrf/client.go:217",
        "sbi request rejected",
        "liveness probe failed, exiting",
        '"exit_code": 137',
    ]


def application(chance: random.Random) -> tuple[list[str], list[str]]:
    def line(level: str, said: str) -> str:
        thread = f"nio-8080-exec-{chance.randrange(20)}"
        return f"2026-03-04T10:00:{chance.randrange(60):02}.123 {level:>5} 1 --- [{thread}] c.e.Orders : {said}"

    lines = [line("INFO", "Starting Orders v2.14.3 using Java 17.0.9")]
    for n in range(1_500):
        lines.append(line("INFO", f"Order {n} accepted in {n % 80} ms"))
        if n % 50 == 0:
            lines.append(line("ERROR", f"Validation failed for order {n}: quantity must be positive"))
    for _ in range(12):
        lines += [
            line("ERROR", "Servlet.service() threw exception"),
            "org.springframework.dao.DataAccessResourceFailureException: Unable to acquire JDBC Connection",
            *(f"\tat org.springframework.aop.Frame{n}.invoke(Frame{n}.java:{n + 40})" for n in range(18)),
            "Caused by: java.sql.SQLTransientConnectionException: Connection not available, timed out after 30000ms.",
            "\tat com.zaxxer.hikari.pool.HikariPool.createTimeoutException(HikariPool.java:696)",
            "\t... 42 common frames omitted",
            line("INFO", "Order 7 accepted in 3 ms"),
        ]
    return lines, [
        "Orders v2.14.3",
        "DataAccessResourceFailureException: Unable to acquire JDBC Connection",
        "SQLTransientConnectionException: Connection not available, timed out after 30000ms",
        "HikariPool.java:696",
        "Validation failed for order",
    ]


def build(chance: random.Random) -> tuple[list[str], list[str]]:
    said = [f"Collecting package-{n}=={n % 9}.{n % 30}.{chance.randrange(9)}" for n in range(250)]
    said += ["platform linux -- Python 3.11.9, pytest-8.3.3, pluggy-1.5.0"]
    said += [f"tests/test_mod{n % 60}.py::test_case_{n} PASSED [{n // 10:3d}%]" for n in range(900)]
    said += [
        "=================================== FAILURES ===================================",
        "_______________________ test_fallback_keeps_sovereignty ________________________",
        "",
        ">       assert choice.country == 'IT'",
        "E       AssertionError: assert 'US' == 'IT'",
        "",
        "tests/test_router.py:118: AssertionError",
        "=============================== warnings summary ===============================",
    ]
    said += [f"  site-packages/lib{n}/core.py:{n + 3}: DeprecationWarning: old interface" for n in range(120)]
    said += [
        "=========================== short test summary info ============================",
        "FAILED tests/test_router.py::test_fallback_keeps_sovereignty - AssertionError: assert 'US' == 'IT'",
        "================= 1 failed, 899 passed, 120 warnings in 81.33s =================",
        "##[error]Process completed with exit code 1.",
        *(f"[command]/usr/bin/git config --local --unset-all http.extraheader.{n}" for n in range(60)),
    ]
    return [f"2026-03-04T10:00:00.1234567Z {each}" for each in said], [
        "Python 3.11.9",
        "tests/test_router.py::test_fallback_keeps_sovereignty",
        "AssertionError: assert 'US' == 'IT'",
        "tests/test_router.py:118",
        "1 failed, 899 passed",
        "Process completed with exit code 1",
    ]


@pytest.mark.parametrize("made", [router, host, functions, application, build], ids=lambda made: made.__name__)
def test_what_a_reader_must_not_miss_is_told_within_two_thousand_tokens(
    made: Callable[[random.Random], tuple[list[str], list[str]]],
) -> None:
    lines, signals = made(random.Random(7))  # noqa: S311 - no secret
    digest = digest_log(read_lines("\n".join(lines)), count=EstimatingCounter())
    assert digest.tokens <= 2_000
    assert [signal for signal in signals if signal not in digest.text] == []
