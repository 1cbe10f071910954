"""The whole net that a recipe delivers, with fresh weights: members and views averaged."""

from __future__ import annotations

import keras

from deepmnist import ensemble, model, recipes


def delivered(recipe: str, classes: int) -> keras.Model:
    """From image to logits (n, classes); of an ensemble two members, which have all operations."""
    config = recipes.configure(recipe)
    nets = [model.build(config, classes) for _ in range(min(config.members, 2))]
    return nets[0] if len(nets) == config.views == 1 else ensemble.average(nets, config.views)
