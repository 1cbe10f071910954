// What people put right: pictures by class, kept in this browser until they are downloaded as a
// ZIP that `deepmnist improve --from` takes as it is.

import { SIDE } from "./canvas.js";
import { surface } from "./strokes.js";
import { zipped } from "./zip.js";

const STORE = "deepmnist-corrections";
const MOST = 1_000; // about what a browser lets a page keep

export class Corrections {
  #kept = stored();

  get count() {
    return this.#kept.length;
  }

  /** Keeps a canvas under its true label, 0 to 9 or none; the same `key` again replaces it. */
  add(key, label, canvas) {
    const others = this.#kept.filter((each) => each.key !== key);
    this.#kept = [...others, { key, label, picture: pngOf(canvas) }].slice(-MOST);
    this.#save();
  }

  forget() {
    this.#kept = [];
    this.#save();
  }

  /** LABEL/NUMBER.png of each. */
  zip() {
    const files = this.#kept.map(({ label, picture }, index) =>
      [`${label}/${String(index + 1).padStart(4, "0")}.png`, bytesOf(picture)]);
    return zipped(Object.fromEntries(files));
  }

  #save() {
    try {
      localStorage.setItem(STORE, JSON.stringify(this.#kept));
    } catch {
      // No room, or none allowed: they are kept as long as the page is open.
    }
  }
}

function stored() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE)) ?? [];
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

/** A canvas of greys as a PNG in base 64. */
function pngOf(canvas) {
  const context = surface(SIDE, SIDE);
  const pixels = context.createImageData(SIDE, SIDE);
  canvas.forEach((level, index) => pixels.data.set([level, level, level, 255], 4 * index));
  context.putImageData(pixels, 0, 0);
  return context.canvas.toDataURL("image/png").split(",")[1];
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (mark) => mark.charCodeAt(0));
}
