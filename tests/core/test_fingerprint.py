import pytest

from cleansemg.core.artifact import Schema
from cleansemg.core.fingerprint import describe_change, fingerprint, relation

SCHEMA = Schema("squares", 1, step="make squares")
CODE = {"a.py": "1"}


def make(section="a", inputs=None, code=None, step=None, contents=None):
    return fingerprint(SCHEMA, section, inputs or {}, 1, code or CODE, step, contents)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (make(), "same"),
        (make(section="b"), "settings"),
        (make(code={"a.py": "2"}), "code"),
        (make(inputs={"raw": "another file"}), "settings"),
        (make(contents={"raw": "another file"}), "code"),
        (make(step={}), "settings"),  # another kind of stage
        ("by hand", "settings"),
    ],
)
def test_what_differs(other, expected):
    assert relation(other, make()) == expected


def test_a_last_step_of_its_own():
    first = make(step={"m.py": "1"})
    assert relation(make(step={"m.py": "2"}), first) == "step"
    assert relation(make(step={"m.py": "2"}, code={"a.py": "2"}), first) == "code"


def test_code_and_settings_of_inputs_stay_apart():
    """What was made from something that other code made differs in code; from other settings, in settings."""
    first = make(inputs={"segments": make(inputs={"raw": "1"})})
    assert relation(make(inputs={"segments": make(inputs={"raw": "1"}, code={"a.py": "2"})}), first) == "code"
    assert relation(make(inputs={"segments": make(inputs={"raw": "1"}, section="b")}), first) == "settings"
    assert relation(make(inputs={"segments": make(inputs={"raw": "2"})}), first) == "settings"
    scored = make(step={"m.py": "1"})
    assert relation(make(inputs={"scores": make(step={"m.py": "2"})}), make(inputs={"scores": scored})) == "code"


@pytest.mark.parametrize(
    ("old", "new", "inputs", "text"),
    [
        ({"cleansemg/x.py": "1"}, {"cleansemg/x.py": "2"}, {}, "x.py changed since"),
        ({}, {"x.py": "1", "standard.MAE": "2"}, {}, "standard.MAE is new, x.py is new"),
        ({"a": "1", "b": "1", "c": "1"}, {}, {}, "a is gone, b is gone, and 1 more"),
        (CODE, CODE, {"noise": "1"}, "its input noise was made again"),
        (CODE, CODE, {}, "made by other code"),
    ],
)
def test_the_reason_in_words(old, new, inputs, text):
    assert describe_change(old, new, inputs, {}) == text
