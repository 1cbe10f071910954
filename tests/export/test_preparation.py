"""The preparation that the page runs: what the code makes, for any runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from deepmnist import canvas
from deepmnist.export import golden, preparation
from deepmnist.prediction import litert


def runner(file: bytes) -> Any:
    return Interpreter(model_content=file).get_signature_runner()


def test_the_package_s_preparation_is_what_the_code_makes() -> None:
    made, kept = runner(preparation.convert()), runner(preparation.SHIPPED.read_bytes())
    for name, picture in golden.pictures().items():
        taken = canvas.of(picture)[None]
        assert np.array_equal(made(picture=taken)["image"], kept(picture=taken)["image"]), name


def test_the_package_s_preparation_has_builtin_operations_only() -> None:
    litert.check(preparation.SHIPPED.read_bytes(), "the preparation")
