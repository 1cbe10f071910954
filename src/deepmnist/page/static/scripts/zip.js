// A ZIP file of small files, stored as they are (APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16).

const UTF8 = new TextEncoder();
const DATE_1980 = 0x21; // the first date that ZIP knows: none is told

/** The ZIP as a Blob, of {name: Uint8Array}. */
export function zipped(files) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const title = UTF8.encode(name);
    const about = fields([20, 2], [0x0800, 2], [0, 2], [0, 2], [DATE_1980, 2], [crc32(content), 4],
      [content.length, 4], [content.length, 4], [title.length, 2], [0, 2]);
    const local = [fields([0x04034b50, 4]), about, title, content];
    directory.push(fields([0x02014b50, 4], [20, 2]), about, fields([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]), title);
    parts.push(...local);
    offset += length(local);
  }
  const count = Object.keys(files).length;
  const end = fields([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [length(directory), 4], [offset, 4], [0, 2]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

function length(parts) {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/** Numbers as bytes, the lowest first: [value, bytes] each. */
function fields(...values) {
  return Uint8Array.from(values.flatMap(([value, size]) =>
    Array.from({ length: size }, (_, index) => (value >>> (8 * index)) & 255)));
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(content) {
  let value = 0xffffffff;
  for (const byte of content) value = (value >>> 8) ^ TABLE[(value ^ byte) & 255];
  return (value ^ 0xffffffff) >>> 0;
}
