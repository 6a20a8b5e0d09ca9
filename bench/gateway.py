"""What the gateway costs a request, adds to it, and holds under load, beside other gateways in the same run.

One model server that does no work answers all of them; load comes from a process of its own; rounds are interleaved,
and `direct` is the load on the model server without a gateway. Ours runs with all of it on: keys, rules, latency budget
against live percentiles, price, load, difficulty of the request, hedge, breakers, guard on all that leaves the
premises, quotas of tenant and key, edge filter and meter. The peers run with the least they need and, with `--alike`,
a second time with what they have of that: three models, choice by latency and fallback, retries, breakers, limits, a
search for identifiers, prices and metrics; LiteLLM without spend by tenant, for which it wants a PostgreSQL. CPU is
that of a gateway's processes by the kernel's own count, with its children. Peers are installed beforehand, in
environments of their own: `--litellm` names a Python with `litellm[proxy]` (and `prometheus_client` for `--alike`),
`--portkey` a folder with `@portkey-ai/gateway` in its node_modules (1.15.2 answers streams only with
`@hono/node-server` 1.13.7 or older: name it under `overrides` in that folder's package.json). Machines with few cores
share them between load, model server and gateway: read ratios, not rates.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE: Final = Path(__file__).parent
KEY: Final = "bench-key"
SIZE: Final = 850  # bytes of a body
LARGE: Final = 80 * 1024
RECORDS: Final = 3_000  # lines of syslog in a request
P99_MS: Final = 50.0
CONNECTIONS: Final = 8  # while CPU is measured
LADDER: Final = (1, 2, 4, 8, 16, 32, 64, 128)  # connections
_TICKS: Final = os.sysconf("SC_CLK_TCK")
CONFIG: Final = """
apiVersion: cellwright.io/v1alpha1
kind: Gateway
metadata: {{name: bench}}
spec:
  listen: {{host: 127.0.0.1, port: {port}}}
  keys:
    - {{name: bench, tenant: bench, sha256: '{sha256}'}}
  dataClass: anonymised
  backends:
    - {{name: edge, type: openai, model: small, tier: onprem, boundary: premises,
        baseUrl: 'http://127.0.0.1:{upstream}/v1',
        price: {{currency: USD, source: bench, inputPerMillion: 3, outputPerMillion: 12}}}}
    - {{name: light, type: openai, model: medium, tier: region, boundary: bloc, grade: light,
        baseUrl: 'http://127.0.0.1:{upstream}/v1',
        price: {{currency: USD, source: bench, inputPerMillion: 0.1, outputPerMillion: 0.2}}}}
    - {{name: cloud, type: openai, model: large, tier: region, boundary: bloc,
        baseUrl: 'http://127.0.0.1:{upstream}/v1',
        price: {{currency: USD, source: bench, inputPerMillion: 2.5, outputPerMillion: 10}}}}
  routes:
    - name: auto
      backends: [cloud, light, edge]
      prefer: [latency, price, load]
      latencyBudget: {{roundTrip: 10 s, firstToken: 5 s}}
      lightBelow: 0.5
      hedgeAfter: 10 s
      restart: true
      filter: {{mode: digest}}
  rules:
    - {{name: subscribers, classes: [subscriber_pii, location, signalling], boundary: premises, source: bench}}
    - {{name: digests, classes: [anonymised, aggregated_kpi], boundary: none, source: bench}}
  quotas:
    - {{tenant: bench, requestsPerMinute: 10000000, tokensPerMinute: 10000000000, atOnce: 5000,
        budgets: [{{per: month, tokens: 100000000000000}}]}}
    - {{key: '*', atOnce: 5000}}
  meter: {{file: '{folder}/meter.db'}}
"""
LITELLM: Final = """
model_list:
  - model_name: auto
    litellm_params: {{model: openai/m, api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none}}
general_settings: {{master_key: {key}}}
"""
LITELLM_ALIKE: Final = """
model_list:
  - model_name: auto
    litellm_params: {{model: openai/large, api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none,
      rpm: 10000000, tpm: 1000000000, input_cost_per_token: 0.0000025, output_cost_per_token: 0.00001}}
  - model_name: auto
    litellm_params: {{model: openai/medium, api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none,
      rpm: 10000000, tpm: 1000000000, input_cost_per_token: 0.0000001, output_cost_per_token: 0.0000002}}
  - model_name: edge
    litellm_params: {{model: openai/small, api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none,
      rpm: 10000000, tpm: 1000000000, input_cost_per_token: 0.000003, output_cost_per_token: 0.000012}}
router_settings:
  routing_strategy: latency-based-routing
  enable_pre_call_checks: true
  num_retries: 2
  allowed_fails: 5
  cooldown_time: 10
  fallbacks: [{{auto: [edge]}}]
litellm_settings: {{callbacks: [prometheus]}}
guardrails:
  - guardrail_name: identifiers
    litellm_params:
      guardrail: litellm_content_filter
      mode: pre_call
      default_on: true
      patterns:
        - {{pattern_type: prebuilt, pattern_name: email, action: BLOCK}}
        - {{pattern_type: prebuilt, pattern_name: us_phone, action: BLOCK}}
        - {{pattern_type: prebuilt, pattern_name: credit_card, action: BLOCK}}
        - {{pattern_type: prebuilt, pattern_name: ipv4, action: BLOCK}}
        - {{pattern_type: prebuilt, pattern_name: ipv6, action: BLOCK}}
general_settings: {{master_key: {key}}}
"""
ALIKE: Final = " set up alike"  # of a peer with what it has of that which ours does


@dataclass(frozen=True, slots=True)
class Target:
    """A server that answers chat completions, and the process it runs in."""

    name: str
    port: int
    process: subprocess.Popen[Any] | None  # None: the model server itself
    headers: dict[str, str] = field(default_factory=dict)

    def cpu_s(self) -> float:
        """Return the CPU seconds of the process and of its children until now."""
        return sum(_cpu_s(pid) for pid in _family(self.process.pid)) if self.process else math.nan

    def resident_mib(self) -> float:
        """Return the resident memory of the process and of its children."""
        return sum(_resident_mib(pid) for pid in _family(self.process.pid)) if self.process else math.nan


def _family(pid: int) -> list[int]:
    found = [pid]
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                found += _family(int(child))
    return found


def _cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(fields[place]) for place in (11, 12, 13, 14)) / _TICKS


def _resident_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.contextmanager
def upstream(gap_ms: float = 0.0) -> Iterator[int]:
    """Run the model server; give its port."""
    command = [sys.executable, str(HERE / "gateway_upstream.py"), str(gap_ms)]
    with _process(command, subprocess.PIPE) as process:
        yield int(process.stdout.readline())


@contextlib.contextmanager
def _process(command: Sequence[str], out: int | Any, **environ: str) -> Iterator[subprocess.Popen[Any]]:  # noqa: ANN401 - a stream
    process = subprocess.Popen(
        command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | environ, start_new_session=True, text=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def ours(port: int, folder: Path) -> Iterator[Target]:
    """Run our gateway before the model server at a port."""
    mine = _free_port()
    path = folder / "gateway.yaml"
    path.write_text(CONFIG.format(port=mine, upstream=port, folder=folder, sha256=sha256(KEY.encode()).hexdigest()))
    command = [str(Path(sys.executable).with_name("cellwright")), "gateway", "--config", str(path)]
    with (folder / "ours.log").open("w") as log, _process(command, log) as process:
        yield _answering(Target("ours", mine, process, {"authorization": f"Bearer {KEY}"}), folder / "ours.log")


@contextlib.contextmanager
def litellm(port: int, folder: Path, python: str, *, alike: bool = False) -> Iterator[Target]:
    """Run LiteLLM's proxy before the model server."""
    mine = _free_port()
    name = f"litellm{ALIKE if alike else ''}"
    path, told = folder / f"{name}.yaml", folder / f"{name}.log"
    path.write_text((LITELLM_ALIKE if alike else LITELLM).format(upstream=port, key=KEY))
    program = Path(python).with_name("litellm")
    command = [str(program), "--config", str(path), "--port", str(mine), "--host", "127.0.0.1", "--num_workers", "1"]
    settings = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1", "LITELLM_TELEMETRY": "False"}
    with told.open("w") as log, _process(command, log, **settings) as process:
        yield _answering(Target(name, mine, process, {"authorization": f"Bearer {KEY}"}), told)


@contextlib.contextmanager
def portkey(port: int, folder: Path, installed: str, *, alike: bool = False) -> Iterator[Target]:
    """Run Portkey's gateway before the model server."""
    mine = _free_port()
    name = f"portkey{ALIKE if alike else ''}"
    program = Path(installed) / "node_modules/@portkey-ai/gateway/build/start-server.js"
    command = ["node", str(program), "--headless", f"--port={mine}"]
    address = f"http://127.0.0.1:{port}/v1"
    one = {"provider": "openai", "custom_host": address, "api_key": "none"}
    policy = {
        "strategy": {"mode": "fallback"},
        "targets": [one | {"override_params": {"model": model}} for model in ("large", "medium", "small")],
        "retry": {"attempts": 2},
        "input_guardrails": [{"default.regexMatch": {"rule": "[0-9]{5}|@", "not": True}, "deny": True}],
    }
    plain = {"x-portkey-provider": "openai", "x-portkey-custom-host": address}
    headers = {"authorization": "Bearer none"} | ({"x-portkey-config": json.dumps(policy)} if alike else plain)
    settings = {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1", "NODE_ENV": "production"}
    told = folder / f"{name}.log"
    with told.open("w") as log, _process(command, log, **settings) as process:
        yield _answering(Target(name, mine, process, headers), told)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _answering(target: Target, log: Path, patience_s: float = 120.0) -> Target:
    """Return the target once it answers; raise SystemExit where it does not."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until and target.process and target.process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", target.port), 1):
            if not loaded(target, requests=1)["failed"]:
                return target
        time.sleep(0.2)
    message = f"{target.name} does not answer; its log ends with:\n{log.read_text()[-2000:]}"
    raise SystemExit(message)


def loaded(target: Target, **details: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a load
    """Return what a load on a target came to."""
    load = {
        "port": target.port,
        "path": "/v1/chat/completions",
        "headers": target.headers,
        "model": "auto",
        "stream": False,
        "size": SIZE,
        "connections": 1,
    } | details
    command = [sys.executable, str(HERE / "gateway_load.py")]
    done = subprocess.run(command, input=json.dumps(load), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of sorted values lies."""
    return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)] if values else math.nan


def costs(targets: Sequence[Target], rounds: int, requests: int) -> Iterator[Row]:
    """Yield CPU a request at eight connections, and what is added to p99 and to the time to the first token at one."""
    found: dict[tuple[str, str], list[float]] = {}
    for target in targets:
        loaded(target, requests=requests // 4)
        loaded(target, requests=requests // 8, stream=True)
    for _ in range(rounds):
        for target in targets:
            for case, stream in (("whole", False), ("stream", True)):
                count = requests if target.name in ("ours", "direct") else requests // 4
                before = target.cpu_s()
                seen = loaded(target, requests=count, stream=stream, connections=CONNECTIONS)
                _refuse_failures(target, seen)
                found.setdefault((target.name, f"{case} cpu"), []).append((target.cpu_s() - before) / count * 1000)
                seen = loaded(target, requests=count, stream=stream)
                _refuse_failures(target, seen)
                found.setdefault((target.name, f"{case} p99"), []).append(percentile(seen["latencies_ms"], 0.99))
                found.setdefault((target.name, f"{case} p50"), []).append(percentile(seen["latencies_ms"], 0.5))
                if stream:
                    found.setdefault((target.name, "ttft p50"), []).append(percentile(seen["ttft_ms"], 0.5))
                    found.setdefault((target.name, "ttft p99"), []).append(percentile(seen["ttft_ms"], 0.99))
    gateways = [target.name for target in targets if target.name != "direct"]
    for case in ("whole", "stream"):
        yield _row(found, gateways, f"{case} cpu", f"{SIZE} B, {case}, {CONNECTIONS} connections", "CPU a request")
    for figure, case in (
        *(("whole p50", "added p50"), ("whole p99", "added p99")),
        *(("ttft p50", "added time to first token, p50"), ("ttft p99", "added time to first token, p99")),
    ):
        added = {
            (name, figure): [
                value - less for value, less in zip(found[name, figure], found["direct", figure], strict=True)
            ]
            for name in gateways
        }
        yield _row(added, gateways, figure, "one connection", case)


def _row(found: dict[tuple[str, str], list[float]], names: Sequence[str], figure: str, case: str, called: str) -> Row:
    medians = {name: statistics.median(found[name, figure]) for name in names}
    mine = medians.pop("ours")
    spread = (
        f"{min(found['ours', figure]):.3f} to {max(found['ours', figure]):.3f} over {len(found['ours', figure])} rounds"
    )
    ratio = min(medians.values(), default=math.nan) / mine if medians else None
    return Row(case, called, "ms", mine, medians, ratio, higher_is_better=False, spread=spread)


def throughput(targets: Sequence[Target], seconds: float) -> Row:
    """Return the most requests a second of which 99 % take 50 ms or less, by doubling connections."""
    best = {
        target.name: max((rate for rate, p99_ms in _climb(target, seconds) if p99_ms <= P99_MS), default=0.0)
        for target in targets
    }
    mine, direct = best.pop("ours"), best["direct"]
    ratio = mine / best["litellm"] if best.get("litellm") else None
    spread = f"the load itself reaches {direct:,.0f} without a gateway"
    return Row(f"{SIZE} B, p99 <= {P99_MS:g} ms", "requests", "1/s", mine, best, ratio, spread=spread)


def _climb(target: Target, seconds: float) -> Iterator[tuple[float, float]]:
    for connections in LADDER:
        seen = loaded(target, seconds=seconds, connections=connections)
        p99_ms = percentile(seen["latencies_ms"], 0.99)
        yield (0.0 if seen["failed"] else seen["requests"] / seen["seconds"]), p99_ms
        if p99_ms > P99_MS:
            return


def memory(target: Target, streams: int, seconds: float, size: int) -> Iterator[Row]:
    """Yield the memory of large bodies and of many streams at once, and that no stream was lost or mixed."""
    loaded(target, requests=500, size=LARGE, connections=8)
    before = target.resident_mib()
    seen = loaded(target, requests=3000, size=LARGE, connections=8)
    _refuse_failures(target, seen)
    after = target.resident_mib()
    yield Row(f"{LARGE // 1024} KB bodies, 3,000", "resident memory", "MiB", after, {"before": before}, after / before,
              higher_is_better=False)  # fmt: skip
    with tempfile.TemporaryFile("w+") as out:
        load = {"port": target.port, "path": "/v1/chat/completions", "headers": target.headers, "model": "auto",
                "stream": True, "size": size, "connections": streams, "seconds": seconds}  # fmt: skip
        command = [sys.executable, str(HERE / "gateway_load.py")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, text=True)
        process.stdin.write(json.dumps(load))
        process.stdin.close()
        sizes: list[float] = []
        while process.poll() is None:
            sizes.append(target.resident_mib())
            time.sleep(max(0.2, seconds / 200))
        out.seek(0)
        seen = json.load(out)
    steady = sizes[len(sizes) // 5 : -max(1, len(sizes) // 20)] or sizes
    swing = (max(steady) - min(steady)) / statistics.mean(steady) / 2
    case = f"{streams:,} streams at once for {seconds:g} s" + (f", of {size:,} B" if size != SIZE else "")
    yield Row(case, "resident memory, most", "MiB", max(sizes), spread=f"+-{100 * swing:.1f} % after the first fifth",
              higher_is_better=False)  # fmt: skip
    told = f"of {seen['requests']:,} streams; {seen['statuses']}"
    yield Row(case, "lost or mixed", "streams", seen["failed"] + seen["mixed"], higher_is_better=False, spread=told)


def beside(target: Target, seconds: float) -> Iterator[Row]:
    """Yield what ordinary requests take while another client's records are digested at the edge, one after another."""
    records = {"port": target.port, "path": "/v1/chat/completions", "headers": target.headers, "model": "auto",
               "stream": False, "size": SIZE, "connections": 1, "seconds": seconds * 2, "records": RECORDS}  # fmt: skip
    alone = loaded(target, seconds=seconds)
    command = [sys.executable, str(HERE / "gateway_load.py")]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, text=True)
        process.stdin.write(json.dumps(records))
        process.stdin.close()
        time.sleep(seconds / 2)  # until what reads records is loaded
        seen = loaded(target, seconds=seconds)
        process.wait()
        out.seek(0)
        digested = json.load(out)
    _refuse_failures(target, seen)
    told = f"{digested['requests']} requests of {RECORDS:,} records digested meanwhile"
    for share in (0.5, 0.9, 0.99):
        mine, usual = percentile(seen["latencies_ms"], share), percentile(alone["latencies_ms"], share)
        yield Row("beside records that are digested", f"round trip, p{100 * share:g}", "ms", mine, {"alone": usual},
                  mine / usual, higher_is_better=False, spread=told)  # fmt: skip


def reload(target: Target, folder: Path, seconds: float) -> Row:
    """Return how many requests fail while the policy is written anew and reloaded again and again."""
    path = folder / "gateway.yaml"
    text = path.read_text()
    load = {"port": target.port, "path": "/v1/chat/completions", "headers": target.headers, "model": "auto",
            "stream": False, "size": SIZE, "connections": 8, "seconds": seconds}  # fmt: skip
    command = [sys.executable, str(HERE / "gateway_load.py")]
    with tempfile.TemporaryFile("w+") as out:  # more than a pipe holds
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, text=True)
        process.stdin.write(json.dumps(load))
        process.stdin.close()
        times = 0
        while process.poll() is None and target.process:
            fresh = folder / "fresh.yaml"
            turned = text.replace("backends: [cloud, light, edge]", "backends: [edge, light, cloud]")
            fresh.write_text(turned if times % 2 else text)
            fresh.replace(path)
            target.process.send_signal(signal.SIGHUP)
            times += 1
            time.sleep(0.25)
        out.seek(0)
        seen = json.load(out)
    path.write_text(text)
    told = f"of {seen['requests']:,}, over {times} reloads; {seen['statuses']}"
    return Row("policy reloaded under load", "failed", "requests", seen["failed"], higher_is_better=False, spread=told)


def _refuse_failures(target: Target, seen: dict[str, Any]) -> None:
    if seen["failed"] or seen["mixed"]:
        message = f"{target.name} failed {seen['failed']} and mixed {seen['mixed']}: {seen['statuses']}"
        raise SystemExit(message)


def _peers(given: argparse.Namespace, port: int, folder: Path) -> Iterator[contextlib.AbstractContextManager[Target]]:
    """Yield the peers that are asked for, first as they come."""
    for alike in (False, True) if given.alike else (False,):
        if "litellm" in given.peers:
            yield litellm(port, folder, given.litellm or "python", alike=alike)
        if "portkey" in given.peers:
            yield portkey(port, folder, given.portkey or ".", alike=alike)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", default="", help="litellm, portkey, or both with a comma between")
    parser.add_argument("--litellm", help="a Python with litellm[proxy]")
    parser.add_argument("--portkey", help="a folder with @portkey-ai/gateway in node_modules")
    parser.add_argument("--alike", action="store_true", help="the peers a second time, with what they have of ours")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of streams; 600 for the figure asked for")
    parser.add_argument("--bytes", type=int, default=SIZE, help="of the body of each of these streams")
    parser.add_argument(
        "--only", choices=("costs", "throughput", "memory", "reload", "beside"), help="measure this alone"
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.quick:
        given.rounds, given.requests, given.streams, given.seconds = 2, 400, 100, 5.0
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(upstream())
        mine = stack.enter_context(ours(port, folder))
        targets = [Target("direct", port, None), mine]
        targets += [stack.enter_context(each) for each in _peers(given, port, folder)]
        if given.only in (None, "costs"):
            rows += costs(targets, given.rounds, given.requests)
        if given.only in (None, "throughput"):
            rows.append(throughput(targets, 1.0 if given.quick else 4.0))
        if given.only in (None, "reload"):
            rows.append(reload(mine, folder, min(10.0, given.seconds)))
        if given.only in (None, "beside"):
            rows += beside(mine, min(8.0, given.seconds))
    if given.only in (None, "memory"):
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            slow = stack.enter_context(upstream(gap_ms=500.0))
            rows += memory(stack.enter_context(ours(slow, folder)), given.streams, given.seconds, given.bytes)
    for row in rows:
        print(f"{row.case:34} {row.figure:32} {row.ours:10,.3f} {row.unit:8} {row.peers} {row.spread}")
    if given.json:
        machine = (
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        print(json.dumps({"bench": "gateway", "machine": machine, "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    main()
