// Which strokes are one digit, and in which order digits are read. The page has the strokes
// themselves, so nothing has to be cut: the bar of a 4, 5 or 7 lies over its digit, the next digit
// lies beside it.

import { PEN, boxOf } from "./strokes.js";

const OVER = 0.4; // of the narrower one's width: strokes that overlap so much are one digit
const TALL = 0.45; // of the tallest: two so high, one under the other, are of two lines
const TOUCHING = 0.06; // of the tallest: the two rings of an 8 are no farther apart
const FLOATING = 0.25; // of the tallest: the bar of a 5 hangs no farther from it than this
const SPECK = 0.12; // of the tallest: what is smaller in both directions is a slip of the pen
const SAME_LINE = 0.4; // of the lower one's height

/** Lines, top to bottom, of digits, left to right, each an array of strokes. */
export function grouped(strokes) {
  const tallest = Math.max(...strokes.map((stroke) => height(boxOf([stroke]))), PEN);
  let groups = strokes.map((stroke) => [stroke]);
  for (let pair = findPair(groups, tallest); pair; pair = findPair(groups, tallest)) {
    const [one, other] = pair;
    groups = groups.filter((group) => group !== one && group !== other);
    groups.push([...one, ...other]);
  }
  return lines(withoutSpecks(groups));
}

function findPair(groups, tallest) {
  for (const one of groups) {
    for (const other of groups) {
      if (one !== other && areOne(one, other, tallest)) return [one, other];
    }
  }
  return null;
}

function areOne(one, other, tallest) {
  const [a, b] = [boxOf(one), boxOf(other)];
  const apart = Math.max(a.top, b.top) - Math.min(a.bottom, b.bottom);
  const bothTall = Math.min(height(a), height(b)) >= TALL * tallest;
  if (apart > (bothTall ? TOUCHING : FLOATING) * tallest) return false;
  const over = Math.min(a.right, b.right) - Math.max(a.left, b.left) + PEN;
  if (over < 0) return false;
  const narrower = Math.min(a.right - a.left, b.right - b.left) + PEN;
  return over >= OVER * narrower || one.some((s) => other.some((t) => cross(s.points, t.points)));
}

function height(box) {
  return box.bottom - box.top;
}

/** Whether two strokes cross: any step of the one any step of the other. */
function cross(one, other) {
  for (let i = 1; i < one.length; i++) {
    for (let j = 1; j < other.length; j++) {
      if (stepsCross(one[i - 1], one[i], other[j - 1], other[j])) return true;
    }
  }
  return false;
}

function stepsCross(a, b, c, d) {
  const side = ([x, y], [u, v], [s, t]) => Math.sign((u - x) * (t - y) - (v - y) * (s - x));
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

function withoutSpecks(groups) {
  const sizes = groups.map((group) => {
    const box = boxOf(group);
    return Math.max(box.right - box.left, height(box));
  });
  const largest = Math.max(...sizes);
  return groups.filter((_, index) => sizes[index] >= SPECK * largest);
}

function lines(groups) {
  const rows = [];
  const byTop = groups.map((group) => ({ group, box: boxOf(group) }));
  byTop.sort((one, other) => one.box.top - other.box.top);
  for (const each of byTop) {
    const row = rows.find((found) => found.some(({ box }) => besideEachOther(box, each.box)));
    if (row) row.push(each);
    else rows.push([each]);
  }
  return rows.map((row) =>
    row.sort((one, other) => middle(one.box) - middle(other.box)).map(({ group }) => group));
}

function besideEachOther(a, b) {
  const shared = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return shared > SAME_LINE * Math.max(1, Math.min(height(a), height(b)));
}

function middle(box) {
  return (box.left + box.right) / 2;
}
