"""recipes.py: named recipes, a user's values over them, and a message for every bad one."""

from __future__ import annotations

import math
import re
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmnist import recipes
from deepmnist.errors import ConfigError
from deepmnist.recipes import (
    FAST,
    FIELDS,
    RECIPES,
    TUTORIAL,
    checked,
    configure,
    difference,
    member,
    read_toml,
)

# What each field may not be, with the end of its message.
TOO_LOW = {
    "epochs": (0, "> 0.0"),
    "steps": (0, ">= 1"),
    "minimum_steps": (-1, ">= 0"),
    "batch_size": (-50, ">= 1"),
    "learning_rate": (-0.1, "> 0.0"),
    "kernel_rate": (0, "> 0.0"),
    "momentum": (-0.1, ">= 0.0"),
    "warmup": (-0.1, ">= 0.0"),
    "warmup_batch": (0.0, "> 0.0"),
    "beta_1": (-0.1, ">= 0.0"),
    "beta_2": (-0.1, ">= 0.0"),
    "epsilon": (0.0, "> 0.0"),
    "label_smoothing": (-0.1, ">= 0.0"),
    "dropout": (-0.5, ">= 0.0"),
    "rotation_deg": (-1, ">= 0.0"),
    "shift_px": (-1, ">= 0.0"),
    "scale": (-0.1, ">= 0.0"),
    "shear": (-0.1, ">= 0.0"),
    "members": (0, ">= 1"),
    "teaching": (-0.1, ">= 0.0"),
    "teacher_temperature": (0, "> 0.0"),
    "validation_share": (0.0, "> 0.0"),
    "seed": (-1, ">= 0"),
}
TOO_HIGH = {
    "epochs": (math.inf, "<= 1000000000.0"),
    "steps": (2**31, "<= 2147483647"),
    "minimum_steps": (2**31, "<= 2147483647"),
    "batch_size": (65_537, "<= 65536"),
    "learning_rate": (math.inf, "<= 1000000000.0"),
    "kernel_rate": (math.inf, "<= 1000000000.0"),
    "momentum": (1.0, "< 1.0"),
    "warmup": (1.0, "< 1.0"),
    "warmup_batch": (1.1, "<= 1.0"),
    "beta_1": (1, "< 1.0"),
    "beta_2": (1.5, "< 1.0"),
    "epsilon": (1e10, "<= 1000000000.0"),
    "label_smoothing": (1.0, "< 1.0"),
    "dropout": (1.0, "< 1.0"),
    "rotation_deg": (181, "<= 180.0"),
    "shift_px": (14.5, "<= 14.0"),
    "scale": (1.0, "< 1.0"),
    "shear": (1.0, "< 1.0"),
    "members": (65, "<= 64"),
    "teaching": (1.1, "<= 1.0"),
    "teacher_temperature": (math.inf, "<= 1000000000.0"),
    "validation_share": (1.0, "< 1.0"),
    "seed": (2**31, "<= 2147483647"),
}
CHOICES = {
    "architecture": "must be one of "
    "tutorial, fast, balanced, accurate, wide, windows, reader, tiny",
    "optimizer": "must be one of adam, muon",
    "schedule": "must be one of constant, one_cycle",
    "views": "must be one of 1, 5",
    "precision": "must be one of auto, float32, mixed_bfloat16",
}
WHOLE = {"steps", "minimum_steps", "batch_size", "members", "seed"}
FLOATS = sorted(TOO_LOW.keys() - WHOLE)


def refusal(**values: Any) -> str:
    """The one line with which `configure` refuses `values`."""
    with pytest.raises(ConfigError) as caught:
        configure("fast", **values)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


# --- the recipes --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_passes_its_own_checks_under_its_own_name(name: str) -> None:
    assert RECIPES[name].recipe == name
    assert configure(name) == RECIPES[name]


def test_the_default_is_fast() -> None:
    assert configure() == FAST


def test_tutorial_is_the_tutorial_to_the_letter() -> None:
    told = (TUTORIAL.steps, TUTORIAL.batch_size, TUTORIAL.learning_rate, TUTORIAL.dropout)
    assert told == (5_000, 50, 1e-4, 0.5)
    assert (TUTORIAL.beta_1, TUTORIAL.beta_2, TUTORIAL.epsilon) == (0.9, 0.999, 1e-8)
    assert (TUTORIAL.schedule, TUTORIAL.precision, TUTORIAL.augments) == (
        "constant",
        "float32",
        False,
    )


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        FAST.seed = 1  # type: ignore[misc]


def test_every_field_is_held_by_a_test_of_its_range() -> None:
    assert set(FIELDS) == {"recipe", "teacher", *CHOICES, *TOO_LOW}
    assert TOO_LOW.keys() == TOO_HIGH.keys()


# --- a user's values ----------------------------------------------------------------------------


def test_values_are_laid_over_the_recipe_and_the_rest_stays() -> None:
    assert configure("fast", seed=3, dropout=0.25) == replace(FAST, seed=3, dropout=0.25)


def test_a_whole_number_does_for_a_float() -> None:
    epochs = configure("fast", epochs=3).epochs
    assert (epochs, type(epochs)) == (3.0, float)


def test_epochs_outrank_a_recipe_s_own_steps() -> None:
    config = configure("tutorial", epochs=2)
    assert (config.epochs, config.steps) == (2.0, None)


def test_steps_stand_in_for_a_recipe_s_own() -> None:
    assert configure("tutorial", steps=70).steps == 70
    assert configure("balanced", steps=70).steps == 70


def test_epochs_and_steps_together_are_refused() -> None:
    assert refusal(epochs=1, steps=5) == "epochs and steps were both given; give one of them"


@pytest.mark.parametrize("name", ["rotation_deg", "shift_px", "scale", "shear"])
def test_any_change_to_images_is_augmentation(name: str) -> None:
    assert not FAST.augments
    assert configure("fast", **{name: 0.1}).augments


@pytest.mark.parametrize("bounds", [TOO_LOW, TOO_HIGH], ids=["low", "high"])
@pytest.mark.parametrize("name", TOO_LOW)
def test_a_value_out_of_range_is_named_with_what_is_allowed(
    name: str, bounds: dict[str, tuple[float, str]]
) -> None:
    value, allowed = bounds[name]
    message = refusal(**{name: value})
    assert message.startswith(f"{name} = {value!r}: expected ")
    assert message.endswith(f" {allowed}")


@pytest.mark.parametrize("name", FLOATS)
def test_a_value_that_is_no_number_is_refused(name: str) -> None:
    assert refusal(**{name: math.nan}).startswith(f"{name} = nan: expected float >")


@pytest.mark.parametrize("name", TOO_LOW)
@pytest.mark.parametrize("value", ["12", True, [1], 1j], ids=str)
def test_a_value_of_another_type_is_refused(name: str, value: object) -> None:
    assert refusal(**{name: value}).startswith(f"{name} = {value!r}: expected ")


def test_what_is_allowed_is_told_in_words_people_write() -> None:
    assert refusal(steps=1.5) == "steps = 1.5: expected int, got float"


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("value", ["half", None, 3])
def test_a_choice_that_is_none_lists_them_all(name: str, value: object) -> None:
    assert refusal(**{name: value}) == f"{name} = {value!r}: {CHOICES[name]}"


def test_an_endless_value_is_cut_in_the_message() -> None:
    assert refusal(batch_size="x" * 1_000).startswith(f"batch_size = '{'x' * 59}...: expected int")
    assert "a number of thousands of digits: number out of range" in refusal(epochs=16**5_000)


def test_an_unknown_recipe_gets_the_nearest_name() -> None:
    with pytest.raises(
        ConfigError, match=r"recipe 'fats'; did you mean 'fast'\? known: accurate, .*fast"
    ):
        configure("fats")


def test_an_unknown_option_gets_the_nearest_name() -> None:
    assert "unknown training option 'bacth_size'; did you mean 'batch_size'?" in refusal(
        bacth_size=1
    )


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(st.sampled_from(FIELDS[1:]), values)
def test_any_value_is_taken_as_given_or_refused_in_one_line(name: str, value: object) -> None:
    try:
        told = f"{name} = {getattr(configure('fast', **{name: value}), name)!r}"
    except ConfigError as error:
        told = str(error)
    else:
        assert told == f"{name} = {value!r}" or float(told.rpartition("= ")[2]) == value
    assert told.startswith(f"{name} = ")
    assert len(told.splitlines()) == 1


def test_a_configuration_survives_json() -> None:
    for recipe in RECIPES.values():
        assert recipes.checked(msgspec.json.decode(msgspec.json.encode(asdict(recipe)))) == recipe


# --- members and teachers -----------------------------------------------------------------------


def test_a_member_is_a_run_of_one_net_and_the_first_keeps_the_seed() -> None:
    config = configure("fast", members=3, seed=7, dropout=0.25)
    assert recipes.member(config, 0) == configure("fast", seed=7, dropout=0.25)
    second = recipes.member(config, 1)
    assert second == replace(recipes.member(config, 0), seed=second.seed)


def test_runs_of_other_seeds_share_no_member() -> None:
    runs = [configure("fast", members=64, seed=seed) for seed in range(50)]
    seeds = {recipes.member(run, index).seed for run in runs for index in range(64)}
    assert len(seeds) == 50 * 64


@given(st.integers(0, 2**31 - 1), st.integers(0, 63))
def test_a_member_of_any_seed_is_a_configuration_one_may_have(seed: int, index: int) -> None:
    config = recipes.member(configure("fast", members=64, seed=seed), index)
    assert recipes.checked(asdict(config)) == config


def test_a_teacher_is_its_own_recipe_with_the_same_seed_and_split() -> None:
    config = configure(
        "fast", teacher="tutorial", teaching=0.5, seed=3, validation_share=0.2, dropout=0.25
    )
    assert recipes.teacher(config) == replace(TUTORIAL, seed=3, validation_share=0.2)


def test_a_teacher_of_no_recipe_gets_the_nearest_that_can_teach() -> None:
    with pytest.raises(ConfigError, match=r"teacher = 'fats': no recipe and no folder .*'fast'\?"):
        recipes.teacher(configure("fast", teacher="fats", teaching=0.5))


def test_a_teacher_that_is_taught_itself_is_refused() -> None:
    taught = next(name for name, recipe in RECIPES.items() if recipe.teacher is not None)
    with pytest.raises(ConfigError, match=f"teacher = '{taught}': it is taught itself; name a"):
        recipes.teacher(configure("fast", teacher=taught, teaching=0.5))


@pytest.mark.parametrize("value", [3, ["fast"], True], ids=str)
def test_a_teacher_that_is_no_name_is_refused(value: object) -> None:
    assert refusal(teacher=value).startswith(f"teacher = {value!r}: expected str")


@pytest.mark.parametrize("recipe", [r for r in RECIPES.values() if r.teacher], ids=str)
def test_every_recipe_s_teacher_can_be_made(recipe: recipes.TrainingConfig) -> None:
    assert recipes.teacher(recipe).recipe == recipe.teacher


# --- from a file --------------------------------------------------------------------------------


def written(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_toml_gives_the_values_it_holds(tmp_path: Path) -> None:
    path = written(tmp_path, "# mine\nepochs = 3\nlearning_rate = 2e-3\nprecision = 'float32'\n")
    values = read_toml(path)
    assert values == {"epochs": 3, "learning_rate": 2e-3, "precision": "float32"}
    assert configure("fast", **values).epochs == 3.0


def test_toml_with_an_unknown_key_or_a_wrong_type_is_refused_by_name(tmp_path: Path) -> None:
    assert "unknown training option 'sede'; did you mean 'seed'?" in refusal(
        **read_toml(written(tmp_path, "sede = 1"))
    )
    assert r"unknown training option 'a\nb'; known:" in refusal(
        **read_toml(written(tmp_path, '"a\\nb" = 1'))
    )
    assert "seed = datetime.date(2020, 1, 1): expected int" in refusal(
        **read_toml(written(tmp_path, "seed = 2020-01-01"))
    )
    assert "epochs = nan: expected float > 0.0" in refusal(
        **read_toml(written(tmp_path, "epochs = nan"))
    )


@pytest.mark.parametrize("value", ["3", "['fast']", "{ name = 'fast' }", "2020-01-01"])
def test_a_recipe_that_is_no_name_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"^unknown recipe [^\n]*; (did you .*)?known: accurate"):
        configure(**read_toml(written(tmp_path, f"recipe = {value}")))


def test_a_field_that_is_missing_is_named() -> None:
    values = asdict(FAST)
    del values["batch_size"]
    with pytest.raises(ConfigError, match=r"^object missing required field 'batch_size'$"):
        checked(values)


def test_a_member_is_one_net_that_sees_one_view() -> None:
    ensemble = configure("tiny", members=3, views=5, seed=2)
    nets = [member(ensemble, index) for index in range(3)]
    assert {(net.members, net.views) for net in nets} == {(1, 1)}
    assert [nets[0].seed, len({net.seed for net in nets})] == [2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "seed = ",
        "seed",
        "[[",
        b"\xff\xfe",
        b"seed = '\xff'",
        "a = 1\na = 2",
        "a = " + "[" * 100_000,
        "a = " + "1" * 5_000,
    ],
    ids=["no value", "no equals", "torn", "utf-16", "no utf-8", "twice", "deep", "endless"],
)
def test_a_file_that_is_no_toml_is_refused_by_name_in_one_line(
    tmp_path: Path, text: str | bytes
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError, match=re.escape(f"{path} cannot be read as TOML: ")) as caught:
        read_toml(path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["none.toml", "x" * 300, "."])
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path / name} cannot be read as TOML")):
        read_toml(tmp_path / name)


# --- what differs -------------------------------------------------------------------------------


def test_difference_names_each_field_with_both_values() -> None:
    other = replace(FAST, seed=3, precision="float32")
    assert difference(FAST, other) == "precision 'auto' -> 'float32', seed 0 -> 3"


def test_difference_of_equals_is_empty() -> None:
    assert difference(FAST, configure("fast")) == ""


def test_epochs_asked_for_are_not_stretched_for_a_small_set() -> None:
    assert configure("balanced").minimum_steps > 0
    assert configure("balanced", epochs=1).minimum_steps == 0
    assert configure("balanced", epochs=1, minimum_steps=50).minimum_steps == 50


def test_learning_on_is_one_low_cycle_of_whole_batches_and_otherwise_as_before() -> None:
    trained = configure("distilled", warmup_batch=0.5, shift_px=3.0, batch_size=64, seed=4)
    on = recipes.improving(trained, 20, 9)
    changed = {name for name in FIELDS if getattr(on, name) != getattr(trained, name)}
    assert changed == {
        *("recipe", "steps", "optimizer", "learning_rate", "seed"),
        *("teacher", "teaching", "warmup_batch"),
    }
    assert (on.steps, on.seed, on.warmup_batch, on.members) == (20, 9, 1.0, 1)
    assert on.learning_rate < trained.learning_rate
