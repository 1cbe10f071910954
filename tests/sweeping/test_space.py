"""space.py: a SPEC that is taken can be drawn from without harm; any other is told in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepmnist import recipes
from deepmnist.errors import ConfigError
from deepmnist.sweeping import space
from deepmnist.sweeping.space import Choices, Range

RATE = "learning_rate=log:1e-4..1e-2"


def one(setting: str, recipe: str = "balanced") -> space.Dimension:
    """The only thing that is tried."""
    (dimension,) = space.parse(recipe, [setting]).swept.values()
    return dimension


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("learning_rate=1e-4..1e-2", Range(1e-4, 1e-2, log=False)),
        (RATE, Range(1e-4, 1e-2, log=True)),
        (" dropout = 0..0.5 ", Range(0.0, 0.5, log=False)),
        ("batch_size=64..256", Range(64, 256, log=False)),
        ("members=log:1..8", Range(1, 8, log=True)),
        ("batch_size=64,128,256", Choices((64, 128, 256))),
        ("learning_rate=0.01,1e-3", Choices((0.01, 0.001))),
        ("optimizer=adam, muon", Choices(("adam", "muon"))),
        ("steps=10..20", Range(10, 20, log=False)),
        ("views=1,5", Choices((1, 5))),
    ],
)
def test_a_spec_is_what_it_says_typed_as_its_field(setting: str, wanted: space.Dimension) -> None:
    found = one(setting)
    assert found == wanted
    assert list(map(type, found.ends)) == list(map(type, wanted.ends))


def test_one_value_is_the_same_in_every_trial() -> None:
    found = space.parse("fast", [RATE, "members=2", "optimizer=adam", "views=5"])
    assert found.fixed == {"members": 2, "optimizer": "adam", "views": 5}
    config = found.config({"learning_rate": 0.001})
    assert (config.members, config.optimizer, config.learning_rate) == (2, "adam", 0.001)
    assert config.views == 5


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("learning_rat=1..2", r"unknown training option 'learning_rat'; did you mean 'learning_ra"),
        ("learning_rate", r"'learning_rate' is no NAME=SPEC; give a\.\.b, log:a\.\.b, choices"),
        ("=1..2", "is no NAME=SPEC"),
        ("epochs=", "is no NAME=SPEC"),
        ("epochs=1..", "a range has two ends; give"),
        ("epochs=log:3", "a range has two ends; give"),
        ("epochs=8..4", r"8 is not below 4; give"),
        ("epochs=4..4", r"4 is not below 4; give"),
        ("epochs=four..8", r"'four': it is no number; give"),
        ("epochs=1...2..3", r"'\.2\.\.3': it is no number"),
        ("epochs=nan..8", "it is no number"),
        ("epochs=1..inf", "it is no number"),
        ("epochs=1..1e999", "it is no number"),
        ("batch_size=64..128.5", r"'128\.5': it is no whole number"),
        ("batch_size=6٤..128", None),
        ("batch_size=0..64", r"batch_size = 0: expected int >= 1"),
        ("batch_size=64..70000", r"batch_size = 70000: expected int <= 65536"),
        ("batch_size=64,70000", r"batch_size = 70000: expected int <= 65536"),
        ("learning_rate=0..0.1", r"learning_rate = 0\.0: expected float > 0"),
        ("dropout=0..1", r"dropout = 1\.0: expected float < 1"),
        ("dropout=log:0..0.5", "a log range begins above 0"),
        ("optimizer=adam..muon", "it is no number; give choices, as in a,b,c"),
        ("views=1..5", r"views = 1\.\.5: it is one of 1, 5; give choices of those"),
        ("views=1,3", "views = 3: must be one of 1, 5"),
        ("optimizer=adam,sgd", "optimizer = 'sgd': must be one of adam, muon"),
        ("optimizer=adam,adam", "adam is there twice"),
        ("optimizer=adam,,muon", "a choice is empty"),
        ("seed=1,2", "all trials share it; give --seed"),
        ("recipe=fast,tiny", "all trials share it; give --recipe"),
        ("validation_share=0.1,0.2", "trials must be held against the same images"),
        ("teacher=a,b", "a sweep has one teacher, or none"),
        ("teaching=0.1..0.9", "there is no teacher"),
        ("members=2", "there is nothing to try; --set at least one option"),
    ],
)
def test_what_no_trial_could_take_is_told_in_one_line(setting: str, message: str | None) -> None:
    if message is None:  # digits of another script are digits
        assert one(setting) == Range(64, 128, log=False)
        return
    with pytest.raises(ConfigError, match=message) as caught:
        space.parse("balanced", [setting])
    assert "\n" not in str(caught.value)


def test_what_does_not_go_together_is_refused() -> None:
    with pytest.raises(ConfigError, match="epochs and steps were both given"):
        space.parse("fast", ["epochs=1..2", "steps=10..20"])
    with pytest.raises(ConfigError, match="learning_rate was given twice"):
        space.parse("fast", [RATE, "learning_rate=0.1"])
    with pytest.raises(ConfigError, match="unknown recipe 'fats'; did you mean 'fast'"):
        space.parse("fats", [RATE])


def test_a_teacher_that_would_have_to_be_made_is_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"train it first .* --set teacher=FOLDER"):
        space.parse("distilled", [RATE])


def test_a_teacher_that_is_nowhere_is_no_range() -> None:
    with pytest.raises(ConfigError, match=r"teacher = '\.\./modle': no recipe and no folder of a"):
        space.parse("balanced", ["teacher=../modle", "teaching=0.2,0.5"])


@pytest.mark.parametrize("shares", ["0,0.5", "0.5,0", "0..0.5"])
def test_a_teacher_without_a_share_is_refused_as_train_refuses_it(
    tmp_path: Path, shares: str
) -> None:
    with pytest.raises(ConfigError, match="it would have no share in any target"):
        space.parse("balanced", [f"teacher={tmp_path}", f"teaching={shares}"])


@pytest.mark.parametrize("path", ["model", "../here/model", "log:1,2..3"])
def test_a_teacher_s_path_means_the_same_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / path).mkdir()
    monkeypatch.chdir(here)
    found = space.parse("balanced", [f"teacher={path}", "teaching=0.2,0.5"])
    assert found.config({"teaching": 0.5}).teacher == str((here / path).resolve())
    assert found.specs()["teacher"] == str((here / path).resolve())


@given(st.text(max_size=40))
def test_any_text_is_taken_or_told_in_one_line(text: str) -> None:
    for setting in (text, f"learning_rate={text}", f"batch_size={text}", f"optimizer={text}"):
        try:
            space.parse("balanced", [setting, "epochs=1..2"])
        except ConfigError as error:
            assert "\n" not in repr(str(error))
            assert len(str(error)) < 700


@given(
    st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.booleans(), st.floats(0, 1, exclude_min=False)
)
def test_a_rounded_number_stays_in_its_range_and_is_near(
    first: float, second: float, log: bool, share: float
) -> None:
    low, high = sorted((first, second))
    if low == high:
        return
    drawn = min(low * (high / low) ** share if log else low + share * (high - low), high)
    drawn = max(drawn, low)
    dimension = Range(low, high, log)
    rounded = dimension.rounded(drawn)
    assert dimension.contains(rounded)
    assert isinstance(rounded, float)
    assert abs(rounded - drawn) <= (high - low) / 1000


@given(st.sampled_from(["", "log:"]), st.floats(1e-6, 1e3), st.floats(1e-6, 1e3))
def test_a_range_says_itself_again(log: str, first: float, second: float) -> None:
    low, high = sorted((float(f"{first:.9g}"), float(f"{second:.9g}")))
    if low < high:
        dimension = one(f"learning_rate={log}{low!r}..{high!r}")
        assert one(f"learning_rate={dimension}") == dimension


@given(st.lists(st.integers(1, 65_536), min_size=2, max_size=8, unique=True))
def test_choices_say_themselves_again_and_every_one_is_a_configuration(sizes: list[int]) -> None:
    found = space.parse("balanced", [f"batch_size={','.join(map(str, sizes))}"])
    assert found.specs() == {"batch_size": ",".join(map(str, sizes))}
    assert [found.config({"batch_size": size}).batch_size for size in sizes] == sizes
    assert found.size == len(sizes)


def test_settings_in_another_order_are_the_same_space() -> None:
    first = space.parse("fast", [RATE, "members=1,2"])
    assert first.specs() == space.parse("fast", ["members=1,2", RATE]).specs()


@pytest.mark.parametrize(
    ("recipe", "settings", "wanted"),
    [
        ("fast", [RATE], {"learning_rate": 0.01}),
        ("balanced", ["epochs=1..8", RATE], {"epochs": 4, "learning_rate": 0.01}),
        ("fast", ["learning_rate=0.1..0.2"], None),
        ("fast", ["epochs=1..8"], None),  # it counts steps
        ("balanced", ["optimizer=adam,muon", "dropout=0.5"], {"optimizer": "muon"}),
    ],
)
def test_the_recipe_s_own_values_come_first_where_the_space_has_them(
    recipe: str, settings: list[str], wanted: space.Values | None
) -> None:
    assert space.parse(recipe, settings).first == wanted


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"learning_rate": 1.0},
        {"learning_rate": "0.001"},
        {"learning_rate": True},
        {"epochs": 1},
    ],
)
def test_values_of_another_space_make_no_configuration(values: space.Values) -> None:
    with pytest.raises(ConfigError, match="this sweep"):
        space.parse("fast", [RATE]).config(values)


def test_the_configuration_is_what_train_would_make_of_the_same_options() -> None:
    found = space.parse("accurate", ["epochs=4..10", RATE, "members=1"], seed=3)
    values: space.Values = {"epochs": 5.5, "learning_rate": 0.001}
    wanted = recipes.configure("accurate", seed=3, epochs=5.5, learning_rate=0.001, members=1)
    assert found.config(values) == wanted
