// The model, on a thread of its own, so that the page never waits for it. A plain worker, not a
// module: the runtime's own loader is a script that only importScripts can load.
//
//   read     {canvas: 65,536 greys}  -> {seen: 784 levels, probabilities, single, maps}
//   explain  {seen, label}           -> {heat: 784 numbers, or null where something newer came}
//   open     {blob}                  -> {canvas, width, height}
//
// Answers carry the question's `id`, or {id, error} in a line for people.

const SIDE = 28;
const CANVAS = 256;
const INK = 255;
const LEAST = 1e-7; // of a probability, so that it has a logarithm
const PATCH = 5; // pixels of an image that are wiped away at a time
const AT_A_TIME = 8; // patches before the next message is looked at: a new drawing waits no longer
const RUNTIME = new URL("../runtime/", self.location).href;

const ready = loaded();
let newest = 0; // the last drawing asked about

self.onmessage = async ({ data }) => {
  if (data.kind === "read") newest = data.id;
  try {
    postMessage({ id: data.id, ...(await TASKS[data.kind](data)) });
  } catch (error) {
    postMessage({ id: data.id, error: error.message ?? String(error) });
  }
};

const TASKS = {
  start: async () => {
    const { classify, prepare } = await ready;
    await answer(classify, await prepared(prepare, new Uint8Array(CANVAS * CANVAS).fill(INK)));
    return {};
  },
  read: async ({ canvas }) => {
    const { prepare, classify, look } = await ready;
    const seen = await prepared(prepare, canvas);
    return { seen, ...(await answer(classify, seen)), maps: await maps(look, seen) };
  },
  explain: async ({ seen, label }) => ({ heat: await explained((await ready).classify, seen, label) }),
  open: async ({ blob }) => {
    const [{ greyOf }, { canvasOf }] = await Promise.all([import("./picture.js"), import("./canvas.js")]);
    const { grey, width, height } = await greyOf(blob);
    return { canvas: canvasOf(grey, width, height), width, height };
  },
};

// ---- the runtime --------------------------------------------------------------------------------

let litert;

async function loaded() {
  litert = await import(`${RUNTIME}litert.js`);
  self.Module = {
    locateFile: (name) => RUNTIME + name,
    printErr: (line) => /^(INFO|WARNING|VERBOSE)/.test(line) || console.error(line),
  };
  await withoutGpu(() => litert.loadLiteRt(`${RUNTIME}litert_wasm_compat_internal.js`));
  // LiteRT.js would refuse one image for a file that takes any number. LiteRT takes it: files are
  // written with a size of one until they are told another. More at once would overrun its outputs.
  litert.getGlobalLiteRt().liteRtWasm.checkTensorBufferCompatible = () => {};
  const model = await (await fetch("../model.json")).json();
  const [prepare, classify, look] = await Promise.all([
    compiled("../preparation.tflite"),
    compiled("../model.tflite"),
    model.layers ? compiled("../layers.tflite") : null,
  ]);
  return { prepare, classify, look };
}

/** Loads while no graphics card can be found: waking one costs more than these nets ever would. */
async function withoutGpu(load) {
  Object.defineProperty(self.navigator, "gpu", { value: undefined, configurable: true });
  const { warn } = console;
  console.warn = () => {}; // of exactly that
  try {
    await load();
  } finally {
    console.warn = warn;
  }
}

async function compiled(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`The model could not be loaded (${response.status}).`);
  const content = new Uint8Array(await response.arrayBuffer());
  const options = { accelerator: "wasm", cpuOptions: { numThreads: 1 } };
  return litert.loadAndCompile(content, options);
}

async function run(compiledModel, values, shape) {
  const [{ name }] = compiledModel.getInputDetails();
  const input = new litert.Tensor(values, shape);
  const outputs = await compiledModel.run({ [name]: input });
  input.delete();
  const found = {};
  for (const [output, tensor] of Object.entries(outputs)) {
    found[output] = { values: tensor.toTypedArray().slice(), shape: [...tensor.type.layout.dimensions] };
    tensor.delete();
  }
  return found;
}

// ---- reading ------------------------------------------------------------------------------------

async function prepared(prepare, canvas) {
  return (await run(prepare, canvas, [1, CANVAS, CANVAS])).image.values;
}

/** {probabilities, single} of an image; nets that do not tell what is no digit take all for one. */
async function answer(classify, seen) {
  const found = await run(classify, scaled(seen), [1, SIDE, SIDE]);
  return { probabilities: found.probabilities.values, single: found.single?.values[0] ?? 1 };
}

function scaled(seen) {
  return Float32Array.from(seen, (level) => level / INK);
}

async function maps(look, seen) {
  if (!look) return null;
  const found = await run(look, scaled(seen), [1, SIDE, SIDE]);
  return [found.first, found.second];
}

// ---- which strokes decided ----------------------------------------------------------------------

/** For each pixel, how much the answer loses (in log-odds) when what is around it is wiped away. */
async function explained(classify, seen, label) {
  const mine = newest;
  const places = inkedPlaces(seen);
  const whole = await odds(classify, seen, label);
  const heat = new Float32Array(SIDE ** 2);
  const patches = new Float32Array(SIDE ** 2);
  for (const [index, place] of places.entries()) {
    if (index % AT_A_TIME === 0) await turn();
    if (newest !== mine) return null;
    const lost = whole - (await odds(classify, without(seen, place), label));
    for (const pixel of pixelsOf(place)) {
      heat[pixel] += lost;
      patches[pixel] += 1;
    }
  }
  return heat.map((sum, pixel) => (patches[pixel] ? sum / patches[pixel] : 0));
}

/** Corners of the patches, every other pixel, that have ink in them. */
function inkedPlaces(seen) {
  const places = [];
  for (let row = 0; row + PATCH <= SIDE; row++) {
    for (let column = row % 2; column + PATCH <= SIDE; column += 2) {
      if (pixelsOf([row, column]).some((pixel) => seen[pixel] > 0)) places.push([row, column]);
    }
  }
  return places;
}

function pixelsOf([row, column]) {
  return Array.from({ length: PATCH ** 2 }, (_, index) =>
    (row + Math.floor(index / PATCH)) * SIDE + column + (index % PATCH));
}

function without(seen, place) {
  const wiped = seen.slice();
  for (const pixel of pixelsOf(place)) wiped[pixel] = 0;
  return wiped;
}

/** Log-odds of the label. */
async function odds(classify, seen, label) {
  const { probabilities, single } = await answer(classify, seen);
  const others = probabilities.reduce((sum, each, at) => (at === label ? sum : sum + each), 0);
  const [right, wrong] = [single * probabilities[label], single * others + (1 - single)];
  return Math.log(right + LEAST) - Math.log(wrong + LEAST);
}

/** Lets a message that waits come first. */
function turn() {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });
}
