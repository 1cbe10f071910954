"""Exports made once for all tests: of a small net that knows what is no digit."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from deepmnist import bundle
from deepmnist.bundle import Bundle, Manifest, RejectionRecord

if TYPE_CHECKING:
    from deepmnist.export.exporting import Exported


@pytest.fixture(scope="session")
def knowing(tmp_path_factory: pytest.TempPathFactory, manifest: Manifest) -> Bundle:
    """The fast net with random weights and eleven logits, "trained" on the embedded digits."""
    from deepmnist import model, recipes
    from deepmnist.export import litert

    net = model.build(recipes.configure("fast"), 11)
    generator = np.random.default_rng(0)
    net.set_weights([generator.normal(0, 0.1, weight.shape) for weight in net.get_weights()])
    told = msgspec.structs.replace(
        manifest,
        dataset=msgspec.structs.replace(manifest.dataset, name="digits"),
        rejection=RejectionRecord(0.4, [(0.5, 0.8), (1.0, 0.1)]),
    )

    def fill(folder: Path) -> None:
        (folder / bundle.RUNTIME).write_bytes(litert.convert(net, told.temperature, 10))
        net.save(folder / bundle.WEIGHTS)

    with warnings.catch_warnings():  # Keras and TensorFlow have warnings of their own
        warnings.simplefilter("ignore")
        return bundle.save(tmp_path_factory.mktemp("knowing") / "bundle", told, fill)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, knowing: Bundle) -> Callable[..., Exported]:
    """exported(format, precision, kind): made when first asked for, compared on a few pictures."""
    from deepmnist.export import golden, parity
    from deepmnist.export.exporting import export

    folder, made = tmp_path_factory.mktemp("exports"), {}
    endings = {"litert": ".tflite", "onnx": ".onnx", "saved_model": ""}
    few = dict([*golden.pictures().items()][::8])

    def make(format: str, precision: str = "float32", kind: str = "classifier") -> Exported:
        which = format, precision, kind
        if which not in made:
            out = folder / f"{kind}-{precision}{endings[format]}"
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(parity, "READER_IMAGES", 5)
                patch.setattr(golden, "pictures", lambda seed=0: few)
                made[which] = export(
                    out, format, model=knowing.folder, precision=precision, kind=kind
                )
        return made[which]

    return make
