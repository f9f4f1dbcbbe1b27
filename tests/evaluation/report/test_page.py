"""The report as text: complete, escaped, the same every time, and asking nobody for anything."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from cleansemg.core.errors import UserError
from cleansemg.evaluation.report import costs, make_report
from cleansemg.evaluation.report import page as page_module
from cleansemg.evaluation.report.leaderboard import leaderboard
from cleansemg.evaluation.report.page import render
from cleansemg.evaluation.report.run import open_run
from cleansemg.evaluation.report.task_tables import default_folders, read_tasks
from cleansemg.evaluation.report.views import number, p_text, view
from cleansemg.evaluation.stats.intervals import person_interval
from cleansemg.report_command import report as command
from tests.evaluation.report.conftest import DENOISERS, HOSTILE, NAMES

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Parsed(HTMLParser):
    """Tags in order, ids, and whether every element is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.attributes, self.wrong = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def text(page):
    return page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def board(text):
    return json.loads(re.search(r'id="data-board">(.*?)</script>', text)[1])


def test_the_page_is_whole_and_every_section_is_there(text):
    parsed = Parsed(text)
    assert parsed.wrong == []
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    sections = {
        "headline",
        "leaderboard",
        "curves",
        "noise",
        "cost",
        "tests",
        "published",
        "tasks",
        "examples",
        "failures",
        "data",
        "repeat",
    }
    assert sections <= set(parsed.ids)
    linked = {value[1:] for name, value in parsed.attributes if name == "href" and value.startswith("#")}
    assert sections <= linked <= set(parsed.ids) | linked
    assert parsed.tags.count("svg") >= 2 + 1 + 1 + 3  # curves of two tracks, cost, ranks, three examples


def test_nothing_is_fetched_from_anywhere(text):
    parsed = Parsed(text)
    for name, value in parsed.attributes:
        if name in ("src", "srcset", "action", "data", "poster") or (name.endswith("href") and name != "xlink:href"):
            assert value.startswith(("#", "data:,")), (name, value)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    policy = dict(parsed.attributes)["content"]
    assert any("default-src 'none'" in (value or "") for name, value in parsed.attributes if name == "content"), policy


def test_names_from_outside_are_text(text):
    assert "<script>document" not in text
    assert html.escape(HOSTILE, quote=False)[:20] in text
    assert "a run for <b>tests</b>" not in text
    assert "too loud for <i>me</i>" not in text
    assert "too loud for &lt;i&gt;me&lt;/i&gt;" in text
    assert text.count("<script") == 2  # data and code


def test_the_leaderboard_is_table_1(board, finished):
    rows = list(csv.DictReader((finished.tables / "table1.csv").open()))
    metrics = [metric["key"] for metric in board["metrics"]]
    shown = [
        (row, cell) for row, cell in zip(board["rows"], board["cells"]["all|all"], strict=True) if row["set"] == "grid"
    ]
    assert [(row["label"], row["track"]) for row, _ in shown] == [(row["denoiser"], row["track"]) for row in rows]
    for own, (_, cell) in zip(rows, shown, strict=True):
        assert cell[:2] == [int(own["n_mixtures"]), int(own["n_failed"])]
        for name, numbers in zip(metrics, cell[2], strict=True):
            for end, value in zip(("", "_low", "_high"), numbers, strict=True):
                assert value == pytest.approx(float(own[f"{name}{end}"]), abs=0.006)
    assert sum(cell[1] for cell in board["cells"]["all|all"]) > 0


def test_a_filtered_cell_is_the_mean_of_its_mixtures(board, finished):
    run = open_run(finished.root)
    scores = next(s for s in run.main if (s.label, s.track) == ("hp", "oracle"))
    index = next(i for i, row in enumerate(board["rows"]) if (row["label"], row["track"]) == ("hp", "oracle"))
    for noise, mask in (
        ("k2", scores.n_kinds == 2),
        ("PLI", scores.kinds[:, 0] & (scores.n_kinds == 1)),
        ("all", np.ones(len(scores.snr_db), bool)),
    ):
        chosen = mask & (scores.snr_db == 0)
        values = scores.values["standard.SNRimp"][chosen]
        limits = person_interval(values[:, None], scores.subject[chosen], 0.95)
        n, failed, numbers = board["cells"][f"0|{noise}"][index]
        assert (n, failed) == (int(chosen.sum()), 0)
        column = [metric["key"] for metric in board["metrics"]].index("SNRimp")
        assert numbers[column] == pytest.approx([float(one[0]) for one in limits], abs=1e-4)


def test_every_choice_has_a_cell_for_every_row(board):
    for snr in board["snrs"]:
        for noise in board["noises"]:
            assert len(board["cells"][f"{snr['key']}|{noise['key']}"]) == len(board["rows"])
    only_drawn = next(i for i, row in enumerate(board["rows"]) if row["label"].startswith("a $x_1$"))
    assert board["rows"][only_drawn]["set"] == "combined"
    assert board["cells"]["all|all"][only_drawn][0] == 14
    assert board["sets"] == ["grid", "combined"]
    assert any(row["p_shown"] for row in board["rows"])


def test_the_same_run_gives_the_same_bytes(finished, page, tmp_path):
    again = make_report(finished.root, tmp_path / "again.html", tasks=()).path
    assert again.read_bytes() == page.read_bytes()


def test_tasks_stand_in_the_page_with_their_tests(finished, task):
    run = open_run(finished.root)
    text = render(run, read_tasks([task]), [])
    assert "<h3>gesture, lda: what it makes of each input</h3>" in text
    assert "Small print: 95 % interval." in text
    assert "Simulated &lt;b&gt;recordings" in text
    assert 'aria-label="Accuracy and interval of each input: gesture, lda' in text
    assert "85.2 to 95.0" in text
    assert "<img src=x" not in text
    assert "Paired tests over people" in text
    assert "gait_loss" not in text
    assert "Not measured" in text


def test_tasks_beside_the_results_are_found(finished, task, tmp_path):
    (tmp_path / "downstream").mkdir()
    task.rename(tmp_path / "downstream" / "gesture")
    (tmp_path / "downstream" / "empty").mkdir()
    assert default_folders(tmp_path / "run") == [tmp_path / "downstream" / "gesture"]
    assert default_folders(finished.root) == []


def test_what_is_missing_is_said_in_a_line(finished, tmp_path, task):
    with pytest.raises(UserError, match="no such folder of results; make one: cleansemg run"):
        make_report(tmp_path / "nowhere", tmp_path / "r.html")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"config\.yaml: not there, so the tables of this run are missing"):
        make_report(tmp_path / "empty", tmp_path / "r.html")
    shutil.copytree(finished.tables, tmp_path / "only_tables" / "tables")
    with pytest.raises(UserError, match="holds no evaluated denoiser"):
        make_report(tmp_path / "only_tables", tmp_path / "r.html")
    with pytest.raises(UserError, match="is a folder; name a file"):
        make_report(finished.root, tmp_path)
    with pytest.raises(UserError, match="holds no table of a task"):
        make_report(finished.root, tmp_path / "r.html", [tmp_path / "empty"])
    (task / "tables" / "gesture_lda.md").unlink()
    assert read_tasks([task])[0].table.title == "gesture_lda"
    (task / "tables" / "gesture_lda.csv").write_bytes(b"input,accuracy_percent\n\xff\xfe\n")
    with pytest.raises(UserError, match="cannot be read"):
        read_tasks([task])


def test_costs_are_measured_once_and_again_where_something_changed(finished, page, monkeypatch):
    run = open_run(finished.root)
    measured = []

    def counted(row, fs_hz, here):
        measured.append(row.label)
        return costs.Cost(row.label, row.track, "other", here, 0.5, None)

    monkeypatch.setattr(costs, "_measured", counted)
    path = finished.tables / costs.FILE
    before = path.read_bytes()
    found = costs.costs_of(run, True)
    assert measured == []
    assert {(c.label, c.track) for c in found} == set(run.rows)
    foreign = [c for c in found if c.real_time_factor is None]  # a class that the results name is not imported
    assert {c.label for c in foreign} == {"refuses", *NAMES.values()}
    assert all("does not import" in c.cause for c in foreign)
    assert all(c.real_time_factor is not None and c.real_time_factor >= 0 for c in found if c not in foreign)
    measured.clear()
    monkeypatch.setattr(costs, "machine", lambda: "another machine")
    costs.costs_of(run, True)
    assert len(measured) == len(found) - len(foreign)
    path.write_text("denoiser,track\nhp,blind\n")
    with pytest.raises(UserError, match="not a table of costs"):
        costs.costs_of(run, False)
    path.unlink()
    assert costs.costs_of(run, False) == []
    path.write_bytes(before)


def test_a_denoiser_that_cannot_be_measured_is_listed_with_its_cause(finished, monkeypatch):
    row = next(r for r in costs._candidates(open_run(finished.root), without=DENOISERS[7:8]) if r.label == "hp")

    def refuse(row, fs_hz):
        raise UserError("weights are gone")

    monkeypatch.setattr(costs, "_measure", refuse)
    found = costs._measured(row, 1000.0, "here")
    assert (found.real_time_factor, found.cause) == (None, "weights are gone")
    shown = view(page_module._cost_table(open_run(finished.root), [found]))
    assert "not measured, because" in shown.headings
    assert [cell.text for cell in shown.rows[0]] == ["hp", found.track, "", "", "weights are gone"]


def test_the_command_writes_beside_the_results_and_says_what(finished, page, capsys, task, monkeypatch):
    monkeypatch.setattr(page_module, "render", lambda run, tasks, costs: f"{len(tasks)} task, {len(costs)} costs")
    assert command(finished.root, None, [task], False, False) == 0
    run = open_run(finished.root)
    named = len(run.rows) - 3  # without measuring, no line for a class that is not imported or a row of another name
    assert (finished.root / "report.html").read_text() == f"1 task, {named} costs"
    assert f"report.html: {len(run.main)} rows, 1 task folders" in capsys.readouterr().out
    (finished.root / "report.html").unlink()


def test_leaderboard_has_no_nan(finished):
    json.dumps(leaderboard(open_run(finished.root)), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "decimals", "expected"), [(-0.001, 2, "0.00"), (-1.5, 1, "−1.5"), (3.14159, 3, "3.142"), (0.0, 0, "0")]
)
def test_numbers(value, decimals, expected):
    assert number(value, decimals) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(3e-9, "< 0.0001"), (0.0312, "0.0312"), (1.0, "1"), ("best", "best"), (float("nan"), "")]
)
def test_p_values(value, expected):
    assert p_text(value) == expected
