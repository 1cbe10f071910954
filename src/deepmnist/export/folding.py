"""Normalisations made part of the convolutions before them: fewer operations, the same answers.

After training a normalisation is a factor and a term for each channel: the convolution's weights
may as well be multiplied by the one, and its bias be the other. A max-pooling between the two
changes nothing, since the factors are positive: what was the greatest stays so. Converters fold by
themselves what follows a convolution at once, and leave what comes after a pooling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from deepmnist.normalization import FusedNormalization

Pair = tuple[keras.layers.Conv2D, FusedNormalization]


def folded(net: keras.Model) -> keras.Model:
    """A net of the same answers, in which no normalisation follows a convolution.

    It holds copies of the weights, and `net` stays as it is; where there is nothing to fold, it is
    the net itself. Nets within a net, as an ensemble has them, are folded too.
    """
    pairs = dict(_pairs(net))
    if not pairs:
        return net
    gone, copies = {*pairs.values()}, {}

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        if layer in gone:
            copies[layer] = keras.layers.Identity(name=layer.name, dtype=layer.dtype_policy.name)
        else:
            more = {"use_bias": True} if layer in pairs else {}
            copies[layer] = layer.__class__.from_config({**config, **more})
        return copies[layer]

    result = keras.models.clone_model(net, clone_function=copied, recursive=True)
    for layer, copy in copies.items():
        if layer in pairs:
            copy.set_weights(_weights(layer, pairs[layer]))
        elif isinstance(layer, keras.Layer) and layer not in gone:
            copy.set_weights(layer.get_weights())
    return result


def _weights(
    convolution: keras.layers.Conv2D, normalisation: FusedNormalization
) -> list[NDArray[np.float32]]:
    factor, term = (np.asarray(each) for each in normalisation.factor_and_term())
    return [np.asarray(convolution.kernel) * factor, term]


def _pairs(net: keras.Model) -> Iterator[Pair]:
    """Each convolution whose output goes to a normalisation, and nowhere else, with that one."""
    config, layers = net.get_config(), {layer.name: layer for layer in net.layers}
    if "output_layers" not in config:
        return  # not a graph of layers
    given = {each["name"]: [*_givers(each["inbound_nodes"])] for each in config["layers"]}
    taken = Counter(name for givers in given.values() for name in givers)
    taken.update(each for each in keras.tree.flatten(config["output_layers"]) if each in given)

    def giver(layer: keras.Layer) -> keras.Layer | None:
        """What alone gives to a layer, where it gives to no other."""
        name, *others = given[layer.name]
        return None if others or taken[name] > 1 else layers.get(name)

    for layer in net.layers:
        if isinstance(layer, keras.Model):
            yield from _pairs(layer)
        elif isinstance(layer, FusedNormalization):
            before = giver(layer)
            if isinstance(before, keras.layers.MaxPooling2D):
                before = giver(before)
            if isinstance(before, keras.layers.Conv2D) and _is_bare(before):
                yield before, layer


def _givers(nodes: Any) -> Iterator[str]:
    """The names of those whose outputs a layer is given, in what its configuration says of it."""
    if isinstance(nodes, dict) and "keras_history" in nodes:
        yield nodes["keras_history"][0]
    elif isinstance(nodes, dict):
        yield from _givers([*nodes.values()])
    elif isinstance(nodes, list | tuple):
        for each in nodes:
            yield from _givers(each)


def _is_bare(convolution: keras.layers.Conv2D) -> bool:
    """Whether it does nothing after it has summed up."""
    return not convolution.use_bias and convolution.activation is keras.activations.linear
