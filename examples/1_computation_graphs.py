"""Lesson 1: computation graphs, then and now.

A computation graph is arithmetic written down before it is done: nodes are operations, edges are
the arrays that flow between them. Written down, it can be inspected, differentiated, optimised,
and sent to a machine that has never seen the program it came from. TensorFlow 1 had you build the
graph by hand and run it in a session. Today a Python function is traced into one, the first time
it is called.

Run it whole (python examples/1_computation_graphs.py), or cell by cell in an editor that knows
the `# %%` marks. It takes a few seconds, and needs no data.
"""

# %% What this lesson needs
import subprocess
import sys
import tempfile
from pathlib import Path

from quietly import tf


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


# %% x * x + 100, at 42
# TensorFlow 1                                      | today
# x = tf.placeholder(tf.float32)                    | TensorSpec([], tf.float32): what may flow in
# y = x * x + 100                                   | return x * x + 100
# with tf.Session() as session:                     | (nothing: there is no session)
#     print(session.run(y, feed_dict={x: 42}))      | print(polynomial(42))
heading("x * x + 100")


@tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="x")])
def polynomial(x: tf.Tensor) -> tf.Tensor:
    # print() is no operation of the graph: it runs when Python does, that is, while tracing.
    print(f"  tracing: Python runs, and x is no number but {type(x).__name__} {x.name}")
    return x * x + 100


print("at 42:", polynomial(42).numpy())
print("at  3:", polynomial(3).numpy())
print("traced:", polynomial.experimental_get_tracing_count(), "time, called twice")

# %% The graph itself
# The Placeholder is still there. tf.function only spares us writing it.
heading("The graph, operation by operation")


def list_operations(function: tf.types.experimental.PolymorphicFunction) -> None:
    for operation in function.get_concrete_function().graph.get_operations():
        inputs = ", ".join(tensor.name for tensor in operation.inputs)
        print(f"  {operation.type:<14} {operation.name:<38} <- {inputs or '(nothing)'}")


list_operations(polynomial)

# %% What a graph is good for: its derivative
# TF 1:  gradient, = tf.gradients(y, [x])
# Every operation knows its own derivative, so the chain rule can walk the graph backwards.
heading("The derivative, 2 x, at 42")

x = tf.constant(42.0)
with tf.GradientTape() as tape:
    tape.watch(x)
    y = polynomial(x)
print("dy/dx:", tape.gradient(y, x).numpy())

# %% A matrix times a vector, in an object that holds state
# TF 1:  W = tf.Variable(matrix); session.run(tf.global_variables_initializer())
# TF 1:  y = tf.matmul(W, tf.expand_dims(x, 1))
# A variable used to be a node that had to be initialised in a session. Now it is an object that
# holds its value from birth; the graph refers to it, and does not contain it.
heading("A matrix times a vector")


class Lesson(tf.Module):
    """Two functions and one variable: the smallest thing that behaves like a trained model."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = tf.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
        self.polynomial = polynomial

    @tf.function(input_signature=[tf.TensorSpec([3], tf.float32, name="vector")])
    def product(self, vector: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matvec(self.matrix, vector)


lesson = Lesson()
print("product:", lesson.product([1, 2, 3]).numpy())
list_operations(lesson.product)

# %% Program and state are apart
# The same trace reads the new value: this is why training a net never needs a new graph.
lesson.matrix.assign(2 * lesson.matrix)
print("matrix doubled:", lesson.product([1, 2, 3]).numpy())
print("traced:", lesson.product.experimental_get_tracing_count(), "time")
lesson.matrix.assign(lesson.matrix / 2)

# %% The price of tracing
# Without a signature, each new shape or type is traced again, and each new *Python number* too,
# since it is baked into the graph as a constant. Tensors of one shape share one trace.
heading("When is a function traced again?")


@tf.function
def double(x: tf.Tensor | float) -> tf.Tensor:
    return 2 * x


for number in (1.0, 2.0, 3.0):
    double(number)
print("three Python numbers:", double.experimental_get_tracing_count(), "traces")
for number in (1.0, 2.0, 3.0):
    double(tf.constant(number))
print("three tensors more:  ", double.experimental_get_tracing_count(), "traces in all")

# %% A graph on disk, run where its program is unknown
# TF 1:  tf.train.write_graph(session.graph_def, folder, "graph.pb"), and a Saver for the values.
# A SavedModel keeps both: operations in saved_model.pb, values in variables/.
heading("Saved, and run by a program that knows neither function")

STRANGER = """
import sys
import tensorflow as tf

lesson = tf.saved_model.load(sys.argv[1])
print("  polynomial(42):    ", lesson.polynomial(42.0).numpy())
print("  product([1, 2, 3]):", lesson.product([1.0, 2.0, 3.0]).numpy())
"""

with tempfile.TemporaryDirectory() as folder:
    tf.saved_model.save(lesson, folder)
    for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        print(f"  {file.relative_to(folder).as_posix():<40} {file.stat().st_size:>6} bytes")
    # Another process shares no memory with this one, only the folder. Saving has traced the
    # polynomial once more, above; the stranger does not say "tracing": it has no Python to run.
    answer = subprocess.run(
        [sys.executable, "-c", STRANGER, folder], capture_output=True, text=True, check=True
    )
print("another process says:", answer.stdout, sep="\n", end="")

# %% Where this leads
# A net is such a graph with more operations and bigger variables: lesson 2 builds one.
