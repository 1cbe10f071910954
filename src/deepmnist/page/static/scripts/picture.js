// pictures.py in the browser: a picture file to grey levels, upright. A file's size is looked at
// before it is decoded, its pixels before they are copied. The browser decodes it; which formats it
// knows is its own affair.

const MAX_FILE_BYTES = 128 * 1024 ** 2;
const MAX_PIXELS = 64_000_000;
const HOLES_OF_INK = 0.25; // share of a picture that is transparent, above which the rest is ink

/** An Error of one line for a Blob too large to be decoded. */
export function checkSize(blob) {
  if (blob.size > MAX_FILE_BYTES) throw new Error("This file is larger than 128 MiB.");
}

/** {grey: Uint8Array, width, height} of a Blob; an Error of one line where it is none. */
export async function greyOf(blob) {
  checkSize(blob);
  const bitmap = await decoded(blob);
  try {
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) throw new Error("This picture has more than 64 megapixels.");
    const context = new OffscreenCanvas(width, height).getContext("2d", {
      willReadFrequently: true,
    });
    context.drawImage(bitmap, 0, 0);
    return { grey: onPaper(context.getImageData(0, 0, width, height).data), width, height };
  } finally {
    bitmap.close();
  }
}

async function decoded(blob) {
  try {
    return await createImageBitmap(blob, {
      imageOrientation: "from-image",
      premultiplyAlpha: "none",
      colorSpaceConversion: "none",
    });
  } catch {
    throw new Error("This is no picture that your browser can open.");
  }
}

/** Grey of RGBA bytes: transparent pixels become paper on which the ink can be seen. */
function onPaper(pixels) {
  const count = pixels.length / 4;
  const grey = new Uint8Array(count);
  let opacity = 0;
  let onBlack = 0;
  for (let index = 0; index < count; index++) {
    const alpha = pixels[4 * index + 3];
    grey[index] = luma(pixels[4 * index], pixels[4 * index + 1], pixels[4 * index + 2]);
    opacity += alpha;
    onBlack += (grey[index] * alpha) / 255;
  }
  if (opacity === 255 * count) return grey;
  const inkIsOpaque = opacity / count / 255 < 1 - HOLES_OF_INK;
  const opaqueIsBright = onBlack > opacity / 2;
  const paper = inkIsOpaque === opaqueIsBright ? 0 : 255;
  return grey.map((level, index) => {
    const alpha = pixels[4 * index + 3];
    return Math.round((level * alpha + paper * (255 - alpha)) / 255);
  });
}

/** ITU-R 601, in the whole numbers that Pillow computes it in. */
function luma(red, green, blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
}
