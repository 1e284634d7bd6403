// How far a box can be trusted: what bas_tf/metrics/confidence.py computes, in float32.

export const FOUND_CONFIDENCE = 0.5; // below it nothing was found
export const NO_OBJECT = "_none"; // the class of photos without an object

const STRIDE = 8; // input pixels per pixel of the map
const WAYS = [0.25, 0.5, 0.75]; // from the threshold down to 0 and up to 1
const { fround, max, min } = Math;

/** A run of pixels of a row; without `into`, also the whole component it was joined to. */
interface Run {
  left: number;
  right: number;
  first: number; // pixel of the component
  area: number;
  box: number[]; // x0, y0, x1, y1, half-open
  into?: Run;
}

/**
 * About the IoU of a box with the object, in [0, 1]; 0 where the map says nothing.
 *
 * @param score of the best class, see `objectScore`.
 * @param map [height, width], not yet normalised.
 * @param threshold of the box, in [0, 1).
 */
export function confidence(
  score: number,
  map: { values: number[]; width: number; height: number },
  threshold: number,
): number {
  const enlarged = enlarge(normalize(map.values), map.width, map.height);
  const boxAt = (cut: number) => largestBox(enlarged, STRIDE * map.width, fround(cut));
  const box = boxAt(threshold);
  if (!box) return 0;
  const down = WAYS.map((way) => threshold * (1 - way));
  const up = WAYS.map((way) => threshold + (1 - threshold) * way);
  const ious = [...down, ...up].map((cut) => iou(box, boxAt(cut) ?? [0, 0, 0, 0]));
  return (min(score, 1) * ious.reduce((sum, value) => sum + value)) / ious.length;
}

/** The best score of a class that is an object. */
export function objectScore(classes: { name: string; score: number }[]): number {
  return max(0, ...classes.map(({ name, score }) => (name === NO_OBJECT ? 0 : score)));
}

/** Whether an answer is an object. */
export function isFound(name: string, trust: number): boolean {
  return name !== NO_OBJECT && trust >= FOUND_CONFIDENCE;
}

function normalize(values: number[]): number[] {
  const low = min(...values);
  const range = fround(max(...values) - low);
  if (range === 0 || !values.every(Number.isFinite)) return values.map(() => 0);
  return values.map((value) => fround(fround(value - low) / range));
}

/** Bilinear with half-pixel centres, rounded as OpenCV does. */
function enlarge(map: number[], width: number, height: number): Float32Array {
  const mix = (a: number, b: number, share: number) => fround(a + fround(b - a) * share);
  const columns = neighbours(width);
  const enlarged = new Float32Array(columns.length * STRIDE * height);
  let i = 0;
  for (const [above, below, down] of neighbours(height)) {
    for (const [left, right, across] of columns) {
      const upper = mix(map[above * width + left], map[above * width + right], across);
      const lower = mix(map[below * width + left], map[below * width + right], across);
      enlarged[i++] = mix(upper, lower, down);
    }
  }
  return enlarged;
}

/** For each enlarged pixel: the one before its centre, the next, and the next's share. */
function neighbours(size: number): number[][] {
  return Array.from({ length: STRIDE * size }, (_, i) => {
    const centre = min(max((i + 0.5) / STRIDE - 0.5, 0), size - 1);
    const before = Math.floor(centre);
    return [before, min(before + 1, size - 1), centre - before];
  });
}

/** Of the largest 8-connected component above the cut, of equal ones the first. */
function largestBox(map: Float32Array, width: number, cut: number): number[] | undefined {
  const runs: Run[] = [];
  let above: Run[] = [];
  for (let y = 0; y * width < map.length; y++) {
    const row: Run[] = [];
    for (let x = 0; x < width; x++) {
      const left = x;
      while (x < width && map[y * width + x] > cut) x++;
      if (x === left) continue;
      const [first, box] = [y * width + left, [left, y, x, y + 1]];
      const run = { left, right: x, first, area: x - left, box };
      above.filter((a) => a.left <= x && a.right >= left).forEach((a) => join(a, run));
      row.push(run);
    }
    runs.push(...row);
    above = row;
  }
  const components = runs.filter((run) => !run.into);
  return components.sort((a, b) => b.area - a.area || a.first - b.first)[0]?.box;
}

function join(a: Run, b: Run): void {
  while (a.into) a = a.into;
  while (b.into) b = b.into;
  if (a === b) return;
  b.into = a;
  a.first = min(a.first, b.first);
  a.area += b.area;
  a.box = a.box.map((side, i) => (i < 2 ? min : max)(side, b.box[i]));
}

function iou(a: number[], b: number[]): number {
  const area = ([x0, y0, x1, y1]: number[]) => max(x1 - x0, 0) * max(y1 - y0, 0);
  const shared = area(a.map((side, i) => (i < 2 ? max : min)(side, b[i])));
  return shared / (area(a) + area(b) - shared);
}
