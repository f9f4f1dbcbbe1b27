"""The pages add-a-*.md as a new user works through them, outside the tree, with the installed console script."""

from __future__ import annotations

import csv
import re
import shutil

import numpy as np
import pytest
import yaml

from cleansemg import user_classes, user_denoisers
from cleansemg.check_command import check
from cleansemg.core import user_modules
from cleansemg.core.errors import UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import Report, RunOptions
from cleansemg.denoising.conformance import CHECKS
from cleansemg.evaluation.candidates import candidates
from cleansemg.settings import Settings
from tests.cleansemg.walking import Page, bash, walk
from tests.pipeline_runs import files

CANCELLER = "my_methods.line_canceller:LineCanceller"
NET = "my_methods.small_net:SmallNet"


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder of a user who has done all that add-a-denoiser.md says, and what was printed."""
    folder = tmp_path_factory.mktemp("user")
    for package in ("noise", "evaluation"):  # folders of one's own that are called like the project's
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text("raise RuntimeError('not this one')\n")
    return folder, walk("add-a-denoiser", folder, forked=False)


def table(folder):
    return {(row["denoiser"], row["track"]): float(row["SNRimp"]) for row in csv.DictReader(folder.open())}


def test_the_check_prints_what_the_page_shows(walked):
    shown = Page.named("add-a-denoiser").blocks("text")[0].splitlines()
    printed = walked[1][0].splitlines()
    assert [line for line in shown if line != "..." and line not in printed] == []
    assert len(printed) == len(CHECKS) + 1


def test_the_table_is_the_one_that_the_page_shows(walked):
    shown = Page.named("add-a-denoiser").blocks("text")[1].splitlines()
    printed = walked[1][1].splitlines()[-len(shown) :]
    for own, theirs in zip(printed, shown, strict=True):
        assert [cell.strip() for cell in own.split("|")][:2] == [cell.strip() for cell in theirs.split("|")][:2]
        numbers = [[float(text) for text in re.findall(r"-?\d+\.\d+", line)] for line in (own, theirs)]
        np.testing.assert_allclose(*numbers, atol=0.05)


def test_a_network_of_ones_own_is_fitted_and_stands_beside_all(walked):
    folder, printed = walked
    assert "a fresh network\n" in printed[2]
    rows = table(folder / "results/quick/tables/table1.csv")
    names = {name for name, _ in rows}
    assert names == {"identity", "hp", "line_interpolation", "line_canceller", "small_net"}
    assert (folder / "results/quick/weights_baseline/small_net/best.safetensors").exists()
    code = (
        f"from cleansemg.denoising import load; print(load('{NET}', "
        "weights='results/quick/weights_baseline/small_net/best.safetensors').denoise([0.0, 1.0] * 50, 1000.0).shape)"
    )
    assert bash(folder, f'python -c "{code}"').stdout.strip() == "(100,)"


def test_the_python_of_the_page_runs(walked):
    folder, _ = walked
    (code,) = Page.named("add-a-denoiser").blocks("python")
    (folder / "use.py").write_text(code + "print(clean.shape, clean.dtype)\n")
    assert bash(folder, "python use.py").stdout.strip() == "(4, 2000) float32"


def test_the_settings_of_the_page_are_settings(walked, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(walked[0]))
    snippets = [
        yaml.safe_load(text) for text in Page.named("add-a-denoiser").blocks("yaml") if not text.startswith("class:")
    ]
    rows, networks = (Settings.model_validate(snippet) for snippet in snippets)
    found = candidates(rows, Layout(tmp_path))
    assert [row.label for row in found] == [*3 * ["hp"], "line_canceller", "first_three"]
    assert found[-1].build().harmonics == 3
    assert list(user_modules.targets_in(networks)) == [("denoisers", NET)]


def test_an_edit_makes_the_results_of_that_class_again_and_no_others(walked, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(walked[0], folder)
    source = folder / "my_methods/line_canceller.py"
    source.write_text(source.read_text().replace("harmonics: int = 5", "harmonics: int = 1"))
    net = folder / "my_methods/small_net.py"
    net.write_text(net.read_text() + "# a comment\n")
    results = folder / "results/quick"
    before = files(results / "denoised"), files(results / "weights_baseline")
    stamps = {path: path.stat().st_mtime_ns for path in (results / "denoised").rglob("*.npz")}
    run = f"cleansemg run --config quick.yaml --denoiser {CANCELLER} --denoiser {NET}"
    result = bash(folder, f"{run} --stages train,evaluate,tables")
    assert "my_methods/line_canceller.py changed since; denoising again" in " ".join(result.stderr.split())
    changed = {path.parts[-4] for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp}
    assert changed == {"line_canceller"}
    after = files(results / "denoised"), files(results / "weights_baseline")
    assert {name.split("/")[0] for name in before[0] if before[0][name] != after[0][name]} == {"line_canceller"}
    assert before[1] == after[1]
    net.write_text(net.read_text() + "EDITED = True\n")
    result = bash(folder, f"{run} --stages train", code=2)
    assert "fitted by other code (my_methods/small_net.py changed since)" in " ".join(result.stderr.split())
    assert files(results / "weights_baseline") == after[1]  # weights are never thrown away for an edit


def test_a_noise_of_ones_own(tmp_path):
    walk("add-a-noise", tmp_path)
    scores = table(tmp_path / "results/knocks/tables/table1.csv")
    # the labels name a kind that it does not know, which may show itself in any way, and no other
    assert scores["hp", "oracle"] == scores["hp", "blind"]
    assert scores["hp", "published"] == 0
    by_kind = {row["denoiser"]: row for row in csv.DictReader((tmp_path / "results/knocks/tables/by_noise.csv").open())}
    assert by_kind["hp"]["n_knocks"] == "8"
    (shard,) = (tmp_path / "results/knocks/test_data/combined").glob("*.npz")
    with np.load(shard) as mixtures:
        assert mixtures["kind_names"][0].tolist() == ["PLI", "ECG", "MOA", "WGN", "Color", "knocks"]
        assert mixtures["kinds"].shape[1] == mixtures["gain"].shape[1] == 6


def test_a_dataset_of_ones_own(tmp_path):
    walk("add-a-dataset", tmp_path)
    assert set(table(tmp_path / "results/raw/tables/table1.csv")) == {
        ("identity", "blind"),
        ("hp", "blind"),
        ("hp", "oracle"),
        ("hp", "published"),
    }
    subjects = yaml.safe_load((tmp_path / "results/raw/segments/split.yaml").read_text())
    assert "S5" in str(subjects)


def test_a_metric_of_ones_own(tmp_path, walked):
    run, printed = walk("add-a-metric", tmp_path)
    assert [line.split()[0] for line in printed.splitlines()] == ["SNRimp", "PeakError"]
    shown = Page.named("add-a-metric").blocks("text")[0].splitlines()
    assert [line.rstrip() for line in run.splitlines()[-len(shown) :]] == shown
    result = bash(tmp_path, f"python score_run.py '{walked[0] / 'results/quick'}'")
    scores = {tuple(line.split()[:2]): float(line.split()[2]) for line in result.stdout.splitlines()}
    assert ("line_canceller", "blind") in scores
    assert 0 < scores["hp", "blind"] < scores["identity", "blind"]
    (text,) = Page.named("add-a-metric").blocks("yaml")
    assert yaml.safe_load(text).keys() >= {"class", "summary", "key", "unit", "better", "profiles"}


def test_a_metric_of_ones_own_in_tables_report_and_verification(tmp_path):
    page = Page.named("add-a-metric")
    page.write(tmp_path)
    source = tmp_path / "my_metrics/peak_error.py"
    source.write_text(source.read_text().replace('unit = "%"', 'unit = "%"\n    table_scale = 10.0'))
    run = "cleansemg run --config peaks.yaml --quiet"
    bash(tmp_path, run)
    bash(tmp_path, f"{run} --output results/two --workers 2")
    assert files(tmp_path / "results/peaks/denoised") == files(tmp_path / "results/two/denoised")
    table1 = tmp_path / "results/peaks/tables/table1.csv"
    hp = next(row for row in csv.DictReader(table1.open()) if (row["denoiser"], row["track"]) == ("hp", "blind"))
    scores = list(csv.DictReader((tmp_path / "results/peaks/denoised/hp/blind/combined/metrics.csv").open()))
    people = {row["subject"] for row in scores}
    of_person = [[float(r["standard.PeakError"]) for r in scores if r["subject"] == person] for person in people]
    mean = np.mean([np.mean(values) for values in of_person])  # everybody counts the same
    assert float(hp["PeakError"]) == pytest.approx(mean / 10)
    assert float(hp["PeakError_low"]) <= float(hp["PeakError"]) <= float(hp["PeakError_high"])
    assert "PeakError" in (tmp_path / "results/peaks/tables/paired.csv").read_text()
    bash(tmp_path, "cleansemg report results/peaks --output r.html")
    assert "peak error" in (tmp_path / "r.html").read_text()
    said = bash(tmp_path, "cleansemg verify results/peaks").stdout
    assert "PeakError is of my_metrics.peak_error:PeakError: it has no second formula here" in said
    table1.write_text(table1.read_text().replace(hp["PeakError"], "0.5"))
    assert "PeakError of hp blind is 0.5" in bash(tmp_path, "cleansemg verify results/peaks", code=1).stdout
    source.write_text(source.read_text() + "# a comment\n")
    assert "changed since" not in bash(tmp_path, run.removesuffix(" --quiet")).stderr
    source.write_text(source.read_text() + "EDITED = True\n")
    again = " ".join(bash(tmp_path, run.removesuffix(" --quiet")).stderr.split())
    assert "my_metrics/peak_error.py changed since" in again


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("def score", "def scroe", "is not a metric: give it a method score"),
        ('key = "PeakError"', "pass", "my_metrics.peak_error:PeakError: no attribute 'key'"),
        ('key = "PeakError"', 'key = "RMSE"', "has the key 'RMSE' of another metric"),
        ('better = "lower"', 'better = "low"', "better must be 'higher', 'lower' or 'one', got 'low'"),
        ("/ clean", "/ clean[:, None]", r"score returns shape \[16, 16\] for 16 segments, expected \[16\]"),
        ("denoised - clean", "denoised - nothing", r"score raises NameError: .* \(peak_error.py, line 17\)"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_metric_is_one_line(tmp_path, old, new, message):
    Page.named("add-a-metric").write(tmp_path)
    source = tmp_path / "my_metrics/peak_error.py"
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new))
    said = bash(tmp_path, "cleansemg run --config peaks.yaml --quiet", code=2).stderr.splitlines()
    assert len(said) == 1
    assert re.search(message, said[0])


def test_a_task_of_ones_own_and_one_more_denoiser_beside_it(tmp_path):
    walk("add-a-task", tmp_path)
    tables = tmp_path / "results/movements/tables"
    rows = {name: [row["input"] for row in csv.DictReader((tables / f"{name}.csv").open())]
            for name in ("movements_nearest_mean", "movements_nearest_mean_line_interpolation")}  # fmt: skip
    assert list(rows.values()) == [["clean", "noisy", "identity", "hp"], ["clean", "noisy", "line_interpolation"]]


HEAD = "from cleansemg.denoising import Denoiser\nclass Mine(Denoiser):\n    name = 'mine'\n"
BODY = "    def _denoise(self, noisy, fs_hz, labels):\n        "


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder on the path; writes a module of a fresh name in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))

    fresh = f"mine_{abs(hash(tmp_path))}"

    def write(content, name=fresh):
        (tmp_path / f"{name}.py").write_text(content)
        return name

    return write


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD + BODY + "return noisy +\n", r"mine_\d+.py, line 5: invalid syntax"),
        ("import notthere_\n", r"cannot import 'notthere_', which is not installed \(mine_\d+.py, line 1\)"),
        ("\n1 / 0\n", r"importing it raises ZeroDivisionError: division by zero \(mine_\d+.py, line 2\)"),
        ("raise SystemExit(3)\n", "importing it raises SystemExit: 3"),
        ("class Mien:\n    pass\n", "has no 'Mine'; did you mean 'Mien'?"),
        ("class Mine:\n    pass\n", r"is not a denoiser: derive it from cleansemg.denoising\.Denoiser"),
        ("def Mine():\n    pass\n", "is not a denoiser"),
        (HEAD, "class Mine does not implement _denoise"),
        (HEAD.replace("'mine'", "'hp'") + BODY + "return noisy\n", "name = 'hp' is that of a denoiser of the project"),
        (HEAD + BODY + "return noisy\n    def __init__(self):\n        {}['x']\n", r"cannot be built: KeyError: 'x' \(mine_\d+.py, line 7\)"),
        (HEAD + BODY + "return noisy\n    def __init__(self, a):\n        pass\n", "missing 1 required positional argument: 'a'"),
        (HEAD + "    tracks = 'blind'\n" + BODY + "return noisy\n", "tracks is 'blind'; a tuple of blind and oracle and published"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_users_file_is_one_line_that_names_it(here, content, message):
    name = here(content)
    with pytest.raises(UserError, match=message) as error:
        check(f"{name}:Mine")
    assert name in str(error.value) or "denoiser 'mine'" in str(error.value) or "'mine'" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.at_all:Mine",), "no module 'nowhere' in .*, nor installed; run this in the folder that holds it"),
        (("hpp",), "did you mean 'hp'?"),
        (("nocolon:",), "expected package.module:Class"),
        (("hp", ["order"]), "--parameter order: expected key=value"),
        (("hp", ["order=[1"]), "the value is not YAML"),
        (("hp", ["ordr=2"]), "unknown parameter 'ordr'; did you mean 'order'?"),
        (("hp", None, "file.safetensors"), "has no network, so no weights"),
        (("fcn", None, "absent.safetensors"), "absent.safetensors"),
        (("emd", None, None, ["orakle"]), "--track orakle"),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line(here, arguments, message):
    with pytest.raises(UserError, match=message):
        check(*arguments)


def test_a_file_called_like_an_installed_module_is_named(here):
    here(HEAD + BODY + "return noisy\n", name="json")
    with pytest.raises(UserError, match=r"'json' is .*, which hides .*json\.py; rename your file"):
        user_classes.require("denoisers", "json:Mine")


def test_failures_say_where_and_what_is_expected(here, capsys):
    name = here(
        HEAD + BODY + "if noisy.shape[1] % 2:\n            raise KeyError('odd')\n        return noisy - noisy.mean()\n"
    )
    assert check(f"{name}:Mine") == 1
    out = capsys.readouterr().out
    assert re.search(
        rf"FAIL  blind  takes any length: KeyError: 'odd' \(.*{name}.py, line 6\)\n {{13}}expected: Every", out
    )
    assert "FAIL  blind  ignores its neighbours: differs by" in out
    assert re.search(r"\n\d of 12 checks failed\n$", out)
    assert check(f"{name}:Mine", quiet=True) == 1
    assert not [line for line in capsys.readouterr().out.splitlines() if line.startswith(("ok", "--"))]


def test_names_of_the_project_weights_and_tracks(capsys):
    assert check("identity") == 0
    assert check("fcn", ["window_samples=400"], "none", quiet=True) == 0
    assert check("hp", track=["oracle"]) == 0
    out = capsys.readouterr().out
    assert out.count("all 12 checks passed") == 2
    assert "blind" in out
    assert "oracle" in out


def test_a_name_that_no_folder_can_have_fails(here, capsys):
    name = here(HEAD.replace("'mine'", "'a/b'") + BODY + "return noisy\n")
    assert check(f"{name}:Mine", quiet=True) == 1
    assert "name 'a/b'" in capsys.readouterr().out


def test_every_check_says_what_it_expects():
    assert all((check_.__doc__ or "").strip() for check_ in CHECKS)


def test_a_slip_is_said_before_the_first_stage_runs(tmp_path):
    (tmp_path / "broken.py").write_text("def x(:\n")
    Page.named("add-a-denoiser").write(tmp_path)
    quick = tmp_path / "quick.yaml"
    quick.write_text(quick.read_text() + "calibrate: {methods: ['broken:Mine']}\n")
    result = bash(tmp_path, "cleansemg run --config quick.yaml", code=2)
    assert result.stderr.count("\n") == 1
    assert re.match(r"error: 'broken:Mine': .*broken\.py, line 1: ", result.stderr)
    assert not (tmp_path / "results").exists()


def test_denoisers_are_added_once_and_others_beside(here):
    name = here(HEAD + BODY + "return noisy\n")
    settings = Settings.model_validate({"evaluate": {"denoisers": ["hp", {"name": "emd", "label": "other"}]}})
    added = user_denoisers.add(settings, ["hp", f"{name}:Mine", f"{name}:Mine", "emd"])
    labels = [row if isinstance(row, str) else row.label for row in added.evaluate.denoisers]
    assert labels == ["hp", "other", "mine", "emd"]
    assert settings.evaluate.denoisers == added.evaluate.denoisers[:2]
    with pytest.raises(UserError, match="no denoiser is called 'hpp'"):
        user_denoisers.add(settings, ["hpp"])


def test_a_network_of_ones_own_starts_fresh_where_others_start_from_the_box(walked, monkeypatch, tmp_path):
    from cleansemg.training import neural

    monkeypatch.syspath_prepend(str(walked[0]))
    calls = []

    def remember(settings, layout, options, models=None):
        calls.append((settings.train.init, list(models or settings.train.models)))
        return Report("train", ("done",))

    monkeypatch.setattr(neural, "run", remember)
    settings = Settings.model_validate(
        {"train": {"models": ["fcn"], "init": "pretrained"}, "evaluate": {"denoisers": ["hp"]}}
    )
    settings = user_denoisers.add(settings, [NET])
    report = user_denoisers.stage("train", remember, [NET])(settings, Layout(tmp_path), RunOptions())
    assert calls == [("pretrained", ["fcn"]), ("random", [NET])]
    assert report.lines == ("done", "done")
    with pytest.raises(UserError, match="was not fitted yet; put train among --stages"):
        user_denoisers.stage("evaluate", remember, [NET])(settings, Layout(tmp_path), RunOptions())
