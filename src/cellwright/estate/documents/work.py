"""Documents of work: Workload and Tenant."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from cellwright.estate import model
from cellwright.estate.documents.parts import (
    Count,
    DataRate,
    Document,
    Duration,
    Memory,
    Name,
    Part,
    Percentiles,
    PositiveCount,
    Reference,
    Text,
    Volume,
    one_of,
)

_ArchName = Annotated[model.Arch, one_of(model.Arch)]
_OnCallName = Annotated[model.OnCall, one_of(model.OnCall)]


class DemandPart(Part):
    """Resources of one running workload."""

    cores: PositiveCount = Field(description="processor cores")
    memory: Memory = Field(description="memory, such as 64 GiB")
    gpus: Count = Field(default=0, description="number of GPUs")
    gpu_memory: Memory = Field(default=0.0, description="at least this much on each GPU, such as 40 GiB")
    archs: tuple[_ArchName, ...] = Field(
        default=tuple(model.Arch), min_length=1, description="a list of the processor architectures it runs on"
    )

    def build(self) -> model.Demand:
        """Return the frozen demand."""
        return model.Demand(self.cores, self.memory, self.gpus, self.gpu_memory, frozenset(self.archs))


class ConsumptionPart(Part):
    """How a workload uses a dataset."""

    dataset: Reference = Field(description="the name of a dataset")
    transfer: Volume = Field(description="what moves from the dataset's home each time, such as 40 GB")
    every: Duration = Field(gt=0, description="how often, such as 1 d")
    within: Duration = Field(gt=0, description="in what time it must have arrived, such as 4 h")

    def build(self) -> model.Consumption:
        """Return the frozen consumption."""
        return model.Consumption(self.dataset, self.transfer, self.every, self.within)


class LatencyPart(Part):
    """Who is served, and how quickly."""

    users: Reference = Field(description="the name of the site where requests arise")
    p99: Duration | None = Field(
        default=None, gt=0, description="limit of the 99th percentile of network and service together; none if absent"
    )


class ReadinessPart(Part):
    """What a workload asks of the people of its site."""

    skills: tuple[Name, ...] = Field(default=(), description="names of what they must be able to do")
    on_call: _OnCallName = Field(default=model.OnCall.NONE, description="how quickly somebody must attend")


class CallPart(Part):
    """A workload that this one calls."""

    workload: Reference = Field(description="the name of a workload")
    traffic: DataRate = Field(description="what flows between the two, such as 2 GB/h")
    p99: Duration | None = Field(
        default=None, gt=0, description="limit of the network round trip between the two; none if absent"
    )


class WorkloadSpec(Part):
    """What a workload is, needs and promises."""

    phase: Annotated[model.Phase, one_of(model.Phase)] = Field(description="its place in the AI lifecycle: a label")
    tenant: Reference = Field(description="the name of the tenant it belongs to")
    description: Text = Field(default="", description="what it does, for people")
    demand: DemandPart = Field(description="what it needs: {cores, memory, gpus, gpuMemory, archs}")
    consumes: tuple[ConsumptionPart, ...] = Field(default=(), description="the datasets it uses")
    latency: LatencyPart = Field(description="who it serves: {users, p99}")
    service_time: Percentiles = Field(description="time inside the workload, {p50: 20 ms, p99: 40 ms}")
    readiness: ReadinessPart = Field(default=ReadinessPart(), description="what it asks of the people of its site")
    calls: tuple[CallPart, ...] = Field(default=(), description="the workloads it calls")


class WorkloadDocument(Document):
    """An AI function in one lifecycle phase."""

    kind: Literal["Workload"]
    spec: WorkloadSpec = Field(description="what the workload is and needs")

    def build(self) -> model.Workload:
        """Return the frozen workload."""
        spec = self.spec
        return model.Workload(
            name=self.metadata.name,
            phase=spec.phase,
            tenant=spec.tenant,
            description=spec.description,
            demand=spec.demand.build(),
            consumes=tuple(part.build() for part in spec.consumes),
            latency=model.LatencyTarget(spec.latency.users, spec.latency.p99),
            service_p50_ms=spec.service_time.p50,
            service_p99_ms=spec.service_time.p99,
            readiness=model.Readiness(frozenset(spec.readiness.skills), spec.readiness.on_call),
            calls=tuple(model.Call(call.workload, call.traffic, call.p99) for call in spec.calls),
        )


class QuotaPart(Part):
    """Upper bounds of what all workloads of a tenant may take together; no bound where absent."""

    cores: Count | None = Field(default=None, description="processor cores")
    memory: Memory | None = Field(default=None, description="memory, such as 2 TiB")
    gpus: Count | None = Field(default=None, description="number of GPUs")


class TenantSpec(Part):
    """Who a workload belongs to."""

    display_name: Text = Field(min_length=1, description="the name that people read")
    quota: QuotaPart = Field(default=QuotaPart(), description="upper bounds, {cores, memory, gpus}")


class TenantDocument(Document):
    """An owner of workloads."""

    kind: Literal["Tenant"]
    spec: TenantSpec = Field(description="who the tenant is and what it may take")

    def build(self) -> model.Tenant:
        """Return the frozen tenant."""
        quota = self.spec.quota
        return model.Tenant(
            self.metadata.name, self.spec.display_name, model.Quota(quota.cores, quota.memory, quota.gpus)
        )
