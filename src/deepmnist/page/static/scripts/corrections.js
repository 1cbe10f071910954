// What people put right: pictures by class, kept in this browser until they are downloaded as a
// ZIP that `deepmnist improve --from` takes as it is.

import { SIDE } from "./canvas.js";
import { surface } from "./strokes.js";
import { zipped } from "./zip.js";

const STORE = "deepmnist-corrections";
const MOST = 1_000; // about what a browser lets a page keep
const LOAD = crypto.getRandomValues(new Uint32Array(2)).join("."); // keys begin anew with a page

export class Corrections {
  saved = true; // whether they outlive the page
  #kept = stored();

  get count() {
    return this.#kept.length;
  }

  /** Keeps a canvas under its true label, 0 to 9 or none; the same `key` again replaces it. */
  add(key, label, canvas) {
    const own = `${LOAD}/${key}`;
    this.#lookAgain();
    const others = this.#kept.filter((each) => each.key !== own);
    this.#kept = [...others, { key: own, label, picture: pngOf(canvas) }].slice(-MOST);
    this.#save();
  }

  forget() {
    this.#kept = [];
    this.#save();
  }

  /** LABEL/NUMBER.png of each. */
  zip() {
    this.#lookAgain();
    const files = this.#kept.map(({ label, picture }, index) =>
      [`${label}/${String(index + 1).padStart(4, "0")}.png`, bytesOf(picture)]);
    return zipped(Object.fromEntries(files));
  }

  /** Another tab may have kept some, or forgotten all. */
  #lookAgain() {
    if (this.saved) this.#kept = stored();
  }

  #save() {
    try {
      localStorage.setItem(STORE, JSON.stringify(this.#kept));
      this.saved = true;
    } catch {
      this.saved = false; // no room, or none allowed
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
