// How an answer looks and what is said of it. It changes nothing but the document.

import { percent, showBars, showHeat, showMaps, showSeen, words } from "./panels.js";

export const NONE = "none"; // the label of what is no digit
export const $ = (id) => document.getElementById(id);

/** Shows a reading; `onSelect(digit)` where one of several is chosen. */
export function show(reading, corrections, onSelect) {
  const digit = reading.current;
  document.body.classList.toggle("many", reading.digits.length > 1);
  $("digits").replaceChildren(...reading.lines.map((line) => lineElement(line, digit, onSelect)));
  $("words").textContent = digit ? sentence(reading) : "Nothing written yet.";
  showBars($("bars"), digit?.probabilities, digit?.verdict.accepted);
  showInside(digit);
  showCorrections(digit, corrections);
}

/** Says what was read, for those who hear the page. */
export function say({ lines, digits, current }) {
  const text = lines.map((line) => line.map(({ verdict }) => verdict.label).join(" ")).join(", then ");
  const doubts = digits.filter(({ verdict }) => !verdict.accepted).map(({ verdict }) => words(verdict));
  $("said").textContent = digits.length > 1 ? [`${text}.`, ...doubts].join(" ") : words(current.verdict);
}

/** A line for people, where no answer can be shown. */
export function tell(message) {
  $("words").textContent = $("said").textContent = message;
}

/** What is said of the digit that is looked at. */
export function sentence({ current, digits }) {
  if (current.corrected) {
    return `Kept: this is ${current.corrected === NONE ? "no digit" : `a ${current.corrected}`}.`;
  }
  if (digits.length < 2) return words(current.verdict);
  const whole = digits.reduce((product, { verdict }) => product * verdict.confidence, 1);
  return `${words(current.verdict)} All of it: ${percent(whole)}.`;
}

export function showTools(pad, reading, net) {
  const empty = !pad.strokes.length && !pad.picture;
  $("hint").hidden = !empty;
  $("undo").disabled = !pad.canUndo;
  $("clear").disabled = empty;
  $("whole").hidden = !reading.picture || !net;
}

function lineElement(line, current, onSelect) {
  const row = document.createElement("div");
  row.append(...line.map((digit) => digitElement(digit, digit === current, onSelect)));
  return row;
}

function digitElement(digit, looked, onSelect) {
  const { label, accepted } = digit.verdict;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = digit.corrected ?? label;
  button.classList.toggle("doubtful", !accepted && !digit.corrected);
  button.ariaPressed = String(looked);
  button.ariaLabel = digit.corrected ? `${digit.corrected}, put right` : words(digit.verdict);
  button.addEventListener("click", () => onSelect(digit));
  return button;
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

function showCorrections(digit, { count, saved }) {
  $("correct").hidden = !digit?.canvas;
  for (const button of $("labels").children) {
    button.ariaPressed = String(button.value === digit?.corrected);
  }
  $("kept").hidden = !count;
  $("unsaved").hidden = saved;
  $("count").textContent = `${count} correction${count === 1 ? "" : "s"}`;
}
