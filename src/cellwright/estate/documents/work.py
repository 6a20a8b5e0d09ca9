"""Documents of work: Workload and Tenant."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from cellwright.estate import model
from cellwright.estate.documents.demands import DemandPart, ModelPart, check_forms
from cellwright.estate.documents.parts import (
    Count,
    DataRate,
    Document,
    Duration,
    Flag,
    Memory,
    Name,
    Part,
    Percentiles,
    Reference,
    Text,
    Volume,
    one_of,
    refuse,
)
from cellwright.estate.documents.replicas import ReplicasPart, WindowPart

_OnCallName = Annotated[model.OnCall, one_of(model.OnCall)]


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

    users: Reference | None = Field(
        default=None,
        description="the name of the site where requests arise; absent where each replica serves its own site or home",
    )
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
    service_class: Annotated[model.ServiceClass, one_of(model.ServiceClass)] = Field(
        default=model.ServiceClass.GUARANTEED,
        alias="class",
        description="guaranteed: its share is reserved; best_effort: it takes what is left",
    )
    execution: Annotated[model.Execution, one_of(model.Execution)] = Field(
        default=model.Execution.KUBERNETES, description="how it runs: kubernetes, vm, bare_metal"
    )
    untrusted: Flag = Field(default=False, description="whether it may only run on machines with a DPU")
    window: WindowPart | None = Field(
        default=None, description="the hours in which it runs, UTC, {from: '22:00', to: '06:00'}; all day if absent"
    )
    demand: DemandPart = Field(description="what each replica needs: {cores, memory, gpus, gpuMemory, archs, ...}")
    forms: ModelPart | None = Field(
        default=None,
        alias="model",
        description="forms of its model for the planner to choose from, {quantisations, minAccuracy}",
    )
    consumes: tuple[ConsumptionPart, ...] = Field(default=(), description="the datasets it uses")
    replicas: ReplicasPart = Field(
        default=ReplicasPart(), description="how many there are: {count}, {perSite} or {perHome}; one if absent"
    )
    gang: Flag = Field(
        default=False, description="whether all replicas run at one site on machines of one fabric, or none does"
    )
    spread: Annotated[model.Spread, one_of(model.Spread)] = Field(
        default=model.Spread.ANY,
        description="what no two replicas may share: a node, a site; any if they may share all",
    )
    together_with: tuple[Reference, ...] = Field(
        default=(), description="names of workloads at whose sites it must be (affinity)"
    )
    apart_from: tuple[Reference, ...] = Field(
        default=(), description="names of workloads at whose sites it must not be (anti-affinity)"
    )
    latency: LatencyPart = Field(description="who it serves: {users, p99}")
    service_time: Percentiles = Field(description="time inside the workload, {p50: 20 ms, p99: 40 ms}")
    readiness: ReadinessPart = Field(default=ReadinessPart(), description="what it asks of the people of its site")
    calls: tuple[CallPart, ...] = Field(default=(), description="the workloads it calls")

    @field_validator("demand")
    @classmethod
    def _isolated(cls, demand: DemandPart, info: ValidationInfo) -> DemandPart:
        if demand.gpu_share < 1 and info.data.get("service_class") is model.ServiceClass.GUARANTEED:
            raise refuse(
                "conflict",
                f"the number {demand.gpu_share:g}, but the class is guaranteed",
                expected="1, or class: best_effort",
                hint="time-slicing does not isolate, a MIG instance does: write migProfile instead of gpuShare",
                at=("gpuShare",),
            )
        return demand

    @field_validator("forms")
    @classmethod
    def _runs_on_gpus(cls, part: ModelPart | None, info: ValidationInfo) -> ModelPart | None:
        if part and "demand" in info.data:
            check_forms(part, info.data["demand"])
        return part

    @field_validator("gang")
    @classmethod
    def _of_several(cls, gang: Flag, info: ValidationInfo) -> Flag:
        replicas = info.data.get("replicas")
        if gang and replicas and (not replicas.fixed or (replicas.count or 1) == 1):
            why = "there is one replica" if replicas.fixed else "its replicas are one for each site or home"
            raise refuse("conflict", f"true, but {why}", expected="a fixed number of replicas, such as {count: 4}")
        return gang

    @field_validator("spread")
    @classmethod
    def _not_torn(cls, spread: model.Spread, info: ValidationInfo) -> model.Spread:
        if spread is model.Spread.SITE and info.data.get("gang"):
            raise refuse("conflict", "'site', but a gang runs at one site", expected="node or any")
        return spread

    @field_validator("latency")
    @classmethod
    def _serves_somebody(cls, latency: LatencyPart, info: ValidationInfo) -> LatencyPart:
        if latency.users is None and "replicas" in info.data and info.data["replicas"].fixed:
            expected = LatencyPart.model_fields["users"].description
            raise refuse("missing-key", "missing", expected=expected, at=("users",))
        return latency


class WorkloadDocument(Document):
    """An AI function in one lifecycle phase."""

    kind: Literal["Workload"]
    spec: WorkloadSpec = Field(description="what the workload is and needs")

    def build(self) -> model.Workload:
        """Return the frozen workload; its users are "" where each replica serves its own site or home."""
        spec = self.spec
        return model.Workload(
            name=self.metadata.name,
            phase=spec.phase,
            tenant=spec.tenant,
            description=spec.description,
            demand=spec.demand.build(),
            consumes=tuple(part.build() for part in spec.consumes),
            latency=model.LatencyTarget(spec.latency.users or "", spec.latency.p99),
            service_p50_ms=spec.service_time.p50,
            service_p99_ms=spec.service_time.p99,
            readiness=model.Readiness(frozenset(spec.readiness.skills), spec.readiness.on_call),
            calls=tuple(model.Call(call.workload, call.traffic, call.p99) for call in spec.calls),
            replicas=spec.replicas.build(),
            gang=spec.gang,
            spread=spec.spread,
            together_with=frozenset(spec.together_with),
            apart_from=frozenset(spec.apart_from),
            service_class=spec.service_class,
            window=spec.window.build() if spec.window else None,
            execution=spec.execution,
            untrusted=spec.untrusted,
            quantisations=tuple(form.build() for form in spec.forms.quantisations) if spec.forms else (),
            min_accuracy=float(spec.forms.min_accuracy) if spec.forms else 0.0,
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
