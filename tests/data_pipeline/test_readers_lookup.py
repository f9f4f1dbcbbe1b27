from __future__ import annotations

from pathlib import Path

import pytest

from cleansemg.core import registry
from cleansemg.core.errors import UserError
from cleansemg.core.settings import Paths
from cleansemg.data_pipeline.readers.lookup import open_reader
from cleansemg.data_pipeline.readers.ninapro import NinaproReader
from cleansemg.data_pipeline.recording import RecordingReader
from cleansemg.data_pipeline.settings import Dataset
from cleansemg.settings import Settings

SHIPPED = sorted(registry.entries("datasets"))


class NotAReader:
    def __init__(self, **parameters: object) -> None:
        self.parameters = parameters


def settings(root: Path | str, **datasets: Dataset) -> Settings:
    return Settings(paths=Paths(data_root=str(root)), datasets=datasets)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_dataset_opens_where_its_folder_is(tmp_path: Path, name: str) -> None:
    entry = registry.find("datasets", name)
    assert entry.summary
    folder = entry.extra.get("folder")
    if folder is not None:
        assert entry.extra["where"]
        (tmp_path / folder).mkdir(parents=True)
    reader = open_reader(name, settings(tmp_path))
    assert isinstance(reader, RecordingReader)
    assert reader.database == name


@pytest.mark.parametrize("name", [n for n in SHIPPED if "folder" in registry.find("datasets", n).extra])
def test_an_absent_and_an_empty_folder_say_what_to_do(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError) as error:
        open_reader(name, settings(tmp_path))
    message = str(error.value)
    assert message.startswith(f"{name}: no folder {tmp_path}")
    assert "; get it from http" in message
    assert f"--set datasets.{name}.enabled=false" in message
    assert "\n" not in message
    (tmp_path / registry.find("datasets", name).extra["folder"]).mkdir(parents=True)
    with pytest.raises(UserError, match=r"no file below .*get it from http"):
        open_reader(name, settings(tmp_path)).list()


def test_the_configuration_wins_over_the_entry(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for folder in ("elsewhere", str(tmp_path / "elsewhere")):
        dataset = Dataset(folder=folder, parameters={"exercises": [2]})
        reader = open_reader("DB2", settings(tmp_path, DB2=dataset))
        assert isinstance(reader, NinaproReader)
        assert reader.folder == tmp_path / "elsewhere"
        assert reader.exercises == {2}


def test_mistakes_in_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no dataset is called 'DB22'; did you mean 'DB2'"):
        open_reader("DB22", settings(tmp_path))
    with pytest.raises(UserError, match=r"paths.data_root needs \$\{DATA_ROOT\}, which is not set"):
        open_reader("DB2", settings("${DATA_ROOT}"))
    with pytest.raises(UserError, match=r"NotAReader is not a RecordingReader"):
        open_reader(f"{__name__}:NotAReader", settings(tmp_path))
    (tmp_path / "DB2").mkdir()
    with pytest.raises(UserError, match=r"unknown parameter 'units'; did you mean 'unit'"):
        open_reader("DB2", settings(tmp_path, DB2=Dataset(parameters={"units": "V"})))


def test_a_class_of_ones_own(tmp_path: Path) -> None:
    name = "cleansemg.data_pipeline.readers.ninapro:NinaproReader"
    reader = open_reader(name, settings(tmp_path, **{name: Dataset(folder=str(tmp_path))}))
    assert reader.database == "NinaproReader"
