"""Tasks of lm-evaluation-harness: YAML files of a dataset, which anybody may have written.

Of what the harness reads only what is data is taken: no functions, no code, no data of elsewhere and no files of the harness. Templates are
filled in by the program, in a sandbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from hub_core.errors import InvalidInput

MAX_TASK_BYTES = 64 * 1024
MAX_SHOTS, MAX_NEW_TOKENS = 25, 512
TYPES = ("multiple_choice", "generate_until", "loglikelihood")
METRICS = ("acc", "acc_norm", "exact_match")
FILTERS = ("regex", "take_first", "remove_whitespace", "lowercase", "uppercase", "multi_choice_regex")
# Where its data would come from, and what only tells of it: the rows are those of the dataset that it lies in.
_LEFT_OUT = frozenset({
    "task_alias", "tag", "group", "metadata", "dataset_path", "dataset_name", "dataset_kwargs", "training_split", "validation_split",
    "test_split", "fewshot_split", "should_decontaminate", "doc_to_decontamination_query",
})  # fmt: skip

Task = dict[str, Any]
"""A task as the program gets it."""
_Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _number(least: int, most: int) -> _Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _one_of(*names: str) -> _Check:
    return lambda value: isinstance(value, str) and value in names


def _either(*checks: _Check) -> _Check:
    return lambda value: any(check(value) for check in checks)


def _all_in(keys: Mapping[str, _Check], *needed: str) -> _Check:
    return lambda value: (
        isinstance(value, dict) and set(needed) <= value.keys() <= keys.keys() and all(keys[key](one) for key, one in value.items())
    )


def _list_of(check: _Check) -> _Check:
    return lambda value: isinstance(value, list) and 0 < len(value) <= 10 and all(map(check, value))


_METRIC = {
    "metric": _one_of(*METRICS), "aggregation": _one_of("mean"), "higher_is_better": _flag, "ignore_case": _flag, "ignore_punctuation": _flag,
    "ignore_numbers": _flag, "regexes_to_ignore": _texts,
}  # fmt: skip
_STEP = {
    "function": _one_of(*FILTERS), "regex_pattern": _text, "group_select": _number(-100, 100), "fallback": _text, "ignore_case": _flag,
    "ignore_punctuation": _flag, "regexes_to_ignore": _texts,
}  # fmt: skip
_GENERATION = {
    "until": _either(_text, _texts), "max_gen_toks": _number(1, MAX_NEW_TOKENS), "do_sample": lambda value: value is False,
    "temperature": lambda value: value == 0,
}  # fmt: skip
_KEYS: Mapping[str, _Check] = {
    "task": _text, "output_type": _one_of(*TYPES), "doc_to_text": _text, "doc_to_target": _either(_text, _number(0, 10**6)),
    "doc_to_choice": _either(_text, _texts), "description": _text, "target_delimiter": _text, "fewshot_delimiter": _text, "gen_prefix": _text,
    "num_fewshot": _number(0, MAX_SHOTS), "repeats": _number(1, 1), "generation_kwargs": _all_in(_GENERATION),
    "metric_list": _list_of(_all_in(_METRIC, "metric")), "fewshot_config": _all_in({"sampler": _one_of("default", "first_n")}),
    "filter_list": _list_of(_all_in({"name": _text, "filter": _list_of(_all_in(_STEP, "function"))}, "name", "filter")),
}  # fmt: skip
_NEEDED = ("task", "output_type", "doc_to_text", "doc_to_target")


def read_task(path: str, text: str) -> Task:
    """A task from its file.

    Raises:
        InvalidInput: it is no task, or has something that is not taken; the error names it.
    """
    try:
        small = len(text) <= MAX_TASK_BYTES and not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader))
        found = yaml.safe_load(text) if small else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _refused(path, str(error).splitlines()[0][:200] if str(error) else type(error).__name__) from error
    if not isinstance(found, dict):
        raise _refused(path, f"it is no mapping without aliases, of at most {MAX_TASK_BYTES // 1024} KiB")
    task = {key: value for key, value in found.items() if key not in _LEFT_OUT and value is not None}
    for key, value in task.items():
        if key not in _KEYS:
            raise _refused(path, f"the key '{str(key)[:60]}' is not taken")
        if not _KEYS[key](value):
            raise _refused(path, f"the value of '{key}' is not taken")
    for key in _NEEDED:
        if key not in task:
            raise _refused(path, f"it has no '{key}'")
    if task["output_type"] == "multiple_choice" and "doc_to_choice" not in task:
        raise _refused(path, "it has no 'doc_to_choice'")
    return task


def tokens_of(task: Task, row: float) -> float:
    """About how many tokens go through a model for a row that has so many."""
    shown = row * (1 + int(task.get("num_fewshot", 0)))
    if task["output_type"] == "multiple_choice":
        choices = task["doc_to_choice"]
        return shown * (len(choices) if isinstance(choices, list) else 4)
    return shown + (int(task.get("generation_kwargs", {}).get("max_gen_toks", 256)) if task["output_type"] == "generate_until" else 0)


def _refused(path: str, why: str) -> InvalidInput:
    return InvalidInput(f"{path} is no task that is taken: {why}.", hint="docs/finetuning.md says which keys and values are.", path=path)
