"""Measurements that anyone can repeat. Each writes JSON with machine, versions, seeds and n."""

import deepmnist  # noqa: F401  before TensorFlow: it says which kernels TensorFlow shall use
