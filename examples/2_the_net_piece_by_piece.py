"""Lesson 2: the net, piece by piece.

The convolutional net of the old tutorial "Deep MNIST", each piece beside the TensorFlow 1 line it
was made of (in comments, `TF 1:`), tried on a real digit as soon as it exists: input, weights,
convolution, pooling, dense layers, dropout, loss, gradient, and one step of Adam by hand.

The text this lesson retells has a slip in its last layer. Ours gives plain logits of the fourth
layer; the cell "The slip" shows what the difference is worth.

Plain Keras 3 and TensorFlow. The digits are MNIST's where $DEEPMNIST_DATA_DIR/mnist holds them,
and otherwise the 8x8 digits inside scikit-learn, enlarged: no network is needed.
"""

# %% What this lesson needs
import gzip
import math
import os
from pathlib import Path

import numpy as np
from quietly import keras, tf

keras.utils.set_random_seed(0)
BATCH = 50  # images a training step, in the tutorial


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


def show(picture: np.ndarray) -> None:
    """Print every second row of (height, width): a character is twice as tall as wide."""
    shades = np.array(list(" .:-=+*#%@"))
    scaled = (picture - picture.min()) / (np.ptp(picture) or 1)
    for row in shades[np.round(9 * scaled[::2]).astype(int)]:
        print("  " + "".join(row))


# %% Fifty real digits
def mnist_digits(folder: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The first n digits of MNIST: after a header of 16 and 8 bytes, the files are plain bytes."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + n * 28 * 28), np.uint8, offset=16)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + n), np.uint8, offset=8)
    return images.reshape(n, 28, 28), labels


def embedded_digits(n: int) -> tuple[np.ndarray, np.ndarray]:
    """n of scikit-learn's digits (8x8, ink 0..16), as MNIST has its own: 20x20 in a frame of 4."""
    from sklearn.datasets import load_digits

    small = load_digits()
    ink = tf.image.resize(small.images[:n, ..., np.newaxis], (20, 20), method="area")
    images = np.pad(ink[..., 0], ((0, 0), (4, 4), (4, 4))) * 255 / 16
    return images.astype(np.uint8), small.target[:n].astype(np.uint8)


heading("Fifty real digits")
mnist = Path(os.environ.get("DEEPMNIST_DATA_DIR", "data"), "mnist")
at_hand = (mnist / "train-images-idx3-ubyte.gz").exists()
images, labels = mnist_digits(mnist, BATCH) if at_hand else embedded_digits(BATCH)
print(f"from {'MNIST' if at_hand else 'scikit-learn'}: {images.dtype} {images.shape}")
print(f"the first one, a {labels[0]}:")
show(images[0])

# %% Input
# TF 1:  x = tf.placeholder(tf.float32, [None, 784])
# TF 1:  image = tf.reshape(x, [-1, 28, 28, 1])
# The fourth axis counts channels: 1 for grey. None, or -1, is "as many images as come".
heading("Input")
batch = images[..., np.newaxis].astype(np.float32) / 255  # ink is 1, paper 0
inputs = keras.Input((28, 28, 1), name="image")
print("placeholder:", inputs.shape)
print("a batch:    ", batch.shape)

# %% Weights
# TF 1:  def weight_variable(shape):
# TF 1:      return tf.Variable(tf.truncated_normal(shape, stddev=0.1))
# Drawn at random, or all units of a layer would be one unit. What falls past two standard
# deviations is drawn again, so what is left is a little narrower than the 0.1 asked for.
heading("Weights: a truncated normal")
drawn = np.array(keras.initializers.TruncatedNormal(stddev=0.1, seed=1)((100_000,)))
counts, edges = np.histogram(drawn, bins=10, range=(-0.25, 0.25))
for count, left in zip(counts, edges, strict=False):
    print(f"  {left:+.2f} {'*' * (count // 500)}")
print(f"asked for 0.1; standard deviation {drawn.std():.4f}, largest {abs(drawn).max():.4f}")

# %% Biases
# TF 1:  def bias_variable(shape):
# TF 1:      return tf.Variable(tf.constant(0.1, shape=shape))
# A unit behind a ReLU whose sum is negative for every image has no gradient, and stays dead.
# A bias a little above zero starts most units on the living side.


def start(seed: int) -> dict[str, keras.Initializer]:
    """How a layer's weights and biases begin."""
    weights = keras.initializers.TruncatedNormal(stddev=0.1, seed=seed)
    return {"kernel_initializer": weights, "bias_initializer": keras.initializers.Constant(0.1)}


# %% Convolution
# TF 1:  def conv2d(x, W):
# TF 1:      return tf.nn.conv2d(x, W, strides=[1, 1, 1, 1], padding="SAME")
# One small kernel slides over the picture; each place gives the sum of products under it. SAME
# pads with zeros, so the size stays. Here is a kernel we can read: dark left, bright right.
heading("One convolution, on the digit")
kernel = np.tile(np.array([-1, -1, 0, 1, 1], "float32"), (5, 1))
edges_found = keras.ops.conv(batch[:1], kernel[..., None, None], strides=1, padding="same")
print("shape:", tuple(edges_found.shape), " edges where ink begins, from left to right:")
show(np.maximum(edges_found[0, ..., 0], 0))

row, column = 14, 12
by_hand = (batch[0, row - 2 : row + 3, column - 2 : column + 3, 0] * kernel).sum()
print(f"at ({row}, {column}): {edges_found[0, row, column, 0]:.4f}, by hand: {by_hand:.4f}")

# %% Pooling
# TF 1:  def max_pool_2x2(x):
# TF 1:      return tf.nn.max_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="SAME")
# Of each 2x2 square, the largest. A stroke one pixel further on gives nearly the same answer.
heading("Pooling, of what was found")
pooled = keras.ops.max_pool(edges_found, 2, strides=2, padding="same")
print("shape:", tuple(pooled.shape))
show(np.maximum(pooled[0, ..., 0], 0))

# %% All pieces, in order
# TF 1:  h_conv1 = tf.nn.relu(conv2d(image, weight_variable([5, 5, 1, 32])) + bias_variable([32]))
# TF 1:  h_pool1 = max_pool_2x2(h_conv1)
# TF 1:  h_conv2, h_pool2: the same again, with [5, 5, 32, 64]
# TF 1:  h_flat = tf.reshape(h_pool2, [-1, 7 * 7 * 64])
# TF 1:  h_fc1 = tf.nn.relu(tf.matmul(h_flat, weight_variable([7 * 7 * 64, 1024])) + ...)
# TF 1:  h_drop = tf.nn.dropout(h_fc1, keep_prob)
# TF 1:  logits = tf.matmul(h_drop, weight_variable([1024, 10])) + bias_variable([10])
layers = keras.layers
PIECES = (
    layers.Conv2D(32, 5, padding="same", activation="relu", name="conv1", **start(1)),
    layers.MaxPooling2D(2, padding="same", name="pool1"),
    layers.Conv2D(64, 5, padding="same", activation="relu", name="conv2", **start(2)),
    layers.MaxPooling2D(2, padding="same", name="pool2"),
    layers.Flatten(name="flat"),
    layers.Dense(1024, activation="relu", name="dense", **start(3)),
    layers.Dropout(0.5, seed=4, name="dropout"),  # the share dropped; keep_prob was the share kept
    layers.Dense(10, name="logits", **start(5)),  # no activation: see "The slip"
)

heading("The net, stage by stage")
signal = inputs
for piece in PIECES:
    signal = piece(signal)
    print(f"  {piece.name:<8} {signal.shape!s:<22} {piece.count_params():>9,} parameters")
net = keras.Model(inputs, signal, name="tutorial")
print(f"parameters in all: {net.count_params():,}")
print(f"of them in 'dense': {net.get_layer('dense').count_params() / net.count_params():.1%}")

# %% Dropout
# TF 1:  keep_prob = tf.placeholder(tf.float32); feed 0.5 to train, 1.0 to evaluate
# What is kept is divided by the share kept, so the sum stays what it was on average. Keras takes
# the placeholder's place with an argument of the call: training=True or False.
heading("Dropout, on ones")
ones = keras.ops.ones((1, 10_000))
dropped = np.array(net.get_layer("dropout")(ones, training=True))
values = " and ".join(f"{value:g}" for value in np.unique(dropped))
print(f"training:   values {values}, mean {dropped.mean():.2f}")
same = np.array_equal(net.get_layer("dropout")(ones, training=False), ones)
print(f"evaluating: {'unchanged' if same else 'changed'}")

# %% Loss
# TF 1:  losses = tf.nn.softmax_cross_entropy_with_logits(labels=one_hot, logits=logits)
# TF 1:  loss = tf.reduce_mean(losses)
# Minus the logarithm of the probability given to the true class. It takes the logits, not the
# softmax: a probability that rounds to 0 has no logarithm, but its logit is an ordinary number.
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

heading("Loss")
logits = net(batch, training=False)
print(f"by guessing, log 10: {math.log(10):.3f}")
print(f"this net, untrained: {float(loss_of(labels, logits)):.3f}")
extreme = tf.constant([[200.0, 0.0]])  # sure of class 0; the truth is class 1
print(f"log of softmax:      {-tf.math.log(tf.nn.softmax(extreme))[0, 1]:.0f}")
print(f"from the logits:     {float(loss_of(np.array([1]), extreme)):.0f}")

# %% The slip
# The text computes the fourth layer's sums, then applies ReLU to the *third* layer's and returns
# that. Even with the right sums, a ReLU on the outputs would be a second slip.
heading("The slip")
third_layer = keras.Model(inputs, net.get_layer("dense").output)
readout = net.get_layer("logits")
with tf.GradientTape() as tape:
    slipped = third_layer(batch)
    loss = loss_of(labels, slipped)  # nothing complains: labels 0 to 9 are also below 1,024
print(f"ReLU of the third layer: {slipped.shape[1]} outputs for 10 classes")
print("gradient of the fourth layer's weights:", tape.gradient(loss, readout.kernel))

# The true class has a logit below zero. Softmax wants it up; a ReLU in between says nothing.
outputs, truth = tf.constant([[-1.0, 2.0, 0.5]]), np.array([0])
with tf.GradientTape(persistent=True) as tape:
    tape.watch(outputs)
    plain, clipped = loss_of(truth, outputs), loss_of(truth, tf.nn.relu(outputs))
for name, value in (("plain logits", plain), ("behind ReLU", clipped)):
    print(f"gradient for the true class, {name}: {float(tape.gradient(value, outputs)[0, 0]):z.3f}")

# %% Gradient
# TF 1:  hidden in optimizer.minimize(loss). The tape records the operations; the chain rule walks
# them backwards, once, for all parameters.
heading("Gradient")
with tf.GradientTape() as tape:
    loss = loss_of(labels, net(batch, training=True))
gradients = tape.gradient(loss, net.trainable_variables)
for variable, gradient in zip(net.trainable_variables, gradients, strict=True):
    print(f"  {variable.path:<14} {tuple(gradient.shape)!s:<16} {float(tf.norm(gradient)):8.3f}")

# %% One step of Adam, by hand
# TF 1:  train_step = tf.train.AdamOptimizer(1e-4).minimize(loss)
# Adam keeps two running means for each weight, of its gradient and of the gradient's square, and
# divides one by the root of the other. Both begin at 0; the factor under `pace` makes up for that.
RATE, BETA_1, BETA_2, EPSILON = 1e-4, 0.9, 0.999, 1e-8  # TF 1's; Keras' own epsilon is 1e-7


def adam(weight: tf.Tensor, gradient: tf.Tensor, step: int = 1) -> tf.Tensor:
    """The weight after the first step; later ones would carry `mean` and `square` along."""
    mean = (1 - BETA_1) * gradient
    square = (1 - BETA_2) * gradient**2
    pace = RATE * math.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
    return weight - pace * mean / (tf.sqrt(square) + EPSILON)


heading("One step of Adam")
before = [tf.identity(variable.value) for variable in net.trainable_variables]
by_hand = [adam(weight, gradient) for weight, gradient in zip(before, gradients, strict=True)]
loss_before = float(loss_of(labels, net(batch, training=False)))

optimizer = keras.optimizers.Adam(RATE, BETA_1, BETA_2, EPSILON)
optimizer.apply(gradients, net.trainable_variables)
after = [variable.value for variable in net.trainable_variables]

apart = max(float(tf.reduce_max(abs(a - b))) for a, b in zip(by_hand, after, strict=True))
print(f"by hand and Keras' Adam agree: {'yes' if apart < 1e-7 else 'no'} (within {apart:.0e})")

# The first step divides each gradient by its own size: every weight moves by the rate, no more.
moves = np.concatenate([np.ravel(abs(a - b)) for a, b in zip(after, before, strict=True)])
print(f"largest move of a weight: {moves.max():.6f}")
print(f"weights that moved by it: {np.mean(moves > 0.99 * RATE):.0%}")
loss_after = float(loss_of(labels, net(batch, training=False)))
print(f"loss on these {BATCH}, before and after: {loss_before:.3f} -> {loss_after:.3f}")

# %% Where this leads
# 5,000 such steps, on 50 new digits each, are the tutorial's training: lesson 3 runs them.
