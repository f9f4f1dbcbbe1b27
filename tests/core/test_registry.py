import pytest

from cleansemg.core import registry
from cleansemg.core.errors import UserError


def test_names_aliases_and_classes_of_ones_own():
    assert registry.find("denoisers", "hp").name == "hp"
    assert registry.find("denoisers", "FCN").name == "fcn_large"
    own = registry.find("denoisers", "cleansemg.denoising.identity:Identity")
    assert own.target == "cleansemg.denoising.identity:Identity"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hpp", "no denoiser is called 'hpp'; did you mean 'hp'"),
        ("nowhere.at:All", "cannot import 'nowhere'"),
        ("cleansemg.denoising.identity:Nope", "has no 'Nope'"),
        (":X", "expected package.module:Class"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(UserError, match=message):
        registry.find("denoisers", name)


def test_unknown_and_refused_parameters():
    entry = registry.find("denoisers", "hp")
    with pytest.raises(UserError, match="unknown parameter 'cutof_hz'; did you mean 'cutoff_hz'"):
        entry.build(cutof_hz=3)


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_entry_names_a_class_that_is_there(kind):
    found = registry.entries(kind)
    assert found
    for entry in found.values():
        assert registry.load_class(entry.target) is not None
        assert entry.summary, f"{kind}/{entry.name}.yaml: no summary"


@pytest.mark.parametrize("kind", registry.KINDS)
def test_aliases_are_unique(kind):
    names = [name for entry in registry.entries(kind).values() for name in (entry.name, *entry.aliases)]
    assert len(set(names)) == len(names)
