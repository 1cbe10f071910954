"""The examples of the OpenAPI description; a test sends each and looks at the answer."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

import deepmnist
from deepmnist.contract import SIDE
from deepmnist.service.schemas import InferRequest, PredictRequest, reference


def image() -> NDArray[np.uint8]:
    """A 1 as MNIST has them: uint8 (28, 28), a stroke of 20 x 4 pixels."""
    found = np.zeros((SIDE, SIDE), np.uint8)
    found[4:24, 12:16] = 255
    return found


def picture() -> bytes:
    """A PNG of a 1, black on white."""
    pixels = np.full((140, 140), 255, np.uint8)
    pixels[20:120, 62:78] = 0
    return cv2.imencode(".png", pixels)[1].tobytes()


ROWS = [[float(level // 255) for level in row] for row in image().tolist()]
B64 = {"b64": base64.b64encode(picture()).decode()}

SERVER = {
    "name": "deepmnist",
    "version": deepmnist.__version__,
    "extensions": ["binary_tensor_data"],
}
MODEL = {
    "name": "digits",
    "versions": ["1"],
    "platform": "deepmnist_litert",
    "inputs": [{"name": "image", "datatype": "FP32", "shape": [-1, 28, 28]}],
    "outputs": [
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]},
        {"name": "single", "datatype": "FP32", "shape": [-1]},
        {"name": "confidence", "datatype": "FP32", "shape": [-1]},
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "accepted", "datatype": "BOOL", "shape": [-1]},
    ],
}
INFER = {
    "id": "42",
    "inputs": [{"name": "image", "shape": [1, 28, 28], "datatype": "FP32", "data": [ROWS]}],
    "outputs": [{"name": "label"}, {"name": "confidence"}],
}
INFERRED = {
    "model_name": "digits",
    "model_version": "1",
    "id": "42",
    "outputs": [
        {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["1"]},
        {"name": "confidence", "datatype": "FP32", "shape": [1], "data": [0.998]},
    ],
}
INSTANCES = {"instances": [ROWS, B64]}
INPUTS = {"inputs": {"image": [B64]}}
ROW = {
    "probabilities": [0.0, 0.998, 0.0, 0.0, 0.0, 0.0, 0.0, 0.002, 0.0, 0.0],
    "single": 1.0,
    "confidence": 0.998,
    "label": "1",
    "accepted": True,
}
PREDICTIONS = {"predictions": [ROW, ROW]}
OUTPUTS = {"outputs": {name: [value] for name, value in ROW.items()}}
STATUS = {
    "model_version_status": [
        {
            "version": "1",
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
    ]
}
READ = [
    {
        "path": "photo.png",
        "lines": [
            {
                "text": "1",
                "probability": 0.62,
                "digits": [
                    {
                        "box": [62, 20, 78, 120],
                        "label": "1",
                        "probability": 0.62,
                        "confidence": 0.61,
                        "accepted": False,
                        "reason": "unsure between 1 and 7",
                    }
                ],
            }
        ],
    }
]


def infer() -> dict[str, Any]:
    """The body of a request to infer, for OpenAPI."""
    return {
        "required": True,
        "content": {
            "application/json": {"schema": reference(InferRequest), "example": INFER},
            "application/octet-stream": {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "The JSON, then the tensor.",
                }
            },
        },
    }


def predict() -> dict[str, Any]:
    """The body of a request to predict, for OpenAPI."""
    examples = {"rows": {"value": INSTANCES}, "columns": {"value": INPUTS}}
    content = {"schema": reference(PredictRequest), "examples": examples}
    return {"required": True, "content": {"application/json": content}}
