"""What a finished training becomes: calibrated, converted, tested once, and written down.

The one place where a run reads the test set. What the run was asked for is runs.py's business.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from deepmnist import (
    bundle,
    calibration,
    card,
    evaluation,
    figures,
    history,
    machine,
    prediction,
    report,
    runfolder,
)
from deepmnist.batches import Plan
from deepmnist.contract import CONTRACT_VERSION
from deepmnist.data import Corpus, Dataset
from deepmnist.export import layers, litert
from deepmnist.rounding import percent
from deepmnist.runfolder import Result, RunRecord
from deepmnist.teaching import Teacher
from deepmnist.training import Trained


def deliver(
    folder: Path,
    record: RunRecord,
    trained: Trained,
    validation: Dataset,
    corpus: Corpus,
    teacher: Teacher | None = None,
) -> Result:
    """Calibrate, convert, read the test set once; leave bundle, report and result in `folder`."""
    temperature = calibration.fit_temperature(
        trained.validation_logits, validation.required_labels()
    )
    runtime = litert.convert(trained.model, temperature)
    test = corpus.test_part
    tested = evaluation.evaluate(prediction.LiteRTPredictor(runtime, test.class_names), test)
    values = {
        "dataset": corpus.name,
        **_result_values(record, trained, validation, temperature, tested),
        "teacher_train_seconds": teacher.train_seconds if teacher else None,
    }
    manifest = _manifest(record, trained, validation, values, tested)

    def fill(unfinished: Path) -> None:
        (unfinished / bundle.RUNTIME).write_bytes(runtime)
        trained.model.save(unfinished / bundle.WEIGHTS)
        (unfinished / bundle.CARD).write_text(card.render(manifest), encoding="utf-8")
        layers.put(trained.model, unfinished)

    bundle.save(folder / runfolder.BUNDLE, manifest, fill)
    report.write(
        folder / runfolder.REPORT,
        report=tested,
        dataset=test,
        history=history.read(folder),
        facts=_facts(values, trained.plan, len(validation)),
        title=f"{record.config.recipe} on {values['dataset']}",
    )
    return runfolder.write_result(folder, values)


def _result_values(
    record: RunRecord,
    trained: Trained,
    validation: Dataset,
    temperature: float,
    tested: evaluation.Report,
) -> dict[str, Any]:
    """The fields of Result, but for the folder."""
    plan, members = trained.plan, trained.config.members
    steps, images = plan.steps * members, plan.images_from(0) * members
    right = trained.validation_logits.argmax(axis=1) == validation.required_labels()
    return {
        "recipe": record.config.recipe,
        "seed": record.config.seed,
        "fallback": record.fallback,
        "parameters": trained.model.count_params(),
        "members": members,
        "steps": steps,
        "batch_size": plan.batch_size,
        "precision": trained.config.precision,
        "train_seconds": round(trained.train_seconds, 3),
        "images_per_second": round(images / trained.train_seconds, 1),
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
    trained: Trained,
    validation: Dataset,
    values: dict[str, Any],
    tested: evaluation.Report,
) -> bundle.Manifest:
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
            **figures.tested(tested),
            "validation_accuracy": values["validation_accuracy"],
            "train_seconds": values["train_seconds"],
            **_teacher_numbers(values),
        },
        versions=record.versions,
    )


def _teacher_numbers(values: dict[str, Any]) -> dict[str, bundle.Value]:
    """What the manifest of a taught net tells besides."""
    seconds = values["teacher_train_seconds"]
    return {} if seconds is None else {"teacher_train_seconds": seconds}


def _facts(values: dict[str, Any], plan: Plan, validated: int) -> dict[str, str]:
    """What the report lists beside its figures; so many images were held out for validation."""
    peak, teaching = values["peak_memory_bytes"], values["teacher_train_seconds"]
    steps = f"{values['steps']:,} of {values['batch_size']} images, {values['precision']}"
    nets = f", {values['members']} nets" if values["members"] > 1 else ""
    rise = f"; of a net's first {plan.warmup:,}, {plan.warmup_size}" if plan.warmup else ""
    taught = "" if teaching is None else f"; the teacher's, {teaching:.1f} s, not"
    return {
        "Recipe": f"{values['recipe']}, seed {values['seed']}",
        "Data": values["dataset"] + (" (standing in for MNIST)" if values["fallback"] else ""),
        "Parameters": f"{values['parameters']:,}",
        "Steps": steps + nets + rise,
        "Training time": f"{values['train_seconds']:.1f} s, tracing included{taught}",
        "Speed": f"{values['images_per_second']:,.0f} images/s",
        "Peak memory": "unknown" if peak is None else f"{peak / 2**30:.2f} GiB",
        "Validation accuracy": percent(values["validation_accuracy"], validated),
        "Temperature": f"{values['temperature']:.3f}",
        "Machine": machine.named(values["machine"]),
        "Versions": ", ".join(f"{name} {number}" for name, number in values["versions"].items()),
    }
