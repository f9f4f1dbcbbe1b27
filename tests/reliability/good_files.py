"""One good file for every reader and loader, and how it is read; what fuzzing damages."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cleansemg.core import artifact, config, npz
from cleansemg.core.artifact import Artifact, Manifest, Schema
from cleansemg.core.errors import UserError
from cleansemg.core.fingerprint import fingerprint
from cleansemg.core.restricted_pickle import read_object_array
from cleansemg.core.stage import Job, RunOptions, ShardResult, run_stage
from cleansemg.data_pipeline.readers.ninapro import NinaproReader
from cleansemg.data_pipeline.readers.table import TableReader
from cleansemg.data_pipeline.readers.wfdb_folder import WfdbReader
from cleansemg.data_pipeline.subject_split import load_split
from cleansemg.evaluation import export
from cleansemg.evaluation.parameter_files import read_parameters
from cleansemg.evaluation.verification import verify
from cleansemg.formats import open_file
from cleansemg.noise.kinds import BENCHMARK_KINDS
from cleansemg.noise.pool import NoiseLibrary
from tests.conftest import ROOT

RNG = np.random.default_rng(5)
N, C = 400, 2
SIGNAL = (RNG.normal(size=(N, C)) * 1e-4).astype(np.float32)
LABEL = np.repeat([0, 1, 0, 2], N // 4)
SCHEMA = Schema("fuzzed", 1, step="cleansemg run")


@dataclass(frozen=True)
class Target:
    """A reader with a file that it reads.

    Attributes:
        file: name of the file that is damaged.
        make: writes the file, and what has to lie beside it, into a folder.
        read: reads the file in that folder, all of it.
    """

    file: str
    make: Callable[[Path], None]
    read: Callable[[Path], Any]


def _arrays(folder: Path) -> None:
    arrays = {"signal": SIGNAL, "id": np.array(["a", "bc"] * (N // 2)), "empty": np.zeros((0, 3))}
    npz.write(folder / "x.npz", arrays)


def _packed(folder: Path) -> None:
    np.savez_compressed(folder / "x.npz", signal=SIGNAL, id=np.array(["a", "bc"]))


def _touch(arrays: dict[str, Any]) -> None:
    for array in arrays.values():
        np.array(array)


def _test_set(folder: Path) -> None:
    n = 6
    npz.write(
        folder / "x.npz",
        {
            "clean": SIGNAL[:n], "noisy": SIGNAL[n : 2 * n], "snr_db": np.zeros(n), "n_kinds": np.ones(n, np.int64),
            "kinds": np.zeros((n, len(BENCHMARK_KINDS)), bool), "fs_hz": np.full(n, 1000.0),
        },
    )  # fmt: skip


def _published(folder: Path) -> None:
    item = {
        "clean": SIGNAL[:, 0], "noisy": SIGNAL[:, 1], "scale": 1e-4, "snr": -5, "k": 2, "noise_types": "PLI+WGN",
        "dataset": "DB2", "segment_id": "DB2_S1_ch1_3_0",
    }  # fmt: skip
    np.savez(folder / "x.npz", data=np.array([item, dict(item, k=1)], dtype=object))


def _artifact(folder: Path) -> None:
    own = fingerprint(SCHEMA, {}, {}, 1, {})
    shard = artifact.write_shard(folder, "one", {"signal": SIGNAL, "label": LABEL}, own)
    artifact.write_manifest(folder, Manifest(SCHEMA.name, 1, own, 1, {}, (shard,), 0))
    (folder / "failures.csv").write_text("item,cause\n")


def _split(folder: Path) -> None:
    content = {
        "rule": "stratified", "seed": 1, "fingerprint": "ab" * 32, "remarks": ["one"], "label": "",
        "databases": {"DB2": {"train": ["S1", "S2"], "valid": ["S3"], "test": ["S4"]}},
        "selected": {"DB2": {part: {"subjects": ["S1"], "exercises": ["E1"]} for part in ("train", "valid", "test")}},
    }  # fmt: skip
    (folder / "split.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def _configuration(folder: Path) -> None:
    text = (ROOT / "configs" / "demo.yaml").read_text()
    (folder / "x.yaml").write_text(text + "seed: 3\nprotocol: disjoint\n")


def _parameters(folder: Path) -> None:
    content = {"methods": {"ts": {"blind": {"parameters": {"min_likeness": 0.7}}}, "hp": {"cutoff": 20}}}
    (folder / "x.json").write_text(json.dumps(content))


def _tradition(folder: Path) -> None:
    shutil.copy(ROOT / "tests" / "small_tradition.yaml", folder / "x.yaml")


def _search(folder: Path) -> Any:
    from cleansemg.training import search_space

    return search_space.read(folder / "x.yaml")


def _network() -> Any:
    import torch

    return torch.nn.Sequential(torch.nn.Conv1d(1, 3, 5), torch.nn.BatchNorm1d(3), torch.nn.Linear(4, 2))


def _safetensors(folder: Path) -> None:
    from cleansemg.core import weight_files

    weight_files.write(folder / "x.safetensors", _network(), {"denoiser": "fcn", "parameters": {"clip": True}})


def _foreign(folder: Path) -> None:
    from cleansemg.core import weight_files

    weight_files.write_checkpoint(folder / "x.pth", _network().state_dict(), {"denoiser": "fcn"})


def _read_weights(name: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> None:
        from cleansemg.core import weight_files

        state, _ = weight_files.read(folder / name)
        weight_files.fit_into(_network(), state, name)

    return read


def _checkpoint(folder: Path) -> None:
    from cleansemg.training import checkpoint

    state = _network().state_dict()
    history = (checkpoint.EpochResult(1, 0.5, 0.6, 1e-3),)
    checkpoint.save(folder / "x.pt", checkpoint.Checkpoint("print", state, state, {"state": {}}, history))


def _load_checkpoint(folder: Path) -> Any:
    from cleansemg.training import checkpoint

    return checkpoint.load(folder / "x.pt", "print")


def _mat(**options: Any) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from scipy.io import savemat

        labels = LABEL[:, None].astype(np.float64 if options.get("format") == "4" else np.int8)
        content = {"emg": SIGNAL, "restimulus": labels, "rerepetition": (labels > 0) * 1.0, "fs": 2000.0}
        savemat(folder / "S1_E1_A1.mat", content, **options)

    return make


def _each(reader: Any) -> None:
    for ref in reader.list():
        reader.read(ref)


def _csv(folder: Path) -> None:
    lines = ["time_s,ch1,ch2,label"]
    lines += [f"{i / 1000:.3f},{a:.6g},{b:.6g},{y}" for i, ((a, b), y) in enumerate(zip(SIGNAL, LABEL, strict=True))]
    (folder / "s1.csv").write_text("\n".join(lines) + "\n")


def _xlsx(folder: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["time_s", "ch1", "ch2", "label"])
    for i in range(60):
        book.active.append([i / 1000, float(SIGNAL[i, 0]), float(SIGNAL[i, 1]), int(LABEL[i])])
    book.save(folder / "s1.xlsx")


def _table(suffix: str, **options: Any) -> Callable[[Path], Any]:
    def read(folder: Path) -> None:
        pattern = rf"(?P<subject>s\d+)\.{suffix}"
        _each(TableReader(database="own", folder=folder, pattern=pattern, **options))

    return read


def _table_npz(folder: Path) -> None:
    np.savez(folder / "s1.npz", emg=SIGNAL, fs=1000.0)


def _wfdb(folder: Path) -> None:
    import wfdb

    wfdb.wrsamp(
        "s1", fs=1000, units=["mV", "mV"], sig_name=["a", "b"], p_signal=SIGNAL.astype(np.float64) * 1e3,
        fmt=["16", "16"], write_dir=str(folder),
    )  # fmt: skip
    wfdb.wrann("s1", "atr", np.array([5, 200]), symbol=["N", "V"], write_dir=str(folder))


def _wfdb_folder(folder: Path) -> None:
    _each(
        WfdbReader(
            database="own", folder=folder, pattern=r"(?P<subject>s\d+)\.hea", annotations="atr",
            annotation_labels={"N": 1, "V": 2},
        )
    )  # fmt: skip


def _pool(folder: Path) -> None:
    (folder / "PLI").mkdir(exist_ok=True)
    np.save(folder / "PLI" / "one.npy", SIGNAL[:, 0])


def _npy(folder: Path) -> None:
    np.save(folder / "x.npy", SIGNAL)


def _plain_csv(folder: Path) -> None:
    rows = "\n".join(f"{i / 1000:.3f},{a * 1e3:.6g},{b * 1e3:.6g}" for i, (a, b) in enumerate(SIGNAL.tolist()))
    (folder / "x.csv").write_text(f"time (s),a (mV),b (mV)\n{rows}\n")


def _plain_xlsx(folder: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["time (s)", "a (mV)"])
    for i in range(60):
        book.active.append([i / 1000, float(SIGNAL[i, 0])])
    book.save(folder / "x.xlsx")


def _plain_mat(folder: Path) -> None:
    from scipy.io import savemat

    savemat(folder / "x.mat", {"emg": SIGNAL, "fs": 1000.0}, do_compression=True)


def _plain_npz(folder: Path) -> None:
    np.savez_compressed(folder / "x.npz", emg=SIGNAL, fs=1000.0)


def _edf(folder: Path) -> None:
    """EDF: a header of ASCII fields of fixed width, then records of 16-bit samples (Kemp et al. 1992)."""
    n_records, per_record = 4, 100

    def fields(values: list[Any], width: int) -> bytes:
        return b"".join(str(value).ljust(width)[:width].encode() for value in values)

    head = (
        fields(["0"], 8) + fields(["X X X X", "Startdate 01-JAN-2020 X X X"], 80) + fields(["01.01.20", "00.00.00"], 8)
    )
    head += fields([256 * (C + 1)], 8) + fields([""], 44) + fields([n_records, "0.1"], 8) + fields([C], 4)
    head += fields(["a", "b"], 16) + fields(["", ""], 80) + fields(["mV", "mV"], 8)
    for value in (-1, 1, -32768, 32767):
        head += fields([value, value], 8)
    head += fields(["", ""], 80) + fields([per_record, per_record], 8) + fields(["", ""], 32)
    samples = (SIGNAL.T * 1e3 * 32767).clip(-32768, 32767).astype("<i2").reshape(C, n_records, per_record)
    (folder / "x.edf").write_bytes(head + samples.swapaxes(0, 1).tobytes())


def _blocks(name: str, **wishes: Any) -> Callable[[Path], Any]:
    def read(folder: Path) -> None:
        with open_file(folder / name, **wishes) as file:
            for block in file.blocks():
                assert block.shape[0] == len(file.info.channels)

    return read


def _verify(folder: Path) -> None:
    findings = [finding for finding in verify(folder, 1) if finding.check in ("hashes", "rows", "finite", "failures")]
    problems = [text for finding in findings for text in finding.problems]
    if problems:
        raise UserError(problems[0])


def _artifact_rows(folder: Path) -> None:
    for _ in Artifact.open(folder, SCHEMA):
        pass


def _one(payload: int) -> ShardResult:
    return ShardResult({"signal": SIGNAL, "label": LABEL})


def _resume(folder: Path) -> None:
    """A stage over what an earlier run has left: whole shards are kept, broken ones made again."""
    (folder / "manifest.json").unlink(missing_ok=True)
    run_stage(
        folder,
        SCHEMA,
        [Job("one", 1)],
        _one,
        section={},
        inputs={},
        seed=1,
        options=RunOptions(),
        label="fuzz",
        code={},
    )
    columns = Artifact.open(folder, SCHEMA).columns("signal", "label")
    np.testing.assert_array_equal(columns["signal"], SIGNAL)


COLUMNS = {"fs_hz": 1000.0, "unit": "V", "header_lines": 1, "columns": ["ch1", "ch2"], "label_column": "label"}

TARGETS: dict[str, Target] = {
    "npz, read": Target("x.npz", _arrays, lambda f: npz.read(f / "x.npz")),
    "npz, compressed": Target("x.npz", _packed, lambda f: npz.read(f / "x.npz")),
    "npz, mapped": Target("x.npz", _arrays, lambda f: _touch(npz.map_arrays(f / "x.npz"))),
    "test set, our file": Target("x.npz", _test_set, lambda f: _touch(export.read(f / "x.npz"))),
    "test set, published": Target("x.npz", _published, lambda f: export.read(f / "x.npz")),
    "restricted pickle": Target("x.npz", _published, lambda f: read_object_array(f / "x.npz", "data")),
    "artifact, manifest": Target("manifest.json", _artifact, _artifact_rows),
    "artifact, shard": Target("one.npz", _artifact, _artifact_rows),
    "stage, shard of an earlier run": Target("one.npz", _artifact, _resume),
    "verify, manifest": Target("manifest.json", _artifact, _verify),
    "verify, shard": Target("one.npz", _artifact, _verify),
    "verify, failures": Target("failures.csv", _artifact, _verify),
    "split": Target("split.yaml", _split, lambda f: load_split(f / "split.yaml")),
    "configuration": Target("x.yaml", _configuration, lambda f: config.load(f / "x.yaml")),
    "parameters": Target("x.json", _parameters, lambda f: read_parameters(f / "x.json")),
    "search space": Target("x.yaml", _tradition, _search),
    "weights, ours": Target("x.safetensors", _safetensors, _read_weights("x.safetensors")),
    "weights, of others": Target("x.pth", _foreign, _read_weights("x.pth")),
    "checkpoint": Target("x.pt", _checkpoint, _load_checkpoint),
    "ninapro": Target("S1_E1_A1.mat", _mat(), lambda f: _each(NinaproReader("DB2", f))),
    "ninapro, compressed": Target("S1_E1_A1.mat", _mat(do_compression=True), lambda f: _each(NinaproReader("DB2", f))),
    "ninapro, version 4": Target("S1_E1_A1.mat", _mat(format="4"), lambda f: _each(NinaproReader("DB2", f))),
    "table, csv": Target("s1.csv", _csv, _table("csv", **COLUMNS)),
    "table, xlsx": Target("s1.xlsx", _xlsx, _table("xlsx", **COLUMNS)),
    "table, npz": Target("s1.npz", _table_npz, _table("npz", signal_key="emg", fs_key="fs", unit="V")),
    "wfdb, header": Target("s1.hea", _wfdb, _wfdb_folder),
    "wfdb, signals": Target("s1.dat", _wfdb, _wfdb_folder),
    "wfdb, annotations": Target("s1.atr", _wfdb, _wfdb_folder),
    "noise pool": Target("PLI/one.npy", _pool, NoiseLibrary.open),
    "signal file, csv": Target("x.csv", _plain_csv, _blocks("x.csv")),
    "signal file, xlsx": Target("x.xlsx", _plain_xlsx, _blocks("x.xlsx")),
    "signal file, mat": Target("x.mat", _plain_mat, _blocks("x.mat", unit="V")),
    "signal file, npz": Target("x.npz", _plain_npz, _blocks("x.npz", unit="V")),
    "signal file, npy": Target("x.npy", _npy, _blocks("x.npy", unit="V", fs_hz=1000.0)),
    "signal file, edf": Target("x.edf", _edf, _blocks("x.edf")),
    "signal file, wfdb header": Target("s1.hea", _wfdb, _blocks("s1.hea")),
    "signal file, wfdb signals": Target("s1.dat", _wfdb, _blocks("s1.hea")),
}


def zipped(members: dict[str, bytes], compression: int) -> bytes:
    """A zip archive in memory."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
