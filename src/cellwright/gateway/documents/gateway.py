"""What a user writes to set up a gateway: one pydantic model, which builds the frozen type of `gateway.model`."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from cellwright.estate.documents.parts import (
    Count,
    Document,
    Flag,
    Name,
    Part,
    PositiveCount,
    Text,
    one_of,
)
from cellwright.estate.model import Boundary, Tier
from cellwright.gateway.documents.access import KeyPart, MetricsPart
from cellwright.gateway.documents.aws import AwsPart
from cellwright.gateway.documents.batches import BatchesPart
from cellwright.gateway.documents.filter import EdgePart, FilterPart
from cellwright.gateway.documents.identity import IssuerPart
from cellwright.gateway.documents.knowledge import KnowledgePart
from cellwright.gateway.documents.network import LimitsPart, ListenPart, ServerTlsPart, TimeoutsPart
from cellwright.gateway.documents.parts import (
    MODEL_NAME,
    DataClass,
    ServerAddress,
    Variable,
    Within,
)
from cellwright.gateway.documents.policy import BreakerPart, ExpectedPart, RoutePart, RulePart
from cellwright.gateway.documents.quota import QuotaPart, QuotaStorePart
from cellwright.gateway.documents.tools import ToolServerPart
from cellwright.gateway.model import (
    BackendSpec,
    GatewayConfig,
    ModelPrice,
    ServerSpec,
    nano,
)
from cellwright.gateway.model_policy import Grade
from cellwright.gateway.wire import Operation

DEFAULT_METER: Final = "gateway-meter.db"
_HIGHEST: Final = 9_000_000  # of a currency: what a request may cost at most still fits a column, in nano units
TokenPrice = Annotated[float, Field(strict=True, ge=0, le=_HIGHEST)]


class PricePart(Part):
    """What a model costs."""

    currency: Text = Field(pattern="^[A-Z]{3}$", description="three capital letters (ISO 4217), such as EUR")
    source: Text = Field(min_length=1, description="where the price comes from, and when it was checked")
    input_per_million: TokenPrice = Field(description="price of a million tokens in")
    output_per_million: TokenPrice = Field(description="price of a million tokens out")
    cached_per_million: TokenPrice | None = Field(default=None, description="price of a million cached tokens in")

    def build(self) -> ModelPrice:
        """Return the frozen price."""
        cached = self.input_per_million if self.cached_per_million is None else self.cached_per_million
        amounts = (self.input_per_million, self.output_per_million, cached)
        return ModelPrice(self.currency, self.source, *(nano(float(amount)) for amount in amounts))


class ModelPart(Part):
    """A model, and where it is asked."""

    type: Text = Field(description="the kind of backend, such as openai or reasoner")
    model: Text = Field(pattern=MODEL_NAME, description="the model it is asked for, also a name clients may ask for")
    base_url: ServerAddress | None = Field(default=None, description="its address, such as https://models.example/v1")
    api_key_env: Variable | None = Field(default=None, description="the environment variable that holds its key")
    aws: AwsPart | None = Field(default=None, description="what signs requests to Amazon Bedrock")
    retries: Count = Field(default=1, description="further attempts before the first byte")
    operations: tuple[Annotated[Operation, one_of(Operation)], ...] = Field(
        default=(), description="a list of what it is asked for, chat or embeddings; all that its type can do if empty"
    )
    price: PricePart | None = Field(default=None, description="what it costs; unknown if absent")
    grade: Annotated[Grade, one_of(Grade)] = Field(
        default=Grade.FULL, description="light, for simple requests, or full"
    )
    max_concurrency: PositiveCount | None = Field(default=None, description="requests it takes at once")
    max_output_tokens: PositiveCount | None = Field(
        default=None, description="the most tokens out of a request that names no limit"
    )
    measured: ExpectedPart | None = Field(default=None, description="how fast it is, until enough was seen here")
    tls: ServerTlsPart | None = Field(default=None, description="how an https address is verified")
    causes: Text | None = Field(
        default=None, min_length=1, description="what `cellwright digest learn` wrote, for a reasoner to weigh"
    )
    takes_unread: Flag = Field(
        default=False, description="whether pictures, PDF and the like, which no guard can read, may leave for it"
    )

    def at(self, name: str, tier: Tier, boundary: Boundary) -> BackendSpec:
        """Return the frozen backend at a place."""
        return BackendSpec(
            name=name,
            type=self.type,
            model=self.model,
            tier=tier,
            boundary=boundary,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            aws=self.aws.build() if self.aws else None,
            retries=self.retries,
            operations=frozenset(self.operations) or None,
            price=self.price.build() if self.price else None,
            grade=self.grade,
            max_concurrency=self.max_concurrency,
            max_output=self.max_output_tokens,
            expected=self.measured.build() if self.measured else None,
            tls=self.tls.build() if self.tls else None,
            causes=self.causes,
            takes_unread=self.takes_unread,
        )


class BackendPart(ModelPart):
    """What answers, and where it stands."""

    name: Name = Field(description="a unique name")
    tier: Annotated[Tier, one_of(Tier)] = Field(description="the kind of place it stands at")
    boundary: Within = Field(description="the tightest boundary around the operator's data that it lies within")

    def build(self) -> BackendSpec:
        """Return the frozen backend."""
        return self.at(self.name, self.tier, self.boundary)


class ServerPart(ModelPart):
    """The model of a workload that a plan places: where it stands comes from the plan."""

    workload: Name = Field(description="the workload, a name of the estate")
    site: Name | None = Field(default=None, description="the site it stands at; any that the plan names if absent")

    def build(self) -> ServerSpec:
        """Return the frozen server, out of every boundary until a plan says where it stands."""
        return ServerSpec(self.workload, self.site, self.at(self.workload, Tier.REGION, Boundary.NONE))


class MeterPart(Part):
    """Where requests are metered: a file (gateway-meter.db where nothing is said), or a database by URL."""

    file: Text | None = Field(default=None, min_length=1, description="an SQLite file")
    url_env: Variable | None = Field(default=None, description="the environment variable that holds a database's URL")


class GatewaySpec(Part):
    """Everything one gateway is told."""

    listen: ListenPart = Field(default=ListenPart(), description="where it listens")
    keys: tuple[KeyPart, ...] = Field(default=(), description="a list of the keys that may ask")
    data_class: DataClass = Field(description="the class of a request where neither it nor its route names one")
    backends: tuple[BackendPart, ...] = Field(default=(), description="a list of what answers")
    servers: tuple[ServerPart, ...] = Field(default=(), description="a list of where workloads of a plan are asked")
    routes: tuple[RoutePart, ...] = Field(default=(), description="a list of names that clients may ask for")
    rules: tuple[RulePart, ...] = Field(default=(), description="a list of what data may not leave")
    batches: BatchesPart | None = Field(default=None, description="the queue of requests that may wait; none if absent")
    tools: tuple[ToolServerPart, ...] = Field(default=(), description="a list of where tools run that callers may use")
    breaker: BreakerPart = Field(default=BreakerPart(), description="when a backend that fails is left alone")
    filter: FilterPart = Field(default=FilterPart(), description="what becomes of raw records in requests")
    edge: EdgePart = Field(default=EdgePart(), description="what stands at the edge for the filter to work with")
    knowledge: tuple[KnowledgePart, ...] = Field(default=(), description="a list of stores of collections")
    limits: LimitsPart = Field(default=LimitsPart(), description="what clients may ask for")
    timeouts: TimeoutsPart = Field(default=TimeoutsPart(), description="how long each step may take")
    meter: MeterPart = Field(default=MeterPart(), description="where requests are metered")
    issuers: tuple[IssuerPart, ...] = Field(default=(), description="a list of who vouches for callers without a key")
    quotas: tuple[QuotaPart, ...] = Field(default=(), description="a list of how much tenants and keys may use")
    quota_store: QuotaStorePart = Field(default=QuotaStorePart(), description="where workers share what is left")
    metrics: MetricsPart = Field(default=MetricsPart(), description="who sees /metrics without a key")


class GatewayDocument(Document):
    """An OpenAI-compatible server, its backends and its policy."""

    kind: Literal["Gateway"]
    spec: GatewaySpec = Field(description="what the gateway is told")

    def build(self) -> GatewayConfig:
        """Return the frozen configuration."""
        spec = self.spec
        return GatewayConfig(
            keys=tuple(part.build() for part in spec.keys),
            backends=tuple(part.build() for part in spec.backends),
            servers=tuple(part.build() for part in spec.servers),
            routes=tuple(part.build() for part in spec.routes),
            rules=tuple(part.build() for part in spec.rules),
            data_class=spec.data_class,
            tools=tuple(part.build() for part in spec.tools),
            batches=spec.batches.build() if spec.batches else None,
            filter=spec.filter.build(),
            edge=spec.edge.build(),
            knowledge=tuple(part.build() for part in spec.knowledge),
            host=spec.listen.host,
            port=spec.listen.port,
            tls=spec.listen.tls.build() if spec.listen.tls else None,
            limits=spec.limits.build(),
            timeouts=spec.timeouts.build(),
            breaker=spec.breaker.build(),
            meter_file=spec.meter.file or (None if spec.meter.url_env else DEFAULT_METER),
            meter_url_env=spec.meter.url_env,
            issuers=tuple(part.build() for part in spec.issuers),
            quotas=tuple(part.build() for part in spec.quotas),
            quota_url_env=spec.quota_store.url_env,
            metrics_from=spec.metrics.networks,
        )
