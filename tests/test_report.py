"""report.py: the page is whole, self-contained, safe, and the same for the same run."""

from __future__ import annotations

import base64
import html
import io
import re
import sys
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deepmnist import report
from deepmnist.contract import SIDE
from deepmnist.data.dataset import DIGITS, Dataset
from deepmnist.errors import DataError, MissingExtraError, StorageError
from deepmnist.evaluation import evaluate

VOID = {"meta", "link", "img", "br"}
SECTIONS = ["facts", "curves", "confusion", "calibration", "mistakes", "hardest", "classes"]
HISTORY = [
    {"step": 1, "epoch": 1, "loss": 2.3, "learning_rate": 0.01, "seconds": 0.1},
    {"step": 50, "epoch": 1, "loss": 0.4, "validation_accuracy": 0.91, "validation_loss": 0.3},
    {"step": 99, "epoch": 1, "loss": 0.1, "validation_accuracy": 0.98, "validation_loss": 0.1},
]


class Page(HTMLParser):
    """A parsed page: fails on a tag closed out of order; keeps tags, attributes and text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


class Fixed:
    """Answers the whole set, in one chunk, with the same table."""

    def __init__(self, table: NDArray[np.float32], class_names: tuple[str, ...]) -> None:
        self.table = table
        self.class_names = class_names

    def predict_proba(self, images: NDArray) -> NDArray[np.float32]:
        return self.table


def small_set(n: int, class_names: tuple[str, ...] = DIGITS, name: str = "tiny/test") -> Dataset:
    images = np.random.default_rng(n).integers(0, 256, (n, SIDE, SIDE), np.uint8)
    labels = (np.arange(n) % len(class_names)).astype(np.uint8)
    return Dataset(images, labels, class_names, name)


def answered(dataset: Dataset, sure: float = 2.0) -> Any:
    """An evaluation with mistakes; none where `sure` is large."""
    n, classes = len(dataset), len(dataset.class_names)
    logits = np.random.default_rng(0).normal(size=(n, classes))
    logits[np.arange(n), dataset.required_labels()] += sure
    table = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return evaluate(Fixed(table.astype(np.float32), dataset.class_names), dataset)


def written(
    folder: Path,
    dataset: Dataset | None = None,
    *,
    sure: float = 2.0,
    history: Sequence[Mapping[str, float]] = HISTORY,
    facts: Mapping[str, str] | None = None,
    title: str = "a run",
) -> str:
    dataset = dataset or small_set(60)
    path = folder / "report.html"
    report.write(
        path,
        report=answered(dataset, sure),
        dataset=dataset,
        history=history,
        facts={"recipe": "fast", "seed": "7"} if facts is None else facts,
        title=title,
    )
    return path.read_text("utf-8")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return small_set(60)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> str:
    """The page of an ordinary run."""
    return written(tmp_path_factory.mktemp("ordinary"), dataset)


# --- what the page shows ------------------------------------------------------------------------


def test_page_is_well_formed_and_has_every_section(source: str) -> None:
    page = Page(source)
    assert [section["id"] for section in page.all("section")] == SECTIONS
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("svg")) == 3


def test_page_shows_the_numbers_of_the_report_and_the_facts(source: str, dataset: Dataset) -> None:
    measured = answered(dataset)
    text = Page(source).text
    low, high = measured.interval
    assert 0 < measured.correct < 60
    assert f"{measured.accuracy:.2%}" in text
    assert f"{measured.correct} of 60 correct" in text
    assert f"95% interval {low:.2%} to {high:.2%}" in text
    for figure in (measured.brier, measured.negative_log_likelihood):
        assert f"{figure:.4f}" in text
    assert "recipe fast seed 7" in text
    assert "last: training 0.1000, validation 0.1000" in text
    assert "last: validation 98.00%" in text
    assert dataset.identity in text


def test_every_count_of_the_confusion_matrix_is_in_its_cell(source: str, dataset: Dataset) -> None:
    body = re.search(r'<table class="cells".*?<tbody>(.*?)</tbody>', source, re.DOTALL)
    assert body
    rows = [re.findall(r"<td[^>]*>(\d*)</td>", row) for row in body[1].split("</tr>")[:-1]]
    shown = [[int(cell or 0) for cell in row] for row in rows]
    assert shown == answered(dataset).confusion.tolist()
    assert body[1].count("--heat:") == len(answered(dataset).confusions())  # mistakes alone


def test_tiles_show_the_images_they_speak_of_as_ink_on_paper(source: str, dataset: Dataset) -> None:
    tiles = Page(source).all("img")
    measured = answered(dataset)
    assert len(tiles) == len(measured.mistakes) + sum(len(h) for h in measured.hardest)
    for tile in tiles:
        index = int(re.match(r"Image (\d+): ", tile["alt"])[1])  # type: ignore[index]
        picture = Image.open(io.BytesIO(base64.b64decode(tile["src"].split(",")[1])))
        np.testing.assert_array_equal(np.asarray(picture), 255 - dataset.images[index])


def test_every_figure_has_a_text_in_its_place(source: str) -> None:
    page = Page(source)
    assert all(tile["alt"] for tile in page.all("img"))
    plots = [div for div in page.all("div") if div.get("role") == "img"]
    assert len(plots) == len(page.all("svg"))
    assert all(div["aria-label"] for div in plots)


def test_perfect_answers_are_met_with_a_warning_in_place_of_mistakes(tmp_path: Path) -> None:
    text = Page(written(tmp_path, sure=60.0)).text
    assert "make sure that none of these images was trained on" in text
    assert "No class was taken for another" in text


def test_an_accuracy_short_of_all_is_not_rounded_to_all() -> None:
    assert report._percent(59_999 / 60_000, 60_000) == "99.998%"
    assert report._percent(None, 2) == "–"


@pytest.mark.parametrize(
    ("probability", "shown"),
    [(1.0, "100.0%"), (0.99996, ">99.9%"), (0.5, "50.0%"), (0.0004, "<0.1%"), (0.0, "0.0%")],
)
def test_a_probability_short_of_certain_is_not_rounded_to_certain(
    probability: float, shown: str
) -> None:
    assert report._probability(probability) == shown


def test_curves_of_an_ensemble_are_one_a_member_and_the_caption_gives_their_mean(
    tmp_path: Path,
) -> None:
    lines = [{**line, "member": 1} for line in HISTORY]
    lines += [{**line, "member": 2, "loss": line["loss"] * 3} for line in HISTORY]
    source = written(tmp_path, history=lines)
    text = Page(source).text
    assert (
        "last: training 0.2000 (mean of 2 members), validation 0.1000 (mean of 2 members)" in text
    )
    assert "Loss over 99 steps" in source
    loss = source[source.index("<svg") : source.index("</svg>")]
    single = written(tmp_path)
    assert loss.count("var(--accent)") > single[: single.index("</svg>")].count("var(--accent)")


@pytest.mark.parametrize("shares", [[0.9892], [1.0], [0.0], [0.1, 0.995, 1.0], [0.0, 1.0]], ids=str)
def test_no_share_is_drawn_where_none_can_be(tmp_path: Path, shares: list[float]) -> None:
    history = [
        {"step": step, "validation_accuracy": share} for step, share in enumerate(shares, start=5)
    ]
    source = written(tmp_path, history=history)
    drawing = source[source.index("<svg") : source.index("</svg>")]
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawing)
    marks = [float(text.replace("\u2212", "-")) for text in texts if text[-1].isdecimal()]
    assert len(marks) > 4
    assert all(0 <= mark <= 100 for mark in marks)


# --- whatever it is given -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "history",
    [
        [],
        [{"step": 1, "loss": float("nan")}],
        [{"step": 1, "loss": 0.0}],
        [{"step": 1, "loss": 2.0}],
        [{"step": i, "loss": float("inf") if i == 3 else 1 / i} for i in range(1, 400)],
        [{"step": 5, "validation_accuracy": 1.0}],
        [{"step": 5, "seconds": 1.0}],
    ],
    ids=["none", "nan", "zero", "one", "inf", "accuracy", "nothing to draw"],
)
def test_page_is_whole_and_free_of_nan_for_any_history(
    tmp_path: Path, history: list[dict[str, float]]
) -> None:
    source = written(tmp_path, history=history)
    assert [section["id"] for section in Page(source).all("section")] == SECTIONS
    without_pictures = re.sub(r"data:image/png;base64,[^\"]*", "", source)
    assert not re.search(r"\b(nan|NaN|inf|None)\b", without_pictures)


@pytest.mark.parametrize("classes", [1, 2, 256])
def test_page_is_whole_and_small_for_few_and_many_classes(tmp_path: Path, classes: int) -> None:
    dataset = small_set(1000, tuple(f"class {i}" for i in range(classes)))
    source = written(tmp_path, dataset, facts={})
    assert [section["id"] for section in Page(source).all("section")] == SECTIONS
    assert len(source.encode()) < 1_500_000


def test_a_class_without_images_is_said_to_have_none(tmp_path: Path) -> None:
    text = Page(written(tmp_path, small_set(3))).text
    assert text.count("The data set has none.") == 7
    assert "–" in text


def test_names_in_any_script_are_shown(tmp_path: Path) -> None:
    assert "おきす" in written(tmp_path, small_set(20, ("おきす", "つなは")))


def test_a_name_that_is_no_text_does_not_stop_the_page(tmp_path: Path) -> None:
    source = written(tmp_path, facts={"folder": "caf\udce9"}, title="caf\udce9")
    assert source.count("<dd>caf?</dd>") == 1


# --- safe and self-contained --------------------------------------------------------------------


def test_page_asks_for_nothing_outside_itself(source: str) -> None:
    assert "http:" not in source
    assert "https:" not in source
    assert not re.search(r"@import|url\((?!#)", source)
    page = Page(source)
    assert not {"script", "iframe", "object", "embed", "form", "base"} & {t for t, _ in page.tags}
    for _, attributes in page.tags:
        for name in ("src", "srcset", "href", "xlink:href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    [policy] = [m["content"] for m in page.all("meta") if "http-equiv" in m]
    assert policy.startswith("default-src 'none';")


def test_hostile_names_titles_and_facts_are_shown_as_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"
    dataset = small_set(30, (hostile, "tame"), name=hostile)
    source = written(tmp_path, dataset, facts={hostile: hostile}, title=hostile)
    page = Page(source)
    assert page.all("script") == []
    assert all(tile["src"].startswith("data:image/png;base64,") for tile in page.all("img"))
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert hostile in html.unescape(page.text)
    assert hostile not in source


def test_ids_are_unique_and_every_reference_is_met(source: str) -> None:
    page = Page(source)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = {
        attributes[name][1:]
        for _, attributes in page.tags
        for name in ("href", "xlink:href")
        if attributes.get(name, "").startswith("#")
    }
    references |= set(re.findall(r"url\(#([^)]*)\)", source))
    assert references
    assert references <= set(ids)


def test_figures_take_their_colours_and_font_from_the_page(source: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", source, re.DOTALL)
    for drawing in drawings:
        assert not re.search(r"#[0-9a-f]{6}\b", drawing)
        assert "var(--accent)" in drawing
        assert "currentColor" in drawing
        assert "<text" in drawing


def test_equal_runs_give_equal_pages(tmp_path: Path, source: str, dataset: Dataset) -> None:
    assert written(tmp_path, dataset) == source


def test_settings_of_matplotlib_neither_leak_in_nor_out(
    tmp_path: Path, source: str, dataset: Dataset
) -> None:
    import matplotlib

    with matplotlib.rc_context({"text.color": "red", "axes.facecolor": "black", "font.size": 30}):
        before = dict(matplotlib.rcParams)
        assert written(tmp_path, dataset) == source
        assert dict(matplotlib.rcParams) == before


# --- what goes wrong ----------------------------------------------------------------------------


def test_failing_render_leaves_the_old_page_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(report, "_picture", lambda image: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        written(tmp_path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("report.html", "old")
    ]


def test_failing_write_leaves_the_old_page_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"report\.html: No space left on device"):
        written(tmp_path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("report.html", "old")
    ]


def test_pictures_of_another_data_set_are_refused(tmp_path: Path) -> None:
    measured = answered(small_set(60))
    with pytest.raises(DataError, match="made on tiny/test, and other holds other images"):
        report.write(
            tmp_path / "report.html",
            report=measured,
            dataset=small_set(61, name="other"),
            history=[],
            facts={},
            title="",
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("absent", ["jinja2", "matplotlib"])
def test_missing_extra_is_named_when_a_library_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(MissingExtraError, match=r"the report needs the extra 'train'"):
        written(tmp_path)


def test_report_module_is_imported_without_drawing_libraries() -> None:
    import subprocess

    code = (
        "import sys, deepmnist.report; "
        "print({'matplotlib', 'jinja2', 'PIL', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
