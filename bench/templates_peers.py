"""What drain3 makes of log lines: their groups, and the processor time it takes.

Run as a program by an interpreter that has it (`pip install drain3`), it reads one JSON object, {"set": name, "lines":
[texts], "settings": one of SETTINGS' kinds}, and prints another: the group of each line and the CPU seconds. It imports
nothing of Cellwright.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final, TypeAlias

_Miner: TypeAlias = Any  # drain3 has no types here

IPV4: Final = r"(\d+\.){3}\d+"
# Similarity threshold, depth of the tree and masks by set of logs: the settings that the published accuracy of Drain
# rests on (logpai/logparser, logparser/Drain/benchmark.py).
TUNED: Final[dict[str, tuple[float, int, tuple[str, ...]]]] = {
    "HDFS": (0.5, 4, (r"blk_-?\d+", IPV4 + r"(:\d+)?")),
    "Hadoop": (0.5, 4, (IPV4,)),
    "Spark": (0.5, 4, (IPV4, r"\b[KGTM]?B\b", r"([\w-]+\.){2,}[\w-]+")),
    "Zookeeper": (0.5, 4, (r"(/|)" + IPV4 + r"(:\d+)?",)),
    "BGL": (0.5, 4, (r"core\.\d+",)),
    "HPC": (0.5, 4, (r"=\d+",)),
    "Thunderbird": (0.5, 4, (IPV4,)),
    "Windows": (0.7, 5, (r"0x.*?\s",)),
    "Linux": (0.39, 6, (IPV4, r"\d{2}:\d{2}:\d{2}")),
    "Android": (
        0.2,
        6,
        (r"(/[\w-]+)+", r"([\w-]+\.){2,}[\w-]+", r"\b(\-?\+?\d+)\b|\b0[Xx][a-fA-F\d]+\b|\b[a-fA-F\d]{4,}\b"),
    ),
    "HealthApp": (0.2, 4, ()),
    "Apache": (0.5, 4, (IPV4,)),
    "Proxifier": (0.6, 3, (r"<\d+\ssec", r"([\w-]+\.)+[\w-]+(:\d+)?", r"\d{2}:\d{2}(:\d{2})*", r"[KGTM]B")),
    "OpenSSH": (0.6, 5, (IPV4, r"([\w-]+\.){2,}[\w-]+")),
    "OpenStack": (0.5, 5, (r"((\d+\.){3}\d+,?)+", r"/.+?\s", r"\d+")),
    "Mac": (0.7, 6, (r"([\w-]+\.){2,}[\w-]+",)),
}
MASKED: Final = (0.4, 4, (IPV4, r"\b0x[0-9a-fA-F]+\b", r"(?<![^\W_])-?\d+(?![^\W_])"))  # its defaults, three masks


def miner_of(name: str, kind: str) -> _Miner | None:
    """Return a miner with its defaults, with masks, or with the settings for the named set (None: there are none)."""
    from drain3 import TemplateMiner  # noqa: PLC0415 - only in an environment that has it
    from drain3.masking import MaskingInstruction  # noqa: PLC0415
    from drain3.template_miner_config import TemplateMinerConfig  # noqa: PLC0415

    config = TemplateMinerConfig()
    if kind != "default":
        settings = MASKED if kind == "masked" else TUNED.get(name)
        if settings is None:
            return None
        config.drain_sim_th, config.drain_depth, masks = settings
        config.masking_instructions = [MaskingInstruction(mask, "*") for mask in masks]
    return TemplateMiner(config=config)


def main() -> None:
    """Do the work that standard input asks for."""
    work = json.load(sys.stdin)
    miner = miner_of(work["set"], work["settings"])
    if miner is None:
        print(json.dumps({"codes": None, "cpu_s": None}))
        return
    started = time.process_time()
    codes = [miner.add_log_message(line)["cluster_id"] for line in work["lines"]]
    print(json.dumps({"codes": codes, "cpu_s": time.process_time() - started}))


if __name__ == "__main__":
    main()
