import pytest
import yaml

from cleansemg.core import yaml_text


def test_plain_values_and_shared_ones():
    assert yaml_text.load("a: {b: [1, 2.5, x, null]}\n") == {"a": {"b": [1, 2.5, "x", None]}}
    assert yaml_text.load("a: &x [1]\nb: *x\n") == {"a": [1], "b": [1]}
    assert yaml_text.load("") is None


def bomb(levels):
    return "\n".join(
        [f"a0: &a0 [{', '.join(['x'] * 9)}]"]
        + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (bomb(9), "unfold to more than"), ("&a [*a]", "holds itself"), ("[" * 50_000, "nested too deeply"),
        ("[" * 150 + "]" * 150, "nested too deeply"), ("2020-99-99", "cannot be read"), ("? [1]\n: 2", "unhashable"),
        ("!!python/object/apply:os.system [exit]", "could not determine a constructor"), ("a: [", "expected the node content"),
    ],
)  # fmt: skip
def test_what_no_settings_hold(text, message):
    with pytest.raises(yaml.YAMLError, match=message):
        yaml_text.load(text)


def test_few_shares_are_no_bomb():
    assert len(yaml_text.load(bomb(4))["a3"]) == 9
