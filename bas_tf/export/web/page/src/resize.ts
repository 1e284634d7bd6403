// Pillow's antialiased bilinear resizing, bit for bit: what the network was trained on.
// A canvas resizes otherwise, which moves boxes.

/** RGBA bytes of a rectangle: `width` x `height` pixels from `left`, `top` on. */
export type ReadPixels = (
  left: number,
  top: number,
  width: number,
  height: number,
) => Uint8ClampedArray;

const STRIP_PIXELS = 1 << 20; // read at a time: phones limit the size of a canvas
const PRECISION = 22; // bits behind the point of a weight: 255 of them fit in 32 bits
const HALF = 1 << (PRECISION - 1);

interface Weights {
  first: Int32Array; // [wanted]: the first pixel that counts
  count: Int32Array; // [wanted]: how many do
  values: Int32Array; // [wanted, span]
  span: number;
}

/** Bytes from a pixel to the next of its line, and from a line to the next. */
interface Steps {
  pixel: number;
  line: number;
}

/**
 * Resizes a whole picture, aspect not kept.
 *
 * @param read of a picture of `width` x `height` pixels.
 * @returns RGB [wantedHeight, wantedWidth, 3].
 */
export function resize(
  read: ReadPixels,
  width: number,
  height: number,
  wantedWidth: number,
  wantedHeight: number,
): Uint8Array<ArrayBuffer> {
  const across = weights(width, wantedWidth);
  const down = weights(height, wantedHeight);
  const resized = new Uint8Array(wantedHeight * wantedWidth * 3);
  const rows = { pixel: 3, line: wantedWidth * 3 };
  const columns = { pixel: wantedWidth * 3, line: 3 };
  if (isHeightFirst(width, height, wantedWidth, wantedHeight)) {
    const half = new Uint8Array(wantedHeight * width * 3);
    for (const [left, count] of strips(width, height)) {
      const steps = { pixel: count * 4, line: 4 };
      const target = half.subarray(left * 3);
      const wide = { pixel: width * 3, line: 3 };
      resizeLines(read(left, 0, count, height), steps, count, down, target, wide);
    }
    const wide = { pixel: 3, line: width * 3 };
    resizeLines(half, wide, wantedHeight, across, resized, rows);
  } else {
    const half = new Uint8Array(height * wantedWidth * 3);
    for (const [top, count] of strips(height, width)) {
      const steps = { pixel: 4, line: width * 4 };
      const target = half.subarray(top * wantedWidth * 3);
      resizeLines(read(0, top, width, count), steps, count, across, target, rows);
    }
    resizeLines(half, columns, wantedWidth, down, resized, columns);
  }
  return resized;
}

/** Pillow 13's choice, found by trying 500 sizes: it decides how halves are rounded. */
function isHeightFirst(
  width: number,
  height: number,
  wantedWidth: number,
  wantedHeight: number,
): boolean {
  const lost = height - wantedHeight;
  return lost > 0 && lost > 2 * (width - wantedWidth);
}

/** [start, count] of parts of `size` lines of `length` pixels. */
function* strips(size: number, length: number): Generator<[number, number]> {
  const most = Math.max(1, Math.floor(STRIP_PIXELS / length));
  for (let start = 0; start < size; start += most) {
    yield [start, Math.min(most, size - start)];
  }
}

/** Resizes `lines` lines of pixels, red, green and blue of each. */
function resizeLines(
  source: Uint8Array | Uint8ClampedArray,
  from: Steps,
  lines: number,
  { first, count, values, span }: Weights,
  target: Uint8Array,
  to: Steps,
): void {
  for (let line = 0; line < lines; line++) {
    for (let i = 0; i < first.length; i++) {
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      let place = line * from.line + first[i] * from.pixel;
      for (let k = i * span; k < i * span + count[i]; k++) {
        red += source[place] * values[k];
        green += source[place + 1] * values[k];
        blue += source[place + 2] * values[k];
        place += from.pixel;
      }
      const pixel = line * to.line + i * to.pixel;
      target[pixel] = red >> PRECISION;
      target[pixel + 1] = green >> PRECISION;
      target[pixel + 2] = blue >> PRECISION;
    }
  }
}

/** How much each of `size` pixels counts in each of `wanted`: triangles, summing to 1. */
function weights(size: number, wanted: number): Weights {
  const scale = size / wanted;
  const reach = Math.max(scale, 1);
  const span = Math.ceil(reach) * 2 + 1;
  const first = new Int32Array(wanted);
  const count = new Int32Array(wanted);
  const values = new Int32Array(wanted * span);
  for (let i = 0; i < wanted; i++) {
    const centre = (i + 0.5) * scale;
    first[i] = Math.max(0, Math.trunc(centre - reach + 0.5));
    count[i] = Math.min(size, Math.trunc(centre + reach + 0.5)) - first[i];
    const shares = Array.from({ length: count[i] }, (_, k) =>
      Math.max(0, 1 - Math.abs((k + first[i] - centre + 0.5) * (1 / reach))),
    );
    const sum = shares.reduce((total, share) => total + share, 0);
    shares.forEach((share, k) => {
      values[i * span + k] = Math.trunc((share / sum) * (1 << PRECISION) + 0.5);
    });
  }
  return { first, count, values, span };
}
