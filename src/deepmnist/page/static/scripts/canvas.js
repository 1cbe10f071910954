// canvas.py in the browser: a grey picture of any size on the 256 x 256 pixels that the exported
// preparation takes. tests/page holds the two alike, level by level.

export const SIDE = 256; // pixels
const EIGHTH = 1 / 8; // of the picture: what a band beside it takes its level from
const CUBIC = -0.75; // the sharpness of OpenCV's cubic

/**
 * The canvas, Uint8Array of 256 * 256, of a grey picture, Uint8Array of width * height.
 * Its longest side becomes 256 pixels; each band beside it goes on with the level next to it.
 */
export function canvasOf(grey, width, height) {
  const scale = SIDE / Math.max(width, height);
  const columns = Math.max(1, roundHalfEven(width * scale));
  const rows = Math.max(1, roundHalfEven(height * scale));
  const fitted = resized(grey, width, height, columns, rows, scale);
  const upright = columns < SIDE; // the bands are at its left and right
  const length = upright ? columns : rows;
  const at = upright ? (along, across) => across * columns + along : (along, across) => along * columns + across;
  const eighth = Math.max(1, roundHalfEven(length * EIGHTH));
  const first = Math.floor((SIDE - length) / 2);
  const before = medianOf(fitted, at, 0, eighth);
  const after = medianOf(fitted, at, length - eighth, length);

  const canvas = new Uint8Array(SIDE * SIDE);
  for (let along = 0; along < SIDE; along++) {
    for (let across = 0; across < SIDE; across++) {
      const inside = along - first;
      const level = inside < 0 ? before : inside >= length ? after : fitted[at(inside, across)];
      canvas[upright ? across * SIDE + along : along * SIDE + across] = level;
    }
  }
  return canvas;
}

function resized(grey, width, height, columns, rows, scale) {
  if (scale === 1) return grey;
  const weights = scale < 1 ? areas : cubics;
  const across = weights(width, columns);
  const down = weights(height, rows);
  const narrow = new Float32Array(height * columns);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (const [from, weight] of across[column]) sum += weight * grey[row * width + from];
      narrow[row * columns + column] = sum;
    }
  }
  const fitted = new Uint8Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      for (const [from, weight] of down[row]) sum += weight * narrow[from * columns + column];
      fitted[row * columns + column] = Math.min(255, Math.max(0, roundHalfEven(sum)));
    }
  }
  return fitted;
}

/** For each new pixel, which old ones it covers, and how much of it each makes. */
function areas(from, to) {
  const size = from / to;
  return Array.from({ length: to }, (_, index) => {
    const start = index * size;
    const end = Math.min(from, start + size);
    const parts = [];
    for (let old = Math.floor(start); old < end; old++) {
      const covered = Math.min(old + 1, end) - Math.max(old, start);
      if (covered > 1e-6) parts.push([old, covered / (end - start)]);
    }
    return parts;
  });
}

/** For each new pixel, the four old ones around its centre, weighed by a cubic. */
function cubics(from, to) {
  const size = from / to;
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * size - 0.5;
    const base = Math.floor(centre);
    return cubicWeights(centre - base).map((weight, tap) => [
      Math.min(from - 1, Math.max(0, base - 1 + tap)),
      weight,
    ]);
  });
}

function cubicWeights(x) {
  const near = (t) => ((CUBIC + 2) * t - (CUBIC + 3)) * t * t + 1;
  const far = (t) => ((CUBIC * t - 5 * CUBIC) * t + 8 * CUBIC) * t - 4 * CUBIC;
  const first = [far(x + 1), near(x), near(1 - x)];
  return [...first, 1 - first[0] - first[1] - first[2]];
}

function medianOf(fitted, at, start, end) {
  const across = fitted.length ? SIDE : 0;
  const levels = [];
  for (let along = start; along < end; along++) {
    for (let place = 0; place < across; place++) levels.push(fitted[at(along, place)]);
  }
  levels.sort((one, other) => one - other);
  const middle = levels.length >> 1;
  const median = levels.length % 2 ? levels[middle] : (levels[middle - 1] + levels[middle]) / 2;
  return roundHalfEven(median);
}

/** As Python and OpenCV round: a half goes to the even number. */
export function roundHalfEven(value) {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
