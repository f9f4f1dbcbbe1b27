import subprocess
import sys

import pytest

from cleansemg.core import code_identity, registry, revision, source_hash
from cleansemg.core.code_identity import of_class, of_entry, of_modules, outdated
from cleansemg.core.errors import UserError
from cleansemg.evaluation.verification import sources

SOURCE = """
import math
def f(x: float = 1.0) -> float:
    \"\"\"Double.\"\"\"
    # a comment
    return x * 2
"""


def digest(path, text):
    path.write_text(text)
    source_hash._read.cache_clear()
    return source_hash.read(path).sha256


@pytest.mark.parametrize(
    "other",
    [
        SOURCE.replace("# a comment", "# another"),
        SOURCE.replace("Double.", "Twice."),
        SOURCE.replace('    """Double."""\n', ""),
        SOURCE.replace("x * 2", "(x\n        * 2)"),
        "\n\n\n" + SOURCE + "\n\n",
        '"""A module."""\n' + SOURCE,
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(tmp_path, other):
    assert other != SOURCE
    assert digest(tmp_path / "a.py", other) == digest(tmp_path / "b.py", SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x * 2", "x * 2.0"),
        ("x * 2", "x + 2"),
        ("= 1.0", "= 1.5"),
        ("x * 2", "2 * x"),
        ("def f", "def g"),
        ("math", "cmath"),
    ],
)
def test_everything_else_counts(tmp_path, old, new):
    assert digest(tmp_path / "a.py", SOURCE.replace(old, new)) != digest(tmp_path / "b.py", SOURCE)


def test_fields_of_settings_do_not_count_but_what_is_computed_of_them_does(tmp_path):
    text = "class A:\n    x: int = 1\n    def f(self):\n        return self.x\n"
    first = digest(tmp_path / "settings.py", text)
    assert digest(tmp_path / "settings.py", text.replace("x: int = 1", "x: int = 2\n    y: int = 3")) == first
    assert digest(tmp_path / "settings.py", text + "class B:\n    z: int = 1\n") == first
    assert digest(tmp_path / "settings.py", text.replace("self.x", "2 * self.x")) != first


def test_a_second_formula_gives_the_same_hashes():
    """Verification hashes files by itself; both must agree on every source file and YAML."""
    files = [path for room in ("core", "noise", "evaluation") for path in (code_identity.PACKAGE / room).rglob("*.py")]
    assert len(files) > 50
    for path in files:
        assert source_hash.read(path).sha256 == sources._hash(path, 0), path
    for kind in registry.KINDS:
        for entry in registry.entries(kind).values():
            name = f"cleansemg/configs/{kind}/{entry.name}.yaml"
            assert of_entry(entry)[name] == sources._hash(sources.ROOT / name, 0)


def test_a_denoiser_depends_on_what_it_imports_and_on_no_other_denoiser():
    names = {name.removeprefix("cleansemg/") for name in of_entry(registry.find("denoisers", "hp"))}
    assert {"denoising/hp.py", "denoising/base.py", "core/dsp.py", "configs/denoisers/hp.yaml"} <= names
    assert not names & {"denoising/emd.py", "core/console.py", "core/errors.py", "evaluation/scoring.py", "__init__.py"}
    assert "denoising/ts.py" not in of_entry(registry.find("denoisers", "fcn"))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A user's package: mine imports helper through the package, and lazily late; other is imported by nobody."""
    folder = tmp_path / "own_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("from own_package.helper import FACTOR\nfrom own_package.other import X\n")
    (folder / "helper.py").write_text("FACTOR = 2\n")
    (folder / "other.py").write_text("X = 1\n")
    (folder / "late.py").write_text("from . import helper\nY = 2\n")
    (folder / "types_alone.py").write_text("Y = 1\n")
    (folder / "mine.py").write_text(
        "from typing import TYPE_CHECKING\nimport numpy as np\nfrom own_package import FACTOR\n"
        "from cleansemg.denoising import Denoiser\n"
        "if TYPE_CHECKING:\n    from own_package import types_alone\n"
        "class Mine(Denoiser):\n    def f(self):\n        from .late import helper\n        raise RuntimeError\n"
    )
    (tmp_path / "beside.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    code_identity._of_modules.cache_clear()
    code_identity._source.cache_clear()
    yield folder
    code_identity._of_modules.cache_clear()


def test_a_users_class_depends_on_the_files_that_it_imports(package):
    code = of_class("own_package.mine:Mine")
    users = {name for name in code if not name.startswith("cleansemg/")}
    assert users == {"own_package/mine.py", "own_package/helper.py", "own_package/late.py"}
    assert "cleansemg/denoising/base.py" in code
    assert "own_package" not in sys.modules  # nothing was imported
    assert outdated(code) == []
    (package / "helper.py").write_text("FACTOR = 33\n")
    assert outdated(code) == ["own_package/helper.py"]
    (package / "late.py").unlink()
    assert outdated(code) == ["own_package/helper.py", "own_package/late.py"]


def test_a_class_without_a_source_file_is_an_error(package):
    with pytest.raises(UserError, match="no source file"):
        of_class("not_there_at_all:X")
    (package / "mine.py").write_text("def f(:\n")
    with pytest.raises(UserError, match=r"mine\.py, line 1: invalid syntax"):
        of_modules("own_package.mine")


def test_a_damaged_cache_is_no_cache(tmp_path, monkeypatch):
    for content in ("{", "[]", '{"a": 1}', '{"a": ["x", [["y", "z", ""]], null]}'):
        (tmp_path / "code.json").write_text(content)
        cache = source_hash._Cache(tmp_path / "code.json")
        cache.load()
        assert cache.files == {}
    cache.files["a"] = source_hash.SourceFile("1" * 32, ((0, "x", "y"),), {"y": (1, "x", "y")})
    cache.is_new = True
    cache.save()
    again = source_hash._Cache(tmp_path / "code.json")
    again.load()
    assert again.files == cache.files


def test_it_is_cheap_once_files_are_known():
    names = "'cleansemg.training.neural', 'cleansemg.evaluation.scoring'"
    code = (
        "import time; from cleansemg.core.code_identity import of_modules; start = time.process_time(); "
        f"of_modules({names}); print(time.process_time() - start)"
    )
    seconds = [float(subprocess.check_output([sys.executable, "-c", code], text=True)) for _ in range(2)]
    assert seconds[1] < 0.3


def test_the_commit_is_named_where_there_is_a_checkout(monkeypatch, tmp_path):
    revision.revision.cache_clear()
    here = revision.revision()
    assert here["tree"] in {"clean", "changed"} if (revision.ROOT / ".git").exists() else here["commit"] == "unknown"
    monkeypatch.setattr(revision, "ROOT", tmp_path)
    for name in ("", ".git"):  # an installed package, and a folder that git refuses
        (tmp_path / name).mkdir(exist_ok=True)
        revision.revision.cache_clear()
        assert revision.revision() == {"commit": "unknown", "tree": "unknown"}
    monkeypatch.setenv("PATH", str(tmp_path))
    revision.revision.cache_clear()
    assert revision.revision() == {"commit": "unknown", "tree": "unknown"}
    revision.revision.cache_clear()
