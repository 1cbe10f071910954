"""ONNX's int8: layers but the last, whatever their sizes are."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from deepmnist import model, recipes
from deepmnist.export import functions, onnx


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_a_kernel_as_wide_as_there_are_classes_is_no_last_layer(classes: int) -> None:
    net = model.build(recipes.configure("fast"), classes)  # its kernels are 5 and 3 wide
    images = np.random.default_rng(0).random((10, 28, 28), np.float32)
    whole = onnx.converted(functions.classifier(net, 1.0))
    held = onnx.quantised(whole, images, classes).graph.initializer
    weights = [each for each in held if each.data_type == TensorProto.INT8 and len(each.dims) > 1]
    assert len(weights) == 3  # of two convolutions and the dense layer before the last
