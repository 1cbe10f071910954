// Strokes and how they are drawn: on the pad for people, on a canvas of 256 pixels for the net.
// A stroke is {points: [[x, y], ...]} in units of the pad, whatever its size on a screen.

import { SIDE } from "./canvas.js";

export const WIDTH = 1000;
export const HEIGHT = 720;
export const PEN = 34;
const DIGIT = 150; // pixels of the canvas, the longest side of what was drawn: paper stays around it
const LEAST = 4 * PEN; // what is smaller, a dot, is not blown up to a whole digit

/** The box around strokes: {left, top, right, bottom}, of the pen's middle. */
export function boxOf(strokes) {
  const points = strokes.flatMap(({ points }) => points);
  const columns = points.map(([x]) => x);
  const rows = points.map(([, y]) => y);
  return {
    left: Math.min(...columns),
    top: Math.min(...rows),
    right: Math.max(...columns),
    bottom: Math.max(...rows),
  };
}

/** Draws strokes with the context's own colour; `scale` brings units of the pad to its pixels. */
export function drawStrokes(context, strokes, scale = 1, left = 0, top = 0) {
  context.lineWidth = PEN * scale;
  context.lineCap = context.lineJoin = "round";
  for (const { points } of strokes) {
    const at = points.map(([x, y]) => [x * scale + left, y * scale + top]);
    context.beginPath();
    smooth(context, at);
    context.stroke();
  }
}

/** Curves from middle to middle, bent by the points themselves. */
function smooth(context, points) {
  context.moveTo(...points[0]);
  for (let index = 1; index < points.length - 1; index++) {
    const [x, y] = points[index];
    const [nextX, nextY] = points[index + 1];
    context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  context.lineTo(...points[points.length - 1]);
}

let small = null; // made once: a canvas is dear

/** Strokes, dark on light in the middle of a canvas: Uint8Array of 256 * 256. */
export function canvasOfStrokes(strokes) {
  const { left, top, right, bottom } = boxOf(strokes);
  const scale = DIGIT / Math.max(right - left, bottom - top, LEAST);
  const context = (small ??= surface(SIDE, SIDE));
  context.fillStyle = "#fff";
  context.fillRect(0, 0, SIDE, SIDE);
  context.strokeStyle = "#000";
  const middle = [(left + right) / 2, (top + bottom) / 2].map((place) => SIDE / 2 - place * scale);
  drawStrokes(context, strokes, scale, ...middle);
  const pixels = context.getImageData(0, 0, SIDE, SIDE).data;
  return Uint8Array.from({ length: SIDE * SIDE }, (_, index) => pixels[4 * index]);
}

/** The context of a new canvas that is read back. */
export function surface(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas.getContext("2d", { willReadFrequently: true });
}
