"""The page in a real browser: what is written is read, whatever surrounds it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deepmnist import bundle, canvas, corrections, images, pictures, prediction, rejection
from deepmnist.export import golden
from deepmnist.page import files
from tests.page.conftest import Site, opened, served
from tests.page.hand import DIGITS, answers, line, until, write

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SEEN_LEVELS = 1  # of 255, by which runtimes of one file may differ
CANVAS_LEVELS = 1  # of 255, by which the two ways onto the canvas may
PROBABILITY = 1e-5  # by which they may, from the same canvas


def png(picture: NDArray[np.uint8]) -> bytes:
    written = io.BytesIO()
    Image.fromarray(picture).save(written, "PNG")
    return written.getvalue()


def upload(tab: Page, picture: NDArray[np.uint8]) -> None:
    before = answers(tab)
    file = {"name": "a.png", "mimeType": "image/png", "buffer": png(picture)}
    tab.set_input_files("#file", [file])  # type: ignore[list-item]
    until(tab, f"Number(document.body.dataset.answers ?? 0) > {before}")


def digits(tab: Page) -> list[str]:
    """What is read, a string a line."""
    return ["".join(row.split()) for row in tab.locator("#digits > div").all_inner_texts()]


# ---- drawing ------------------------------------------------------------------------------------


def test_each_digit_drawn_by_strokes_is_read_and_accepted(tab: Page) -> None:
    for digit in DIGITS:
        tab.keyboard.press("Escape")
        write(tab, digit)
        assert digits(tab) == [str(digit)]
        assert tab.inner_text("#words").startswith(f"{digit}, and 9")


def test_an_answer_comes_soon_after_the_stroke(tab: Page) -> None:
    """The best of five, since other work on the machine is no fault of the page's."""
    tab.evaluate(
        """() => {
          window.waited = [];
          let lifted;
          addEventListener("pointerup", () => { lifted = performance.now(); }, true);
          new MutationObserver(() => waited.push(performance.now() - lifted))
            .observe(document.body, { attributes: true, attributeFilter: ["data-answers"] });
        }"""
    )
    for digit in range(5):
        tab.keyboard.press("Escape")
        write(tab, digit)
    assert min(tab.evaluate("waited")) < 100  # milliseconds


def test_several_digits_are_read_as_a_line_and_each_can_be_looked_at(tab: Page) -> None:
    line(tab, [4, 5, 7, 1])
    assert digits(tab) == ["4571"]
    assert "All of it: 9" in tab.inner_text("#words")
    tab.click("#digits button >> nth=1")
    assert tab.inner_text("#words").startswith("5, and")
    assert tab.locator("#digits button[aria-pressed=true]").inner_text() == "5"


def test_digits_under_each_other_are_lines(tab: Page) -> None:
    line(tab, [1, 0, 2], top=0.05, height=0.36)
    line(tab, [7, 4, 8], top=0.58, height=0.36)
    assert digits(tab) == ["102", "748"]


@pytest.mark.parametrize(
    ("strokes", "together"),
    [
        ([[(100, 100), (60, 300), (300, 300)], [(240, 200), (240, 500)]], [[2]]),  # 4
        ([[(100, 100), (300, 100), (150, 500)], [(120, 300), (260, 300)]], [[2]]),  # 7
        ([[(150, 120), (140, 260), (260, 340), (120, 480)], [(170, 90), (300, 90)]], [[2]]),  # 5
        ([[(100, 100), (200, 300), (120, 100)], [(150, 312), (250, 500), (80, 320)]], [[2]]),  # 8
        ([[(100, 100), (100, 400)], [(150, 100), (150, 400)]], [[1, 1]]),  # 11
        ([[(160, 100), (100, 400)], [(240, 100), (180, 400)]], [[1, 1]]),  # 11, slanted
        ([[(100, 100), (100, 300)], [(100, 400), (100, 600)]], [[1], [1]]),  # one over the other
        ([[(100, 100), (100, 400)], [(300, 400), (304, 404)]], [[1]]),  # a slip of the pen
    ],
)
def test_strokes_of_one_digit_are_told_by_how_they_lie(
    tab: Page, strokes: list[list[tuple[int, int]]], together: list[list[int]]
) -> None:
    found = tab.evaluate(
        """async (strokes) => {
          const { grouped } = await import("./scripts/grouping.js");
          const lines = grouped(strokes.map((points) => ({ points })));
          return lines.map((line) => line.map(({ length }) => length));
        }""",
        strokes,
    )
    assert found == together


def test_the_last_stroke_can_be_taken_back_and_all_of_it_cleared(tab: Page) -> None:
    line(tab, [3, 6])
    tab.keyboard.press("Control+z")
    until(tab, "document.querySelectorAll('#digits button').length === 1")
    assert digits(tab) == ["3"]
    tab.click("#clear")
    assert digits(tab) == []
    assert tab.inner_text("#words") == "Nothing written yet."
    tab.click("#undo")
    until(tab, "document.querySelectorAll('#digits button').length === 1")
    tab.click("#undo")
    assert tab.is_disabled("#undo")


def test_a_scribble_is_doubted_in_words(tab: Page) -> None:
    box = tab.locator("#pad").bounding_box()
    assert box is not None
    draw = np.random.default_rng(3)
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    for x, y in draw.uniform(0.3, 0.7, (30, 2)):
        tab.mouse.move(box["x"] + box["width"] * x, box["y"] + box["height"] * y)
    tab.mouse.up()
    until(tab, "Number(document.body.dataset.answers ?? 0) > 0")
    assert tab.inner_text("#words") == "Not a digit, perhaps."
    assert tab.locator("#digits .doubtful").count() == 1


def test_a_share_is_never_all_and_seldom_none(tab: Page) -> None:
    found = tab.evaluate(
        """async () => {
          const { percent } = await import("./scripts/panels.js");
          return [1, 0.9996, 0.913, 0.29, 0.0559, 0.0009, 0].map(percent);
        }"""
    )
    assert found == ["99.9 %", "99.9 %", "91.3 %", "29 %", "5.59 %", "0.09 %", "0 %"]


def test_what_the_net_saw_its_layers_and_what_decided_are_shown(tab: Page) -> None:
    write(tab, 4)
    until(
        tab,
        """(() => {
          const copy = new OffscreenCanvas(heat.width, heat.height).getContext("2d");
          copy.drawImage(heat, 0, 0);
          const { data } = copy.getImageData(0, 0, heat.width, heat.height);
          const coloured = (_, at) => data[4 * at + 3] > 200
            && data[4 * at] > data[4 * at + 2] + 90;
          return Array.from({ length: data.length / 4 }).filter(coloured).length > 100;
        })()""",
    )
    inked = tab.evaluate(
        """["seen", "first", "second"].map((id) => {
          const canvas = document.getElementById(id);
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          return data.filter((level, at) => at % 4 === 3 && level > 120).length;
        })"""
    )
    assert min(inked) > 40
    assert tab.inner_text("#first-note").startswith("32 maps of 12 × 12")


def test_a_finger_draws_as_a_mouse_does(browser: Browser, site: Site) -> None:
    with opened(browser, site, is_mobile=True, has_touch=True) as (tab, faults):
        box = tab.locator("#pad").bounding_box()
        assert box is not None
        finger = tab.context.new_cdp_session(tab)
        (stroke,) = DIGITS[2]
        for number, (x, y) in enumerate(stroke):
            kind = "touchMove" if number else "touchStart"
            place = {
                "x": box["x"] + box["width"] * (0.3 + 0.4 * x),
                "y": box["y"] + box["height"] * (0.1 + 0.8 * y),
            }
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        until(tab, "Number(document.body.dataset.answers ?? 0) > 0")
        assert digits(tab) == ["2"]
        assert tab.evaluate("scrollY") == 0
        assert faults == []


# ---- pictures -----------------------------------------------------------------------------------


def test_a_picture_that_is_opened_is_read(tab: Page) -> None:
    upload(tab, golden.pictures()["chalk-7"])
    assert digits(tab) == ["7"]
    write(tab, 2)  # drawing puts it away
    assert digits(tab) == ["2"]


def test_what_is_no_picture_is_told(tab: Page) -> None:
    file = {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    tab.set_input_files("#file", [file])  # type: ignore[list-item]
    until(tab, "words.textContent.includes('no picture')")
    assert tab.inner_text("#words") == "This is no picture that your browser can open."


def test_a_server_reads_several_digits_in_a_picture_where_one_asks_it_to(
    tab: Page, site: Site
) -> None:
    upload(tab, golden.pictures()["plain-3"])
    verdict = {
        "label": "4",
        "probability": 0.9,
        "confidence": 0.9,
        "accepted": True,
        "reason": None,
    }
    site.read = 200, json.dumps([{"path": "-", "lines": [{"digits": [verdict, verdict]}]}]).encode()
    tab.click("#ask")
    until(tab, "document.querySelectorAll('#digits button').length === 2")
    assert digits(tab) == ["44"]
    site.read = 404, b""


def test_the_answer_to_a_picture_that_was_put_away_is_not_shown(tab: Page) -> None:
    """The second of three answers comes before the first, the third after all was cleared."""
    found = tab.evaluate(
        """async (content) => {
          const { Reading } = await import("./scripts/reading.js");
          const blob = new Blob([Uint8Array.from(atob(content), (mark) => mark.charCodeAt(0))]);
          const names = [..."0123456789"];
          const asked = [];
          const net = {
            open: () => new Promise((answer) => asked.push(answer)),
            read: async (name) =>
              ({ seen: [1], probabilities: names.map((each) => Number(each === name)), single: 1 }),
            explain: async () => ({ heat: null }),
          };
          const pad = { strokes: [], open() {} };
          const on = { shown() {}, finished() {}, explained() {}, told() {} };
          const model = { class_names: names, threshold: 0.9 };
          const reading = new Reading({ pad, net, model, on });
          const opened = async () => {
            const before = asked.length;
            const shown = reading.open(blob);
            while (asked.length === before) await new Promise((turn) => setTimeout(turn));
            return (name) => asked[before]({ canvas: name }) ?? shown;
          };
          const read = () => reading.digits.map(({ verdict }) => verdict.label).join("");
          const [first, second] = [await opened(), await opened()];
          await second("2");
          await first("1");
          const newest = read();
          const third = await opened();
          reading.picture = null;
          await reading.drawn(true);
          await third("3");
          return [newest, read()];
        }""",
        base64.b64encode(png(golden.pictures()["plain-3"])).decode(),
    )
    assert found == ["2", ""]


# ---- browser and Python -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def in_browser(shared: tuple[Page, list[str]]) -> dict[str, dict[str, Any]]:
    """What the browser makes of each golden picture, opened as a file."""
    pictures = golden.pictures()
    given = {name: base64.b64encode(png(each)).decode() for name, each in pictures.items()}
    found = shared[0].evaluate(
        """async (given) => {
          const [{ Model }, { judged }, told] = await Promise.all([
            import("./scripts/reader.js"), import("./scripts/verdict.js"),
            fetch("model.json").then((answer) => answer.json())]);
          const model = new Model();
          const mark = (byte) => String.fromCharCode(byte);
          const text = (bytes) => btoa(Array.from(bytes, mark).join(""));
          const found = {};
          for (const [name, content] of Object.entries(given)) {
            const bytes = Uint8Array.from(atob(content), (mark) => mark.charCodeAt(0));
            const { canvas } = await model.open(new Blob([bytes]));
            const { seen, probabilities, single } = await model.read(canvas);
            const verdict = judged([...probabilities], single, !seen.some(Boolean), told);
            found[name] = { canvas: text(canvas), seen: text(seen),
              probabilities: [...probabilities], single, verdict };
          }
          return found;
        }""",
        given,
    )
    for each in found.values():
        each["canvas"], each["seen"] = (levels(each[part]) for part in ("canvas", "seen"))
    return dict(found)


def levels(text: str) -> NDArray[np.uint8]:
    """A square of bytes in base 64."""
    flat = np.frombuffer(base64.b64decode(text), np.uint8)
    return flat.reshape((int(len(flat) ** 0.5),) * 2)


def test_the_browser_s_canvas_is_python_s(in_browser: dict[str, dict[str, Any]]) -> None:
    for name, picture in golden.pictures().items():
        apart = np.abs(in_browser[name]["canvas"] - canvas.of(picture).astype(int))
        assert apart.max() <= CANVAS_LEVELS, name


@pytest.mark.parametrize("opaque", [1.0, 0.9, 0.4])
@pytest.mark.parametrize("ink", [0, 255])
def test_colours_and_holes_become_the_greys_of_python(tab: Page, opaque: float, ink: int) -> None:
    draw = np.random.default_rng(4)
    picture = draw.integers(0, 256, (256, 256, 4), np.uint8)
    picture[..., :3] = picture[..., :3] // 2 + ink // 2
    picture[..., 3] = 255 * (draw.uniform(0, 1, (256, 256)) < opaque)
    content = png(picture)
    found = tab.evaluate(
        """async (content) => {
          const { greyOf } = await import("./scripts/picture.js");
          const bytes = Uint8Array.from(atob(content), (mark) => mark.charCodeAt(0));
          return [...(await greyOf(new Blob([bytes]))).grey];
        }""",
        base64.b64encode(content).decode(),
    )
    expected = pictures.decode(content, "a picture").astype(int)
    assert np.abs(np.array(found).reshape(256, 256) - expected).max() <= CANVAS_LEVELS


def test_the_browser_sees_and_answers_as_python_does_with_the_same_files(
    in_browser: dict[str, dict[str, Any]],
) -> None:
    from ai_edge_litert.interpreter import Interpreter

    prepare = Interpreter(str(files.STATIC / "preparation.tflite")).get_signature_runner()
    predictor = prediction.open_bundle(bundle.load(bundle.SHIPPED))
    for name, found in in_browser.items():
        seen = prepare(picture=found["canvas"][None])["image"]
        apart = np.abs(found["seen"] - seen[0].astype(int))
        assert apart.max() <= SEEN_LEVELS, name
        scores = rejection.scores(predictor, seen)
        np.testing.assert_allclose(
            found["probabilities"], scores.probabilities[0], rtol=0, atol=PROBABILITY, err_msg=name
        )
        (expected,) = prediction.predictions(scores, predictor.class_names, predictor.threshold)
        verdict = found["verdict"]
        assert verdict["label"] == expected.label, name
        assert verdict["confidence"] == pytest.approx(expected.confidence, abs=PROBABILITY), name
        if abs(expected.confidence - predictor.threshold) > PROBABILITY:
            assert (verdict["accepted"], verdict["reason"]) == (expected.accepted, expected.reason)


def test_the_browser_reads_what_predict_reads(in_browser: dict[str, dict[str, Any]]) -> None:
    predictor = prediction.open_bundle(bundle.load(bundle.SHIPPED))
    pictures = {name: each for name, each in golden.pictures().items() if name != "blank"}
    prepared = np.stack([images.prepare(each) for each in pictures.values()])
    labels = predictor.predict(prepared)
    wrong = [
        name
        for name, label in zip(pictures, labels, strict=True)
        if in_browser[name]["verdict"]["label"] != str(label)
    ]
    assert wrong == []
    assert in_browser["blank"]["verdict"]["reason"] == rejection.NOTHING


# ---- putting right ------------------------------------------------------------------------------


def test_corrections_are_downloaded_as_improve_takes_them(tab: Page, tmp_path: Path) -> None:
    line(tab, [9, 2])
    tab.click("#digits button >> nth=0")
    tab.click("#labels button[value='4']")
    tab.click("#labels button[value='9']")  # a slip put right counts once
    tab.click("#digits button >> nth=1")
    tab.focus("#labels button >> nth=0")
    tab.keyboard.press("n")
    assert tab.inner_text("#count") == "2 corrections"
    with tab.expect_download() as download:
        tab.click("#download")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    given = corrections.read(path)
    assert given.class_names[given.labels[0]] == "9"
    assert given.class_names[given.labels[1]] == "none"
    predictor = prediction.open_bundle(bundle.load(bundle.SHIPPED))
    assert predictor.predict(given.images).tolist() == [9, 2]


def test_corrections_outlive_the_page_until_they_are_forgotten(own_tab: Page) -> None:
    tab = own_tab
    write(tab, 3)
    tab.click("#labels button[value='8']")
    tab.reload()
    tab.wait_for_selector("body[data-ready]")
    assert tab.inner_text("#count") == "1 correction"
    write(tab, 3)  # whose strokes have the numbers of those before
    tab.click("#labels button[value='5']")
    assert tab.inner_text("#count") == "2 corrections"
    tab.click("#forget")
    assert tab.is_hidden("#kept")


def test_what_another_tab_keeps_is_kept_beside(own_tab: Page) -> None:
    count = own_tab.evaluate(
        """async () => {
          const { Corrections } = await import("./scripts/corrections.js");
          const [one, other] = [new Corrections(), new Corrections()];
          one.add("a", "1", new Uint8Array(65536));
          other.add("b", "2", new Uint8Array(65536));
          return new Corrections().count;
        }"""
    )
    assert count == 2


def test_corrections_that_cannot_be_saved_are_kept_and_told(own_tab: Page) -> None:
    tab = own_tab
    tab.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    write(tab, 3)
    assert tab.is_hidden("#unsaved")
    tab.click("#labels button[value='8']")
    assert tab.inner_text("#count") == "1 correction"
    assert tab.is_visible("#unsaved")
    assert "could not be saved" in (tab.text_content("#said") or "")


# ---- surroundings -------------------------------------------------------------------------------


def check_offline(tab: Page, site: Site) -> None:
    tab.evaluate("navigator.serviceWorker.ready")
    until(tab, "navigator.serviceWorker.controller !== null")
    asked = len(site.asked)
    tab.context.set_offline(True)
    tab.reload()
    tab.wait_for_selector("body[data-ready]")
    write(tab, 5)
    assert digits(tab) == ["5"]
    assert {path.rpartition("/")[2] for path in site.asked[asked:]} <= {"service-worker.js"}


def test_it_works_offline_once_it_was_loaded(own_tab: Page, site: Site) -> None:
    check_offline(own_tab, site)


@pytest.mark.usefixtures("site")  # skipped alike where that is
def test_it_works_offline_from_a_host_that_sends_its_file_on_to_the_folder(
    browser: Browser, assets: dict[str, files.Asset]
) -> None:
    with served(assets, short=True) as site, opened(browser, site) as (tab, faults):
        check_offline(tab, site)
        assert faults == []


@pytest.mark.parametrize("widths", [(360, 412), (768, 1280)], ids=["phones", "desks"])
def test_nothing_sticks_out_at_any_width(
    browser: Browser, site: Site, widths: tuple[int, ...]
) -> None:
    phone = widths[0] < 500
    with opened(browser, site, is_mobile=phone, has_touch=phone) as (tab, faults):
        tab.set_viewport_size({"width": widths[0], "height": 740})
        line(tab, [2, 0, 2, 6])
        tab.click("#labels button[value='7']")
        for width in widths:
            tab.set_viewport_size({"width": width, "height": 740})
            assert tab.evaluate("document.documentElement.scrollWidth") == width
            assert _sticking_out(tab) == []
        assert faults == []


def _sticking_out(tab: Page) -> list[str]:
    return list(
        tab.evaluate(
            """[...document.querySelectorAll("body *")]
              .filter((each) => each.checkVisibility() && !each.closest(".unseen, svg"))
              .map((each) => [each, each.getBoundingClientRect()])
              .filter(([, { left, right }]) => left < -1 || right > innerWidth + 1)
              .map(([each]) => each.outerHTML.slice(0, 80))"""
        )
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_apart(tab: Page, scheme: str) -> None:
    tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    assert _contrasts(tab) == []


def _contrasts(tab: Page) -> list[str]:
    """Pairs of colours whose contrast is below what WCAG 2.2 asks of text (4.5) or parts (3)."""
    needed = {
        ("ink", "paper"): 4.5,
        ("ink", "card"): 4.5,
        ("soft", "paper"): 4.5,
        ("accent", "paper"): 4.5,
        ("on-accent", "accent"): 4.5,
        ("accent", "rule"): 3.0,
    }
    found = {
        name: tab.evaluate(
            "(name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()",
            f"--{name}",
        )
        for pair in needed
        for name in pair
    }
    ratios = {pair: _ratio(found[pair[0]], found[pair[1]]) for pair in needed}
    return [f"{pair}: {ratios[pair]:.2f}" for pair in needed if ratios[pair] < needed[pair]]


def _ratio(one: str, other: str) -> float:
    """WCAG 2.2's contrast of two colours #rrggbb."""
    lights = []
    for colour in (one, other):
        shares = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        lights.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_every_control_has_a_name_and_answers_are_said(tab: Page) -> None:
    write(tab, 4)
    assert tab.inner_text("#said").startswith("4, and 9")
    assert tab.get_attribute("#said", "role") == "status"
    nameless = tab.evaluate(
        """[...document.querySelectorAll("button, input, canvas, [role=group]")].filter((each) =>
          !(each.ariaLabel || each.textContent.trim() || each.closest("label")?.textContent.trim()
            || each.getAttribute("aria-labelledby"))).map((each) => each.outerHTML)"""
    )
    assert nameless == []
    assert tab.locator("#bars li").first.inner_text().split("\n")[-1].startswith("0: 0")


def test_all_is_reached_by_tab_in_the_order_it_is_seen(tab: Page) -> None:
    write(tab, 4)
    reached = []
    for _ in range(20):
        tab.keyboard.press("Tab")
        reached.append(
            tab.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
        )
    assert reached[:16] == ["undo", "clear", "file", "4", *"0123456789", "none", "Keys"]


def test_without_the_runtime_the_server_reads(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.runtime, "complete", lambda: False)
    without = files.assets(bundle.load(bundle.SHIPPED))
    assert not [name for name in without if name.startswith("runtime/")]
    verdict = {
        "label": "4",
        "probability": 0.9,
        "confidence": 0.9,
        "accepted": True,
        "reason": None,
    }
    with served(without) as site, opened(browser, site) as (tab, faults):
        site.read = 200, json.dumps([{"path": "-", "lines": [{"digits": [verdict]}]}]).encode()
        write(tab, 1)
        assert digits(tab) == ["4"]
        assert tab.inner_text("#promise") == "Read by the server this page came from."
        assert faults == []


def test_a_transparent_drawing_is_read(tab: Page) -> None:
    """White ink on nothing: the paper becomes black."""
    ink = np.zeros((200, 160, 4), np.uint8)
    cv2.putText(ink, "5", (30, 160), cv2.FONT_HERSHEY_SIMPLEX, 5, (255, 255, 255, 255), 14)
    upload(tab, ink)
    assert digits(tab) == ["5"]
