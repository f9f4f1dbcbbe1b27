import pytest
import yaml

from cleansemg.core import config
from cleansemg.core.errors import UserError


@pytest.fixture
def write(tmp_path):
    def writer(content, name="c.yaml"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return writer


def test_command_line_wins_over_file_over_parent_over_default(write):
    write({"seed": 1, "mix": {"shard_size": 5, "rule": "published"}}, "base.yaml")
    path = write({"extends": "base.yaml", "mix": {"shard_size": 7}})
    settings = config.load(path, ["mix.grid_segments=3", "seed=9"])
    assert (settings.seed, settings.mix.rule, settings.mix.shard_size, settings.mix.grid_segments) == (
        9,
        "published",
        7,
        3,
    )
    assert settings.segment.fs_hz == 1000


@pytest.mark.parametrize(
    ("content", "overrides", "message"),
    [
        ({"mix": {"shardsize": 5}}, [], r"unknown key 'mix\.shardsize'; did you mean 'shard_size'\?"),
        ({"mixx": {}}, [], "unknown key 'mixx'; did you mean 'mix'"),
        ({"datasets": {"DB2": {"enabeld": False}}}, [], r"'datasets\.DB2\.enabeld'; did you mean 'enabled'"),
        ({"noise": {"kinds": {"PLI": [{"sauce": "pli"}]}}}, [], "sauce'; did you mean 'source'"),
        ({"seed": "many"}, [], "seed: .*integer.*got 'many'"),
        ({"segment": {"band_hz": [500, 20]}}, [], "not low, high"),
        ({}, ["mix.shard_size"], "expected key.subkey=value"),
        ({}, ["mix.nope=1"], "unknown key 'mix.nope'"),
        ("a: [1", [], "line 1: not YAML"),
        ("- 1", [], "expected a mapping"),
    ],
)
def test_errors_name_file_key_and_the_nearest(write, content, overrides, message):
    path = write(content)
    with pytest.raises(UserError, match=message) as caught:
        config.load(path, overrides)
    assert "\n" not in str(caught.value)
    assert overrides or "c.yaml" in str(caught.value)


def test_an_absent_file_names_the_nearest():
    with pytest.raises(UserError, match=r"no such configuration; did you mean 'demo'"):
        config.load("configs/demos.yaml")


def test_a_circle_of_extends_is_an_error(write):
    write({"extends": "b.yaml"}, "a.yaml")
    with pytest.raises(UserError, match="circle"):
        config.load(write({"extends": "a.yaml"}, "b.yaml"))


def test_unset_variables_are_errors_where_they_are_used(write, monkeypatch):
    monkeypatch.delenv("DATA_ROOT", raising=False)
    settings = config.load(write({}))
    with pytest.raises(UserError, match=r"c\.yaml: paths\.data_root needs \$\{DATA_ROOT\}.*--set paths\.data_root"):
        config.require_path(settings.paths.data_root, "paths.data_root", settings)
    monkeypatch.setenv("DATA_ROOT", "/data")
    settings = config.load(write({}))
    assert str(config.require_path(settings.paths.data_root, "paths.data_root", settings)) == "/data"


def test_a_default_for_a_variable(write, monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    assert config.load(write({"paths": {"data_root": "${NOWHERE:-/d}/x"}})).paths.data_root == "/d/x"


def test_the_saved_configuration_reads_back_equal(write, tmp_path):
    settings = config.load(write({"mix": {"shard_size": 7}, "datasets": {"DB2": {}}}))
    config.save(settings, tmp_path / "saved.yaml")
    again = config.load(tmp_path / "saved.yaml")
    assert again.model_dump(exclude={"config_file"}) == settings.model_dump(exclude={"config_file"})


@pytest.mark.parametrize("name", ["demo", "open", "config"])
def test_shipped_configurations_are_valid(name):
    config.load(f"configs/{name}.yaml")


@pytest.mark.parametrize("name", ["demo", "configs/demo.yaml", "demo.yaml", "./configs/demo.yaml"])
def test_a_configuration_of_the_project_goes_by_its_name_anywhere(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.load(name).title == "demo on simulated surface EMG"


def test_every_other_file_below_configs_is_no_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"no such configuration; there are: config, demo, downstream/fatigue, .*weights$"
    ):
        config.load("qqqqqq")
    with pytest.raises(UserError, match="denoisers/hp: no such configuration"):
        config.load("denoisers/hp")


def test_a_name_that_is_a_file_and_one_of_the_project_says_which_was_taken(write, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    caplog.set_level("INFO")
    write({"title": "mine"}, "demo.yaml")
    assert config.load("demo.yaml").title == "mine"
    assert "demo.yaml: this file is used, not the configuration of the project" in caplog.text
    caplog.clear()
    assert config.load("demo").title != "mine"
    assert "demo: the configuration of the project is used, not the file here; for that, give demo.yaml" in caplog.text


def test_a_configuration_extends_a_file_beside_it_or_one_of_the_project(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config.load(write({"extends": "demo", "seed": 3})).noise.piece_s == 60
    assert config.load(write({"extends": "configs/demo.yaml"}, "d.yaml")).noise.piece_s == 60
    write({"noise": {"piece_s": 7}}, "demo.yaml")
    assert config.load(write({"extends": "demo.yaml"}, "e.yaml")).noise.piece_s == 7
    with pytest.raises(UserError, match=r"extends: .*demox: no such configuration; did you mean 'demo'"):
        config.load(write({"extends": "demox"}, "f.yaml"))


def test_files_that_a_configuration_refers_to(write, tmp_path):
    settings = config.load(write({}))
    assert config.referenced("splits/open.yaml", settings).read_text()
    (tmp_path / "mine.yaml").write_text("a: 1\n")
    assert config.referenced("mine.yaml", settings) == tmp_path / "mine.yaml"


def test_a_folder_without_configurations_is_an_error(tmp_path, monkeypatch):
    from cleansemg.core import registry

    monkeypatch.setenv("CLEANSEMG_ROOT", str(tmp_path))
    with pytest.raises(UserError, match=r"configs: no such folder; CLEANSEMG_ROOT is .*; unset it"):
        registry.entries("denoisers")
    (tmp_path / "configs" / "denoisers").mkdir(parents=True)
    with pytest.raises(UserError, match="there are no denoisers in it; CLEANSEMG_ROOT is"):
        registry.find("denoisers", "hp")
