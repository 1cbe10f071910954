"""A run from data to report: train, calibrate, convert, test once, write it all down.

Everything is left in one folder (runfolder.py says what is where). A run killed at any moment goes
on from there, to the same weights bit for bit.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from deepmnist import (
    atomic,
    bundle,
    calibration,
    card,
    checkpoints,
    devices,
    display,
    evaluation,
    history,
    machine,
    prediction,
    recipes,
    report,
    runfolder,
    training,
)
from deepmnist.contract import CONTRACT_VERSION
from deepmnist.data import DEFAULT, SOURCES, Corpus, Dataset, load, split_validation
from deepmnist.errors import DataNotFoundError, RunError
from deepmnist.export import litert
from deepmnist.recipes import TrainingConfig
from deepmnist.runfolder import Result, RunRecord

FALLBACK_DATASET = "digits"


def train(
    dataset: str | Path | Corpus | None = None,
    recipe: str = recipes.DEFAULT_RECIPE,
    *,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    resize: bool = False,
    tensorboard: bool = False,
    quiet: bool = False,
    **overrides: Any,
) -> Result:
    """Train a recipe on a data set, test it once on the test set, and leave it all in `out`.

    dataset: a known name, a path, a Corpus, or None for MNIST, with the embedded digits standing
    in where MNIST cannot be had. out: a folder that holds nothing yet; runs/DATASET-RECIPE-TIME
    when None. overrides: fields of TrainingConfig, laid over the recipe.

    ConfigError, DataError, RunError, StorageError and TrainingError say what was wrong with what.
    """
    config = recipes.configure(recipe, **overrides)
    screen = display.choose(quiet)
    corpus, spec, fallback = _obtain(dataset, data_dir, resize, screen)
    record = RunRecord(
        dataset=spec,
        data_dir=str(Path(data_dir).resolve()) if data_dir else None,
        resize=resize,
        fallback=fallback,
        identity=corpus.training_part.identity,
        config=replace(config, precision=devices.resolve_precision(config.precision)),
        tensorboard=tensorboard,
        versions=machine.versions(),
    )
    folder = runfolder.claim(Path(out) if out else runfolder.default(corpus.name, recipe))
    runfolder.write_record(folder, record)
    return _complete(folder, record, corpus, screen)


def resume(
    folder: str | Path, corpus: Corpus | None = None, *, quiet: bool = False, **asked: Any
) -> Result:
    """Continue the run in `folder` from its newest whole checkpoint to its end.

    corpus: needed where the run was started with one. asked: fields of TrainingConfig that the
    caller believes the run to have. RunError where those, or the data, differ from the run's own.
    """
    folder = Path(folder)
    record = runfolder.read_record(folder)
    _refuse_other(folder, record.config, asked)
    finished = runfolder.read_result(folder)
    if finished:
        return finished
    corpus = corpus or _reload(folder, record)
    if corpus.training_part.identity != record.identity:
        raise RunError(f"{folder} was started on other data than {corpus.name} holds now")
    return _complete(folder, record, corpus, display.choose(quiet))


def _obtain(
    dataset: str | Path | Corpus | None,
    data_dir: str | Path | None,
    resize: bool,
    screen: display.Display,
) -> tuple[Corpus, str | None, bool]:
    """The data, how to name it to load it again, and whether it only stands in for MNIST."""
    if isinstance(dataset, Corpus):
        return dataset, None, False
    where = Path(data_dir) if data_dir else None
    if dataset is not None:
        known = isinstance(dataset, str) and dataset in SOURCES  # also where a folder is so called
        name = str(dataset) if known else str(Path(dataset).resolve())
        return load(dataset, where, resize=resize), name, False
    try:
        return load(DEFAULT, where, resize=resize), DEFAULT, False
    except DataNotFoundError as reason:
        screen.warning(
            f"This run does NOT train on MNIST: it cannot be had.\n{reason}\n\n"
            f"It trains on '{FALLBACK_DATASET}' instead, 1,797 small scans that come with "
            "scikit-learn. The model records that."
        )
        return load(FALLBACK_DATASET), FALLBACK_DATASET, True


def _reload(folder: Path, record: RunRecord) -> Corpus:
    if record.dataset is None:
        raise RunError(
            f"{folder} was started from Python with a Corpus; resume it there, with the same one"
        )
    data_dir = Path(record.data_dir) if record.data_dir else None
    return load(record.dataset, data_dir, resize=record.resize)


def _refuse_other(folder: Path, config: TrainingConfig, asked: dict[str, Any]) -> None:
    wanted = recipes.configure(**{"recipe": config.recipe, **asked})
    asked_fields = {name: getattr(wanted, name) for name in asked}
    differing = recipes.difference(config, replace(config, **asked_fields))
    if differing:
        raise RunError(
            f"{folder} was started with another configuration: {differing}; "
            "resume it without these options, or start a new run with --out"
        )


def _complete(folder: Path, record: RunRecord, corpus: Corpus, screen: display.Display) -> Result:
    """Train to the end from the newest checkpoint, if there is one; then test and write."""
    atomic.sweep(folder)
    share = record.config.validation_share
    training_set, validation = split_validation(corpus.training_part, share)
    screen.message(
        f"{record.config.recipe} on {corpus.name}: {len(training_set):,} training and "
        f"{len(validation):,} validation images, seed {record.config.seed}, in {folder}"
    )
    try:
        trained = _train(folder, record, training_set, validation, screen)
        screen.message("Testing, writing the model and the report")
        return _finish(folder, record, trained, validation, corpus)
    except KeyboardInterrupt:
        screen.message(f"Stopped. Continue with: deepmnist train --resume {folder}")
        raise


def _train(
    folder: Path,
    record: RunRecord,
    training_set: Dataset,
    validation: Dataset,
    screen: display.Display,
) -> training.Trained:
    devices.prepare_gpus()
    start = checkpoints.latest(folder / runfolder.CHECKPOINTS)
    history.rewind(folder, start.step if start else 0)
    board = history.TensorBoard(folder / runfolder.TENSORBOARD) if record.tensorboard else None

    def observe(progress: training.Progress) -> None:
        screen.update(progress)
        history.append(folder, progress)
        if board:
            board.write(progress)

    def save(checkpoint: checkpoints.Checkpoint) -> None:
        checkpoints.save(folder / runfolder.CHECKPOINTS, checkpoint)

    try:
        return training.train(
            training_set, validation, record.config, observe, save, start, screen.begin
        )
    finally:
        screen.end()


def _finish(
    folder: Path,
    record: RunRecord,
    trained: training.Trained,
    validation: Dataset,
    corpus: Corpus,
) -> Result:
    """Calibrate, convert, read the test set once; bundle, report and result."""
    temperature = calibration.fit_temperature(
        trained.validation_logits, validation.required_labels()
    )
    runtime = litert.convert(trained.model, temperature)
    test = corpus.test_part
    tested = evaluation.evaluate(prediction.LiteRTPredictor(runtime, test.class_names), test)
    values = {
        "dataset": corpus.name,
        **_result_values(record, trained, validation, temperature, tested),
    }
    manifest = _manifest(record, trained, validation, values, tested)

    def fill(unfinished: Path) -> None:
        (unfinished / bundle.RUNTIME).write_bytes(runtime)
        trained.model.save(unfinished / bundle.WEIGHTS)
        (unfinished / bundle.CARD).write_text(card.render(manifest), encoding="utf-8")

    bundle.save(folder / runfolder.BUNDLE, manifest, fill)
    report.write(
        folder / runfolder.REPORT,
        report=tested,
        dataset=test,
        history=history.read(folder),
        facts=_facts(values),
        title=f"{record.config.recipe} on {values['dataset']}",
    )
    return runfolder.write_result(folder, values)


def _result_values(
    record: RunRecord,
    trained: training.Trained,
    validation: Dataset,
    temperature: float,
    tested: evaluation.Report,
) -> dict[str, Any]:
    """The fields of Result, but for the folder."""
    plan = trained.plan
    right = trained.validation_logits.argmax(axis=1) == validation.required_labels()
    return {
        "recipe": record.config.recipe,
        "seed": record.config.seed,
        "fallback": record.fallback,
        "parameters": trained.model.count_params(),
        "steps": plan.steps,
        "batch_size": plan.batch_size,
        "precision": trained.config.precision,
        "train_seconds": round(trained.train_seconds, 3),
        "images_per_second": round(plan.steps * plan.batch_size / trained.train_seconds, 1),
        "peak_memory_bytes": machine.peak_memory_bytes(),
        "validation_accuracy": float(right.mean()),
        "temperature": temperature,
        "test_correct": tested.correct,
        "test_n": tested.n,
        "test_accuracy": tested.accuracy,
        "versions": record.versions,
        "machine": machine.describe(),
    }


def _manifest(
    record: RunRecord,
    trained: training.Trained,
    validation: Dataset,
    values: dict[str, Any],
    tested: evaluation.Report,
) -> bundle.Manifest:
    low, high = tested.interval
    return bundle.Manifest(
        class_names=list(tested.class_names),
        input_contract=CONTRACT_VERSION,
        temperature=values["temperature"],
        parameters=values["parameters"],
        config=asdict(trained.config),
        dataset=bundle.DataRecord(
            name=values["dataset"],
            identity=record.identity,
            training=trained.plan.n,
            validation=len(validation),
            fallback=record.fallback,
        ),
        numbers={
            "test_accuracy": tested.accuracy,
            "test_correct": tested.correct,
            "test_n": tested.n,
            "test_accuracy_low": low,
            "test_accuracy_high": high,
            "negative_log_likelihood": tested.negative_log_likelihood,
            "expected_calibration_error": tested.expected_calibration_error,
            "validation_accuracy": values["validation_accuracy"],
            "train_seconds": values["train_seconds"],
        },
        versions=record.versions,
    )


def _facts(values: dict[str, Any]) -> dict[str, str]:
    """What the report lists beside its figures."""
    peak = values["peak_memory_bytes"]
    return {
        "Recipe": f"{values['recipe']}, seed {values['seed']}",
        "Data": values["dataset"] + (" (standing in for MNIST)" if values["fallback"] else ""),
        "Parameters": f"{values['parameters']:,}",
        "Steps": f"{values['steps']:,} of {values['batch_size']} images, {values['precision']}",
        "Training time": f"{values['train_seconds']:.1f} s, tracing included",
        "Speed": f"{values['images_per_second']:,.0f} images/s",
        "Peak memory": "unknown" if peak is None else f"{peak / 2**30:.2f} GiB",
        "Validation accuracy": f"{values['validation_accuracy']:.2%}",
        "Temperature": f"{values['temperature']:.3f}",
        "Machine": f"{values['machine']['processor']}, {values['machine']['cores']} cores",
        "Versions": ", ".join(f"{name} {number}" for name, number in values["versions"].items()),
    }
