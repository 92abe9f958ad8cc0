"""Why something does not run: a sentence in English that knows its code and values, so that it can be said in other languages.

A `Reason` is a text like any other. What a cluster tells without a code (the words of some other program) stays text: its code is `other`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OTHER = "other"
# Code -> the English sentence. The other languages are in `prompts/messages/<language>/reasons.yaml`, under `why`.
TEXTS: Mapping[str, str] = {
    "taken_up": "The hub is about to take it up.",
    "woken": "A request woke it.",
    "model_deleted": "Its model was deleted.",
    "budget_spent": "The budget of {owner} is used up ({amount} per {period}).",
    # -- what must be there first
    "to_install": "Its runtime is to be installed.",
    "to_copy": "The model's files are to be copied.",
    "installing": "Installing its runtime ({progress}).",
    "copying": "Copying the model's files ({progress}).",
    "not_prepared": "It could not be made ready: {text}",
    "to_build": "Its image is to be built.",
    "building": "Building its image ({progress}).",
    "cannot_build": "Its image cannot be built: {text}",
    # -- room
    "not_isolated": "This machine cannot shut it in: {text}.",
    "no_memory": "It needs {needed} of memory, and {free} of this machine are free.",
    "no_gpus": "It needs {needed} GPU(s), and {free} of this machine are free.",
    # -- room in a cluster of several machines
    "no_free_gpu": "No node has a free {gpu}: {asked} are asked for, {exist} exist.",
    "no_free_gpus": "No node has {each} free {gpu} at once: {asked} are asked for, {exist} exist.",
    "no_such_gpu": "No node of the cluster has a {gpu}.",
    "no_node_memory": "No node has {needed} of memory free.",
    "no_node_cpus": "No node has {needed} processors free.",
    "nodes_reserved": "The nodes that could take it are kept for other work.",
    "no_place": "The cluster finds no place for it: {text}",
    "waits_in_queue": "It waits for its turn in the queue {queue} of the cluster.",
    "quota_reached": "What its owner may take of the cluster is used up: {text}",
    # -- what a cluster does before a program runs
    "cannot_pull": "Its image {image} cannot be pulled: {text}",
    "not_made": "The cluster cannot make it: {text}",
    "fetching": "It downloads the model's files.",
    "cannot_fetch": "The model's files cannot be downloaded: {text}",
    "installing_packages": "It installs the packages of the app.",
    "cannot_install": "The packages of the app cannot be installed: {text}",
    "too_long": "It took longer than it may.",
    "cluster_says": "The cluster says: {text}",
    # -- which copies and revisions answer
    "copies": "{ready} of {replicas} copies answer.",
    "older_failed": "Revision {revision} does not run; revision {older} answers.",
    "older_queued": "Revision {revision} waits; revision {older} answers.",
    "older_starting": "Revision {revision} starts; revision {older} answers.",
    "newer_alone": "Revision {older} does not answer; revision {revision} takes all requests.",
    # -- why a program ended
    "out_of_memory": "It needs more memory than it was given.",
    "out_of_gpu_memory": "It needs more memory than the GPU has.",
    "disk_full": "The disk is full.",
    "file_too_large": "It wrote a file that is larger than allowed.",
    "port_taken": "The port was taken.",
    "port_stolen": "Another program answers on its port.",
    "unknown_architecture": "This runtime does not know the model's architecture.",
    "damaged_file": "A file of the model is damaged or not complete.",
    "missing_package": "A package that it needs is not installed.",
    "no_gpu": "There is no GPU that it can use.",
    "no_permission": "It may not read or write something.",
    "missing_file": "A file that it needs is not there.",
    "code_in_model": "The model brings code of its own, which is never run here.",
    "context_too_long": "The context that it shall keep is longer than its memory or the model allows.",
    "cannot_start": "The program cannot be started.",
    "killed": "The system or an operator killed it.",
    "exited": "It ended (exit status {status}).",
    "exited_often": "It ended {times} times in a row (exit status {status}).",
    "signalled": "It ended (signal {signal}).",
    "signalled_often": "It ended {times} times in a row (signal {signal}).",
    "ended": "It ended, and nobody saw how.",
    "ended_often": "It ended {times} times in a row, and nobody saw how.",
    "log_says": "Its log says: {line}",
    "log_empty": "It wrote nothing.",
    "no_answer": "It did not answer within {seconds} seconds of its start.",
    "silent": "It stopped answering.",
    "error": "{text}",
    OTHER: "{text}",
}

Part = tuple[str, dict[str, Any]]


class Reason(str):
    """One or more sentences; `parts` are the code and the values of each."""

    parts: tuple[Part, ...] = ()


def because(code: str, **values: str | int) -> Reason:
    """The sentence of a code. Numbers with a unit come as text (`0.5 GB`): they are written alike in all languages."""
    told = Reason(TEXTS[code].format(**values))
    told.parts = ((code, dict(values)),)
    return told


def together(*told: str) -> Reason:
    """Several sentences in a row; empty ones are left out."""
    said = [text for text in told if text]
    joined = Reason(" ".join(said))
    joined.parts = tuple(part for text in said for part in parts_of(text))
    return joined


def parts_of(text: str) -> tuple[Part, ...]:
    """The codes and values of a reason; a text without them is one of the code `other`."""
    if isinstance(text, Reason) and text.parts:
        return text.parts
    return ((OTHER, {"text": str(text)}),) if text else ()
