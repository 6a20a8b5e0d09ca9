"""Parts of a workload: what one replica needs, and the forms that its model may take."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator
from pydantic.alias_generators import to_camel

from cellwright.errors import nearest
from cellwright.estate import mig, model
from cellwright.estate.documents.machines import check_pages
from cellwright.estate.documents.parts import (
    Count,
    Flag,
    Memory,
    Part,
    Percentiles,
    PositiveCount,
    Share,
    Text,
    Volume,
    first_repeated,
    one_of,
    refuse,
    shown,
)
from cellwright.units import MEMORY

_ArchName = Annotated[model.Arch, one_of(model.Arch)]
_PAGES: Final = MappingProxyType({"2 MiB": 2, "1 GiB": 1024})


def _page(value: object) -> int:
    """Return the size of a page in MiB."""
    words = re.sub(r"(?<=\d)(?=[MG]iB)", " ", value) if isinstance(value, str) else ""
    if words not in _PAGES:
        raise refuse("unknown-value", shown(value), expected="one of 2 MiB, 1 GiB")
    return _PAGES[words]


class PagesPart(Part):
    """Memory in huge pages of one size."""

    size: Annotated[int, BeforeValidator(_page), WithJsonSchema({"type": "string", "examples": list(_PAGES)})] = Field(
        description="the size of a page: 2 MiB or 1 GiB"
    )
    amount: Memory = Field(description="how much memory in such pages, such as 16 GiB")

    @field_validator("amount")
    @classmethod
    def _whole_pages(cls, amount: float, info: ValidationInfo) -> float:
        check_pages(amount, info.data.get("size", 2))
        return amount


class DemandPart(Part):
    """Resources of one running replica."""

    cores: PositiveCount = Field(description="processor cores, counted as hardware threads")
    pinned: Flag = Field(default=False, description="whether it gets whole physical cores, shared with nobody")
    single_cell: Flag = Field(
        default=False, description="whether cores, memory, GPUs and SR-IOV functions must be of one NUMA cell"
    )
    memory: Memory = Field(description="memory, such as 64 GiB; huge pages come on top")
    hugepages: PagesPart | None = Field(default=None, description="huge pages, {size: 1 GiB, amount: 16 GiB}")
    gpus: Count = Field(default=0, description="number of GPUs")
    gpu_share: Share = Field(
        default=1.0, description="share of one GPU by time-slicing, above 0 and at most 1; below 1 for best effort only"
    )
    gpu_memory: Memory = Field(default=0.0, description="at least this much on each GPU, such as 40 GiB")
    gpu_models: tuple[Text, ...] = Field(default=(), description="a list of the only GPU models it runs on")
    mig_profile: Text | None = Field(
        default=None, description="one MIG instance instead of whole GPUs, such as 1g.10gb"
    )
    sriov: Count = Field(default=0, description="number of SR-IOV virtual functions")
    nvme: Volume = Field(default=0.0, description="local cache, such as 500 GB")
    archs: tuple[_ArchName, ...] = Field(
        default=tuple(model.Arch), min_length=1, description="a list of the processor architectures it runs on"
    )

    @field_validator("gpu_share")
    @classmethod
    def _of_one_gpu(cls, share: float, info: ValidationInfo) -> float:
        if share < 1 and info.data.get("gpus", 1) != 1:
            message = f"the number {share:g}, but the demand has {info.data['gpus']} GPUs"
            raise refuse("conflict", message, expected="1, or a share of one GPU (gpus: 1)")
        return share

    @field_validator("mig_profile")
    @classmethod
    def _instead_of_gpus(cls, profile: str | None, info: ValidationInfo) -> str | None:
        if profile is None:
            return None
        if others := [key for key, usual in (("gpus", 0), ("gpu_share", 1.0)) if info.data.get(key, usual) != usual]:
            key = to_camel(others[0])
            hint = f"take {key} out, or migProfile"
            message = f"{profile!r}, but the demand asks for {key} too"
            raise refuse("conflict", message, expected="either whole GPUs or one MIG instance", hint=hint)
        room, wanted = instance_gib(profile, info.data.get("gpu_models", ())), info.data.get("gpu_memory", 0.0)
        if wanted > room:
            message = (
                f"{profile!r}, which has {MEMORY.format(room)}: less than the gpuMemory of {MEMORY.format(wanted)}"
            )
            raise refuse("out-of-range", message, expected="a larger instance, or less gpuMemory")
        return profile

    def build(self) -> model.Demand:
        """Return the frozen demand."""
        pages = self.hugepages
        return model.Demand(
            cores=self.cores,
            memory_gib=self.memory,
            gpus=self.gpus,
            gpu_memory_gib=self.gpu_memory,
            archs=frozenset(self.archs),
            gpu_share=float(self.gpu_share),
            mig_profile=self.mig_profile,
            gpu_models=frozenset(self.gpu_models),
            pinned=self.pinned,
            single_cell=self.single_cell,
            hugepages_gib=pages.amount if pages else 0.0,
            hugepage_mib=pages.size if pages else 2,
            sriov=self.sriov,
            nvme_gb=self.nvme,
        )


def instance_gib(profile: str, models: tuple[str, ...], at: tuple[str | int, ...] = ()) -> float:
    """Return the memory of an instance, of the largest where GPUs differ; raise where no GPU of `models` can have it.

    Any GPU may be meant where `models` is empty.
    """
    cuts = [cut for known in models or mig.MODELS if (cut := mig.geometry(known))]
    rooms = [cut.profiles[profile].memory_gib for cut in cuts if profile in cut.profiles]
    if not rooms:
        raise _no_such_instance(profile, models, cuts, at)
    return max(rooms)


def _no_such_instance(
    profile: str, models: tuple[str, ...], cuts: list[mig.Geometry], at: tuple[str | int, ...]
) -> Exception:
    names = list(dict.fromkeys(name for cut in cuts for name in cut.profiles))
    hint = "profiles with media engines (+me) are not planned with" if "+" in profile else nearest(profile, names)
    if not models:
        message, expected = "a MIG profile that no GPU can have", "a profile such as 1g.10gb, 2g.20gb, 3g.40gb"
    else:
        message = f"not a MIG profile that {' and '.join(models)} can have"
        expected = f"one of {', '.join(names)}" if names else f"a model with MIG: {', '.join(mig.MODELS)}"
    return refuse("unknown-mig-profile", f"{profile!r}, {message}", expected=expected, hint=hint, at=at)


class QuantisationPart(Part):
    """One form of a model."""

    name: Text = Field(min_length=1, description="a unique name, such as fp16, int8 or int4")
    gpu_memory: Memory = Field(gt=0, description="GPU memory that it takes, in place of the demand's")
    accuracy: Share = Field(description="accuracy relative to the unquantised model, above 0 and at most 1")
    service_time: Percentiles = Field(description="time inside the workload, in place of the workload's")
    mig_profile: Text | None = Field(default=None, description="one MIG instance in place of the demand's GPUs")

    def build(self) -> model.Quantisation:
        """Return the frozen quantisation."""
        time = self.service_time
        return model.Quantisation(
            self.name, self.gpu_memory, float(self.accuracy), time.p50, time.p99, self.mig_profile
        )


class ModelPart(Part):
    """The forms that a model may take; the planner chooses."""

    quantisations: tuple[QuantisationPart, ...] = Field(min_length=1, description="a list of its forms")
    min_accuracy: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] = Field(
        default=0.0, description="the least accuracy of a form that may be chosen, 0 to 1"
    )

    @field_validator("quantisations")
    @classmethod
    def _told_apart(cls, forms: tuple[QuantisationPart, ...]) -> tuple[QuantisationPart, ...]:
        if (repeated := first_repeated(form.name for form in forms)) is not None:
            index, name = repeated
            raise refuse("duplicate-name", f"{name!r}, which is another form too", at=(index, "name"))
        return forms

    @field_validator("min_accuracy")
    @classmethod
    def _within_reach(cls, least: float, info: ValidationInfo) -> float:
        best = max((form.accuracy for form in info.data.get("quantisations", ())), default=1.0)
        if least > best:
            expected = f"at most {best:g}, the accuracy of the best of its quantisations"
            raise refuse("out-of-range", f"the number {least:g}, which no quantisation reaches", expected=expected)
        return least


def check_forms(part: ModelPart, demand: DemandPart) -> None:
    """Raise where a form of the model cannot take the place of what the demand says of GPUs."""
    for index, form in enumerate(part.quantisations):
        at = ("quantisations", index)
        profile = form.mig_profile or demand.mig_profile
        if profile is None and not demand.gpus:
            hint = "write gpus: 1 or a migProfile into the demand"
            message = f"{form.name!r}, which takes GPU memory, but the demand has no GPU"
            raise refuse("no-gpu", message, hint=hint, at=(*at, "name"))
        if form.mig_profile and (demand.gpus > 1 or demand.gpu_share < 1):
            instead = f"{demand.gpus} GPUs" if demand.gpus > 1 else "a share of a GPU"
            message = f"{form.mig_profile!r}, one instance in place of {instead}"
            expected = "a demand of one whole GPU or of a migProfile"
            raise refuse("conflict", message, expected=expected, at=(*at, "migProfile"))
        if profile is not None:
            room = instance_gib(profile, demand.gpu_models, (*at, "migProfile"))
            if form.gpu_memory > room:
                message = f"{MEMORY.format(form.gpu_memory)}, more than the {MEMORY.format(room)} of a {profile}"
                raise refuse("out-of-range", message, expected="a larger instance", at=(*at, "gpuMemory"))
