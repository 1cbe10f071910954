"""A hand that writes the ten digits with strokes, in a box of one by one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

Point = tuple[float, float]
Stroke = list[Point]


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float, n: int) -> Stroke:
    """Part of an ellipse, from one angle to another, in degrees clockwise from the right."""
    angles = [math.radians(start + (end - start) * step / n) for step in range(n + 1)]
    return [(cx + rx * math.cos(angle), cy + ry * math.sin(angle)) for angle in angles]


DIGITS: dict[int, list[Stroke]] = {
    0: [_arc(0.5, 0.5, 0.36, 0.5, -80, 285, 24)],
    1: [[(0.3, 0.25), (0.55, 0.02), (0.55, 1.0)]],
    2: [[*_arc(0.48, 0.27, 0.36, 0.27, 195, 380, 12), (0.6, 0.6), (0.12, 1.0), (0.9, 0.98)]],
    3: [_arc(0.45, 0.25, 0.33, 0.25, 200, 440, 14) + _arc(0.45, 0.75, 0.38, 0.26, -85, 155, 14)],
    4: [[(0.45, 0.0), (0.08, 0.62), (0.95, 0.62)], [(0.66, 0.3), (0.62, 1.0)]],
    5: [
        [(0.25, 0.03), (0.2, 0.45), *_arc(0.45, 0.68, 0.38, 0.31, -120, 140, 16)],
        [(0.25, 0.03), (0.85, 0.0)],
    ],
    6: [[(0.72, 0.0), (0.4, 0.25), (0.18, 0.6), *_arc(0.5, 0.74, 0.34, 0.26, 190, -170, 20)]],
    7: [[(0.1, 0.05), (0.9, 0.03), (0.4, 1.0)], [(0.35, 0.5), (0.8, 0.48)]],
    8: [
        _arc(0.5, 0.26, 0.28, 0.25, -60, -270, 12)
        + _arc(0.5, 0.76, 0.35, 0.25, -90, 270, 20)
        + _arc(0.5, 0.26, 0.28, 0.25, 90, -60, 10)
    ],
    9: [[*_arc(0.5, 0.28, 0.32, 0.28, -10, -350, 18), (0.82, 0.35), (0.78, 0.7), (0.66, 1.0)]],
}

WAIT_S = 20  # for a busy machine
WHOLE = (0.3, 0.12, 0.4, 0.76)  # where on the pad one digit goes: left, top, width, height


def write(tab: Page, digit: int, place: tuple[float, float, float, float] = WHOLE) -> None:
    """Write a digit on the page's pad with the mouse, and wait until it has been read."""
    box = tab.locator("#pad").bounding_box()
    assert box is not None
    left, top, width, height = place
    for stroke in DIGITS[digit]:
        before = answers(tab)
        points = [
            (
                box["x"] + box["width"] * (left + width * x),
                box["y"] + box["height"] * (top + height * y),
            )
            for x, y in stroke
        ]
        tab.mouse.move(*points[0])
        tab.mouse.down()
        for point in points[1:]:
            tab.mouse.move(*point)
        tab.mouse.up()
        until(tab, f"Number(document.body.dataset.answers ?? 0) > {before}")


def answers(tab: Page) -> int:
    """How many finished drawings or pictures the page has answered."""
    return int(tab.evaluate("Number(document.body.dataset.answers ?? 0)"))


def until(tab: Page, expression: str) -> None:
    """Wait until a JavaScript expression holds; Playwright's own way the page's policy forbids."""
    for _ in range(WAIT_S * 100):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(10)
    raise AssertionError(f"not within {WAIT_S} s: {expression}")


def line(tab: Page, digits: list[int], top: float = 0.3, height: float = 0.4) -> None:
    """Write digits side by side, none wider than people write them."""
    share = 1 / len(digits)
    width = min(0.76 * share, 0.45 * height)
    for place, digit in enumerate(digits):
        write(tab, digit, (share * (place + 0.5) - width / 2, top, width, height))
