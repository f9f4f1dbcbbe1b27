"""The published gesture protocol on small trees: every segment in its own place, and DB1's envelopes."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cleansemg import stages
from cleansemg.core import config, dsp, npz, registry
from cleansemg.core.errors import ItemError, UserError
from cleansemg.core.layout import Layout
from cleansemg.core.stage import RunOptions
from cleansemg.data_pipeline.recording import Recording
from cleansemg.data_pipeline.segment_ids import segment_id
from cleansemg.data_pipeline.trials import find_trials
from cleansemg.downstream import table2
from cleansemg.downstream.common import streams
from cleansemg.downstream.common.running import run_task
from cleansemg.downstream.common.task import Stream
from cleansemg.downstream.gesture import evaluate, preparation, segment_placement
from tests.conftest import ROOT
from tests.layouts import ninapro
from tests.processes import python

FS_HZ = 1000.0
WINDOW = 500
QUICK = [
    "downstream.parameters.size=small",
    "downstream.parameters.steps=5",
    "downstream.parameters.movements=[1, 1, 1]",
    "downstream.parameters.train_repetitions=[1, 3]",
    "downstream.models=[stcnet_ce]",
    "downstream.recipe.stcnet_ce={epochs: 1}",
    "train.threads=1",
]


@dataclass(frozen=True)
class Published:
    """A small DB2 with a test set cut from it as the segment stage does, and the index of its trials."""

    root: Path
    test_npz: Path
    index: Path
    columns: dict[str, NDArray[Any]]
    streams: dict[tuple[str, str], Stream]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    root = tmp_path_factory.mktemp("gesture")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ninapro, "FIRST_LABEL", {1: 1, 2: 2, 3: 3})
        ninapro.write_tree(root, ("DB2",), 2, n_repetitions=3, trial_s=1.1005, rest_s=0.3, oddities=False)
    reader = registry.find("datasets", "DB2").build(database="DB2", folder=root / "DB2")
    rows: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    clean: dict[tuple[str, str], Stream] = {}
    for ref in reader.list():
        recording = reader.read(ref)
        clean[ref.subject, ref.exercise] = streams.clean_stream(recording, FS_HZ, (20.0, 500.0))
        for trial in find_trials(recording):
            for channel in range(2):
                name = {"database": "DB2", "subject": ref.subject, "exercise": ref.exercise,
                        "trial": trial.index, "channel": channel}  # fmt: skip
                rows.append({**name, "start_sample": trial.start, "stop_sample": trial.stop, "fs_hz": 2000.0})
                items += [{**name, **item} for item in segments(recording, trial.start, trial.stop, channel)]
    for item in items:
        item["segment_id"] = segment_id(
            "DB2", *(item[k] for k in ("subject", "exercise", "trial", "channel", "window"))
        )
    n = len(items)
    columns = {key: np.array([item[key] for item in items]) for key in items[0]}
    columns |= {"snr_db": np.zeros(n), "n_kinds": np.ones(n, np.int64), "kinds": np.ones((n, 5), bool),
                "fs_hz": np.full(n, FS_HZ)}  # fmt: skip
    npz.write(root / "test_combined.npz", columns)
    with open(root / "qc_index.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return Published(root, root / "test_combined.npz", root / "qc_index.csv", columns, clean)


def segments(recording: Recording, start: int, stop: int, channel: int) -> list[dict[str, Any]]:
    """Windows of a trial's slice, filtered and resampled by itself; the noisy one is its mirror image with drift."""
    own = dsp.band_pass(recording.signal[channel, start:stop], 20.0, 500.0, recording.fs_hz)
    at_rate = dsp.resample(own, recording.fs_hz, FS_HZ).astype(np.float32)
    cut = [at_rate[first : first + WINDOW] for first in range(0, len(at_rate) - WINDOW + 1, WINDOW)]
    drift = (2e-4 * np.sin(2 * np.pi * 4 * np.arange(WINDOW) / FS_HZ)).astype(np.float32)
    return [{"window": number, "clean": x, "noisy": drift - x} for number, x in enumerate(cut)]


def prepare(
    published: Published,
    output: Path,
    method: str = "hp",
    overrides: Sequence[str] = (),
    force: bool = False,
    **changes: Any,
) -> int:
    settings = config.load(
        Path("configs/downstream/gesture_published.yaml"),
        [f"datasets.DB2.folder={published.root / 'DB2'}", *QUICK, *overrides],
    )
    paths = {"test_npz": published.test_npz, "qc_index": published.index, **changes}
    reports = preparation.paste(settings, Layout(output), RunOptions(force=force), method, "classical", None, **paths)
    return sum(report.n_failures for report in reports)


@pytest.fixture(scope="module")
def prepared(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Layout:
    layout = Layout(tmp_path_factory.mktemp("prepared"))
    assert prepare(published, layout.root) == 0
    return layout


def opened(layout: Layout, *names: str) -> dict[tuple[str, str], Stream]:
    artifact = streams.open_streams(layout.downstream(*names))
    return {(stream.subject, stream.name): stream for _, stream in streams.each(artifact)}


def test_every_segment_lands_once_in_its_own_exercise_and_the_rest_stays_clean(
    published: Published, prepared: Layout
) -> None:
    clean, noisy = opened(prepared, "clean"), opened(prepared, "noisy")
    columns = published.columns
    assert len(noisy) == 6
    expected = {key: stream.signal.copy() for key, stream in clean.items()}
    for row in range(len(columns["segment_id"])):
        key = (str(columns["subject"][row]), str(columns["exercise"][row]))
        trial = trials_of(clean[key])[int(columns["trial"][row])]
        start = trial + WINDOW * int(columns["window"][row])
        expected[key][columns["channel"][row], start : start + WINDOW] = columns["noisy"][row]
    for key, signal in expected.items():
        np.testing.assert_array_equal(noisy[key].signal, signal)
        changed = (noisy[key].signal != clean[key].signal).sum()
        assert changed == 3 * 2 * 2 * WINDOW  # trials, channels, windows


def trials_of(stream: Stream) -> list[int]:
    """First samples of the trials, by the 2 kHz layout: 600 samples of rest, 2201 of trial, and so on."""
    n = 3 * (2201 + 600) + 600
    assert stream.signal.shape[1] == -(-n // 2)
    return [round((600 + k * 2801) / 2) for k in range(3)]


def test_only_the_segments_are_denoised(published: Published, prepared: Layout) -> None:
    clean, noisy, denoised = (opened(prepared, *names) for names in (["clean"], ["noisy"], ["denoised", "hp"]))
    for key, own in denoised.items():
        outside = noisy[key].signal == clean[key].signal
        np.testing.assert_array_equal(own.signal[outside], clean[key].signal[outside])
        assert (own.signal != noisy[key].signal).any()


def test_ids_without_an_exercise_find_it_by_the_clean_waveform(published: Published) -> None:
    columns = without_exercises(published)
    wanted = segment_placement.requests(columns, segment_placement.read_slots(published.index))
    landed: list[str] = []
    for (subject, exercise), stream in published.streams.items():
        own = [r for r in wanted["DB2", subject] if any(slot.exercise == exercise for slot in r.slots)]
        _, count = segment_placement.paste(stream, columns, own)
        landed += [exercise] * count
    assert len(landed) == len(columns["segment_id"])
    assert {name: landed.count(name) for name in ("E1", "E2", "E3")} == dict.fromkeys(("E1", "E2", "E3"), 24)


def test_a_segment_of_another_recording_is_refused(published: Published) -> None:
    stream, wanted = (
        published.streams["S1", "E1"],
        segment_placement.requests(published.columns, segment_placement.read_slots(published.index))["DB2", "S1"],
    )
    own = [r for r in wanted if r.slots[0].exercise == "E1"]
    columns = {**published.columns, "clean": published.columns["clean"][::-1]}
    with pytest.raises(ItemError, match="is not from this recording: a likeness of"):
        segment_placement.paste(stream, columns, own[:1])
    with pytest.raises(ItemError, match="lies over another one"):
        segment_placement.paste(stream, published.columns, [own[0], own[0]])


def without_exercises(published: Published) -> dict[str, NDArray[Any]]:
    """The test set with published ids: DATABASE_SUBJECT_CHANNEL_TRIAL_SEGMENT, here counted from 1."""
    columns = {k: v for k, v in published.columns.items() if k not in ("exercise", "trial", "channel", "window")}
    numbers = zip(*(published.columns[k].tolist() for k in ("subject", "channel", "trial", "window")), strict=True)
    columns["segment_id"] = np.array([f"DB2_s{s[1:]}_{c + 1}_{t + 1}_{w}" for s, c, t, w in numbers])
    columns["subject"] = np.char.lower(columns["subject"])
    return columns


def test_streams_in_which_a_segment_found_no_place_are_never_accepted(published: Published, tmp_path: Path) -> None:
    """A published id may mean several exercises; a segment that is in none of them is missed by counting alone."""
    layout = Layout(tmp_path / "out")
    columns = without_exercises(published)
    columns["clean"] = columns["clean"].copy()
    columns["clean"][0] = np.random.default_rng(1).standard_normal(WINDOW)
    npz.write(tmp_path / "other.npz", columns)
    for _ in range(2):  # finished shards do not change that
        with pytest.raises(UserError, match=r"35 of 36 segments of DB2/S1 found their place"):
            prepare(published, layout.root, test_npz=tmp_path / "other.npz")
        with pytest.raises(UserError, match="missing or unfinished"):
            streams.open_streams(layout.downstream("noisy"))


def test_segments_are_counted_beside_a_stream_that_failed(published: Published, tmp_path: Path) -> None:
    def lossy(stream: Stream, columns: Any, wanted: Sequence[Any], denoiser: Any = None) -> tuple[Stream, int]:
        if stream.subject == "S2":
            raise ItemError("cannot be placed")
        return stream, len(wanted) - 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_placement, "paste", lossy)
        with pytest.raises(UserError, match=r"11 of 12 segments of DB2_S1_E1_\w+ found their place"):
            prepare(published, tmp_path)


def test_a_sample_beside_the_segments_stays_the_streams(published: Published) -> None:
    class Longer:
        def denoise(self, noisy: NDArray[np.float32], fs_hz: float) -> NDArray[np.float32]:
            return np.pad(noisy, ((0, 0), (0, 5)), constant_values=1.0)

    wanted = segment_placement.requests(published.columns, segment_placement.read_slots(published.index))["DB2", "S1"]
    own = [r for r in wanted if r.slots[0].exercise == "E1"][1:2]
    with pytest.raises(ItemError, match="changed where no segment lies"):
        segment_placement.paste(published.streams["S1", "E1"], published.columns, own, Longer())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"qc_index": Path("nowhere.csv")}, r"nowhere\.csv: no such file"),
        ({"test_npz": Path("nowhere.npz")}, r"nowhere\.npz: no such file"),
        ({"method": "fcn"}, r"not a classical denoiser; use .*prepare_neural\.py --model-name fcn"),
        ({"method": "wiener_oracle"}, "has to be told the noise"),
    ],
)
def test_a_users_mistake_is_one_clear_error(
    published: Published, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        prepare(published, tmp_path, **changes)


def test_a_test_set_of_another_run_is_refused(published: Published, tmp_path: Path) -> None:
    lines = published.index.read_text().splitlines()
    shorter = tmp_path / "qc_index.csv"
    shorter.write_text("\n".join(lines[:-4]) + "\n")
    with pytest.raises(UserError, match="its trial is not in the quality control's index"):
        segment_placement.requests(published.columns, segment_placement.read_slots(shorter))


def test_the_configurations_row_is_what_is_prepared(published: Published, tmp_path: Path) -> None:
    rows = "[{name: hp, label: hp_60, parameters: {cutoff_hz: 60.0}}, {name: hp, label: hp_20, parameters: {cutoff_hz: 20.0}}]"
    one = [f"downstream.denoisers={rows}"]
    prepare(published, tmp_path, "HP", one)
    loud, soft = (opened(Layout(tmp_path), "denoised", name)["S1", "E1"].signal for name in ("hp_20", "hp_60"))
    assert (loud != soft).any()
    prepare(published, tmp_path, "hp_60", one, folders=(None, tmp_path / "own"))
    own = streams.open_streams(tmp_path / "own").manifest.fingerprint
    assert own == streams.open_streams(tmp_path / "downstream/denoised/hp_60").manifest.fingerprint
    with pytest.raises(UserError, match=r"'hp' is several rows of .*: hp_60, hp_20; name one of them"):
        prepare(published, tmp_path, "hp", one, folders=(None, tmp_path / "own"))


def test_force_starts_clean_streams_over_where_they_are_of_other_settings_alone(
    published: Published, tmp_path: Path
) -> None:
    prepare(published, tmp_path)
    layout = Layout(tmp_path)
    made = [path.stat().st_mtime_ns for name in ("clean", "noisy") for path in layout.downstream(name).glob("*.npz")]
    prepare(published, tmp_path, force=True)
    assert made == [
        path.stat().st_mtime_ns for name in ("clean", "noisy") for path in layout.downstream(name).glob("*.npz")
    ]
    with pytest.raises(UserError, match="start this stage over with --force"):
        prepare(published, tmp_path, overrides=["seed=3"])
    prepare(published, tmp_path, overrides=["seed=3"], force=True)
    for names in (["clean"], ["noisy"], ["denoised", "hp"]):
        assert streams.open_streams(layout.downstream(*names)).manifest.seed == 3


def shell(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return python(*arguments)


def test_the_published_command_lines_work_as_written(published: Published, tmp_path: Path) -> None:
    data = ["--db2-root", published.root / "DB2", "--test-npz", published.test_npz, "--qc-index", published.index]
    folders = ["--output-noisy", tmp_path / "noisy", "--output-denoised", tmp_path / "denoised", "--output", tmp_path]
    weights = ROOT / "denoising/weights/fcn.safetensors"
    network = ["--model-name", "fcn", "--model-path", weights]
    done = shell("downstream/gesture/prepare_neural.py", *network, *data, *folders)
    assert done.returncode == 0, done.stderr
    for folder in ("noisy", "denoised"):
        assert len(list(streams.each(streams.open_streams(tmp_path / folder)))) == 6
    done = shell("downstream/gesture/prepare_classical.py", "--method", "hp", *data, "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    done = shell("downstream/gesture/prepare_classical.py", "--method", "fcn", *data, "--output", tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "prepare_neural.py --model-name fcn" in done.stderr


def test_the_prepared_streams_give_the_published_table_and_it_says_that_it_leaks(prepared: Layout) -> None:
    code = evaluate.main(
        config=Path("configs/downstream/gesture_published.yaml"), denoiser=["hp"], output=prepared.root,
        overrides=QUICK, quiet=True,
    )  # fmt: skip
    assert code == 0
    table = next(prepared.tables.glob("gesture_stcnet_ce*.md")).read_text(encoding="utf-8")
    assert "hp" in table
    assert "noisy" in table.lower()
    assert "leak" in table.lower() or "same people" in table.lower()
    assert "the last training one (6) selects the epoch and is not fitted on" in table


def test_streams_in_folders_of_their_own_are_evaluated_there(
    published: Published, prepared: Layout, tmp_path: Path
) -> None:
    folders = (tmp_path / "noisy", tmp_path / "denoised")
    prepare(published, tmp_path / "out", folders=folders)
    named = {"output_noisy": folders[0], "output_denoised": folders[1]}
    code = evaluate.main(
        config=Path("configs/downstream/gesture_published.yaml"), denoiser=["hp"], output=tmp_path / "out",
        overrides=QUICK, quiet=True, **named,
    )  # fmt: skip
    assert code == 0
    assert list((tmp_path / "out/tables").glob("gesture_stcnet_ce_hp_published.csv"))
    with pytest.raises(UserError, match="of one denoiser; say which with --denoiser NAME"):
        evaluate.main(config=Path("configs/downstream/gesture_published.yaml"), output=tmp_path / "out", **named)


def test_table_2_is_made_of_the_run_over_all_or_says_which_are_there(prepared: Layout, tmp_path: Path) -> None:
    config_file = Path("configs/downstream/gesture_published.yaml")
    chosen = {"gesture": "stcnet_ce"}
    quick = [*QUICK, "downstream.denoisers=[hp]"]
    evaluate.main(config=config_file, denoiser=["hp"], output=prepared.root, overrides=quick, quiet=True)
    with pytest.raises(UserError, match="here are results of hp_published; run the task"):
        table2.write({"gesture": prepared.root}, chosen, tmp_path)
    evaluate.main(config=config_file, output=prepared.root, overrides=quick, quiet=True)
    path = table2.write({"gesture": prepared.root}, chosen, tmp_path)
    rows = {row["input"]: row for row in csv.DictReader(path.with_suffix(".csv").open())}
    assert rows["hp"]["gesture_accuracy_percent"]
    assert rows["hp"]["gesture_accuracy_printed"] == "65.82"


def test_db1_is_read_as_the_envelope_that_it_is_and_gives_clean_accuracy(tmp_path: Path) -> None:
    ninapro.write_tree(tmp_path, ("DB1",), 2, n_repetitions=3, trial_s=1.2, rest_s=0.5, n_channels=3)
    settings = config.load(
        Path("configs/downstream/gesture_published_db1.yaml"),
        [f"datasets.DB1.folder={tmp_path / 'DB1'}", "downstream.parameters.test_repetitions=[2]", *QUICK],
    )
    layout = Layout(tmp_path / "out")
    reports = run_task(settings, layout, RunOptions())
    assert [report.stage for report in reports] == ["prepare", "assess", "report"]
    assert list(stages.of(settings)) == ["prepare", "assess", "report"]
    assert not any(report.n_failures for report in reports)
    table = (layout.tables / "gesture_stcnet_ce_published.md").read_text(encoding="utf-8")
    assert "No noisy row" in table
    assert "nan" not in table
    with pytest.raises(UserError, match="nothing can be mixed into them or denoised"):
        run_task(settings, layout, RunOptions(), ["hp"])
    (first, *_) = opened(layout, "clean").values()
    reader = registry.find("datasets", "DB1").build(database="DB1", folder=tmp_path / "DB1")
    assert [(ref.subject, ref.exercise) for ref in reader.list()] == [
        (f"S{subject}", f"E{exercise}") for subject in (1, 2) for exercise in (1, 2, 3)
    ]
    recording = reader.read(reader.list()[0])
    assert recording.fs_hz == first.fs_hz == 100.0
    np.testing.assert_array_equal(first.signal, recording.signal.astype(np.float32))  # nothing was filtered
    assert {int(stream.label.max()) for stream in opened(layout, "clean").values()} == {1}  # exercises start at 1


def test_a_recording_that_is_no_envelope_fails_and_the_others_go_on(tmp_path: Path) -> None:
    ninapro.write_tree(tmp_path, ("DB2",), 1, n_repetitions=1, trial_s=0.3, rest_s=0.1, oddities=False)
    reader = registry.find("datasets", "DB2").build(database="DB2", folder=tmp_path / "DB2")
    made = streams.read_stream(streams.PrepareJob(reader, reader.list()[0], 100.0, None))
    assert "2000 Hz, not an envelope" in made.failures[0].cause
    assert not len(made.arrays["label"])
