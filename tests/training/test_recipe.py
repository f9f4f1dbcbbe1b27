"""Where values of a recipe come from, and what is refused."""

from __future__ import annotations

import pytest

from cleansemg.core.errors import UserError
from cleansemg.training.recipe import Recipe, describe, parse_assignments, resolve


def test_defaults_are_the_common_recipe_of_the_benchmark() -> None:
    # spec/models.md section 10, row "default"
    recipe = resolve([])
    assert (recipe.loss, recipe.optimizer, recipe.learning_rate, recipe.betas) == ("l1", "adamw", 1e-3, (0.9, 0.999))
    assert (recipe.batch_size, recipe.epochs, recipe.patience, recipe.clip_norm) == (64, 150, 20, 10.0)
    assert (recipe.schedule.kind, recipe.schedule.factor, recipe.schedule.patience) == ("plateau", 0.5, 5)


def test_the_later_layer_wins_and_mappings_merge() -> None:
    recipe = resolve(
        [
            ("model.yaml", {"epochs": 100, "batch_size": 16, "schedule": {"kind": "plateau", "factor": 0.8}}),
            ("config.yaml", {"epochs": 50, "schedule": {"patience": 2}}),
            ("command line", {"epochs": 3}),
        ]
    )
    assert (recipe.epochs, recipe.batch_size) == (3, 16)
    assert (recipe.schedule.factor, recipe.schedule.patience) == (0.8, 2)


def test_null_switches_off() -> None:
    recipe = resolve([("model.yaml", {"patience": 5}), ("command line", {"patience": None, "clip_norm": None})])
    assert recipe.patience is None
    assert recipe.clip_norm is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"learning_rat": 1}, "config.yaml: unknown recipe key 'learning_rat'; did you mean 'learning_rate'"),
        ({"schedule": {"pacience": 1}}, "config.yaml: unknown recipe key 'schedule.pacience'; did you mean 'patience'"),
        ({"learning_rate": -1}, "config.yaml: recipe learning_rate"),
        ({"batch_size": 2.5}, "config.yaml: recipe batch_size"),
        ({"loss": "l7"}, "config.yaml: recipe loss"),
        ({"schedule": {"kind": "steps"}}, "config.yaml: recipe schedule: milestones"),
        ({"schedule": {"kind": "steps", "milestones": [30, 3]}}, "milestones: must rise"),
        ({"learning_rate": "fast"}, "config.yaml: recipe learning_rate"),
    ],
)
def test_refusals_name_the_layer_and_the_key(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        resolve([("model.yaml", {"epochs": 1}), ("config.yaml", values)])


def test_assignments() -> None:
    parsed = parse_assignments(["learning_rate=1e-4", "schedule.kind=steps", "schedule.milestones=[3, 30]"])
    recipe = resolve([("command line", parsed)])
    assert recipe.learning_rate == 1e-4  # YAML reads this spelling as text
    assert recipe.schedule.milestones == (3, 30)
    for wrong in ("epochs", "=3", "a..b=3", "epochs=[1"):
        with pytest.raises(UserError, match="--recipe"):
            parse_assignments([wrong])
    with pytest.raises(UserError, match="not a section"):
        parse_assignments(["schedule=1", "schedule.kind=none"])


def test_description_holds_every_value() -> None:
    text = describe(Recipe())
    assert all(f"{key}=" in text for key in Recipe.model_fields if key != "schedule")
    assert "schedule.kind=plateau" in text
