// The page put together: what is drawn or opened is read, shown, and may be put right.

import { Corrections } from "./corrections.js";
import { grouped } from "./grouping.js";
import { Pad } from "./pad.js";
import { makeBars, percent, showBars, showHeat, showMaps, showSeen, words } from "./panels.js";
import { Model, readByServer } from "./reader.js";
import { canvasOfStrokes, drawStrokes, HEIGHT, surface, WIDTH } from "./strokes.js";
import { judged } from "./verdict.js";

const $ = (id) => document.getElementById(id);
const NONE = "none"; // the label of what is no digit
const BETWEEN_MS = 60; // while a stroke is drawn, it is read no more often

const model = await (await fetch("model.json")).json();
const net = model.runtime ? new Model() : null;
const corrections = new Corrections();
const pad = new Pad($("pad"), { onStart: () => forgetPicture(), onChange: changed });

let lines = []; // of digits: {key, canvas, seen, probabilities, maps, heat, verdict, corrected}
let selected = null; // the key of the one whose details are shown
let known = new Map(); // answers by key, so that only what was drawn anew is read
let opened = null; // the picture's file, where one is shown
let said = 0; // answers so far

// ---- reading ------------------------------------------------------------------------------------

let reading = false;
let again = false;
let lastRead = 0;

/** Reads what is on the pad; while that goes on, only the newest state waits. */
async function changed(finished) {
  showTools();
  if (!finished && performance.now() - lastRead < BETWEEN_MS) return;
  lastRead = performance.now();
  if (reading) {
    again = true;
    return;
  }
  reading = true;
  try {
    do {
      again = false;
      await readPad();
    } while (again);
  } catch (error) {
    tell(error.message);
  } finally {
    reading = false;
  }
}

async function readPad() {
  const { strokes, drawing } = pad;
  if (opened) return;
  if (!strokes.length) {
    show([]);
    return;
  }
  if (!net) {
    if (!drawing) await readOnServer(await pngOfPad());
    return;
  }
  const groups = grouped(strokes);
  const found = [];
  for (const line of groups) {
    found.push(await Promise.all(line.map((group) => digitOf(group))));
  }
  const newest = groups.flat().findIndex((group) => group.includes(strokes.at(-1)));
  selected = (found.flat()[newest] ?? found.flat()[0])?.key ?? null;
  show(found);
  if (!drawing && !pad.drawing && !again) await finished();
}

async function digitOf(group) {
  const key = group.map(({ id, points }) => `${id}.${points.length}`).join("-");
  if (!known.has(key)) known.set(key, await answerOf(key, canvasOfStrokes(group)));
  return known.get(key);
}

async function answerOf(key, canvas) {
  const { seen, probabilities, single, maps } = await net.read(canvas);
  const nothing = !seen.some(Boolean);
  const verdict = judged([...probabilities], single, nothing, model);
  return { key, canvas, seen, probabilities: [...probabilities], maps, verdict };
}

/** A drawing is complete: say it, and find out which strokes decided. */
async function finished() {
  said += 1;
  $("said").textContent = lines.flat().length > 1
    ? `${textOf(lines)}. ${doubts().join(" ")}`
    : words(lines[0][0].verdict);
  document.body.dataset.answers = said;
  known = new Map(lines.flat().map((digit) => [digit.key, digit]));
  await explain(current());
}

async function explain(digit) {
  if (!net || !digit?.seen || digit.heat) return;
  const { heat } = await net.explain(digit.seen, model.class_names.indexOf(digit.verdict.label));
  if (!heat) return;
  digit.heat = heat;
  if (current() === digit) showHeat($("heat"), digit.seen, heat);
}

// ---- pictures -----------------------------------------------------------------------------------

async function openPicture(blob) {
  try {
    const bitmap = await createImageBitmap(blob, { imageOrientation: "from-image" });
    pad.open(bitmap);
    opened = blob;
    known = new Map();
    if (!net) {
      await readOnServer(blob);
      return;
    }
    const { canvas } = await net.open(blob);
    const digit = await answerOf(`picture-${Date.now()}`, canvas);
    selected = digit.key;
    show([[digit]]);
    finished();
  } catch (error) {
    forgetPicture();
    pad.clear();
    tell(error instanceof DOMException ? "This is no picture that your browser can open." : error.message);
  } finally {
    showTools();
  }
}

function forgetPicture() {
  opened = null;
  showTools();
}

async function readOnServer(blob) {
  tell("The server reads…");
  try {
    const found = await readByServer(blob);
    const digits = found.map((line, row) =>
      line.digits.map((verdict, column) => ({ key: `server-${row}-${column}`, verdict })));
    selected = digits[0]?.[0]?.key ?? null;
    show(digits);
    if (digits.length) finished();
    else tell("No digit was found in it.");
  } catch (error) {
    tell(error.message);
  }
}

function pngOfPad() {
  const context = surface(WIDTH, HEIGHT);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.strokeStyle = "#000";
  drawStrokes(context, pad.strokes);
  return new Promise((resolve) => context.canvas.toBlob(resolve, "image/png"));
}

// ---- showing ------------------------------------------------------------------------------------

function current() {
  return lines.flat().find(({ key }) => key === selected) ?? null;
}

function show(found) {
  lines = found;
  const digit = current();
  document.body.classList.toggle("many", lines.flat().length > 1);
  $("digits").replaceChildren(...lines.map(lineElement));
  $("words").textContent = digit ? sentence(digit) : "Nothing written yet.";
  showBars($("bars"), digit?.probabilities, digit?.verdict.accepted);
  showInside(digit);
  showCorrecting(digit);
}

function lineElement(line) {
  const row = document.createElement("div");
  row.append(...line.map((digit) => {
    const { label, accepted } = digit.verdict;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = digit.corrected ?? label;
    button.classList.toggle("doubtful", !accepted && !digit.corrected);
    button.ariaPressed = String(digit.key === selected);
    button.ariaLabel = digit.corrected ? `${digit.corrected}, put right` : `${label}: ${words(digit.verdict)}`;
    button.addEventListener("click", () => select(digit));
    return button;
  }));
  return row;
}

function select(digit) {
  selected = digit.key;
  const place = lines.flat().indexOf(digit);
  show(lines);
  $("digits").querySelectorAll("button")[place].focus();
  explain(digit);
}

function sentence(digit) {
  if (digit.corrected) return `Kept: this is ${digit.corrected === NONE ? "no digit" : `a ${digit.corrected}`}.`;
  const own = words(digit.verdict);
  if (lines.flat().length < 2) return own;
  const whole = lines.flat().reduce((product, { verdict }) => product * verdict.confidence, 1);
  return `${own} All of it: ${percent(whole)}.`;
}

function textOf(found) {
  return found.map((line) => line.map(({ verdict }) => verdict.label).join(" ")).join(", then ");
}

function doubts() {
  return lines.flat().filter(({ verdict }) => !verdict.accepted).map(({ verdict }) => words(verdict));
}

function showInside(digit) {
  $("inside").hidden = !digit?.seen;
  if (!digit?.seen) return;
  showSeen($("seen"), digit.seen);
  showHeat($("heat"), digit.seen, digit.heat);
  $("no-layers").hidden = Boolean(digit.maps);
  document.querySelectorAll(".map").forEach((figure) => (figure.hidden = !digit.maps));
  if (!digit.maps) return;
  showMaps($("first"), $("first-note"), digit.maps[0]);
  showMaps($("second"), $("second-note"), digit.maps[1]);
}

function showTools() {
  const empty = !pad.strokes.length && !pad.picture;
  $("hint").hidden = !empty;
  $("undo").disabled = !pad.strokes.length;
  $("clear").disabled = empty;
  $("whole").hidden = !opened || !net;
}

/** A line for people, where no answer can be shown. */
function tell(message) {
  show([]);
  $("words").textContent = message;
  $("said").textContent = message;
}

// ---- putting right ------------------------------------------------------------------------------

function showCorrecting(digit) {
  $("correct").hidden = !digit?.canvas;
  for (const button of $("labels").children) {
    button.ariaPressed = String(button.value === digit?.corrected);
  }
  $("kept").hidden = !corrections.count;
  $("count").textContent = `${corrections.count} correction${corrections.count === 1 ? "" : "s"}`;
  $("kept-note").textContent = "for deepmnist improve --from corrections.zip";
}

function correct(label) {
  const digit = current();
  if (!digit?.canvas) return;
  digit.corrected = label;
  corrections.add(digit.key, label, digit.canvas);
  show(lines);
  $("said").textContent = `${sentence(digit)} ${$("count").textContent} so far.`;
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(corrections.zip());
  link.download = "corrections.zip";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// ---- controls -----------------------------------------------------------------------------------

function clear() {
  forgetPicture();
  pad.clear();
}

function makeLabels() {
  $("labels").replaceChildren(...[...model.class_names, NONE].map((label) => {
    const button = document.createElement("button");
    button.type = "button";
    button.value = button.textContent = label;
    button.ariaLabel = label === NONE ? "It is no digit" : `It is a ${label}`;
    button.addEventListener("click", () => correct(label));
    return button;
  }));
}

function listen() {
  $("undo").addEventListener("click", () => pad.undo());
  $("clear").addEventListener("click", clear);
  $("ask").addEventListener("click", () => readOnServer(opened));
  $("download").addEventListener("click", download);
  $("forget").addEventListener("click", () => {
    corrections.forget();
    show(lines);
  });
  for (const input of [$("file"), $("camera")]) {
    input.addEventListener("change", () => {
      if (input.files.length) openPicture(input.files[0]);
      input.value = "";
    });
  }
  addEventListener("keydown", onKey);
  addEventListener("paste", (event) => openFirst(event.clipboardData?.files));
  addEventListener("dragover", (event) => dragged(event, true));
  addEventListener("dragleave", (event) => dragged(event, event.relatedTarget !== null));
  addEventListener("drop", (event) => {
    dragged(event, false);
    openFirst(event.dataTransfer?.files);
  });
}

function onKey(event) {
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key.toLowerCase() === "z" && pad.strokes.length) {
    event.preventDefault();
    pad.undo();
  } else if (event.key === "Escape") {
    clear();
  } else if (!command && $("labels").contains(document.activeElement)) {
    const label = event.key.toLowerCase() === "n" ? NONE : event.key;
    if ([...model.class_names, NONE].includes(label)) correct(label);
  }
}

function dragged(event, inside) {
  event.preventDefault();
  $("drop").classList.toggle("over", inside);
}

function openFirst(files) {
  const file = [...(files ?? [])].find(({ type }) => type.startsWith("image/"));
  if (file) openPicture(file);
}

// ---- starting -----------------------------------------------------------------------------------

function introduce() {
  const accuracy = model.test_accuracy ? `, ${(100 * model.test_accuracy).toFixed(2)} % right on MNIST’s test images` : "";
  $("about").textContent = `deepmnist ${model.deepmnist}, model “${model.recipe}”${accuracy}.`;
  if (!net) {
    $("promise").textContent = "Read by the server this page came from.";
  }
}

async function start() {
  introduce();
  makeBars($("bars"), model.class_names);
  makeLabels();
  listen();
  navigator.serviceWorker?.register("service-worker.js").catch(() => {}); // then it needs a network
  try {
    await net?.start();
    document.body.dataset.ready = "yes";
    if (!lines.length) show([]);
  } catch (error) {
    tell(error.message);
  }
}

await start();
