// The page put together: the pad, the model, what is shown, and what people put right.

import { Corrections } from "./corrections.js";
import { Pad } from "./pad.js";
import { makeBars, showHeat } from "./panels.js";
import { Model } from "./reader.js";
import { Reading } from "./reading.js";
import { $, NONE, say, sentence, show, showTools, tell } from "./view.js";

const model = await (await fetch("model.json")).json();
const net = model.runtime ? new Model() : null;
const corrections = new Corrections();
const pad = new Pad($("pad"), { onStart: () => (reading.picture = null), onChange: drawn });
const reading = new Reading({
  pad,
  net,
  model,
  on: {
    shown: refresh,
    finished,
    explained: ({ seen, heat }) => showHeat($("heat"), seen, heat),
    told: tell,
  },
});
const labels = [...model.class_names, NONE];
let answers = 0; // finished ones; tests wait for them

function drawn(complete) {
  showTools(pad, reading, net);
  reading.drawn(complete);
}

function refresh() {
  showTools(pad, reading, net);
  show(reading, corrections, select);
}

function finished() {
  say(reading);
  document.body.dataset.answers = ++answers;
}

function select(digit) {
  const place = reading.digits.indexOf(digit);
  reading.select(digit);
  $("digits").querySelectorAll("button")[place].focus();
}

function undo() {
  reading.picture = null;
  pad.undo();
}

function clear() {
  reading.picture = null;
  pad.clear();
}

// ---- putting right ------------------------------------------------------------------------------

function makeLabels() {
  $("labels").replaceChildren(...labels.map((label) => {
    const button = document.createElement("button");
    button.type = "button";
    button.value = button.textContent = label;
    button.ariaLabel = label === NONE ? "It is no digit" : `It is a ${label}`;
    button.addEventListener("click", () => correct(label));
    return button;
  }));
}

function correct(label) {
  const digit = reading.current;
  if (!digit?.canvas) return;
  digit.corrected = label;
  corrections.add(digit.key, label, digit.canvas);
  refresh();
  const unsaved = corrections.saved ? "" : ` ${$("unsaved").textContent}`;
  $("said").textContent = `${sentence(reading)} ${$("count").textContent} so far.${unsaved}`;
}

function forget() {
  corrections.forget();
  reading.digits.forEach((digit) => delete digit.corrected);
  refresh();
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(corrections.zip());
  link.download = "corrections.zip";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// ---- controls -----------------------------------------------------------------------------------

function listen() {
  const clicked = { undo, clear, download, forget, ask: () => reading.send(reading.picture) };
  for (const [id, act] of Object.entries(clicked)) $(id).addEventListener("click", act);
  for (const input of [$("file"), $("camera")]) {
    input.addEventListener("change", () => {
      openFirst(input.files);
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
  if (command && event.key.toLowerCase() === "z" && pad.canUndo) {
    event.preventDefault();
    undo();
  } else if (event.key === "Escape") {
    clear();
  } else if (!command && $("labels").contains(document.activeElement)) {
    const label = event.key.toLowerCase() === "n" ? NONE : event.key;
    if (labels.includes(label)) correct(label);
  }
}

function dragged(event, inside) {
  event.preventDefault();
  $("drop").classList.toggle("over", inside);
}

function openFirst(files) {
  const file = [...(files ?? [])].find(({ type }) => type.startsWith("image/"));
  if (file) reading.open(file);
}

// ---- starting -----------------------------------------------------------------------------------

function introduce() {
  const { deepmnist, recipe, test_accuracy: accuracy } = model;
  const right = accuracy ? `, ${(100 * accuracy).toFixed(2)} % right on its test images` : "";
  $("about").textContent = `deepmnist ${deepmnist}, model “${recipe}”${right}.`;
  if (!net) $("promise").textContent = "Read by the server this page came from.";
}

introduce();
makeBars($("bars"), model.class_names);
makeLabels();
listen();
navigator.serviceWorker?.register("service-worker.js").catch(() => {}); // then it needs a network
try {
  await net?.start();
  if (!reading.digits.length) refresh();
  document.body.dataset.ready = "yes";
} catch (error) {
  tell(error.message);
}
