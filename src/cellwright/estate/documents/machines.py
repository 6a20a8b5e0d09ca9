"""Parts of a site: its machines, with their processors, GPUs and network cards."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, ValidationInfo, field_validator

from cellwright.estate import mig
from cellwright.estate.documents.parts import (
    NAME_WORDS,
    Bandwidth,
    Count,
    Flag,
    Memory,
    Name,
    Part,
    PositiveCount,
    Power,
    Text,
    Volume,
    first_repeated,
    one_of,
    refuse,
)
from cellwright.estate.model import Arch, Execution, Gpus, Nic, Node
from cellwright.units import MEMORY

_MIB_PER_GIB: Final = 1024


class GpusPart(Part):
    """The GPUs of one node, all of one model."""

    model: Text = Field(min_length=1, description="the model, as price books name it, such as L40S")
    count: PositiveCount = Field(description="how many each machine has")
    memory: Memory = Field(gt=0, description="memory of each GPU, such as 48 GiB; of the machine where it is unified")
    mig: Flag = Field(default=False, description="whether they are cut into MIG instances")

    @field_validator("mig")
    @classmethod
    def _can_be_cut(cls, cut: Flag, info: ValidationInfo) -> Flag:
        model = info.data.get("model")
        if cut and model is not None and mig.geometry(model) is None:
            raise _not_cut(model)
        return cut

    def build(self) -> Gpus:
        """Return the frozen GPUs."""
        return Gpus(self.model, self.count, self.memory, self.mig)


def _not_cut(model: str) -> Exception:
    """Return the refusal of MIG on a model that has none, or whose name leaves open which one it is."""
    meant = [known for known in mig.MODELS if known.split("-")[0] == model.upper().removeprefix("NVIDIA-")]
    what = "may be one of several models" if meant else "has no MIG that is known here"
    expected = f"false, or a model such as {', '.join(mig.MODELS)}"
    hint = f"name the model {' or '.join(meant)}" if meant else "without MIG a GPU is shared by time-slicing (gpuShare)"
    return refuse("no-mig", f"true, but {model!r} {what}", expected=expected, hint=hint)


class NicPart(Part):
    """A network card with SR-IOV virtual functions."""

    name: Name = Field(description=f"a {NAME_WORDS}, unique within the machine")
    cell: Count = Field(default=0, description="the NUMA cell it is attached to, from 0")
    functions: Count = Field(description="how many virtual functions it offers")
    bandwidth: Bandwidth = Field(gt=0, description="what it carries, such as 100 Gbit/s")

    def build(self) -> Nic:
        """Return the frozen card."""
        return Nic(self.name, self.cell, self.functions, self.bandwidth)


class HugepagesPart(Part):
    """Memory that is set aside in huge pages, by their size."""

    mib2: Memory = Field(default=0.0, alias="2MiB", description="memory in pages of 2 MiB, such as 64 GiB")
    gib1: Memory = Field(default=0.0, alias="1GiB", description="memory in pages of 1 GiB, such as 128 GiB")

    @field_validator("mib2", "gib1")
    @classmethod
    def _whole_pages(cls, amount: float, info: ValidationInfo) -> float:
        page = 2 if info.field_name == "mib2" else _MIB_PER_GIB
        check_pages(amount, page)
        return amount


def check_pages(amount_gib: float, page_mib: int) -> None:
    """Raise where an amount of memory is not a number of whole pages."""
    if amount_gib * _MIB_PER_GIB % page_mib:
        page = "2 MiB" if page_mib < _MIB_PER_GIB else "1 GiB"
        raise refuse("out-of-range", MEMORY.format(amount_gib), expected=f"a multiple of the page, {page}")


class NodePart(Part):
    """A number of identical machines."""

    name: Name = Field(description=f"a {NAME_WORDS}, unique within the site")
    count: PositiveCount = Field(default=1, description="how many identical machines")
    arch: Annotated[Arch, one_of(Arch)] = Field(description="processor architecture")
    sockets: PositiveCount = Field(default=1, description="processor sockets of each machine")
    cells: PositiveCount | None = Field(
        default=None, description="NUMA cells of each machine, a multiple of the sockets; one for each socket if absent"
    )
    cores: PositiveCount = Field(description="processor cores of each machine, of all its sockets together")
    threads_per_core: PositiveCount = Field(default=1, description="hardware threads of each core (SMT)")
    memory: Memory = Field(gt=0, description="memory of each machine, such as 256 GiB")
    hugepages: HugepagesPart = Field(
        default=HugepagesPart(), description="what of the memory is in huge pages, {2MiB: 64 GiB, 1GiB: 128 GiB}"
    )
    nvme: Volume = Field(default=0.0, description="local cache of each machine, such as 4 TB")
    gpus: GpusPart | None = Field(default=None, description="GPUs of each machine")
    unified_memory: Flag = Field(default=False, description="whether CPU and GPU share one memory")
    nics: tuple[NicPart, ...] = Field(default=(), description="network cards with SR-IOV functions")
    dpu: Flag = Field(default=False, description="whether a DPU separates untrusted workloads from everything else")
    fabric: Name | None = Field(default=None, description="the name of the RDMA fabric it is on; none if absent")
    executions: tuple[Annotated[Execution, one_of(Execution)], ...] = Field(
        default=tuple(Execution), min_length=1, description="how workloads may run on it: kubernetes, vm, bare_metal"
    )
    power: Power | None = Field(default=None, description="draw of each machine at full load, such as 1.2 kW")

    @field_validator("cells")
    @classmethod
    def _whole_cells(cls, cells: int | None, info: ValidationInfo) -> int | None:
        sockets = info.data.get("sockets", 1)
        if cells is not None and cells % sockets:
            expected = f"a multiple of the {sockets} sockets, such as {sockets}"
            raise refuse("out-of-range", f"the number {cells}", expected=expected)
        return cells

    @field_validator("hugepages")
    @classmethod
    def _within_memory(cls, pages: HugepagesPart, info: ValidationInfo) -> HugepagesPart:
        memory, taken = info.data.get("memory"), pages.mib2 + pages.gib1
        if memory is not None and taken > memory:
            expected = f"at most its memory, {MEMORY.format(memory)}"
            raise refuse("out-of-range", f"{MEMORY.format(taken)} in all", expected=expected)
        return pages

    @field_validator("nics")
    @classmethod
    def _in_a_cell(cls, nics: tuple[NicPart, ...], info: ValidationInfo) -> tuple[NicPart, ...]:
        if "cells" in info.data:
            cells = info.data["cells"] or info.data.get("sockets", 1)
            for index, nic in enumerate(nics):
                if nic.cell >= cells:
                    words = "cell 0, the only one" if cells == 1 else f"a cell from 0 to {cells - 1}"
                    hint = "cells counts NUMA cells; one for each socket if absent"
                    message = f"the number {nic.cell}, a cell that the machine does not have"
                    raise refuse("no-such-cell", message, expected=words, hint=hint, at=(index, "cell"))
        if (repeated := first_repeated(nic.name for nic in nics)) is not None:
            index, name = repeated
            raise refuse("duplicate-name", f"{name!r}, which is another card too", at=(index, "name"))
        return nics

    def build(self) -> Node:
        """Return the frozen node."""
        return Node(
            name=self.name,
            count=self.count,
            arch=self.arch,
            cores=self.cores,
            memory_gib=self.memory,
            gpus=self.gpus.build() if self.gpus else None,
            unified_memory=self.unified_memory,
            sockets=self.sockets,
            cells=self.cells or self.sockets,
            threads_per_core=self.threads_per_core,
            hugepages_2mib_gib=self.hugepages.mib2,
            hugepages_1gib_gib=self.hugepages.gib1,
            nvme_gb=self.nvme,
            nics=tuple(nic.build() for nic in self.nics),
            dpu=self.dpu,
            fabric=self.fabric,
            executions=frozenset(self.executions),
            power_kw=self.power,
        )
