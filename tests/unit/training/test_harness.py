"""Tasks of lm-evaluation-harness come from anybody: only what is data is taken, and templates reach nothing."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
import pytest
import yaml

from hub_core.errors import InvalidInput
from hub_core.reading import BytesReader
from hub_core.training import corpus
from hub_core.training.harness import MAX_TASK_BYTES, read_task, tokens_of
from hub_core.training.programs.harness import metrics, sandbox

CHOICE = """
task: sums
dataset_path: acme/sums
dataset_kwargs: {trust_remote_code: true}
test_split: test
output_type: multiple_choice
doc_to_text: "Q: {{question}}\\nA:"
doc_to_choice: "{{choices}}"
doc_to_target: answer
num_fewshot: 2
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - metric: acc_norm
metadata: {version: 1.0}
"""
ANSWER = {
    "task": "capitals", "output_type": "generate_until", "doc_to_text": "{{q}}", "doc_to_target": "{{a}}",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 8, "do_sample": False}, "metric_list": [{"metric": "exact_match", "ignore_case": True}],
    "filter_list": [{"name": "first", "filter": [{"function": "regex", "regex_pattern": "([A-Z]+)"}, {"function": "take_first"}]}],
}  # fmt: skip


def test_a_task_is_taken_without_what_says_where_its_data_would_come_from() -> None:
    task = read_task("t.yaml", CHOICE)
    assert set(task) == {"task", "output_type", "doc_to_text", "doc_to_choice", "doc_to_target", "num_fewshot", "metric_list"}
    assert read_task("t.yaml", yaml.safe_dump(ANSWER)) == ANSWER


@pytest.mark.parametrize(
    "more",
    [
        {"process_docs": "utils.f"}, {"process_results": "x"}, {"custom_dataset": "/tmp/x.f"}, {"include": "../other.yaml"}, {"unsafe_code": True},
        {"use_prompt": "promptsource:x"}, {"doc_to_image": "i"}, {"class": "x"}, {"output_type": "loglikelihood_rolling"}, {"output_type": ["a"]},
        {"metric_list": [{"metric": "code_eval"}]}, {"metric_list": [{"metric": "acc", "hf_evaluate": True}]}, {"metric_list": []},
        {"metric_list": [{"metric": "./evil"}]}, {"metric_list": [{"metric": "acc", "aggregation": "os.system"}]},
        {"filter_list": [{"name": "x", "filter": [{"function": "custom", "filter_fn": "x"}]}]}, {"num_fewshot": 1000}, {"repeats": 50},
        {"generation_kwargs": {"max_gen_toks": 10**9}}, {"generation_kwargs": {"temperature": 1.0}}, {"generation_kwargs": {"custom_generate": "x"}},
        {"fewshot_config": {"samples": [{}]}}, {"doc_to_text": 7}, {"doc_to_target": None}, {"doc_to_choice": [["nested"]]}, {7: "x"},
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused_by_name(more: dict[object, object]) -> None:
    with pytest.raises(InvalidInput, match=r"tasks/x\.yaml is no task that is taken"):
        read_task("tasks/x.yaml", yaml.safe_dump({**ANSWER, **more}))


@pytest.mark.parametrize(
    "text",
    [
        "", "- a", "just words", "a: [", "task: !function utils.f", "task: !!python/object/apply:os.system [id]", "a: &a [1]\nb: *a",
        "x: " + "a" * MAX_TASK_BYTES, "[" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_task("x.yaml", text)


def test_templates_are_filled_in_and_reach_nothing_of_python() -> None:
    found = sandbox(lambda value, pattern, other: value.replace(pattern, other))
    assert found.from_string("Q: {{ q | regex_replace('a', 'b') }}\n").render(q="a") == "Q: b\n"
    for evil in ("{{ ''.__class__.__mro__ }}", "{{ q.__init__.__globals__ }}", "{{ cycler.__init__.__globals__.os }}", "{{ q.append(1) }}"):
        with pytest.raises(jinja2.TemplateError):
            found.from_string(evil).render(q=["a"])
    with pytest.raises(jinja2.TemplateError):
        found.from_string("{{ missing }}").render(q=1)


def test_measures_keep_the_names_of_the_harness() -> None:
    told = {
        "alias": "x",
        "sample_len": 4,
        "acc,none": 0.5,
        "acc_stderr,none": 0.1,
        "exact_match,first": 1.0,
        "exact_match_stderr,first": "N/A",
    }
    assert metrics(told) == {"metrics": {"acc": 0.5, "exact_match (first)": 1.0}, "errors": {"acc": 0.1}}


def test_work_grows_with_examples_shown_and_answers() -> None:
    task = read_task("t.yaml", CHOICE)
    assert tokens_of(task, 10) == 10 * 3 * 4
    assert tokens_of({**task, "doc_to_choice": ["yes", "no"], "num_fewshot": 0}, 10) == 20
    assert tokens_of(ANSWER, 10) == 18


def test_rows_to_measure_with_are_those_that_a_fine_tune_kept_back(tmp_path: Path) -> None:
    rows = [{"prompt": f"What is {number}?", "completion": str(number), "level": number % 3} for number in range(100)]
    readers = {"data.jsonl": BytesReader("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())}
    train, kept, shown, measured = (tmp_path / name for name in ("train", "kept", "shown", "measured"))
    found = corpus.sample("acme/data", readers)
    corpus.write("acme/data", found, readers, train, kept, lambda _: None)
    corpus.write_rows("acme/data", readers, shown, measured, lambda _: None, learned=True)
    expected = [json.loads(line)["messages"][0]["content"] for line in kept.read_text().splitlines()]
    written = [json.loads(line) for line in measured.read_text().splitlines()]
    assert [row["prompt"] for row in written] == expected
    assert {"prompt", "completion", "level"} == set(written[0])
    assert not {row["prompt"] for row in map(json.loads, shown.read_text().splitlines())} & set(expected)


def test_files_for_tests_are_measured_with_and_others_shown(tmp_path: Path) -> None:
    readers = {name: BytesReader(name, b'{"q": "%s", "a": [1]}\n' % name.encode()) for name in ("train.jsonl", "test.jsonl")}
    shown, measured = tmp_path / "shown", tmp_path / "measured"
    written = corpus.write_rows("acme/data", readers, shown, measured, lambda _: None, learned=False)
    assert (written.train, written.held_out) == (1, 1)
    assert json.loads(measured.read_text()) == {"q": "test.jsonl", "a": [1]}
    assert json.loads(shown.read_text())["q"] == "train.jsonl"
