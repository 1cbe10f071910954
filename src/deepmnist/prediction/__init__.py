"""From images to answers: the Predictor protocol, the Prediction record, and a runtime a module.

`load` opens whatever lies at a path: a bundle, or any file that `deepmnist export` wrote. LiteRT is
in the base install; ONNX Runtime and TensorFlow are loaded only where such a file is opened.
"""

from deepmnist.prediction.answers import TOP, Prediction, predictions
from deepmnist.prediction.arrays import check_images, write_unit_range
from deepmnist.prediction.cores import usable_cores
from deepmnist.prediction.litert import LiteRTPredictor, onnx_is_sooner
from deepmnist.prediction.loading import Opened, load, open_bundle, open_graph, opened
from deepmnist.prediction.predictor import ModelPredictor, Predictor

__all__ = [
    "TOP",
    "LiteRTPredictor",
    "ModelPredictor",
    "Opened",
    "Prediction",
    "Predictor",
    "check_images",
    "load",
    "onnx_is_sooner",
    "open_bundle",
    "open_graph",
    "opened",
    "predictions",
    "usable_cores",
    "write_unit_range",
]
