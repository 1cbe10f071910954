"""The command line as a user meets it: what is printed where, and with which exit status."""

import csv
import errno
import inspect
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from deepmnist import recipes, stopping
from deepmnist.cli import heavy
from deepmnist.cli import train as train_command

ROOT = Path(__file__).parents[2]


def seven(path: Path) -> Path:
    """A 7 with a bar, in ink on paper."""
    strokes = np.full((90, 70), 225, np.uint8)
    cv2.polylines(strokes, [np.array([(12, 15), (56, 13), (26, 78)])], False, 60, 5, cv2.LINE_AA)
    cv2.line(strokes, (24, 46), (52, 44), 60, 5, cv2.LINE_AA)
    Image.fromarray(strokes).save(path)
    return path


def picture(path: Path) -> Path:
    """A thick 1, black on white."""
    pixels = np.full((120, 120), 255, np.uint8)
    pixels[20:100, 54:66] = 0
    Image.fromarray(pixels).save(path)
    return path


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    assert text.startswith("error: ")
    return text


def test_every_field_of_the_configuration_is_an_option() -> None:
    options = set(inspect.signature(train_command.train).parameters)
    assert set(recipes.FIELDS) <= options


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in a shell's background, and then forgotten."""
    monkeypatch.setattr(stopping, "_raised", [])
    before = {sent: signal.getsignal(sent) for sent in stopping.SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for sent, handler in before.items():
        signal.signal(sent, handler)


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX")
@pytest.mark.usefixtures("at_hand")
@pytest.mark.parametrize("sent", stopping.SIGNALS)
def test_what_a_library_made_of_ctrl_c_is_told_as_ctrl_c(deepmnist, monkeypatch, sent) -> None:
    def as_tensorflow_does(*given: object) -> None:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(sent)
        raise SystemError("a result with an exception set")

    monkeypatch.setattr(heavy, "import_module", as_tensorflow_does)
    assert deepmnist("train") == (130, "", "Stopped.\n")


def test_any_other_error_keeps_its_traceback(deepmnist, monkeypatch) -> None:
    def broken(*given: object) -> None:
        raise ValueError("a mistake of ours")

    monkeypatch.setattr(heavy, "import_module", broken)
    with pytest.raises(ValueError, match="a mistake of ours"):
        deepmnist("train")


def test_cli_page_is_what_help_says() -> None:
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import generate_cli
    finally:
        sys.path.pop(0)
    assert generate_cli.PAGE.read_text() == generate_cli.render(), "run `make docs`"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "-1"], "batch_size = -1: expected int >= 1"),
        (["--learning-rate", "-0.1"], "learning_rate = -0.1: expected float > 0.0"),
        (["--learning-rate", "nan"], "learning_rate = nan: expected float > 0.0"),
        (["--recipe", "fats"], "unknown recipe 'fats'; did you mean 'fast'?"),
        (["--dataset", "minst"], "did you mean 'mnist'?"),
        (["--precision", "float16"], "must be one of auto, float32, mixed_bfloat16"),
        (["--epochs", "1", "--steps", "2"], "epochs and steps were both given"),
        (["--views", "3"], "views = 3: must be one of 1, 5"),
        (["--members", "0"], "members = 0: expected int >= 1"),
        (["--teaching", "0.5"], "teaching = 0.5: there is no teacher to share targets with"),
        (["--teacher", "balanced"], "teacher = 'balanced': it would have no share in any target"),
        (["--teacher", "ballanced", "--teaching", "1"], "did you mean 'balanced'?"),
        (["--teacher", "distilled", "--teaching", "1"], "it is taught itself"),
        (["--config", "missing.toml"], "missing.toml cannot be read as TOML"),
        (["--resume", "nowhere"], "nowhere holds no run to resume"),
        (["--resume", "nowhere", "--dataset", "digits"], "--dataset cannot be given with --resume"),
        (["--resume", "nowhere", "--tensorboard"], "--tensorboard cannot be given with --resume"),
        (["--dataset", "no/such/folder"], "no/such/folder does not exist"),
    ],
)
def test_a_slip_in_train_is_one_line_and_status_2(deepmnist, tmp_path, arguments, message) -> None:
    status, out, err = deepmnist("train", *arguments)
    assert status == 2
    assert message in one_line(err)
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_key_of_a_config_file_names_the_nearest(deepmnist, tmp_path) -> None:
    (tmp_path / "run.toml").write_text("batchsize = 3")
    status, _, err = deepmnist("train", "--config", "run.toml")
    assert status == 2
    assert "unknown training option 'batchsize'; did you mean 'batch_size'?" in one_line(err)


def test_options_outrank_the_config_file(deepmnist, tmp_path) -> None:
    (tmp_path / "run.toml").write_text("batch_size = 32\nseed = 4")
    arguments = ["--config", "run.toml", "--seed", "5", "--steps", "2", "--dataset", "digits"]
    status, _, _ = deepmnist("train", *arguments, "--out", "run", "--quiet")
    assert status == 0
    config = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    assert (config["batch_size"], config["seed"], config["steps"]) == (32, 5, 2)


def test_train_ends_with_the_accuracy_and_keeps_stdout_for_results(deepmnist) -> None:
    status, out, err = deepmnist("train", "--dataset", "digits", "--steps", "3", "--out", "run")
    assert status == 0
    assert out.splitlines()[:2] == [f"Model: {Path('run/bundle')}", "Report: run/report.html"]
    assert out.splitlines()[-1].startswith("Test accuracy is ")
    assert "step 3/3" in err


def test_a_slip_about_the_teacher_is_told_before_tensorflow_loads(deepmnist, monkeypatch) -> None:
    monkeypatch.setattr(train_command.heavy, "import_module", None)
    status, _, err = deepmnist("train", "--recipe", "distilled", "--teacher", "ensmble")
    assert status == 2
    assert "did you mean 'ensemble'?" in one_line(err)


def test_a_trained_model_teaches_and_the_run_goes_on_with_it(
    deepmnist, tmp_path, tiny_bundle
) -> None:
    options = ["--dataset", "digits", "--steps", "3", "--out", "run", "--quiet"]
    taught = ["--teacher", tiny_bundle.folder, "--teaching", "0.5"]
    assert deepmnist("train", *options, *taught)[0] == 0
    (tmp_path / "run" / "result.json").unlink()
    assert deepmnist("train", "--resume", "run", *taught, "--quiet")[0] == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["teacher"]["path"] == str(tiny_bundle.folder.resolve())


def test_an_unwritable_folder_is_one_line(deepmnist, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    status, _, err = deepmnist("train", "--dataset", "digits", "--out", "file/run")
    assert status == 2
    assert "name another with --out" in one_line(err)


def test_predict_without_a_model_takes_the_one_that_comes_along(deepmnist, tmp_path) -> None:
    status, out, _ = deepmnist("predict", seven(tmp_path / "seven.png"), "--format", "json")
    (answer,) = json.loads(out)
    assert status == 0
    assert (answer["label"], answer["accepted"], answer["reason"]) == ("7", True, None)


def test_what_is_no_digit_is_answered_but_not_accepted(deepmnist, tmp_path) -> None:
    Image.new("L", (60, 60), 200).save(tmp_path / "blank.png")
    status, out, _ = deepmnist("predict", tmp_path / "blank.png", "--format", "json")
    (answer,) = json.loads(out)
    assert status == 0
    assert (answer["accepted"], answer["confidence"]) == (False, 0)
    assert answer["reason"] == "nothing in the picture"


def test_coverage_of_a_model_that_does_not_know_it_is_one_line(
    deepmnist, tmp_path, tiny_bundle
) -> None:
    options = ["--model", tiny_bundle.folder, "--coverage", "0.9"]
    status, _, err = deepmnist("predict", seven(tmp_path / "seven.png"), *options)
    assert status == 2
    assert "this model does not tell how many digits it accepts" in one_line(err)


def test_the_newest_run_where_there_is_none_says_how_to_get_one(deepmnist, tmp_path) -> None:
    one = picture(tmp_path / "one.png")
    status, _, err = deepmnist("predict", one, "--model", "newest")
    assert status == 2
    assert "there is no trained model under runs/" in one_line(err)


def test_predict_json_lists_every_picture_in_the_order_given(
    deepmnist, tmp_path, tiny_bundle
) -> None:
    good = picture(tmp_path / "good.png")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    status, out, _ = deepmnist(
        "predict", good, bad, good, "--model", tiny_bundle.folder, "--format", "json"
    )
    answers = json.loads(out)
    assert status == 1
    assert [answer["path"] for answer in answers] == [str(good), str(bad), str(good)]
    verdict = {"confidence", "accepted", "reason"}
    assert set(answers[0]) == {"path", "label", "probability", *verdict, "top"}
    assert answers[0]["top"][0] == [answers[0]["label"], answers[0]["probability"]]
    assert len(answers[0]["top"]) == 3
    assert set(answers[1]) == {"path", "error"}
    assert answers[0] == answers[2]


def test_predict_csv_can_be_read_back(deepmnist, tmp_path, tiny_bundle) -> None:
    awkward = picture(tmp_path / 'a, "b".png')
    status, out, _ = deepmnist("predict", awkward, "--model", tiny_bundle.folder, "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert status == 0
    assert row["path"] == str(awkward)
    assert 0 <= float(row["probability"]) <= 1
    assert row["error"] == ""


def test_predict_reads_a_folder_a_glob_and_stdin(
    deepmnist, tmp_path, tiny_bundle, monkeypatch
) -> None:
    (tmp_path / "scans").mkdir()
    for name in ("2.png", "10.png"):
        picture(tmp_path / "scans" / name)
    content = (tmp_path / "scans" / "2.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    status, out, _ = deepmnist(
        "predict", "scans", "scans/*.png", "-", "--model", tiny_bundle.folder, "--format", "json"
    )
    paths = [answer["path"] for answer in json.loads(out)]
    assert status == 0
    assert paths == ["scans/2.png", "scans/10.png", "scans/2.png", "scans/10.png", "-"]


def test_a_file_named_as_standard_input_is_read_as_a_file(
    deepmnist, tmp_path, tiny_bundle, monkeypatch
) -> None:
    picture(tmp_path / "1.png").rename(tmp_path / "-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"no picture")))
    status, out, _ = deepmnist(
        "predict", "./-", "-", "--model", tiny_bundle.folder, "--format", "json"
    )
    of_file, of_input = json.loads(out)
    assert status == 1
    assert of_file["path"] == str(tmp_path / "-")
    assert "error" not in of_file
    assert of_input["error"].startswith("the picture on standard input is no picture")


class WriteOnly(io.RawIOBase):
    """What a shell's 0> leaves of standard input."""

    def readable(self) -> bool:
        return True

    def readinto(self, into: object) -> int:
        raise OSError(errno.EBADF, "Bad file descriptor")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (None, "it is closed"),
        (io.TextIOWrapper(io.BufferedReader(WriteOnly())), "Bad file descriptor"),
    ],
    ids=["closed", "unreadable"],
)
@pytest.mark.parametrize("command", ["predict", "read"])
def test_standard_input_that_cannot_be_read_is_an_answer_among_others(
    deepmnist, tmp_path, tiny_bundle, monkeypatch, command: str, given: object, reason: str
) -> None:
    picture(tmp_path / "1.png")
    monkeypatch.setattr(sys, "stdin", given)
    status, out, errors = deepmnist(
        command, "-", "1.png", "--model", tiny_bundle.folder, "--format", "json"
    )
    of_input, of_file = json.loads(out)
    assert (status, errors) == (1, "")
    assert reason in of_input["error"]
    assert of_input["error"].startswith("the picture on standard input cannot be read: ")
    assert "error" not in of_file


def test_kaggle_test_file_in_and_submission_out(deepmnist, tmp_path, tiny_bundle) -> None:
    header = ",".join(f"pixel{i}" for i in range(784))
    row = ",".join(["0"] * 784)
    (tmp_path / "test.csv").write_text(f"{header}\n{row}\n{row}\n")
    status, _, _ = deepmnist(
        "predict", "test.csv", "--model", tiny_bundle.folder, "--csv", "submission.csv"
    )
    lines = (tmp_path / "submission.csv").read_text().splitlines()
    assert status == 0
    assert lines[0] == "ImageId,Label"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]


@pytest.mark.parametrize("given", [["TEST.CSV", "parts/1.csv"], ["*.CSV", "parts/*"]])
def test_data_files_are_known_in_capitals_and_by_a_glob(
    deepmnist, tmp_path, tiny_bundle, given
) -> None:
    header, row = (",".join(each) for each in ([f"pixel{i}" for i in range(784)], ["0"] * 784))
    (tmp_path / "parts").mkdir()
    for name in ("TEST.CSV", "parts/1.csv"):
        (tmp_path / name).write_text(f"{header}\n{row}\n")
    status, out, _ = deepmnist("predict", *given, "--model", tiny_bundle.folder, "--format", "csv")
    paths = [answer["path"] for answer in csv.DictReader(io.StringIO(out))]
    assert (status, paths) == (0, ["TEST.CSV#1", "1.csv#1"])


def test_evaluate_json_counts_every_image_of_a_set_without_test_part(
    deepmnist, tmp_path, tiny_bundle
) -> None:
    header = "label," + ",".join(f"pixel{i}" for i in range(784))
    rows = [",".join([str(i % 10), *["0"] * 784]) for i in range(20)]
    (tmp_path / "set.csv").write_text("\n".join([header, *rows]) + "\n")
    status, out, _ = deepmnist(
        "evaluate", "--model", tiny_bundle.folder, "--dataset", "set.csv", "--json"
    )
    assert status == 0
    assert json.loads(out)["n"] == 20


def test_evaluate_of_its_own_set_without_test_part_counts_what_training_held_out(
    deepmnist, tmp_path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "own.npz", x_train=images, y_train=np.arange(200) % 10)
    trained = "train", "--dataset", "own.npz", "--steps", "1", "--batch-size", "8", "--out", "run"
    assert deepmnist(*trained)[0] == 0
    assert (
        deepmnist("export", "--model", "run", "--format", "litert", "--out", "run.tflite")[0] == 0
    )
    for model in ("run", "run.tflite"):
        for given in ([], ["--dataset", "own.npz"]):
            status, out, _ = deepmnist("evaluate", "--model", model, *given, "--json")
            assert status == 0
            assert json.loads(out)["n"] == 20


def test_evaluate_measures_on_what_was_learnt_or_says_that_it_does_not(deepmnist, tmp_path) -> None:
    def put(folder: Path, seed: int) -> None:
        images = np.random.default_rng(seed).integers(0, 256, (200, 28, 28)).astype(np.uint8)
        folder.mkdir(parents=True)
        np.save(folder / "train_images.npy", images)
        np.save(folder / "train_labels.npy", np.arange(200, dtype=np.uint8) % 10)

    put(tmp_path / "data" / "digits", 0)  # named as one that comes with scikit-learn
    options = "--steps", "1", "--batch-size", "8", "--out", "run"
    assert deepmnist("train", "--dataset", "data/digits", *options)[0] == 0
    evaluate = "evaluate", "--model", "run", "--json"
    assert deepmnist(*evaluate) == (
        2,
        "",
        "error: run/bundle was trained on './digits', which is not here; give it, or another data "
        "set, with --dataset\n",
    )
    put(tmp_path / "digits", 1)
    status, out, errors = deepmnist(*evaluate)
    assert (status, json.loads(out)["n"]) == (0, 200)
    assert errors == (
        "warning: ./digits here is not the set that run/bundle was trained on, but another of that "
        "name; give the one to measure on with --dataset\n"
    )
    shutil.rmtree(tmp_path / "digits")
    put(tmp_path / "digits", 0)
    status, out, errors = deepmnist(*evaluate)
    assert (status, json.loads(out)["n"], errors) == (0, 20, "")


def test_evaluate_prints_its_tables(deepmnist, tiny_bundle) -> None:
    status, out, _ = deepmnist("evaluate", "--model", tiny_bundle.folder, "--dataset", "digits")
    assert status == 0
    for part in ("Accuracy", "Wilson", "Brier", "Confusion matrix", "recall"):
        assert part in out


def test_the_version_is_told(deepmnist) -> None:
    assert deepmnist("--version") == (0, f"deepmnist {metadata.version('deepmnist')}\n", "")


def test_data_list_names_every_source(deepmnist) -> None:
    status, out, _ = deepmnist("data", "list")
    assert status == 0
    for name in ("mnist", "fashion_mnist", "kmnist", "digits"):
        assert name in out


def test_shards_are_made_checked_and_refused_a_second_use(deepmnist, tmp_path) -> None:
    for part, count in (("train", 50), ("test", 20)):
        np.save(tmp_path / f"{part}_images.npy", np.zeros((count, 28, 28), np.uint8))
        np.save(tmp_path / f"{part}_labels.npy", np.arange(count, dtype=np.uint8) % 10)
    make = ("data", "shard", tmp_path, "--out", tmp_path / "out")
    status, out, _ = deepmnist(*make, "--rows", 20)
    assert status == 0
    assert out.splitlines() == [
        f"50 training images in 3 shards in {tmp_path / 'out'}",
        f"20 test images in 1 shards in {tmp_path / 'out'}",
    ]
    status, out, _ = deepmnist("data", "check", tmp_path / "out")
    assert (status, len(out.splitlines())) == (0, 8)
    status, _, err = deepmnist(*make, "--rows", 30)
    assert status == 2
    assert "made with another value of rows; give another --out" in one_line(err)


def test_data_check_of_an_unknown_name_suggests_one(deepmnist) -> None:
    status, _, err = deepmnist("data", "check", "mnits")
    assert status == 2
    assert "did you mean 'mnist'?" in one_line(err)


def test_native_chatter_does_not_reach_a_users_terminal(tmp_path, tiny_bundle) -> None:
    command = [sys.executable, "-c", "from deepmnist.cli import main; main()"]
    done = subprocess.run(
        [*command, "predict", picture(tmp_path / "one.png"), "--model", tiny_bundle.folder],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
