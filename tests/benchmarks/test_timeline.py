"""Times of operations: each its own, none counted twice, each with its layer."""

import pytest
import tensorflow as tf

from benchmarks import timeline


def event(name: str, kind: str, start: float, end: float) -> timeline.Event:
    return timeline.Event(name, kind, start, end, end - start)


def test_an_operation_s_own_time_leaves_out_those_within_it() -> None:
    spans = [(0.0, 10.0, "loop", "While"), (1.0, 4.0, "a", "Add"), (2.0, 3.0, "b", "Mul")]
    spans += [(4.0, 6.0, "c", "Add"), (10.0, 11.0, "d", "Sub")]
    own = {each.name: each.own for each in timeline.owned(reversed(spans))}
    assert own == {"loop": 5.0, "a": 2.0, "b": 1.0, "c": 2.0, "d": 1.0}


def test_time_in_which_two_operations_run_is_covered_once() -> None:
    events = [event("a", "Add", 0, 4), event("b", "Add", 1, 2), event("c", "Add", 3, 5)]
    assert timeline.covered([*events, event("d", "Add", 7, 8)]) == 6
    assert timeline.covered([]) == 0


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("while/body/_1/while/fast_1/conv1_1/BiasAdd", "conv1"),
        ("while/body/_1/gradient_tape/while/fast_1/conv_2_1/convolution/Conv2DBack", "conv_2"),
        ("while/conv_2/BiasAdd", "conv_2"),
        ("while/adam/Square_4", "adam"),
        ("Cast", "other"),
    ],
)
def test_an_operation_belongs_to_the_layer_its_name_holds(name: str, layer: str) -> None:
    found = timeline.by_layer([event(name, "Add", 0, 1)], ["conv1", "conv_2", "adam"])
    assert found == {(layer, "Add"): 1}


def test_kinds_of_a_layer_are_summed_and_the_longest_comes_first() -> None:
    events = [event("a/x", "Add", 0, 1), event("a/y", "Mul", 1, 4), event("a/z", "Add", 4, 5)]
    assert list(timeline.by_layer(events, ["a"]).items()) == [(("a", "Mul"), 3), (("a", "Add"), 2)]


def test_the_operations_of_a_real_graph_are_recorded() -> None:
    @tf.function(autograph=False)
    def product(x: tf.Tensor) -> tf.Tensor:
        with tf.name_scope("dense"):
            return tf.linalg.matmul(x, x)

    x = tf.ones((64, 64))
    product(x)
    events = timeline.record(lambda: product(x).numpy())
    assert any(
        layer == "dense" and "MatMul" in kind
        for layer, kind in timeline.by_layer(events, ["dense"])
    )
    assert all(each.end >= each.start and each.own >= 0 for each in events)
