"""A run from data to report: what it leaves on disk, how it resumes, what it refuses."""

import html
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from deepmnist import (
    batches,
    bundle,
    checkpoints,
    delivery,
    devices,
    execution,
    history,
    lock,
    prediction,
    recipes,
    runfolder,
    runs,
    training,
)
from deepmnist.cluster.members import AtOnce
from deepmnist.data import Corpus, Dataset
from deepmnist.errors import (
    BundleError,
    ConfigError,
    DataError,
    DataNotFoundError,
    RunError,
    StorageError,
    TrainingError,
)
from tests.squares import squares

QUICK = {"steps": 12, "batch_size": 16, "quiet": True}


def corpus(seed: int = 0) -> Corpus:
    """80 images to train on, 40 to test on."""
    images = squares(120, seed)
    train = images.take(slice(0, 80), "squares/train")
    return Corpus(train, images.take(slice(80, None), "squares/test"), "squares")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> runfolder.Result:
    folder = tmp_path_factory.mktemp("runs") / "run"
    return runs.train(corpus(), out=folder, steps=40, batch_size=16, quiet=True)


def weights(folder: Path) -> list[np.ndarray]:
    checkpoint = checkpoints.latest(folder / runfolder.CHECKPOINTS)
    assert checkpoint is not None
    return list(checkpoint.arrays)


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_run_leaves_everything_the_folder_promises(finished: runfolder.Result) -> None:
    found = {path.name for path in finished.folder.iterdir()}
    assert found == {
        "run.json",
        "metrics.jsonl",
        "checkpoints",
        "bundle",
        "report.html",
        "result.json",
        ".lock",
    }


def test_result_json_holds_what_others_will_read(finished: runfolder.Result) -> None:
    values = json.loads((finished.folder / "result.json").read_text())
    assert {
        "recipe",
        "seed",
        "dataset",
        "parameters",
        "train_seconds",
        "images_per_second",
        "peak_memory_bytes",
        "test_correct",
        "test_n",
        "test_accuracy",
        "versions",
        "machine",
    } <= set(values)
    assert values["test_n"] == 40
    assert values["test_accuracy"] == values["test_correct"] / values["test_n"]
    assert runfolder.read_result(finished.folder) == finished


def test_the_last_line_states_the_accuracy_with_its_counts(finished: runfolder.Result) -> None:
    correct = finished.test_correct
    assert finished.summary() == f"Test accuracy is {correct / 40:.2%} ({correct} of 40)"


def test_the_bundle_reproduces_the_tested_accuracy(finished: runfolder.Result) -> None:
    model = prediction.load(finished.bundle)
    test = corpus().test
    assert (model.predict(test.images) == test.labels).sum() == finished.test_correct


def test_a_validation_with_one_mistake_is_not_reported_as_all_right(finished) -> None:
    values = {**vars(finished), "validation_accuracy": 59_999 / 60_000}
    plan = batches.Plan(n=60, batch_size=16, steps=40, seed=0)
    assert delivery._facts(values, plan, 60_000)["Validation accuracy"] == "99.998%"


def test_the_bundle_can_show_its_layers(finished: runfolder.Result) -> None:
    assert bundle.load(finished.folder).layers is not None


def test_the_bundle_records_data_configuration_and_numbers(finished: runfolder.Result) -> None:
    manifest = bundle.load(finished.folder).manifest
    assert manifest.dataset.identity == corpus().train.identity
    assert manifest.dataset.fallback is False
    assert manifest.config["recipe"] == "fast"
    assert manifest.config["precision"] in {"float32", "mixed_bfloat16"}
    assert manifest.numbers["test_correct"] == finished.test_correct
    assert manifest.temperature == finished.temperature


def test_metrics_are_one_line_a_chunk_up_to_the_last_step(finished: runfolder.Result) -> None:
    lines = history.read(finished.folder)
    assert lines[-1]["step"] == 40
    assert "validation_accuracy" in lines[-1]
    assert sorted(line["step"] for line in lines) == [line["step"] for line in lines]


def test_resuming_a_finished_run_returns_its_result(finished: runfolder.Result) -> None:
    assert runs.resume(finished.folder, corpus(), quiet=True) == finished


def test_a_run_interrupted_by_ctrl_c_resumes_to_the_same_weights(tmp_path, monkeypatch) -> None:
    runs.train(corpus(), out=tmp_path / "whole", **QUICK, dropout=0.3)
    append = history.append

    def interrupt(folder: Path, progress, member=None) -> None:
        append(folder, progress, member)
        if progress.step >= 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(history, "append", interrupt)
    with pytest.raises(KeyboardInterrupt):
        runs.train(corpus(), out=tmp_path / "cut", **QUICK, dropout=0.3)
    monkeypatch.undo()
    assert not (tmp_path / "cut" / "result.json").exists()
    runs.resume(tmp_path / "cut", corpus(), quiet=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_a_run_cut_off_before_its_first_checkpoint_starts_again(tmp_path, monkeypatch) -> None:
    runs.train(corpus(), out=tmp_path / "whole", **QUICK)

    def killed(*arguments) -> None:
        raise SystemExit

    monkeypatch.setattr(history, "rewind", killed)
    with pytest.raises(SystemExit):
        runs.train(corpus(), out=tmp_path / "cut", **QUICK)
    monkeypatch.undo()
    runs.resume(tmp_path / "cut", corpus(), quiet=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "cut"))


def test_ctrl_c_while_the_report_is_written_says_how_to_go_on(
    tmp_path, monkeypatch, capsys
) -> None:
    def interrupt(*arguments, **options) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(delivery.report, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        runs.train(corpus(), out=tmp_path / "run", steps=12, batch_size=16)
    monkeypatch.undo()
    shown = capsys.readouterr().err
    assert f"Stopped. Continue with: deepmnist train --resume {tmp_path / 'run'}" in shown
    assert runs.resume(tmp_path / "run", corpus(), quiet=True).test_n == 40


def test_what_a_killed_writer_left_is_swept_on_resuming(tmp_path, monkeypatch) -> None:
    def killed(*arguments, **options) -> None:
        (tmp_path / "run" / ".bundle.123.part").mkdir()
        raise SystemExit

    monkeypatch.setattr(bundle, "save", killed)
    with pytest.raises(SystemExit):
        runs.train(corpus(), out=tmp_path / "run", **QUICK)
    monkeypatch.undo()
    runs.resume(tmp_path / "run", corpus(), quiet=True)
    assert not list((tmp_path / "run").glob(".*.part"))


def test_a_full_disk_stops_the_run_and_leaves_the_last_good_checkpoint(
    tmp_path, monkeypatch
) -> None:
    save = checkpoints.save

    def full(folder: Path, checkpoint) -> None:
        if checkpoint.step == 12:
            raise StorageError("cannot write step-00000012.npz: No space left on device")
        save(folder, checkpoint)

    monkeypatch.setattr(checkpoints, "save", full)
    monkeypatch.setattr(training, "SAVE_EVERY_S", 0.0)
    with pytest.raises(StorageError, match="No space left"):
        runs.train(corpus(), out=tmp_path / "run", **QUICK)
    monkeypatch.undo()
    left = checkpoints.latest(tmp_path / "run" / runfolder.CHECKPOINTS)
    assert left is not None
    assert 0 < left.step < 12
    assert runs.resume(tmp_path / "run", corpus(), quiet=True).test_n == 40


def test_a_torn_checkpoint_is_passed_over_with_a_warning(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY_S", 0.0)
    runs.train(corpus(), out=tmp_path / "run", **QUICK)
    whole = weights(tmp_path / "run")
    (tmp_path / "run" / "result.json").unlink()
    newest = sorted((tmp_path / "run" / "checkpoints").glob("*.npz"))[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="is torn: its hash differs; the checkpoint before it"):
        runs.resume(tmp_path / "run", corpus(), quiet=True)
    assert same(whole, weights(tmp_path / "run"))


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_a_diverged_run_says_so_and_writes_no_model(tmp_path) -> None:
    with pytest.raises(TrainingError, match="no finite number at step"):
        runs.train(
            corpus(), out=tmp_path / "run", **{**QUICK, "learning_rate": 1e9, "kernel_rate": 1e9}
        )
    assert not (tmp_path / "run" / "bundle").exists()


def test_an_ensemble_leaves_one_model_and_counts_all_members(tmp_path, finished) -> None:
    result = runs.train(corpus(), out=tmp_path / "run", members=2, **QUICK)
    assert (result.members, result.steps) == (2, 24)
    manifest = bundle.load(result.bundle).manifest
    assert manifest.parameters == result.parameters == 2 * finished.parameters
    assert manifest.config["members"] == 2
    assert manifest.numbers["train_seconds"] == result.train_seconds
    expected = 2 * (3 * 4 + 9 * 16) / result.train_seconds  # a net's first 3 batches are of 4
    assert result.images_per_second == pytest.approx(expected, rel=0.01)
    report = (tmp_path / "run" / runfolder.REPORT).read_text()
    assert "24 of 16 images, float32, 2 nets; of a net&#39;s first 3, 4" in report
    assert {path.suffix for path in result.bundle.iterdir()} == {
        ".keras",
        ".tflite",
        ".json",
        ".md",
    }
    model = prediction.load(result.bundle)
    assert (
        model.predict(corpus().test.images) == corpus().test.labels
    ).sum() == result.test_correct
    page = result.report.read_text()
    assert "24 of 16 images" in page
    assert "2 nets" in page


TAUGHT = {**QUICK, "teacher": "fast", "teaching": 0.5}


@pytest.fixture
def quick_teacher(monkeypatch) -> None:
    """`fast`, when it is made as a teacher, in twelve steps."""
    short = recipes.configure("fast", steps=12, batch_size=16)
    monkeypatch.setitem(recipes.RECIPES, "fast", short)


def test_a_taught_run_makes_its_teacher_first_as_a_run_of_its_own(tmp_path, quick_teacher) -> None:
    result = runs.train(corpus(), out=tmp_path / "run", seed=3, validation_share=0.2, **TAUGHT)
    teacher = runfolder.read_result(tmp_path / "run" / "teacher")
    assert (teacher.recipe, teacher.seed, teacher.test_n) == ("fast", 3, 40)
    made = bundle.load(teacher.bundle).manifest
    assert made.dataset == bundle.load(result.bundle).manifest.dataset  # the same held out
    assert result.teacher_train_seconds == teacher.train_seconds
    numbers = bundle.load(result.bundle).manifest.numbers
    assert numbers["teacher_train_seconds"] == teacher.train_seconds
    assert numbers["train_seconds"] == result.train_seconds
    assert "the teacher's, " in html.unescape(result.report.read_text())
    assert result.parameters == teacher.parameters


@pytest.mark.parametrize("place", [("teacher", 3), ("teacher", 12), ("run", 3)], ids=str)
def test_a_taught_run_cut_off_anywhere_resumes_to_the_same_weights(
    tmp_path, monkeypatch, quick_teacher, place
) -> None:
    runs.train(corpus(), out=tmp_path / "whole", **TAUGHT)
    append = history.append

    def killed(folder: Path, progress, member=None) -> None:
        append(folder, progress, member)
        if (folder.name, progress.step) >= place and folder.name == place[0]:
            raise SystemExit

    monkeypatch.setattr(history, "append", killed)
    monkeypatch.setattr(training, "SAVE_EVERY_S", 0.0)
    with pytest.raises(SystemExit):
        runs.train(corpus(), out=tmp_path / "run", **TAUGHT)
    monkeypatch.setattr(history, "append", append)
    runs.resume(tmp_path / "run", corpus(), quiet=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "run"))
    assert same(weights(tmp_path / "whole/teacher"), weights(tmp_path / "run/teacher"))


def test_a_teacher_that_is_finished_is_not_made_again(tmp_path, monkeypatch, quick_teacher) -> None:
    runs.train(corpus(), out=tmp_path / "run", **TAUGHT)
    (tmp_path / "run" / "result.json").unlink()
    trained = []
    train = execution.members.train

    def note(folder: Path, *arguments):
        trained.append(folder.name)
        return train(folder, *arguments)

    monkeypatch.setattr(execution.members, "train", note)
    runs.resume(tmp_path / "run", corpus(), quiet=True)
    assert trained == ["run"]


def test_ctrl_c_in_the_teacher_s_run_says_how_to_go_on_with_the_whole(
    tmp_path, monkeypatch, quick_teacher, capsys
) -> None:
    def interrupt(*arguments, **options) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "append", interrupt)
    with pytest.raises(KeyboardInterrupt):
        runs.train(corpus(), out=tmp_path / "run", **{**TAUGHT, "quiet": False})
    shown = capsys.readouterr().err
    assert shown.count("Continue with: ") == 1
    assert f"Continue with: deepmnist train --resume {tmp_path / 'run'}\n" in shown


def test_a_teacher_s_run_that_another_command_has_is_left_as_it_is(
    tmp_path, monkeypatch, quick_teacher
) -> None:
    """Such as one that resumes it as a run of its own."""
    with monkeypatch.context() as patched:
        patched.setattr(execution, "_run", lambda *given: pytest.fail("both write it"))
        with pytest.raises(pytest.fail.Exception):
            runs.train(corpus(), out=tmp_path / "run", **TAUGHT)
    teacher = tmp_path / "run" / "teacher"
    with (
        lock.held(teacher),
        pytest.raises(RunError, match=r"another command is writing .*teacher; wait"),
    ):
        runs.resume(tmp_path / "run", corpus(), quiet=True)
    assert [path.name for path in teacher.iterdir()] == [lock.LOCK]


def test_a_name_that_no_record_can_hold_is_refused_before_there_is_one(tmp_path) -> None:
    unnamable = replace(corpus(), name=os.fsdecode(b"caf\xe9"))
    with pytest.raises(ConfigError, match=r"'caf\\udce9' is not UTF-8, as .* give it another name"):
        runs.train(unnamable, out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run" / runfolder.RECORD).exists()


def test_taught_members_share_one_teacher(tmp_path, quick_teacher) -> None:
    result = runs.train(corpus(), out=tmp_path / "run", members=2, **TAUGHT)
    assert result.members == 2
    assert [path.name for path in tmp_path.rglob("teacher")] == ["teacher"]


def test_a_model_that_is_there_teaches_and_is_remembered(tmp_path, finished) -> None:
    given = {**TAUGHT, "teacher": finished.folder}
    result = runs.train(corpus(), out=tmp_path / "run", **given)
    record = runfolder.read_record(tmp_path / "run")
    opened = bundle.load(finished.bundle)
    assert record.config.teacher == "fast"
    assert record.teacher.path == str(finished.folder.resolve())
    assert record.teacher.sha256 == opened.manifest.files["model.keras"].sha256
    assert result.teacher_train_seconds == finished.train_seconds
    assert not (tmp_path / "run" / "teacher").exists()
    assert str(tmp_path) not in (result.bundle / "bundle.json").read_text()


def test_a_run_resumes_with_its_teacher_and_no_other(tmp_path, monkeypatch, finished) -> None:
    teacher = Path(shutil.copytree(finished.folder, tmp_path / "teacher"))
    runs.train(corpus(), out=tmp_path / "whole", **{**TAUGHT, "teacher": teacher})
    monkeypatch.setattr(history, "rewind", lambda *arguments: sys.exit())
    with pytest.raises(SystemExit):
        runs.train(corpus(), out=tmp_path / "run", **{**TAUGHT, "teacher": teacher})
    monkeypatch.undo()
    moved = teacher.rename(tmp_path / "moved")
    with pytest.raises(RunError, match="is gone; say where it is now with --teacher"):
        runs.resume(tmp_path / "run", corpus(), quiet=True)
    nothing = rf"--teacher {tmp_path}/mistyped: there is nothing there; .* was {teacher}"
    with pytest.raises(RunError, match=nothing):
        runs.resume(tmp_path / "run", corpus(), quiet=True, teacher=tmp_path / "mistyped")
    with pytest.raises(RunError, match="was started with another teacher than"):
        runs.resume(tmp_path / "run", corpus(), quiet=True, teacher=tmp_path / "whole")
    runs.resume(tmp_path / "run", corpus(), quiet=True, teacher=moved, teaching=0.5)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "run"))


def test_a_run_that_makes_its_teacher_does_not_resume_with_a_model(tmp_path, finished) -> None:
    (tmp_path / "run").mkdir()
    record = runfolder.read_record(finished.folder)
    taught = replace(record.config, teacher="tutorial", teaching=0.5)
    runfolder.write_record(tmp_path / "run", msgspec.structs.replace(record, config=taught))
    with pytest.raises(RunError, match="another configuration: teacher 'tutorial' -> '/"):
        runs.resume(tmp_path / "run", corpus(), quiet=True, teacher=finished.folder)


def test_a_teacher_of_other_classes_leaves_no_folder(tmp_path, finished) -> None:
    two = squares(40).take(np.flatnonzero(squares(40).labels < 2))
    other = Dataset(two.images, two.labels, ("a", "b"), "two")
    with pytest.raises(BundleError, match="a teacher must know the same classes"):
        runs.train(
            Corpus(other, other, "two"),
            out=tmp_path / "run",
            **{**TAUGHT, "teacher": finished.folder},
        )
    assert not (tmp_path / "run").exists()


def test_a_teacher_that_may_know_the_validation_images_is_warned_of(
    tmp_path, finished, capsys
) -> None:
    given = {**TAUGHT, "teacher": finished.folder}
    runs.train(corpus(), out=tmp_path / "same", **given)
    assert capsys.readouterr().err == ""
    runs.train(corpus(), out=tmp_path / "other", validation_share=0.3, **given)
    assert "may know this run's validation images" in " ".join(capsys.readouterr().err.split())


def test_a_folder_that_holds_a_run_is_refused(finished: runfolder.Result) -> None:
    with pytest.raises(RunError, match="already holds a run; continue it with --resume"):
        runs.train(corpus(), out=finished.folder, **QUICK)


def test_a_bad_configuration_leaves_no_folder(tmp_path) -> None:
    with pytest.raises(ConfigError, match="batch_size = -1: expected int >= 1"):
        runs.train(corpus(), out=tmp_path / "run", batch_size=-1, quiet=True)
    assert not (tmp_path / "run").exists()


def test_resuming_with_another_configuration_says_what_differs(finished) -> None:
    with pytest.raises(RunError, match=r"another configuration: batch_size 16 -> 32, seed 0 -> 7"):
        runs.resume(finished.folder, corpus(), quiet=True, seed=7, batch_size=32)
    assert runs.resume(finished.folder, corpus(), quiet=True, batch_size=16) == finished


def test_resuming_with_the_precision_s_automatic_choice_is_the_run_s_own(finished) -> None:
    assert runs.resume(finished.folder, corpus(), quiet=True, precision="auto") == finished


def test_resuming_a_run_of_steps_by_epochs_says_what_differs(finished) -> None:
    with pytest.raises(RunError, match=r"another configuration: steps 40 -> None"):
        runs.resume(finished.folder, corpus(), quiet=True, epochs=1)


def unfinished(run: runfolder.Result, folder: Path, **changes: Any) -> Path:
    """`run` as if it had not gone beyond its record, of which some is changed."""
    record = json.loads((run.folder / runfolder.RECORD).read_bytes())
    folder.mkdir()
    (folder / runfolder.RECORD).write_text(json.dumps({**record, **changes}))
    return folder


def test_resuming_a_recipe_s_least_steps_by_epochs_says_what_differs(tmp_path, finished) -> None:
    own = json.loads((finished.folder / runfolder.RECORD).read_bytes())["config"]
    config = {**own, "steps": None, "epochs": 4, "minimum_steps": 400}
    folder = unfinished(finished, tmp_path / "run", config=config)
    with pytest.raises(RunError, match=r"another configuration: minimum_steps 400 -> 0;"):
        runs.resume(folder, corpus(), quiet=True, epochs=4)


def test_a_run_that_another_command_has_is_left_as_it_is(tmp_path, finished) -> None:
    folder = unfinished(finished, tmp_path / "run")
    of_a_worker = folder / "members" / "01" / "checkpoints"
    of_a_worker.mkdir(parents=True)
    with (
        lock.held(folder),
        pytest.raises(RunError, match=r"another command is writing .*run; wait"),
    ):
        runs.resume(folder, corpus(), quiet=True)
    assert of_a_worker.exists()


def test_a_run_that_another_command_ended_meanwhile_is_not_ended_again(
    tmp_path, finished, monkeypatch
) -> None:
    folder = unfinished(finished, tmp_path / "run")
    held = lock.held

    @contextmanager
    def awaited(place: Path) -> Iterator[None]:
        shutil.copy(finished.folder / runfolder.RESULT, place)
        with held(place):
            yield

    monkeypatch.setattr(lock, "held", awaited)
    monkeypatch.setattr(execution, "_run", lambda *given: pytest.fail("it ran again"))
    assert runs.resume(folder, corpus(), quiet=True).test_accuracy == finished.test_accuracy


def test_of_two_commands_that_take_a_folder_at_once_the_later_changes_nothing(
    tmp_path, finished, monkeypatch
) -> None:
    held, first = lock.held, (finished.folder / runfolder.RECORD).read_bytes()

    @contextmanager
    def outrun(place: Path) -> Iterator[None]:
        (place / runfolder.RECORD).write_bytes(first)  # by a command that looked when this one did
        with held(place):
            yield

    monkeypatch.setattr(lock, "held", outrun)
    with pytest.raises(RunError, match="already holds a run; continue it with --resume"):
        runs.train(corpus(), out=tmp_path / "run", **QUICK)
    assert (tmp_path / "run" / runfolder.RECORD).read_bytes() == first


def test_a_folder_that_another_command_is_claiming_is_left_as_it_is(tmp_path) -> None:
    with (
        lock.held(tmp_path / "run"),
        pytest.raises(RunError, match=r"another command is writing .*run; wait"),
    ):
        runs.train(corpus(), out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run" / runfolder.RECORD).exists()


def test_resuming_with_other_versions_names_what_to_install(tmp_path, finished) -> None:
    versions = {**finished.versions, "keras": "3.0.1"}
    folder = unfinished(finished, tmp_path / "run", versions=versions)
    with pytest.raises(RunError, match=r"with keras 3\.0\.1, and .* install keras 3\.0\.1, or"):
        runs.resume(folder, corpus(), quiet=True)


@pytest.mark.parametrize("change", [{}, {"vectors": "beads"}, {"cores": 999}, None], ids=str)
def test_resuming_on_another_kind_of_machine_goes_on_with_a_warning(
    tmp_path, finished, monkeypatch, capsys, change
) -> None:
    begun = None if change is None else {**devices.computes_on(), **change}  # None: an older record
    folder = unfinished(finished, tmp_path / "run", machine=begun)
    monkeypatch.setattr(execution, "_run", lambda *given: finished)
    assert runs.resume(folder, corpus(), quiet=True) == finished
    told = " ".join(capsys.readouterr().err.replace("│", "").split())
    assert ("may not end with the same bits" in told) == bool(change)


def test_a_given_teacher_s_members_are_not_trained_at_once(tmp_path, finished) -> None:
    own = json.loads((finished.folder / runfolder.RECORD).read_bytes())["config"]
    config = {**own, "teacher": "accurate", "teaching": 1.0}
    given = {"path": str(finished.bundle), "sha256": "0" * 64}
    folder = unfinished(finished, tmp_path / "run", config=config, teacher=given)
    with pytest.raises(ConfigError, match=r"--parallel trains .*, and fast has one net"):
        runs.resume(folder, corpus(), quiet=True, at_once=AtOnce(2))


def test_a_test_part_without_labels_is_refused_before_training(tmp_path, finished) -> None:
    labelled = corpus()
    assert labelled.test is not None
    blind = replace(labelled, test=replace(labelled.test, labels=None))
    with pytest.raises(DataError, match="squares/test has no labels"):
        runs.train(blind, out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()
    with pytest.raises(DataError, match="squares/test has no labels"):
        runs.resume(unfinished(finished, tmp_path / "begun"), blind, quiet=True)


def test_a_data_set_that_is_a_link_back_to_itself_is_refused_in_one_line(tmp_path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match="loop does not exist: give"):
        runs.train(tmp_path / "loop", out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()


def test_resuming_with_another_recipe_says_so(finished) -> None:
    with pytest.raises(RunError, match="another configuration: recipe 'fast' -> 'tutorial'"):
        runs.resume(finished.folder, corpus(), quiet=True, recipe="tutorial")
    assert runs.resume(finished.folder, corpus(), quiet=True, recipe="fast") == finished


def test_a_known_name_stays_one_where_a_folder_is_so_called(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    monkeypatch.setattr(runs, "load", lambda *arguments, **options: corpus())
    runs.train("digits", out="run", **QUICK)
    assert runfolder.read_record(tmp_path / "run").dataset == "digits"


def test_a_path_is_recorded_so_that_it_is_found_from_anywhere(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "load", lambda *arguments, **options: corpus())
    runs.train("my/set", out="run", **QUICK)
    assert runfolder.read_record(tmp_path / "run").dataset == str(tmp_path / "my/set")


def test_resuming_on_other_data_is_refused(tmp_path, finished) -> None:
    with pytest.raises(RunError, match="was started on other data than squares holds now"):
        runs.resume(unfinished(finished, tmp_path / "run"), corpus(seed=5), quiet=True)


def test_resuming_what_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(RunError, match=r"holds no run to resume: it has no run\.json"):
        runs.resume(tmp_path)


def test_without_mnist_the_digits_stand_in_and_everything_says_so(
    tmp_path, monkeypatch, capsys
) -> None:
    def nothing(name, data_dir=None, *, resize=False):
        if name == "mnist":
            raise DataNotFoundError("https://mirror.example/a.gz: connection refused")
        return corpus()

    monkeypatch.setattr(runs, "load", nothing)
    result = runs.train(out=tmp_path / "run", **QUICK)
    shown = " ".join(capsys.readouterr().err.split())
    assert "does NOT train on MNIST" in shown
    assert "https://mirror.example/a.gz" in shown
    assert result.fallback
    assert bundle.load(result.bundle).manifest.dataset.fallback
    assert "because MNIST could not be had" in (result.bundle / "README.md").read_text()
    assert "standing in for MNIST" in (result.folder / "report.html").read_text()


def test_mnist_asked_for_by_name_has_no_stand_in(tmp_path, monkeypatch) -> None:
    def nothing(*arguments, **options):
        raise DataNotFoundError("https://mirror.example/a.gz: connection refused")

    monkeypatch.setattr(runs, "load", nothing)
    with pytest.raises(DataNotFoundError, match=r"refused, or train without .* --dataset digits"):
        runs.train("mnist", out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()


def test_tensorboard_files_are_written_when_asked_for(tmp_path) -> None:
    result = runs.train(corpus(), out=tmp_path / "run", tensorboard=True, **QUICK)
    assert list((result.folder / "tensorboard").glob("events.out.tfevents.*"))


# What is started in the background of a shell ignores Ctrl-C, and so would these tests' children.
AT_HAND = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
COMMAND = [sys.executable, "-c", f"{AT_HAND}; from deepmnist.cli import main; main()", "train"]
KILLED_RUN = ["--dataset", "digits", "--steps", "500", "--batch-size", "32"]
KILLED_RUN += ["--dropout", "0.3", "--shift-px", "2", "--rotation-deg", "10"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> list[np.ndarray]:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    subprocess.run([*COMMAND, *KILLED_RUN, "--out", folder], check=True)
    return weights(folder)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_by_a_signal_resumes_to_the_same_weights(
    tmp_path, undisturbed, sent: signal.Signals
) -> None:
    run = tmp_path / "run"
    child = subprocess.Popen(
        [*COMMAND, *KILLED_RUN, "--out", run], stderr=subprocess.PIPE, text=True
    )
    while not (run / "metrics.jsonl").exists() or len(history.read(run)) < 3:
        assert child.poll() is None, "the run ended before it could be stopped"
        time.sleep(0.02)
    child.send_signal(sent)
    _, shown = child.communicate()
    assert not (run / "result.json").exists()
    if sent != signal.SIGKILL:
        assert child.returncode == 130
        assert checkpoints.latest(run / runfolder.CHECKPOINTS).step > 0
        assert f"Continue with: deepmnist train --resume {run}" in shown
    subprocess.run([*COMMAND, "--resume", run, "--quiet"], check=True)
    assert same(undisturbed, weights(run))
