// The pad: pointer events become strokes; the strokes, or a picture, are shown.
// It knows nothing of digits; `onChange(finished)` is told of every change.

import { HEIGHT, WIDTH, drawStrokes } from "./strokes.js";

const STEP = 3; // units: points nearer to the last one say nothing

export class Pad {
  strokes = [];
  picture = null; // an ImageBitmap, shown instead of strokes
  #canvas;
  #pointer = null; // the one that draws
  #last = 0; // strokes are numbered
  #cleared = []; // strokes that may be had back
  #onChange;
  #onStart;

  constructor(canvas, { onStart, onChange }) {
    this.#canvas = canvas;
    this.#onStart = onStart;
    this.#onChange = onChange;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => this.#up(event));
    }
    new ResizeObserver(() => this.show()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.show());
  }

  get drawing() {
    return this.#pointer !== null;
  }

  get canUndo() {
    return this.strokes.length > 0 || this.#cleared.length > 0;
  }

  /** Takes back the last stroke, or the clearing of all. */
  undo() {
    this.strokes = this.strokes.length ? this.strokes.slice(0, -1) : this.#cleared;
    this.#cleared = [];
    this.picture = null;
    this.#changed(true);
  }

  clear() {
    if (this.strokes.length) this.#cleared = this.strokes;
    this.strokes = [];
    this.picture = null;
    this.#changed(true);
  }

  /** Shows a picture, or nothing for null; the next stroke puts it away. */
  open(bitmap) {
    this.strokes = [];
    this.picture = bitmap;
    this.show();
  }

  show() {
    const { clientWidth, clientHeight } = this.#canvas;
    const density = window.devicePixelRatio || 1;
    this.#canvas.width = Math.round(clientWidth * density);
    this.#canvas.height = Math.round(clientHeight * density);
    const context = this.#canvas.getContext("2d");
    if (this.picture) this.#showPicture(context);
    context.strokeStyle = getComputedStyle(this.#canvas).color;
    drawStrokes(context, this.strokes, this.#canvas.width / WIDTH);
  }

  #showPicture(context) {
    const { width, height } = this.#canvas;
    const scale = Math.min(width / this.picture.width, height / this.picture.height);
    const [w, h] = [this.picture.width * scale, this.picture.height * scale];
    context.drawImage(this.picture, (width - w) / 2, (height - h) / 2, w, h);
  }

  #down(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    event.preventDefault();
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.picture = null;
    this.#cleared = [];
    this.strokes = [...this.strokes, { id: ++this.#last, points: [this.#place(event)] }];
    this.#onStart();
    this.#changed(false);
  }

  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const { points } = this.strokes.at(-1);
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) {
      const place = this.#place(each);
      if (Math.hypot(place[0] - points.at(-1)[0], place[1] - points.at(-1)[1]) >= STEP) {
        points.push(place);
      }
    }
    this.#changed(false);
  }

  #up(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#changed(true);
  }

  #place(event) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    return [((event.clientX - left) / width) * WIDTH, ((event.clientY - top) / height) * HEIGHT];
  }

  #changed(finished) {
    this.show();
    this.#onChange(finished);
  }
}
