"""The frozen configuration of a gateway. Built by `config.load_config` or by hand, read by everything else here."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Final

from cellwright.estate.model import Boundary
from cellwright.gateway.filter_policy import DEFAULT_EDGE, DEFAULT_FILTER, EdgeSpec, FilterPolicy
from cellwright.gateway.model_policy import AS_LISTED, BREAKER, Grade

if TYPE_CHECKING:
    from cellwright.estate.documents.tls import Tls
    from cellwright.estate.model import SensitivityClass, Tier, TokenPrices
    from cellwright.gateway.knowledge_spec import KnowledgeSpec
    from cellwright.gateway.model_identity import Issuer
    from cellwright.gateway.model_network import ServerTls
    from cellwright.gateway.model_policy import BreakerSettings, Expected, Policy
    from cellwright.gateway.model_quota import Quota
    from cellwright.gateway.wire import Operation

NANO: Final = 1_000_000_000  # parts of one unit of a currency in which costs are kept, as integers
LOOPBACK: Final = "127.0.0.1"
Network = IPv4Network | IPv6Network
HERE: Final[tuple[Network, ...]] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


@dataclass(frozen=True, slots=True)
class AccessKey:
    """Who may ask: the hash of a key, never the key."""

    name: str
    tenant: str
    sha256: str | None  # 64 lowercase hexadecimal digits; None where a certificate stands for it
    boundary: Boundary = Boundary.NONE  # the tightest one that whoever holds it stands within
    not_after_s: float | None = None  # since 1970; None: it does not expire
    roles: frozenset[str] = frozenset()
    certificate: str | None = None  # a name in the certificate that clients show, such as DNS:noc.example

    @property
    def known_by(self) -> str | None:
        """By what its holder is known as long as it is configured; None for one that a token tells of."""
        return self.sha256 or self.certificate

    def has_expired(self, now_s: float) -> bool:
        """Return whether it is good no longer."""
        return self.not_after_s is not None and now_s >= self.not_after_s


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What a model costs, in nano units of the currency per million tokens."""

    currency: str  # ISO 4217
    source: str
    input_nano: int
    output_nano: int
    cached_nano: int  # of an input token that the backend had cached

    @classmethod
    def of(cls, prices: TokenPrices, currency: str, source: str) -> ModelPrice:
        """Return the prices of a price book's entry; cached tokens cost what others cost."""
        input_nano = nano(prices.input_per_million)
        return cls(currency, source, input_nano, nano(prices.output_per_million), input_nano)


class AwsSource(StrEnum):
    """Where credentials of Amazon Web Services are read from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    CONTAINER = "container"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """Where the credentials stand that sign requests to Amazon Web Services."""

    region: str | None = None  # None: as the address names it
    access_key_env: str = "AWS_ACCESS_KEY_ID"
    secret_key_env: str = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable
    session_token_env: str = "AWS_SESSION_TOKEN"  # noqa: S105 - the name of a variable, which need not be set
    source: AwsSource = AwsSource.ENVIRONMENT
    file: str | None = None  # a shared file; None: as AWS_SHARED_CREDENTIALS_FILE says, or the usual one
    profile: str | None = None  # in it; None: as AWS_PROFILE says, or the default one


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """A backend: what answers, where it stands, what it costs."""

    name: str
    type: str  # entry point in the group cellwright.backends
    model: str
    tier: Tier
    boundary: Boundary  # the tightest one around the operator's data that the backend lies within
    base_url: str | None = None
    api_key_env: str | None = None  # name of the environment variable that holds its key
    aws: AwsAccess | None = None
    retries: int = 1  # further attempts before the first byte
    operations: frozenset[Operation] | None = None  # None: all that its type can do
    price: ModelPrice | None = None  # None: unknown, and so is every cost
    grade: Grade = Grade.FULL
    max_concurrency: int | None = None  # requests in flight; None: nobody set a limit
    max_output: int | None = None  # tokens of an answer that no request bounds; None: nobody says
    expected: Expected | None = None
    tls: ServerTls | None = None  # None: verified by the system's authorities, and shown nothing
    causes: str | None = None  # a file of `cellwright digest learn`, for the reasoner
    takes_unread: bool = False  # off the premises: may be sent documents that the egress guard cannot read

    @property
    def on_premises(self) -> bool:
        """Whether what it is sent stays with the operator."""
        return self.boundary is Boundary.PREMISES


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """Where a workload of a plan is asked."""

    workload: str
    site: str | None  # None: any that the plan names
    backend: BackendSpec  # its name, tier and boundary come from the plan


@dataclass(frozen=True, slots=True)
class Route:
    """A name that clients ask for as a model, the backends that may answer, and what decides among them."""

    name: str
    backends: tuple[str, ...]
    data_class: SensitivityClass | None = None  # of a request that names none; None: the gateway's
    policy: Policy = AS_LISTED
    filter: FilterPolicy | None = None  # of raw records; None: the gateway's
    knowledge: tuple[str, ...] = ()  # collections that every request is given passages of, by id or name


@dataclass(frozen=True, slots=True)
class Rule:
    """Data of these classes may not leave this boundary."""

    name: str
    classes: frozenset[SensitivityClass]
    boundary: Boundary
    source: str


@dataclass(frozen=True, slots=True)
class ToolServerSpec:
    """Where tools run, whom they answer, and what their results are."""

    name: str
    type: str  # entry point in the group cellwright.tools
    tenants: frozenset[str]  # who may call them
    tier: Tier
    boundary: Boundary  # the tightest one around the operator's data that the server stands within
    data_class: SensitivityClass  # of what they return
    prefix: str = ""  # before the names of its tools
    tools: frozenset[str] = frozenset()  # that are offered, by the server's names; empty: all
    timeout_ms: float = 30_000.0  # of one call
    base_url: str | None = None  # of a server that speaks MCP
    api_key_env: str | None = None
    lake: str | None = None  # of a site: a folder, or an address of an object store
    estate: str | None = None  # of a site: what its placements are explained by
    topology: str | None = None  # of a site: what its incidents are joined by


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """The queue of requests that may wait."""

    file: str | None = "gateway-batches.db"  # SQLite
    url_env: str | None = None  # name of the environment variable that holds the URL of a database
    concurrency: int = 4  # requests under way, of all batches
    rest_ms: float = 1_000.0  # after no backend was reached; doubled each further time, up to a minute
    pending: int = 50_000  # requests of one tenant that may wait
    file_bytes: int = 256 * 1024 * 1024  # of the files of one tenant
    keep_ms: float = 30 * 86_400_000.0  # files and ended batches


@dataclass(frozen=True, slots=True)
class Limits:
    """What clients may ask of the server."""

    body_bytes: int = 4 * 1024 * 1024
    header_bytes: int = 32 * 1024
    connections: int = 2048
    requests: int = 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each step may take, in milliseconds."""

    receive_ms: float = 30_000.0  # until the client has sent its body, or taken a piece of the answer
    headers_ms: float = 10_000.0  # until the client has sent its headers
    idle_ms: float = 75_000.0  # for the next request of a connection
    connect_ms: float = 5_000.0  # until a backend has accepted the connection
    read_ms: float = 120_000.0  # between two pieces of a backend's answer
    total_ms: float = 600_000.0  # the whole request


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """Everything one gateway is told; secrets stay where the names of environment variables point."""

    keys: tuple[AccessKey, ...]
    backends: tuple[BackendSpec, ...]
    routes: tuple[Route, ...]
    rules: tuple[Rule, ...]
    data_class: SensitivityClass  # of a request that names none, where its route names none either
    servers: tuple[ServerSpec, ...] = ()  # of workloads that a plan places
    tools: tuple[ToolServerSpec, ...] = ()
    batches: BatchSettings | None = None  # None: no request may wait
    host: str = LOOPBACK
    port: int = 0  # 0: any free one
    tls: Tls | None = None
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    breaker: BreakerSettings = BREAKER
    filter: FilterPolicy = DEFAULT_FILTER  # of raw records, where a route has none of its own
    edge: EdgeSpec = DEFAULT_EDGE
    knowledge: tuple[KnowledgeSpec, ...] = ()  # stores of collections, the first one that of collections that name none
    meter_file: str | None = None  # SQLite
    meter_url_env: str | None = None  # name of the environment variable that holds the URL of a database
    issuers: tuple[Issuer, ...] = ()
    quotas: tuple[Quota, ...] = ()
    quota_url_env: str | None = None  # name of the environment variable; None: the meter's database
    metrics_from: tuple[Network, ...] = HERE  # addresses that see /metrics without a key


def nano(amount: float) -> int:
    """Return an amount of a currency in nano units, as its shortest decimal form says it."""
    return round(Decimal(repr(amount)) * NANO)
