"""From a pod to what people are told of a copy."""

from __future__ import annotations

import re
from collections.abc import Callable

from hub_core.clusters.explain import explain
from hub_core.clusters.kubernetes.facts import Container, Pod
from hub_core.clusters.kubernetes.names import FETCH, FETCH_BEFORE, INSTALL
from hub_core.clusters.port import Instance, InstanceState
from hub_core.clusters.reasons import because

CRASHES = 3  # as on this machine: so many ends in a row are told as a failure
MAX_SAID = 300
_PULL = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"})
_NOT_MADE = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError", "PostStartHookError"}
)
_BEFORE = {FETCH: "cannot_fetch", FETCH_BEFORE: "cannot_fetch", INSTALL: "cannot_install"}

Explain = Callable[[Pod], str]
"""Why the scheduler finds no place for a pod."""


def instance(pod: Pod, digest: str, address: str, warning: str, no_place: Explain) -> Instance:
    """A copy.

    Args:
        digest: of the workload as it shall run; a pod of another one is on its way out.
        address: where the copy answers, once it does.
        warning: the last that the cluster said about the pod; it is told where nothing better is known.
    """
    name, restarts = pod.key[1], sum(one.restarts for one in (*pod.init, *pod.containers))
    if pod.deleting or (digest and pod.digest != digest):
        return Instance(name, InstanceState.STOPPING, restarts=restarts)
    if pod.unscheduled is not None:
        return Instance(name, InstanceState.QUEUED, reason=no_place(pod))
    started = next((one.since for one in pod.containers if one.state == "running"), None)
    if pod.ready and address:
        return Instance(name, InstanceState.READY, address, restarts, started_at=started)
    state, reason = _troubled(pod) or _under_way(pod, warning)
    return Instance(name, state, "", restarts, reason, started)


def _troubled(pod: Pod) -> tuple[InstanceState, str] | None:
    """What went wrong with a container; None where nothing did."""
    for one in (*pod.init, *pod.containers):
        if one.state == "waiting" and one.reason in _PULL:
            again = one.reason == "ErrImagePull"
            return InstanceState.WAITING if again else InstanceState.CRASHING, because(
                "cannot_pull", image=one.image, text=_said(one.message)
            )
        if one.state == "waiting" and one.reason in _NOT_MADE:
            return InstanceState.CRASHING, because("not_made", text=_said(one.message))
        if one.ended is not None and not (one.name in _BEFORE and one.ended[0] == 0) and not _recovered(one):
            return (InstanceState.CRASHING if _times(one) >= CRASHES else InstanceState.WAITING), _why(one)
    return None


def _recovered(one: Container) -> bool:
    """It ended once and runs again; that is no trouble before it happens in a row."""
    return one.state == "running" and one.restarts < CRASHES


def _times(one: Container) -> int:
    return one.restarts + (1 if one.state == "terminated" else 0)


def _why(one: Container) -> str:
    code, reason, message = one.ended or (None, "", "")
    if one.name in _BEFORE:
        return because(_BEFORE[one.name], text=_said(message.strip().splitlines()[-1] if message.strip() else reason))
    if reason == "OOMKilled":
        # The kernel killed it, and the program could not write a word about that.
        return explain(-9, "out of memory: killed by the kernel", _times(one))
    # As a shell tells of signals: 128 and the number.
    told = -(code - 128) if code is not None and 128 < code <= 192 else code
    return explain(told, message, _times(one))


def _under_way(pod: Pod, warning: str) -> tuple[InstanceState, str]:
    before = next((one.name for one in pod.init if one.name in _BEFORE and one.state == "running"), None)
    if before is not None:
        return InstanceState.STARTING, because("installing_packages" if before == INSTALL else "fetching")
    if any(one.started and one.state == "running" for one in pod.containers):
        return InstanceState.SILENT, ""
    return InstanceState.STARTING, because("cluster_says", text=_said(warning)) if warning and not pod.containers else ""


def _said(text: str) -> str:
    clean = re.sub(r"\s+", " ", "".join(char if char.isprintable() else " " for char in text)).strip()
    return clean if len(clean) <= MAX_SAID else clean[: MAX_SAID - 1] + "…"
