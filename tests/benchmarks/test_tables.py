"""The measured block: what the JSON says and no more, whatever has been measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import tables

MACHINE = {"processor": "Abacus", "cores": 2, "system": "Linux x86_64"}
VERSIONS = {"python": "3.11.7", "tensorflow-cpu": "2.21.0"}


def timed(seconds: float) -> dict[str, Any]:
    """The tutorial's, of one run."""
    return {**spread(seconds, None, 1), "median": seconds}


def spread(mean: float, sd: float | None, n: int) -> dict[str, Any]:
    return {"n": n, "mean": mean, "sd": sd, "min": mean, "max": mean}


def recipe(accuracy: float, seconds: float, **more: Any) -> dict[str, Any]:
    return {
        "test_accuracy": spread(accuracy, 0.00087, 10),
        "train_seconds": spread(seconds, 0.1, 10),
        "peak_memory_bytes": 2**29,
        "parameters": 215_194,
        "steps": 428,
        "batch_size": 256,
        **more,
    }


def write(folder: Path, name: str, **figures: Any) -> None:
    values = {"date": "2026-11-24", "machine": MACHINE, "versions": VERSIONS, **figures}
    (folder / f"{name}.json").write_text(json.dumps(values))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(
        tmp_path, "recipes", recipes={"fast": recipe(0.99204, 1.4, share_of_tutorial_time=1 / 157)}
    )
    return tmp_path


def test_a_recipe_s_row_is_what_its_json_says(folder: Path) -> None:
    block = tables.measured(folder)
    assert block.startswith("Abacus, 2 cores; TensorFlow 2.21.0; 2026-11-24.\n\n| recipe |")
    assert (
        "| `fast`, the default: 428 steps of 256, 215,194 parameters "
        "| 99.20 % (0.09) | 10 | 1.4 s | 1/157 | 0.50 GiB |" in block
    )


def test_a_recipe_of_two_sizes_of_batches_tells_both(tmp_path: Path) -> None:
    rising = recipe(0.992, 1.4, configuration={"warmup_batch": 0.25})
    write(tmp_path, "recipes", recipes={"fast": rising})
    assert "428 steps of 64, then 256, 215,194 parameters" in tables.measured(tmp_path)


def test_recipes_added_later_are_rows_in_their_order_and_the_baseline_is_last(
    tmp_path: Path,
) -> None:
    recipes = {"accurate": recipe(0.9965, 200.0), "tiny": recipe(0.9945, 1_234.0)}
    times = {**timed(239.0), "mean": 250.0}
    baseline = {"test_accuracy": spread(0.9866, None, 1), "train_seconds": times}
    write(tmp_path, "recipes", recipes=recipes, baseline=baseline)
    text = tables.measured(tmp_path)
    assert "Of recipes it is the mean, of the tutorial the median" in " ".join(text.split())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert ["accurate" in rows[2], "tiny" in rows[3]] == [True, True]
    assert rows[4] == (
        "| the tutorial as published, its last layer put right: 5,000 steps of 50 on TensorFlow "
        "1's interface | 98.66 % | 1 | 239.0 s |  |  |"
    )


def test_a_recipe_of_another_day_says_so_and_a_pupil_tells_its_teacher_s_time(
    tmp_path: Path,
) -> None:
    teacher = spread(1_234.5, 1.0, 3)
    recipes = {
        "accurate": recipe(0.9965, 200.0, date="2026-11-24"),
        "tiny": recipe(0.9945, 100.0, date="2026-11-20"),
        "distilled": recipe(
            0.997,
            90.0,
            date="2026-11-24",
            teacher_train_seconds=teacher,
            share_of_tutorial_time=0.54,
            share_with_teacher=8.0,
            configuration={"teacher": "accurate"},
            peak_memory_bytes=2**28,
        ),
    }
    write(tmp_path, "recipes", recipes=recipes)
    accurate, tiny, distilled = tables.measured(tmp_path).splitlines()[4:7]
    assert "¹" not in accurate + distilled
    assert "| `tiny`: 428 steps of 256, 215,194 parameters¹ |" in tiny
    assert "\n\n¹ 2026-11-20.\n\n" in tables.measured(tmp_path)
    assert "| 90.0 s, its teacher 1,234.5 s | 0.54, with its teacher 8.00 |" in distilled
    assert distilled.endswith("| 0.25 GiB, its teacher 0.50 GiB |")


def test_recipes_of_another_machine_share_a_note_that_names_it(tmp_path: Path) -> None:
    other = {"processor": "Slide rule", "vectors": "none", "cores": 1}
    old = {"tensorflow": "2.20.0"}
    recipes = {
        "fast": recipe(0.99, 1.0),
        "balanced": recipe(0.99, 1.0, machine=MACHINE, versions=VERSIONS),
        "accurate": recipe(0.9965, 200.0, machine=other),
        "ensemble": recipe(0.9975, 900.0, machine=other),
        "tiny": recipe(0.9945, 100.0, machine=other, versions=old, date="2026-11-20"),
    }
    write(tmp_path, "recipes", recipes=recipes)
    lines = tables.measured(tmp_path).splitlines()
    for line, mark in zip(lines[4:9], ["", "", "¹", "¹", "²"], strict=True):
        assert f"215,194 parameters{mark} |" in line
    assert lines[10] == (
        "¹ Slide rule (none), 1 cores. ² Slide rule (none), 1 cores; TensorFlow 2.20.0; 2026-11-20."
    )


def test_a_recipe_measured_beside_another_run_of_the_tutorial_tells_its_time(
    tmp_path: Path,
) -> None:
    def baseline(seconds: float, **day: str) -> dict[str, Any]:
        accuracy = spread(0.9866, None, 1)
        return {"test_accuracy": accuracy, "train_seconds": timed(seconds), **day}

    recipes = {
        "fast": recipe(0.99, 1.0, baseline=baseline(170.0)),
        "accurate": recipe(0.9965, 200.0, baseline=baseline(166.54)),
        "tiny": recipe(
            0.9965, 200.0, baseline=baseline(166.54, date="2001-02-03"), remark="somebody saw it"
        ),
    }
    write(tmp_path, "recipes", recipes=recipes, baseline=baseline(170.0))
    fast, accurate, tiny = tables.measured(tmp_path).splitlines()[4:7]
    assert "¹" not in fast
    assert "215,194 parameters¹ |" in accurate
    assert "215,194 parameters² |" in tiny
    told = (
        "¹ The tutorial took 166.5 s. ² The tutorial took 166.5 s on 2001-02-03; somebody saw it."
    )
    assert told in " ".join(tables.measured(tmp_path).split())


def test_a_sentence_of_another_day_says_so(folder: Path) -> None:
    write(folder, "kills", times=20, kills=48, resumed_midway=21, equal=19, date="2026-11-20")
    told = " ".join(tables.measured(folder).split())
    assert "ended with the same weights, bit for bit (2026-11-20)." in told


def test_sentences_of_another_machine_are_a_paragraph_of_their_own(folder: Path) -> None:
    other = {"processor": "Slide rule", "vectors": "none", "cores": 2}
    write(folder, "kills", times=20, kills=48, resumed_midway=21, equal=19, machine=other)
    write(folder, "limits", recipes={"fast": {"share_of_peak": 0.414}}, machine=other)
    _, here, there = tables.measured(folder).rsplit("\n\n", 2)
    assert here.startswith("Training time holds")
    assert "20 runs on scikit-learn's digits were killed" in " ".join(
        here.split()
    )  # which end alike on any machine
    assert there.startswith("On Slide rule (none), 2 cores: Of the fastest matrix product")


def test_a_measurement_not_made_leaves_no_sentence(folder: Path) -> None:
    *_, last = tables.measured(folder).split("\n\n")
    assert " ".join(last.split()) == tables.TRAINING


def inference() -> dict[str, Any]:
    """What inference.json may hold of one net."""

    def found(microseconds: float) -> dict[str, Any]:
        values = {
            "one_image_us": {"median": microseconds},
            "in_a_row_us": {"median": microseconds / 2},
            "images_per_second": {"median": 98765, "way": "32 at a time, 2 x 1 thread"},
        }
        return {
            "runtimes": {"deepmnist": values},
            "one_image_time_to_fastest": 0.52,
            "in_a_row_time_to_fastest": 0.51,
            "bulk_rate_to_fastest": 0.97,
        }

    nets = {"fast": {"1": found(45.4), "2": found(31.4)}}
    return {"rounds": 9, "images": 10_000, "precision": "float32", "nets": nets}


def test_other_runtimes_stand_beside_the_exports(folder: Path) -> None:
    assert tables.deploying(folder) == "Not measured yet.\n"
    write(folder, "inference", **inference())
    told = tables.deploying(folder)
    assert "| fast | 1 | deepmnist | 45 µs | 23 µs | 98,765 | 32 at a time, 2 x 1 thread |" in told
    assert "| fast | 2 | deepmnist | 31 µs |" in told
    assert "medians of 9 turns" in told


def test_each_measurement_made_adds_its_sentence(folder: Path) -> None:
    write(
        folder,
        "startup",
        help={"median_seconds": 0.0998},
        predict_one_png={"median_seconds": 0.318},
        train={"outside_training_seconds": 6.106},
    )
    write(folder, "kills", times=20, kills=48, resumed_midway=21, equal=19)
    shares = {"fast": 0.414, "distilled": 0.53, "tiny": 0.1}
    reached = {name: {"share_of_peak": share} for name, share in shares.items()}
    reached["distilled"]["augmentation_share"], reached["tiny"]["augmentation_share"] = 0.081, 0.034
    write(folder, "limits", recipes=reached)
    runs = [
        {"images": 60_000, "microseconds_per_image": 52.2, "peak_resident_bytes": 2**30},
        {"images": 6_000_000, "microseconds_per_image": 53.8, "peak_resident_bytes": 2**29},
        {
            "images": 60_000,
            "layout": "shards",
            "microseconds_per_image": 50.2,
            "peak_resident_bytes": 2**29,
        },
    ]
    write(folder, "scale", recipe="fast", runs=runs)
    text = " ".join(tables.measured(folder).split())
    for sentence in (
        "A whole `deepmnist train` of `fast` takes 6.1 s more",
        "`deepmnist --help` takes 0.10 s, and `deepmnist predict one.png`, all of it, 0.32 s.",
        "20 runs on scikit-learn's digits were killed with `kill -9` at random moments, 48 times "
        "in all, and resumed, 21 times in the middle of the steps: 19 ended with the same weights",
        "reaches: `fast` 41 %, `distilled` 53 % (without its teacher), `tiny` 10 %. Augmentation "
        "takes 3 to 8 % of a step.",
        "`fast`, all its batches whole, on 60,000, 6,000,000 memory-mapped images takes 52, 54 µs "
        "an image and at most 1.00 GiB; in shards 50 µs and 0.50 GiB.",
    ):
        assert sentence in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 150, "1/150"),
        (1 / 149.9, "1/149"),
        (0.0387, "1/25"),
        (0.1, "1/10"),
        (0.17, "0.17"),
        (7.5, "7.50"),
        (None, ""),
    ],
)
def test_a_share_of_the_tutorial_s_time_never_flatters(value: float | None, text: str) -> None:
    assert tables.share(value) == text


def test_only_the_block_of_a_page_is_rewritten() -> None:
    page = "Above.\n<!-- measured -->\nby hand\n<!-- /measured -->\nBelow.\n"
    new = tables.rewritten(page, "measured\n")
    assert new.startswith("Above.\n<!-- measured -->\n\n")
    assert new.endswith("measured\n\n<!-- /measured -->\nBelow.\n")
    assert "by hand" not in new
    assert tables.rewritten(new, "measured\n") == new


@pytest.mark.parametrize("page", ["", "<!-- measured -->\nno end\n"])
def test_a_page_without_the_block_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="the page has 0 <!-- measured -->"):
        tables.rewritten(page, "")


def test_without_recipes_json_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"run python -m benchmarks.recipes first"):
        tables.measured(tmp_path)
