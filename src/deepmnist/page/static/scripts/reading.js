// What is being read: the digits of a drawing or a picture, and which of them is looked at.
// It asks the model, or the server; how an answer looks is view.js' business.

import { grouped } from "./grouping.js";
import { checkSize } from "./picture.js";
import { readByServer } from "./reader.js";
import { HEIGHT, WIDTH, canvasOfStrokes, drawStrokes, surface } from "./strokes.js";
import { judged } from "./verdict.js";

const BETWEEN_MS = 60; // while a stroke is drawn, it is read no more often
const NO_PICTURE = "This is no picture that your browser can open.";

export class Reading {
  lines = []; // of digits: {key, canvas, seen, probabilities, maps, heat, verdict, corrected}
  picture = null; // the file that was opened, where it is what is read
  #selected = null; // the key of the digit that is looked at
  #known = new Map(); // digits by key, so that only what was drawn anew is read
  #busy = false;
  #again = false;
  #last = 0; // when a drawing was read, in ms
  #newest = 0; // counts what came to be read: an answer to what came before is dropped
  #parts;

  /** net: null where the server reads. on: {shown, finished, explained, told(message)}. */
  constructor({ pad, net, model, on }) {
    this.#parts = { pad, net, model, on };
  }

  get digits() {
    return this.lines.flat();
  }

  get current() {
    return this.digits.find(({ key }) => key === this.#selected) ?? null;
  }

  select(digit) {
    this.#selected = digit.key;
    this.#parts.on.shown();
    return this.#explain(digit);
  }

  /** Reads what is on the pad; while that goes on, only the newest state waits. */
  async drawn(finished) {
    this.#newest++;
    if (!finished && performance.now() - this.#last < BETWEEN_MS) return;
    this.#last = performance.now();
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#again) {
        this.#again = false;
        await this.#readPad();
      }
    } catch (error) {
      this.#tell(error.message);
    } finally {
      this.#busy = false;
    }
  }

  /** Reads the one digit in a picture, a Blob. */
  async open(blob) {
    const { pad, net } = this.#parts;
    const mine = ++this.#newest;
    try {
      checkSize(blob);
      const bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
      if (mine !== this.#newest) {
        bitmap.close();
        return;
      }
      pad.open(bitmap);
      this.picture = blob;
      if (!net) {
        await this.send(blob);
        return;
      }
      const { canvas } = await net.open(blob);
      const digit = await this.#answer(`picture-${performance.now()}`, canvas);
      if (mine !== this.#newest) return;
      this.#show([[digit]], digit);
      await this.#finished();
    } catch (error) {
      if (mine !== this.#newest) return;
      this.picture = null;
      pad.open(null);
      this.#tell(error instanceof DOMException ? NO_PICTURE : error.message);
    }
  }

  /** Has the server read all digits in a picture, a Blob. */
  async send(blob) {
    const mine = ++this.#newest;
    this.#tell("The server reads…");
    try {
      const found = await readByServer(blob);
      if (mine !== this.#newest) return;
      const lines = found.map((line, row) =>
        line.digits.map((verdict, column) => ({ key: `server-${row}-${column}`, verdict })));
      if (!lines.flat().length) throw new Error("No digit was found in it.");
      this.#show(lines, lines.flat()[0]);
      await this.#finished();
    } catch (error) {
      if (mine === this.#newest) this.#tell(error.message);
    }
  }

  async #readPad() {
    const { pad, net } = this.#parts;
    if (this.picture) return;
    const { strokes } = pad;
    if (!strokes.length) {
      this.#show([], null);
    } else if (net) {
      await this.#readStrokes(strokes);
    } else if (!pad.drawing) {
      await this.send(await pngOf(strokes));
    }
  }

  async #readStrokes(strokes) {
    const finished = !this.#parts.pad.drawing;
    const groups = grouped(strokes);
    const lines = [];
    for (const line of groups) {
      lines.push(await Promise.all(line.map((group) => this.#digitOf(group))));
    }
    if (this.picture) return; // opened meanwhile
    const newest = groups.flat().findIndex((group) => group.includes(strokes.at(-1)));
    this.#show(lines, lines.flat()[Math.max(0, newest)]);
    if (finished && !this.#again) await this.#finished();
  }

  async #digitOf(group) {
    const key = group.map(({ id, points }) => `${id}.${points.length}`).join("-");
    if (!this.#known.has(key)) this.#known.set(key, await this.#answer(key, canvasOfStrokes(group)));
    return this.#known.get(key);
  }

  async #answer(key, canvas) {
    const { net, model } = this.#parts;
    const { seen, probabilities, single, maps } = await net.read(canvas);
    const verdict = judged([...probabilities], single, !seen.some(Boolean), model);
    return { key, canvas, seen, probabilities: [...probabilities], maps, verdict };
  }

  /** A drawing is complete: it is said, and which strokes decided is found out. */
  async #finished() {
    this.#known = new Map(this.digits.map((digit) => [digit.key, digit]));
    this.#parts.on.finished();
    await this.#explain(this.current);
  }

  async #explain(digit) {
    const { net, model, on } = this.#parts;
    if (!net || !digit?.seen || digit.heat) return;
    const { heat } = await net.explain(digit.seen, model.class_names.indexOf(digit.verdict.label));
    if (!heat) return; // something newer was drawn
    digit.heat = heat;
    if (this.current === digit) on.explained(digit);
  }

  #show(lines, looked) {
    this.lines = lines;
    this.#selected = looked?.key ?? null;
    this.#parts.on.shown();
  }

  #tell(message) {
    this.#show([], null);
    this.#parts.on.told(message);
  }
}

function pngOf(strokes) {
  const context = surface(WIDTH, HEIGHT);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.strokeStyle = "#000";
  drawStrokes(context, strokes);
  return new Promise((resolve) => context.canvas.toBlob(resolve, "image/png"));
}
