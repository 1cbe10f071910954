"""scoring.py: every row comes out once, as the predictor has it, wherever and however it lies."""

from __future__ import annotations

import io
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepmnist.cluster import scoring, sources
from deepmnist.cluster.places import Local
from deepmnist.cluster.scoring import ahead, zip_kept
from deepmnist.cluster.shards import table
from deepmnist.data.dataset import Dataset
from deepmnist.errors import RunError
from tests.cluster.files import answers, csv_file, errors, idx_file, parquet_file, png, tar_file
from tests.writing import PlainHandPredictor, page


def test_every_row_of_every_kind_comes_out_once_with_its_answer(
    score: Callable[..., Any], every_kind: Path, tmp_path: Path, tiny: Dataset, model: Any
) -> None:
    tally = score(every_kind, tmp_path / "out")
    rows = answers(tmp_path / "out")
    assert errors(tmp_path / "out") == []
    found = {(row["path"], row["row"]): row["label"] for row in rows}
    assert len(found) == len(rows) == tally.rows == 30 + 60 + 60 + 10 + 10
    wanted = [str(label) for label in model.make().answers(np.asarray(tiny.images))]
    for path, count in (("a.csv", 30), ("b.parquet", 60), ("train-images-idx3-ubyte", 60)):
        assert [found[path, row] for row in range(1, count + 1)] == wanted[:count]
    assert {("pictures/7/3.png", None), ("c.tar/3.png", 4)} <= found.keys()


def test_an_answer_is_what_predict_gives(
    score: Callable[..., Any], tmp_path: Path, tiny: Dataset, model: Any
) -> None:
    from deepmnist.classification import classify_rows

    parquet_file(tmp_path / "a.parquet", np.asarray(tiny.images))
    score(tmp_path / "a.parquet", tmp_path / "out", coverage=None)
    for row, answer in zip(
        answers(tmp_path / "out"), classify_rows(model.make(), tiny), strict=True
    ):
        assert answer.prediction is not None
        for name in ("label", "accepted", "reason"):
            assert row[name] == getattr(answer.prediction, name)
        for name in ("probability", "confidence"):
            assert row[name] == pytest.approx(getattr(answer.prediction, name))


def test_a_model_is_another_where_any_part_of_it_is() -> None:
    model = scoring.Model(b"net", ("0", "1"), 0.5, ((0.9, 0.7),))
    others = [
        replace(model, runtime=b"other"),
        replace(model, class_names=("0", "7")),
        replace(model, threshold=0.6),
        replace(model, coverages=()),
    ]
    assert len({each.sha256 for each in [model, *others]}) == 5
    assert replace(model).sha256 == model.sha256


def test_what_cannot_be_read_is_among_the_errors_and_nowhere_else(
    score: Callable[..., Any], tmp_path: Path, tiny: Dataset
) -> None:
    source, image = tmp_path / "source", np.asarray(tiny.images)[0]
    source.mkdir()
    (source / "good.png").write_bytes(png(image))
    (source / "bad.png").write_bytes(b"no picture")
    (source / "gone.png").symlink_to("nowhere")
    (source / "torn.parquet").write_bytes(b"PAR1")
    tally = score(source, tmp_path / "out")
    assert [row["path"] for row in answers(tmp_path / "out")] == ["good.png"]
    found = {row["path"]: row for row in errors(tmp_path / "out")}
    assert set(found) == {"bad.png", "gone.png", "torn.parquet"}
    assert (found["bad.png"]["rows"], found["torn.parquet"]["rows"]) == (1, None)
    assert (tally.rows, tally.unreadable) == (1, 3)


class Breaking(io.FileIO):
    """A file of a store that is lost in its middle."""

    def readinto(self, buffer: Any) -> int | None:
        if self.tell() >= 40_000:
            raise OSError(5, "Input/output error")
        return super().readinto(buffer)


def test_a_store_that_is_lost_in_the_middle_of_a_file_leaves_the_rest_unreadable(
    score: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "BLOCK_BYTES", 20_000)
    (tmp_path / "a.csv").write_text(csv_file(np.zeros((40, 28, 28), np.uint8)))
    cut = list(sources.parts(Local(tmp_path), Local(tmp_path).children()))
    monkeypatch.setattr(sources, "parts", lambda *given: cut)
    opened = Local.open

    def breaking(place: Local, path: str) -> Any:
        if path.endswith(".csv"):
            return io.BufferedReader(Breaking(place.path / path), 8_192)
        return opened(place, path)

    monkeypatch.setattr(Local, "open", breaking)
    score(tmp_path / "a.csv", tmp_path / "out")
    read = [row["row"] for row in answers(tmp_path / "out")]
    (told,) = errors(tmp_path / "out")
    assert read == list(range(1, told["row"]))
    assert 0 < len(read) == 40 - told["rows"]
    assert "Input/output error" in told["reason"]


def test_a_source_without_errors_has_no_table_of_them(
    score: Callable[..., Any], every_kind: Path, tmp_path: Path
) -> None:
    score(every_kind, tmp_path / "out")
    assert not (tmp_path / "out" / "_errors").exists()


def test_the_lines_of_a_page_are_answered_with_read(
    score: Callable[..., Any], tmp_path: Path, model: Any
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "page.png").write_bytes(png(page("2050", "394")))
    (source / "blank.png").write_bytes(png(np.full((200, 200), 255, np.uint8)))
    (source / "bad.png").write_bytes(b"")
    (source / "a.csv").write_text(csv_file(np.zeros((2, 28, 28), np.uint8)))
    pages = type(model)(PlainHandPredictor)
    score(source, tmp_path / "out", read=True, model=pages)
    blank, written = answers(tmp_path / "out")
    assert (written["label"], written["lines"]) == ("2050\n394", ["2050", "394"])
    assert 0 < written["confidence"] <= 1
    assert (blank["label"], blank["lines"], blank["accepted"]) == ("", [], False)
    assert "nothing found" in blank["reason"]
    reasons = {row["path"]: row["reason"] for row in errors(tmp_path / "out")}
    assert "--read reads pictures" in reasons["a.csv"]
    assert "empty" in reasons["bad.png"]


def test_with_read_every_line_of_a_csv_is_told_once(
    score: Callable[..., Any], tmp_path: Path, model: Any
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    lines = csv_file(np.zeros((4, 28, 28), np.uint8)).splitlines(keepends=True)
    lines[2] = "no,image\n"
    (source / "a.csv").write_text("".join(lines))
    score(source, tmp_path / "out", read=True, model=type(model)(PlainHandPredictor))
    told = [(row["row"], row["rows"]) for row in errors(tmp_path / "out")]
    assert sorted(row + each for row, count in told for each in range(count)) == [1, 2, 3, 4]


class Held:
    """A picture's bytes, which are alive as long as whoever may load them is."""

    def __init__(self, load: Callable[[], bytes], alive: weakref.WeakSet[Held]) -> None:
        self.load = load
        alive.add(self)

    def __call__(self) -> bytes:
        time.sleep(0.002)  # slower than they are taken
        return self.load()


@pytest.mark.parametrize("content", ["a picture", "no picture"])
@pytest.mark.parametrize("read", [False, True])
def test_pictures_wait_in_memory_by_the_handful_only(
    score: Callable[..., Any],
    tmp_path: Path,
    tiny: Dataset,
    model: Any,
    monkeypatch: pytest.MonkeyPatch,
    content: str,
    read: bool,
) -> None:
    alive: weakref.WeakSet[Held] = weakref.WeakSet()
    most: list[int] = []
    rows = scoring._rows

    def held_rows(*given: Any) -> Any:
        for each in rows(*given):
            yield replace(each, load=Held(each.load, alive))
            most.append(len(alive))

    monkeypatch.setattr(scoring, "_rows", held_rows)
    monkeypatch.setattr(scoring, "usable_cores", lambda: 2)
    encoded = [png(image) for image in np.asarray(tiny.images)[:50]]
    members = [
        (f"{number}.png", data if content == "a picture" else b"none")
        for number, data in enumerate(encoded)
    ]
    (tmp_path / "a.tar").write_bytes(tar_file(members))
    model = type(model)(PlainHandPredictor) if read else model
    score(tmp_path / "a.tar", tmp_path / "out", read=read, model=model)
    assert len(most) == 50
    assert max(most) <= scoring.AHEAD * 2 + 4  # some are passed from hand to hand beside them


def test_a_file_that_changed_since_it_was_cut_stops_the_scoring(
    score: Callable[..., Any], tmp_path: Path, tiny: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a-images-idx3-ubyte"
    path.write_bytes(idx_file(np.asarray(tiny.images)))
    begun = scoring.check_unchanged

    def later(source: Any, pieces: Any) -> None:
        path.write_bytes(idx_file(np.asarray(tiny.images)[:5]))
        begun(source, pieces)

    monkeypatch.setattr(scoring, "check_unchanged", later)
    with pytest.raises(RunError, match=r"idx3-ubyte has changed since the scoring began; put it"):
        score(path, tmp_path / "out")
    assert list((tmp_path / "out").glob("part-*")) == []


def test_an_item_is_fetched_while_the_one_before_is_worked_on() -> None:
    asked = threading.Semaphore(0)

    def items() -> Any:
        for each in range(3):
            asked.release()
            yield each

    for each in ahead(items()):
        if each < 2:
            assert asked.acquire(timeout=10)  # of this one
            assert asked.acquire(timeout=10)  # of the next, before we ask for it
            asked.release()


def test_ahead_raises_what_its_items_raise() -> None:
    def items() -> Any:
        yield 1
        raise RunError("torn")

    with pytest.raises(RunError, match="torn"):
        list(ahead(items()))


def test_no_more_are_under_way_than_allowed_and_the_order_is_kept() -> None:
    taken: list[int] = []

    def given() -> Any:
        for each in range(10):
            taken.append(each)
            yield each

    with ThreadPoolExecutor(2) as pool:
        found = zip_kept(pool, lambda each: each * each, given(), 3)
        assert next(found) == (0, 0)
        assert len(taken) == 3
        assert list(found) == [(each, each * each) for each in range(1, 10)]
