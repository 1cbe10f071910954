// What is shown of an answer: bars, words, and the pictures of what the net made of it.

import { surface } from "./strokes.js";

const SIDE = 28;
const GAP = 1; // pixels between maps

/** A share as people read it; never 100 %, which no net can claim. */
export function percent(share) {
  const digits = share >= 0.1 ? 1 : 2;
  const parts = 100 * 10 ** digits;
  const most = Math.floor(Math.min(share, 0.999) * parts) / 10 ** digits;
  return `${most.toFixed(digits).replace(/\.0+$/, "")} %`;
}

/** What is said of one answer, in a line. */
export function words({ label, confidence, accepted, reason }) {
  if (accepted) return `${label}, and ${percent(confidence)} sure of it.`;
  return `${reason[0].toUpperCase()}${reason.slice(1)}.`;
}

export function makeBars(list, names) {
  list.replaceChildren(...names.map((name) => {
    const [item, bar, title, told] = ["li", "i", "b", "span"].map((tag) => document.createElement(tag));
    bar.ariaHidden = title.ariaHidden = "true";
    title.textContent = name;
    told.className = "unseen";
    item.append(bar, title, told);
    return item;
  }));
}

export function showBars(list, probabilities, accepted) {
  list.classList.toggle("doubtful", !accepted);
  const best = probabilities ? Math.max(...probabilities) : null;
  [...list.children].forEach((item, index) => {
    const share = probabilities ? probabilities[index] : 0;
    item.style.setProperty("--share", share.toFixed(4));
    item.classList.toggle("best", share === best);
    item.title = probabilities ? percent(share) : "";
    const said = `${item.querySelector("b").textContent}: ${probabilities ? percent(share) : "none"}`;
    if (item.lastChild.textContent !== said) item.lastChild.textContent = said;
  });
}

export function showSeen(canvas, seen) {
  const ink = colour("--ink");
  paint(canvas, SIDE, SIDE, (index) => [ink, seen[index] / 255]);
}

/** The strokes, coloured by how much the answer leans on each part; grey while that is not known. */
export function showHeat(canvas, seen, heat) {
  const [plain, strong] = [colour("--faint"), colour("--accent")];
  const most = heat ? Math.max(...heat.map((each, index) => (seen[index] > 64 ? each : 0)), 1e-6) : 1;
  const small = surface(SIDE, SIDE);
  paint(small.canvas, SIDE, SIDE, (index) => {
    const share = heat ? Math.min(1, Math.max(0, heat[index] / most)) ** 0.8 : 0;
    return [plain.map((level, at) => level + (strong[at] - level) * share), seen[index] / 255];
  });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(small.canvas, 0, 0, canvas.width, canvas.height);
}

/** The maps (1, height, width, count) of a layer, side by side in as square a grid as goes. */
export function showMaps(canvas, note, { values, shape: [, height, width, count] }) {
  const columns = Math.ceil(Math.sqrt(count));
  const rows = Math.ceil(count / columns);
  const most = values.reduce((one, other) => Math.max(one, other), 1e-6);
  const ink = colour("--ink");
  const across = columns * (width + GAP) - GAP;
  paint(canvas, across, rows * (height + GAP) - GAP, (index) => {
    const [row, column] = [Math.floor(index / across), index % across];
    const map = Math.floor(row / (height + GAP)) * columns + Math.floor(column / (width + GAP));
    const [y, x] = [row % (height + GAP), column % (width + GAP)];
    if (map >= count || y >= height || x >= width) return [[0, 0, 0], 0];
    const share = Math.max(0, values[(y * width + x) * count + map]) / most;
    return [ink, 0.05 + 0.95 * share ** 0.7];
  });
  note.textContent = `${count} maps of ${height} × ${width}: where each found what it looks for.`;
}

/** Sets every pixel of a canvas to what `level` gives of its index: [[red, green, blue], opacity]. */
function paint(canvas, width, height, level) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height);
  for (let index = 0; index < width * height; index++) {
    const [shade, opacity] = level(index);
    pixels.data.set([...shade, 255 * opacity], 4 * index);
  }
  context.putImageData(pixels, 0, 0);
}

/** [red, green, blue] of a custom property of the page's style, which all are #rrggbb. */
function colour(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((start) => parseInt(hex.slice(start, start + 2), 16));
}
