"""What a cluster has to run on: its nodes, less what pods asked for, whoever they belong to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from hub_core.clusters.kubernetes.facts import Node, Pod, Requests
from hub_core.clusters.port import Gpu, Inventory


def taken(pods: Iterable[Pod]) -> dict[str, Requests]:
    """What the pods of each node asked for."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for pod in pods:
        if pod.node:
            own = sums[pod.node]
            own[0] += pod.requests.cpus
            own[1] += pod.requests.memory
            own[2] += pod.requests.gpus
    return {node: Requests(*values) for node, values in sums.items()}


def inventory(nodes: Sequence[Node], used: Mapping[str, Requests]) -> Inventory:
    """All usable nodes together, less what is taken of each."""
    usable = [node for node in nodes if node.usable]
    gpus: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    free_memory = 0.0
    for node in usable:
        of_node = used.get(node.key[1], Requests())
        free_memory += max(0.0, node.memory - of_node.memory)
        if node.gpus:
            own = gpus[node.gpu, int(node.gpu_memory)]
            own[0] += int(node.gpus)
            own[1] += max(0, int(node.gpus - of_node.gpus))
    return Inventory(
        int(max((node.cpus for node in usable), default=0.0)), int(sum(node.memory for node in usable)), int(free_memory),
        tuple(Gpu(name, count, free, memory) for (name, memory), (count, free) in sorted(gpus.items())),
        int(max((node.memory for node in usable), default=0.0)),
    )  # fmt: skip


def is_model(model: str, product: str) -> bool:
    """Whether a node's label names a GPU of the catalogue: `A10` is `NVIDIA-A10`, and not `NVIDIA-A100`."""
    return re.search(rf"(?<![a-z0-9]){re.escape(model.lower())}(?![a-z0-9])", product.lower()) is not None


def products(model: str, nodes: Iterable[Node]) -> list[str]:
    """The labels under which a GPU of the catalogue is found in a cluster."""
    return sorted({node.gpu for node in nodes if node.gpus and is_model(model, node.gpu)})
