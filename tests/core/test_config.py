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
