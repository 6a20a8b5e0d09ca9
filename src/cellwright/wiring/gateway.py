"""A gateway of its own: its document read, checked, explained and served."""

from __future__ import annotations

import contextlib
import functools
import os
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cellwright.digest.tokens import token_counter
from cellwright.errors import UsageError, nearest
from cellwright.gateway.config import load_config
from cellwright.gateway.egress import leaves
from cellwright.gateway.endpoints.chat import ChatCompletions
from cellwright.gateway.knowledge_spec import EMBEDDED
from cellwright.gateway.metering.meter import Meter, meter_url
from cellwright.gateway.reload import Reloading
from cellwright.gateway.routing.ask import TYPICAL_TOKENS_OUT, read_ask
from cellwright.gateway.routing.difficulty import contributions, shipped
from cellwright.gateway.routing.explain import explain
from cellwright.gateway.routing.route import compile_table
from cellwright.gateway.routing.select import Ask
from cellwright.gateway.routing.standing import supposed
from cellwright.gateway.serve import base_url, bind, serve, serve_beside
from cellwright.gateway.server import create_app
from cellwright.gateway.wire import ApiError
from cellwright.gateway.workers import Workers
from cellwright.privacy.egress import guard_egress
from cellwright.wiring.files import read_text, storage_errors
from cellwright.wiring.settings import read_settings
from cellwright.wiring.standby import open_desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cellwright.estate.model import SensitivityClass
    from cellwright.gateway.model import GatewayConfig
    from cellwright.gateway.routing.explain import Explanation
    from cellwright.gateway.serve import Beside
    from cellwright.gateway.server import Gateway
    from cellwright.gateway.wire import ModelRequest

_TYPICAL_TOKENS_IN: Final = 1000
_PRIVATE: Final = 0o077  # meters, batches and collections, with their logs of writes, are for the gateway's user alone


@dataclass(frozen=True, slots=True)
class Question:
    """A request as somebody asks about it; what is None comes from the request's body, else from the route."""

    model: str | None = None
    data_class: SensitivityClass | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    stream: bool | None = None
    body: Path | None = None  # JSON of a chat completion


@dataclass(frozen=True, slots=True)
class Documents:
    """What a gateway is set up by: its own document, and a plan with its estate where those say what is placed."""

    config: Path
    plan: Path | None = None
    estate: Path | None = None

    def __post_init__(self) -> None:
        """Raise UsageError where one of plan and estate is missing."""
        if (self.plan is None) != (self.estate is None):
            given, lacking = ("--plan", "--estate") if self.plan else ("--estate", "--plan")
            expected = "--plan PLAN --estate ESTATE"
            raise UsageError.of("plan-and-estate", f"{given} goes with {lacking}", expected=expected)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files whose change is looked for; an estate changes by a new plan."""
        return (self.config,) if self.plan is None else (self.config, self.plan)


def read_config(documents: Documents) -> tuple[GatewayConfig, tuple[str, ...]]:
    """Return the configuration in documents, and remarks; raise UsageError with every problem, StorageError."""
    config = load_config(read_text(documents.config), str(documents.config))
    if documents.plan is not None and documents.estate is not None:
        from cellwright.wiring.planned import read_planned  # noqa: PLC0415 - takes 20 MiB, and few gateways have a plan

        return read_planned(config, documents.plan, documents.estate)
    if not config.backends:
        message = "the document names servers of a plan alone"
        raise UsageError.of("no-plan", message, expected="--plan PLAN --estate ESTATE, or spec.backends")
    notes = ("spec.servers is for --plan, and is not used without",) if config.servers else ()
    return config, notes


def unanswerable(config: GatewayConfig) -> Iterator[str]:
    """Yield a sentence for each route that no backend may answer where a request names no class."""
    table = compile_table(config)
    for route in table.chains:
        decision = table.decide(route, None)
        if decision is not None and not decision.allowed:
            yield f"no backend may answer on route {route} unless a request names a class: {decision.sentence}"


def absent(config: GatewayConfig, base: Path) -> Iterator[str]:
    """Yield a sentence for each file that a configuration needs and that is not on this machine.

    What stands at the edge is named relative to `base`.
    """
    tls = [("listen.tls", config.tls), *((f"backend {spec.name}", spec.tls) for spec in config.backends)]
    named: list[tuple[str, str | Path | None]] = [
        (place, name) for place, files in tls if files is not None for name in astuple(files)
    ]
    named += [(f"backend {spec.name}", spec.causes) for spec in config.backends]
    named += [(f"issuer {issuer.name}", issuer.jwks_file) for issuer in config.issuers]
    edge = (*config.edge.mappings, *([config.edge.topology] if config.edge.topology else []))
    named += [("edge", base / name) for name in edge]
    for place, name in named:
        if name is not None and not Path(name).exists():
            yield f"{place} needs {name}, which is not there: the gateway does not start without"


def explain_request(config: GatewayConfig, question: Question) -> Explanation:
    """Return which backends would answer a request, all of them idle and as fast as configured; raise UsageError."""
    request = _read_request(question.body) if question.body is not None else None
    table = compile_table(config)
    model = question.model or (request.model if request else None)
    if model is None:
        raise UsageError.of("no-model", "nothing says which model is asked for", expected="--model or --request")
    decision = table.decide(model, question.data_class)
    if decision is None:
        known = tuple(table.chains)
        hint = nearest(model, known) or f"known are {', '.join(known)}"
        raise UsageError.of("unknown-model", f"no route has the name {model!r}", hint=hint)
    asked = read_ask(decision.policy, request) if request else Ask()
    ask = asked._replace(
        stream=asked.stream if question.stream is None else question.stream,
        tokens_in=question.tokens_in or asked.tokens_in or _TYPICAL_TOKENS_IN,
        tokens_out=question.tokens_out or asked.tokens_out or TYPICAL_TOKENS_OUT,
    )
    unread = request is not None and leaves(request.body).unread
    found = explain(table, decision, ask, {spec.name: supposed(spec) for spec in config.backends}, unread=unread)
    if request is None or decision.policy.light_below is None:
        return found
    return replace(found, difficulty=ask.difficulty, contributions=contributions(request.body))


def difficulty_error() -> str:
    """Return how often the score of difficulty errs, in a sentence."""
    errors = shipped().errors
    return (
        f"the score sees how a request is put, not what it means: it errs in {errors['unseen kinds']:.0%} of the "
        f"requests of kinds it was not trained on, in {errors['contrary kinds']:.0%} where length misleads"
    )


@dataclass(frozen=True, slots=True)
class _File:
    """Documents in files."""

    documents: Documents
    beside: tuple[Path, ...] = ()  # files that they name, which are read anew with them

    def stamp(self) -> object:
        """Return what differs when a file was written or replaced."""
        return (*_stamps(self.documents.files), *_stamps(self.beside))

    def read(self) -> GatewayConfig:
        """Return the configuration as it is now."""
        config, _ = read_config(self.documents)
        return config


def _stamps(paths: Iterable[Path]) -> tuple[tuple[int, int, int], ...]:
    found = []
    for path in paths:
        with storage_errors("read", path):
            found.append(path.stat())
    return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)


def serve_gateway(
    documents: Documents,
    environ: Mapping[str, str],
    announce: Callable[[str], None],
    remark: Callable[[str], None],
    workers: int = 1,
) -> None:
    """Serve the gateway that documents describe until Ctrl-C, by `workers` processes.

    Raises UsageError with every problem of the documents, UnavailableError where the port is taken.
    """
    stamps = _stamps(documents.files)
    config, remarks = read_config(documents)
    for each in remarks:
        remark(each)
    if workers > 1 and (alone := [store.name for store in config.knowledge if store.type == EMBEDDED]):
        raise UsageError.of(
            "one-process-only",
            f"{workers} processes cannot share the embedded knowledge store {alone[0]}",
            expected="one process (--workers 1)",
            hint="serve the collections by a gateway of their own, and name it as a store of type gateway",
        )
    os.umask(_PRIVATE)
    if workers == 1:
        with _opened(config, documents, stamps, environ) as (app, beside):
            serve(app, announce, beside)
        return
    with contextlib.closing(bind(config.host, config.port, shared=True)) as reserved:
        port = reserved.getsockname()[1]

        def work(lifeline: int, ready: Callable[[], None]) -> None:
            with (
                _opened(config, documents, stamps, environ) as (app, beside),
                contextlib.closing(bind(config.host, port, shared=True)) as bound,
            ):
                serve_beside(app, bound, lifeline, ready, beside)

        Workers(workers, work).run(lambda: announce(base_url(config, reserved)))


@contextlib.contextmanager
def _opened(
    config: GatewayConfig, documents: Documents, stamps: tuple[object, ...], environ: Mapping[str, str]
) -> Iterator[tuple[Gateway, Callable[[], Beside]]]:
    """Give the application of documents, and what runs beside it; its rows are written when the block ends.

    `stamps` are those of the documents from before they were read: what was written since is read at once.
    """
    with Meter(meter_url(config, environ)) as meter:
        desk = functools.partial(open_desk, settings=read_settings(environ, Path.home()), base=documents.config.parent)
        app = create_app(config, guard=guard_egress, counter=token_counter(), meter=meter, secrets=environ, desk=desk)
        shown = (Path(config.tls.certificate), Path(config.tls.key)) if config.tls else ()
        loaded = (*stamps, *_stamps(shown))
        yield app, lambda: Reloading(app, _File(documents, shown), loaded).watch()


def _read_request(path: Path) -> ModelRequest:
    try:
        return ChatCompletions().read(read_text(path).encode(), "explained", 0)
    except ApiError as error:
        raise UsageError.of(error.code.replace("_", "-"), f"{path}: {error.diagnostics[0].message}") from None
