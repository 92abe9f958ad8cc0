"""Why a pod has no place, in plain words: what the scheduler says, and what the nodes have."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hub_core.clusters.kubernetes.facts import Node, Pod, Requests
from hub_core.clusters.kubernetes.inventory import is_model
from hub_core.clusters.port import GIB
from hub_core.clusters.reasons import because

_NO_NODES = re.compile(r"^\d+/\d+ nodes are available: ")
_PREEMPTION = re.compile(r"\s*preemption: .*$", re.DOTALL)


def no_place(pod: Pod, nodes: Sequence[Node], used: Mapping[str, Requests], asked: float) -> str:
    """One sentence.

    Args:
        used: what is taken of each node.
        asked: how many GPUs all copies of the workload ask for.
    """
    reason, message = pod.unscheduled or ("", "")
    if reason == "SchedulingGated":
        return because("waits_in_queue", queue=pod.queue or "-")
    usable = [node for node in nodes if node.usable]
    wants = pod.requests
    if wants.gpus:
        own = [node for node in usable if node.gpus and is_model(pod.gpu, node.gpu)]
        exist = int(sum(node.gpus for node in own))
        if not exist:
            return because("no_such_gpu", gpu=pod.gpu)
        free = max((int(node.gpus - used.get(node.key[1], Requests()).gpus) for node in own), default=0)
        if free < wants.gpus:
            code = "no_free_gpu" if wants.gpus == 1 else "no_free_gpus"
            return because(code, gpu=pod.gpu, asked=int(asked), exist=exist, each=int(wants.gpus))
    said = message.lower()
    if "insufficient memory" in said:
        return because("no_node_memory", needed=f"{wants.memory / GIB:.1f} GB")
    if "insufficient cpu" in said:
        return because("no_node_cpus", needed=f"{wants.cpus:g}")
    if "taint" in said and "insufficient" not in said:
        return because("nodes_reserved")
    return because("no_place", text=_PREEMPTION.sub("", _NO_NODES.sub("", message)).strip().rstrip(".") or reason)
