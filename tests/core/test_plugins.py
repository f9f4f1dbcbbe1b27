"""Denoisers of other packages, by entry point; a broken one is one line where it is used, and nowhere else."""

import pytest

from cleansemg.__main__ import list_entries
from cleansemg.core import plugins, registry
from cleansemg.core.errors import UserError
from cleansemg.denoising import load

GOOD = """
from cleansemg.denoising import Denoiser
class Half(Denoiser):
    name = "half"
    def _denoise(self, noisy, fs_hz, labels):
        return 0.5 * noisy
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A folder on the path with installed packages; `install(package, entry points)` adds one."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(package, **points):
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = "".join(f"{name} = {target}\n" for name, target in points.items())
        (info / "entry_points.txt").write_text(f"[cleansemg.denoisers]\n{lines}")
        plugins.plugins.cache_clear()

    (tmp_path / "plugin_good.py").write_text(GOOD)
    (tmp_path / "plugin_broken.py").write_text("import not_there_at_all\n")
    (tmp_path / "plugin_raises.py").write_text("raise KeyError('oh')\n")
    yield install
    plugins.plugins.cache_clear()


def test_a_plugin_goes_by_its_name(installed, capsys):
    installed("halves", half="plugin_good:Half")
    assert load("half").denoise([2.0, 4.0], 1000.0).tolist() == [1.0, 2.0]
    assert registry.find("denoisers", "half").target == "plugin_good:Half"
    list_entries("denoisers")
    assert "half                 Plug-in of halves 1.0: plugin_good:Half\n" in capsys.readouterr().out
    with pytest.raises(UserError, match="did you mean 'half'"):
        registry.find("denoisers", "halv")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("plugin_broken:Half", "cannot import 'not_there_at_all', which is not installed"),
        ("plugin_raises:Half", "importing it raises KeyError: 'oh'"),
        ("plugin_absent:Half", "no module 'plugin_absent'"),
        ("plugin_good:Hlf", "has no 'Hlf'; did you mean 'Half'"),
        ("json:JSONDecoder", "is not a denoiser: derive it from cleansemg.denoising.Denoiser"),
        ("json", "expected package.module:Class"),
    ],
)
def test_a_broken_plugin_is_one_line_that_names_the_entry_point(installed, capsys, target, message):
    installed("halves", half=target, third="plugin_good:Half")
    with pytest.raises(UserError) as error:
        load("half")
    assert str(error.value).startswith(f"entry point 'half' = '{target}' of halves 1.0")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    list_entries("denoisers")  # neither this nor other methods need it
    assert "\nhp " in capsys.readouterr().out
    assert load("hp").name == "hp"
    assert load("third").name == "half"


def test_two_of_one_name(installed, capsys):
    installed("one", half="plugin_good:Half")
    installed("two", half="plugin_broken:Half")
    with pytest.raises(UserError, match=r"'half' = 'plugin_good:Half' of one 1\.0: .* of two 1\.0 has the same name"):
        load("half")
    list_entries("denoisers")
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("name", ["hp", "Wavelet"])
def test_a_name_of_the_project_stays_the_projects(installed, capsys, name):
    installed("halves", **{name: "plugin_good:Half"})
    assert registry.find("denoisers", name).target.startswith("cleansemg.")
    list_entries("denoisers")
    assert f"entry point '{name}' = 'plugin_good:Half' of halves 1.0: the project has" in capsys.readouterr().err
