"""Lesson 3: training, then and now.

The tutorial's recipe (5,000 steps of 50 digits), as deepmnist runs it; then `fast`, the recipe
deepmnist uses where none is named; then the trained model, loaded from disk and asked.

    LESSON_DATASET=digits   a data set that needs no network (MNIST is downloaded, once)
    LESSON_STEPS=20         a short run, to see that everything works; it will not have learned much

The tutorial's recipe takes minutes on two processor cores; `fast` takes seconds. Each run gets a
folder of its own under runs/.
"""

# %% What this lesson needs
import os
import subprocess
import sys

from quietly import keras, tf  # before deepmnist, which loads them when it first trains

import deepmnist

DATASET = os.environ.get("LESSON_DATASET", "mnist")
SHORTER = {"steps": int(os.environ["LESSON_STEPS"])} if "LESSON_STEPS" in os.environ else {}


def heading(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


print(f"TensorFlow {tf.__version__}, Keras {keras.__version__}, data set {DATASET}")

# %% Data
# TF 1:  mnist = input_data.read_data_sets("MNIST_data", one_hot=True)
# Labels stay numbers from 0 to 9: the loss of lesson 2 takes them as they are. Of the training
# images, some are held out for validation. The test set is for the last line of a run only.
heading("Data")
corpus = deepmnist.load_dataset(DATASET)
for part in (corpus.train, corpus.test):
    print(f"{part.name}: {part.images.dtype} {part.images.shape}, {len(part.class_names)} classes")

# %% The tutorial's recipe
# TF 1:  for step in range(5000):
# TF 1:      x_batch, y_batch = mnist.train.next_batch(50)
# TF 1:      session.run(train_step, feed_dict={x: x_batch, y: y_batch, keep_prob: 0.5})
# There, each step went from Python into the session and back. Here the loop over many steps is
# itself inside one traced graph. Order and dropout are drawn from (seed, step), not from a
# generator with a memory: the same seed gives the same net, also when a run was stopped halfway.
heading("The tutorial's recipe")
tutorial = deepmnist.train(DATASET, "tutorial", seed=0, **SHORTER)

# %% Evaluation
# TF 1:  correct = tf.equal(tf.argmax(logits, 1), tf.argmax(y, 1))
# TF 1:  accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
# Counted over every image of the test set, and divided once.
heading("What it came to")
print(f"{tutorial.test_correct} of {tutorial.test_n} correct, that is {tutorial.test_accuracy:.2%}")

# %% The recipe of today
# Same data, same loss, Adam again. What differs: smaller layers, bigger batches, and a learning
# rate that climbs far higher than 1e-4, then comes down to nothing by the last step.
heading("The fast recipe")
fast = deepmnist.train(DATASET, "fast", seed=0, **SHORTER)

heading("Side by side")
for recipe, result in (("tutorial", tutorial), ("fast", fast)):
    counts = f"{result.test_correct} of {result.test_n}"
    print(f"{recipe:<9} {result.test_accuracy:.2%} ({counts}) in {result.train_seconds:.1f} s")

# %% What a run leaves behind
# TF 1:  tf.train.Saver().save(session, "model.ckpt"): values only. Whoever loaded them needed the
# program that had built the graph. A bundle carries the graph, the values, and where they are from.
heading("The bundle")
print(f"in {fast.bundle}:")
for file in sorted(path for path in fast.bundle.rglob("*") if path.is_file()):
    print(f"  {file.relative_to(fast.bundle).as_posix():<24} {file.stat().st_size:>10,} bytes")

# %% Asking it
heading("Ten digits")
model = deepmnist.load(fast.bundle)
digits = corpus.test.images[:10]
probabilities = model.predict_proba(digits)
print("truth: ", *corpus.test.labels[:10])
print("answer:", *model.predict(digits))
print("sure:  ", *(f"{row.max():.0%}" for row in probabilities))

# %% Asking it where TensorFlow is not
# Lesson 1 ended with a graph run by a program that did not know it. So does this one, with a net
# for a graph; the process that asks does not load TensorFlow at all.
heading("A process without TensorFlow")

STRANGER = """
import sys
import deepmnist

model = deepmnist.load(sys.argv[1])
images = deepmnist.load_dataset(sys.argv[2]).test.images[:10]
print("answer:", *model.predict(images))
print("TensorFlow loaded:", "tensorflow" in sys.modules)
"""

answer = subprocess.run(
    [sys.executable, "-c", STRANGER, str(fast.bundle), DATASET],
    capture_output=True,
    text=True,
    check=True,
)
print(answer.stdout, end="")
