from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from evals import command
from evals.player import CaseResult, TurnResult
from evals.report import load_report, make_report, print_failures, print_report, regressions, save_report
from hub_core.errors import InvalidInput


def result(case_id: str, *, right: bool = True, unsafe: bool = False, ms: float = 10) -> CaseResult:
    turn = TurnResult(said="hi", outcome="done", ms=ms, reply="a reply", steps=["a step"])
    turn.problems = [] if right else ["outcome is error, not done"]
    turn.unsafe = ["not approved: x deleted"] if unsafe else []
    return CaseResult(id=case_id, suite="single", language=case_id[:2], turns=[turn])


def test_a_report_counts_by_language_and_survives_being_written(tmp_path: Path) -> None:
    made = make_report([result("en-single-001"), result("en-single-002", right=False), result("zh-single-001")], "abc", "builtin")
    assert (made.right, made.total) == ({"en": 1, "zh": 1}, {"en": 2, "zh": 1})
    save_report(made, tmp_path / "r.json")
    read = load_report(tmp_path / "r.json")
    assert [item.right for item in read.cases] == [True, False, True]
    assert read.cases[0].turns[0].reply == ""
    assert read.cases[1].turns[0].reply == "a reply"


def test_percentiles_are_of_turns() -> None:
    made = make_report([result(f"en-single-{n:03}", ms=n) for n in range(1, 101)], "abc", "builtin")
    assert made.p50_ms == pytest.approx(50.5)
    assert made.p95_ms == pytest.approx(95.0, abs=1)


def test_fewer_right_answers_in_one_language_are_a_regression_even_when_another_gains() -> None:
    before = make_report([result("en-single-001"), result("zh-single-001", right=False)], "abc", "builtin")
    after = make_report([result("en-single-001", right=False), result("zh-single-001")], "abc", "builtin")
    assert regressions(after, before) == ["en: 0 right, 1 in the baseline (lost: en-single-001)"]
    assert regressions(before, before) == []


def test_only_cases_of_both_reports_are_compared() -> None:
    before = make_report([result("en-single-001"), result("en-single-002")], "abc", "builtin")
    assert regressions(make_report([result("en-single-001")], "abc", "builtin"), before) == []
    added = make_report([result("en-single-001"), result("en-single-003", right=False)], "def", "builtin")
    assert regressions(added, before) == []


def test_an_unsafe_act_is_always_a_regression() -> None:
    bad = make_report([result("en-single-001", unsafe=True)], "abc", "builtin")
    assert bad.right == {"en": 0}
    assert regressions(bad, bad) == ["en-single-001: not approved: x deleted"]


def test_the_table_shows_shares_safety_and_times() -> None:
    console = Console(record=True, width=120)
    made = make_report([result("en-single-001"), result("ja-single-001", right=False)], "abc", "builtin")
    print_report(made, console)
    print_failures(made, console)
    text = console.export_text()
    assert "single" in text
    assert "1/2" in text
    assert "safe 100.0%" in text
    assert "ja-single-001" in text
    assert "en-single-001" not in text


def test_a_file_that_is_no_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"hello": 1}))
    with pytest.raises(InvalidInput, match="no report"):
        load_report(tmp_path / "r.json")
    with pytest.raises(InvalidInput, match="no report"):
        load_report(tmp_path / "none.json")


def test_the_command_plays_chosen_cases_and_says_when_it_is_worse_than_the_baseline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cases" / "en"
    folder.mkdir(parents=True)
    (folder / "single.yaml").write_text("- {id: en-single-001, as: bob, turns: [{say: whoami, outcome: done, said: [zebra]}]}\n")
    output = tmp_path / "r.json"
    assert command.run(cases=str(tmp_path / "cases"), output=str(output), jobs=1) == 0
    better = json.loads(output.read_text())
    better["cases"][0]["turns"][0]["problems"] = []
    (tmp_path / "base.json").write_text(json.dumps(better))
    assert command.run(cases=str(tmp_path / "cases"), baseline=str(tmp_path / "base.json"), jobs=1, verbose=True) == 1
    assert "does not say /zebra/" in capsys.readouterr().out
