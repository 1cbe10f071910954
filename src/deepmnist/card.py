"""The model card: a bundle's README.md, made from its manifest and nothing else."""

from __future__ import annotations

from deepmnist.bundle import LAYERS, RUNTIME, WEIGHTS, Manifest, OriginRecord, Value

FALLBACK = (
    "> **Trained on the embedded 8x8 digits, because MNIST could not be had.** "
    "It is a stand-in; train again where MNIST can be downloaded.\n\n"
)


def render(manifest: Manifest) -> str:
    """Markdown."""
    data = manifest.dataset
    source = _plain(data.name)
    classes = ", ".join(_plain(name) for name in manifest.class_names)
    return f"""# deepmnist model: {_plain(manifest.config["recipe"])} on {source}

{FALLBACK if data.fallback else ""}Classifies a 28 x 28 image, ink high on paper zero, as one of
{len(manifest.class_names)} classes: {classes}.

## Numbers

{_table(manifest.numbers)}

{_origin(manifest.origin)}{_read(manifest.origin)}
The interval is Wilson's, 95 %. Pictures unlike the training data are not covered by these numbers.

{_acceptance(manifest)}## Data

{data.training:,} training and {data.validation:,} validation images of {source}{_made(manifest)}
(SHA-256 `{data.identity}`).

## Files

- `{RUNTIME}`: LiteRT, builtin operations; `image` float32 (n, 28, 28) in 0..1 to
  `probabilities` float32 (n, {len(manifest.class_names)}){_single(manifest)};
  temperature {manifest.temperature:.4f} is inside.
- `{WEIGHTS}`: Keras 3, {manifest.parameters:,} parameters, to logits, without the temperature.
- `{LAYERS}`, where it is there: LiteRT, what the first two convolutions make of an image.
- `bundle.json`: the manifest, with the SHA-256 of every file.

## Configuration

{_table(manifest.config)}

## Versions

{_table(dict(manifest.versions))}
"""


def _acceptance(manifest: Manifest) -> str:
    """What the model accepts, where it learnt what is no digit."""
    if manifest.rejection is None:
        return ""
    rows = "\n".join(
        f"| {share:.1%} | {threshold:.4f} |" for share, threshold in manifest.rejection.coverages
    )
    return f"""## Acceptance

It learnt what is no digit. An answer is accepted from a confidence of
{manifest.rejection.threshold:.4f} on; to accept another share of digits, measured on images that
were not learnt:

| digits accepted | threshold |
|---|---|
{rows}

"""


def _made(manifest: Manifest) -> str:
    """What is no digit is learnt from made pictures alone, which then are among the images."""
    return ", of photographs made of them and of other made pictures" if manifest.rejection else ""


def _single(manifest: Manifest) -> str:
    return " and `single` float32 (n,)" if manifest.rejection else ""


def _read(origin: OriginRecord | None) -> str:
    """When the test set was read."""
    if origin is None:
        return "The test set was read once, after every choice had been made."
    return "MNIST's test images were read before and after, to refuse a model that forgot."


def _origin(origin: OriginRecord | None) -> str:
    if origin is None:
        return ""
    return (
        f"Improved from a model of recipe {_plain(origin.recipe)} (SHA-256 of its Keras file "
        f"`{_plain(origin.sha256)}`) by {origin.corrections:,} corrections (SHA-256 "
        f"`{_plain(origin.identity)}`); {origin.held_out:,} more were held out.\n\n"
    )


def _table(values: dict[str, Value]) -> str:
    rows = "\n".join(f"| {_plain(name)} | {_plain(value)} |" for name, value in values.items())
    return f"| | |\n|---|---|\n{rows}"


def _plain(value: Value) -> str:
    """On one line, and nothing in it that Markdown takes for the end of a cell or for HTML."""
    if isinstance(value, float):
        return f"{value:.6g}"
    text = " ".join(str(value).split())
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
