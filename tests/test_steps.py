"""Inside the graph: the schedule, the targets, and draws that depend on the step alone."""

import gc
import weakref
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from deepmnist import batches, model, recipes, steps
from deepmnist.teaching import Teacher


def test_one_cycle_rises_to_its_peak_and_falls_to_zero() -> None:
    schedule = steps.OneCycle(peak=0.1, steps=100, warmup=0.3)
    rates = np.array([float(schedule(step)) for step in range(100)])
    assert rates.argmax() in (29, 30)
    assert rates.max() == pytest.approx(0.1, rel=0.03)
    assert (np.diff(rates[:29]) > 0).all()
    assert (np.diff(rates[30:]) < 0).all()
    assert 0 < rates[-1] < 0.002


def test_one_cycle_without_warmup_starts_at_its_peak() -> None:
    schedule = steps.OneCycle(peak=0.1, steps=10, warmup=0.0)
    assert float(schedule(0)) == pytest.approx(0.095)


def test_one_cycle_survives_saving() -> None:
    schedule = steps.OneCycle(peak=0.1, steps=10, warmup=0.5)
    copy = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert float(copy(3)) == float(schedule(3))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_targets_are_distributions(smoothing: float) -> None:
    targets = steps._targets(np.array([2, 0], np.uint8), 4, smoothing).numpy()
    np.testing.assert_allclose(targets.sum(axis=1), 1.0)
    assert targets[0].argmax() == 2
    assert targets.min() == pytest.approx(smoothing / 4)


def test_a_teacher_has_its_share_of_each_target_at_its_temperature() -> None:
    config = recipes.configure(
        "fast", teacher="tutorial", teaching=0.25, teacher_temperature=2.0, label_smoothing=0.0
    )
    targets = steps._targets(np.array([1], np.uint8), 3, config.label_smoothing)
    logits = np.array([[4.0, 0.0, 0.0]], np.float32)
    thought = np.exp([2.0, 0.0, 0.0]) / np.exp([2.0, 0.0, 0.0]).sum()
    found = steps._taught(targets, logits, config).numpy()
    np.testing.assert_allclose(found[0], 0.75 * np.array([0, 1, 0]) + 0.25 * thought, rtol=1e-6)


def test_a_teacher_sees_the_images_that_the_net_sees_and_is_left_as_it_is() -> None:
    config = recipes.configure(
        "fast", batch_size=4, precision="float32", shift_px=3.0, teaching=1.0, teacher="fast"
    )
    net, teacher = (model.build(config, 10) for _ in range(2))
    for each in (net, teacher):
        readout = each.layers[-1].kernel
        readout.assign(np.random.default_rng(0).normal(0, 0.1, readout.shape))
    before = [weight.copy() for weight in teacher.get_weights()]
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(net.trainable_variables)
    chunk = steps.compile_chunk(
        net, optimizer, config, batches.plan(config, 64), 10, Teacher(teacher)
    )
    images = np.random.default_rng(1).integers(0, 256, (3, 4, 28, 28), np.uint8)
    chunk(images, np.zeros((3, 4), np.uint8))
    # Equal nets that see equal images agree: there is no gradient, but for rounding.
    for a, b in zip(net.get_weights(), before, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert all(map(np.array_equal, teacher.get_weights(), before))


def losses_from(start: int, counts: list[int], **overrides: object) -> list[float]:
    """Losses of a run whose counter stands at `start`, taken in chunks of `counts`."""
    config = recipes.configure("fast", precision="float32", batch_size=4, **overrides)
    plan = batches.plan(config, 64)
    net = model.build(config, 10)
    optimizer = keras.optimizers.SGD(0.0)  # weights stand still: only the draws can change a loss
    optimizer.build(net.trainable_variables)
    optimizer.iterations.assign(start)
    net.layers[-1].kernel.assign(np.random.default_rng(0).normal(size=(64, 10)))
    chunk = steps.compile_chunk(net, optimizer, config, plan, 10)
    images = np.random.default_rng(1).integers(0, 256, (sum(counts), 4, 28, 28), np.uint8)
    labels = np.zeros((sum(counts), 4), np.uint8)
    images[:] = images[0]  # every step sees the same batch
    found, done = [], 0
    for count in counts:
        found += chunk(images[done : done + count], labels[done : done + count]).numpy().tolist()
        done += count
    return found


@pytest.mark.parametrize("change", [{"dropout": 0.5}, {"rotation_deg": 30.0, "shift_px": 3.0}])
def test_draws_depend_on_the_step_and_not_on_how_it_was_reached(change: dict) -> None:
    in_one = losses_from(0, [6], **change)
    assert losses_from(0, [1, 2, 3], **change) == in_one
    assert losses_from(4, [2], **change) == in_one[4:]
    assert len(set(in_one)) == 6  # a new draw every step
    assert losses_from(0, [6], seed=1, **change) != in_one


def test_without_draws_every_step_is_the_same() -> None:
    assert len(set(losses_from(0, [4]))) == 1


def test_a_finished_net_leaves_no_graph_behind() -> None:
    config = recipes.configure("fast", precision="float32", batch_size=4, steps=steps.SHORT)
    net = model.build(config, 10)
    optimizer = keras.optimizers.Adam()
    optimizer.build(net.trainable_variables)
    chunk = steps.compile_chunk(net, optimizer, config, batches.plan(config, 64), 10)
    graph = weakref.ref(chunk.get_concrete_function().graph)
    del chunk
    gc.collect()
    assert graph() is None


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam, keras.optimizers.SGD])
def test_an_update_is_the_optimisers_own(optimizer: type[keras.optimizers.Optimizer]) -> None:
    gradients = [tf.constant([[1.0, -2.0]]), tf.constant([3.0])]

    def updated(apply: Callable[..., None]) -> list[np.ndarray]:
        variables = [keras.Variable(np.ones((1, 2))), keras.Variable(np.ones(1))]
        own = optimizer(steps.OneCycle(peak=0.1, steps=10, warmup=0.5))
        own.build(variables)
        for _ in range(3):
            apply(own, gradients, variables)
        return [variable.numpy() for variable in [*variables, *own.variables]]

    keras_own = updated(lambda own, *given: own.apply(*given))
    for found, expected in zip(updated(steps._apply), keras_own, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_logits_are_those_of_the_net_on_ink_in_unit_range() -> None:
    net = model.build(recipes.configure("tutorial"), 10)
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    expected = net(images.astype(np.float32) / 255, training=False)
    np.testing.assert_allclose(steps.compile_logits(net)(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [3, steps.SHORT])
def test_only_a_short_run_goes_without_the_graph_optimiser_and_leaves_it_on(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimizers = tf.config.optimizer
    asked = []
    change = optimizers.set_experimental_options
    monkeypatch.setattr(
        optimizers,
        "set_experimental_options",
        lambda options: (asked.append(options), change(options)),
    )
    config = recipes.configure("fast", batch_size=2, steps=count)
    net = model.build(config, 10)
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(net.trainable_variables)
    chunk = steps.compile_chunk(net, optimizer, config, batches.plan(config, 2), 10)
    chunk(np.zeros((1, 2, 28, 28), np.uint8), np.zeros((1, 2), np.uint8))
    short = [{"disable_meta_optimizer": True}, {"disable_meta_optimizer": False}]
    assert asked == (short if count < steps.SHORT else [])
    assert not optimizers.get_experimental_options().get("disable_meta_optimizer", False)
