// Every class of a photo whose pixels are labelled: bas_tf/jobs/found_classes.py.

const MIN_SHARE = 0.005; // of the photo, of a class, as in bas_tf/metrics/detection.py
const NO_OBJECT = "_none";
const UNSURE_LABEL = 255;

/** 0 background, k + 1 class k. */
export interface LabelMap {
  values: ArrayLike<number>;
  width: number;
  height: number;
}

export interface FoundClass {
  id: number;
  name: string;
  /** x0, y0, x1, y1, half-open, in pixels of the photo. */
  box: [number, number, number, number];
  /** Of the mask, as a share of the photo. */
  area: number;
  /** Pixels of a picture of this size that covers the photo. */
  mask: { pixels: number[]; width: number; height: number };
}

/** The pixels of a side of the photo, from start to end, that show one of the map. */
interface Span {
  source: number;
  start: number;
  end: number;
}

/** The largest 8-connected component of each class, the largest class first. */
export function foundClasses(
  map: LabelMap,
  photo: { width: number; height: number },
  names: string[],
): FoundClass[] {
  const columns = spans(map.width, photo.width);
  const rows = spans(map.height, photo.height);
  const [width, height] = [columns.length, rows.length];
  const labels = rows.flatMap((row) =>
    columns.map((column) => map.values[row.source * map.width + column.source]),
  );
  const largest: FoundClass[] = [];
  const seen = new Uint8Array(labels.length);
  labels.forEach((label, first) => {
    if (seen[first] || label === 0 || label === UNSURE_LABEL) return;
    const pixels = component(labels, width, first, seen);
    const { box, count } = measured(pixels, columns, rows);
    const [id, area] = [label - 1, count / (photo.width * photo.height)];
    if (area <= (largest[id]?.area ?? 0)) return; // of equal ones the first counts
    largest[id] = { id, name: names[id], box, area, mask: { pixels, width, height } };
  });
  const rounded = ({ area }: FoundClass) => Number(area.toFixed(4));
  return Object.values(largest) // by id, and equal ones stay so
    .filter(({ area, name }) => area >= MIN_SHARE && name !== NO_OBJECT)
    .sort((a, b) => rounded(b) - rounded(a));
}

/**
 * One side of a map resized to nearest neighbours as OpenCV 5 and Pillow do, sums and
 * their rounding errors included; in a small photo some pixels of the map do not show.
 */
function spans(size: number, wanted: number): Span[] {
  const step = size / wanted;
  const found: Span[] = [];
  let centre = step / 2;
  for (let i = 0; i < wanted; i++, centre += step) {
    const source = Math.min(Math.floor(centre), size - 1);
    const last = found.at(-1);
    if (last?.source === source) last.end = i + 1;
    else found.push({ source, start: i, end: i + 1 });
  }
  return found;
}

/** The pixels of one label that are connected with the first. */
function component(
  labels: number[],
  width: number,
  first: number,
  seen: Uint8Array,
): number[] {
  const pixels = [first];
  seen[first] = 1;
  for (const pixel of pixels) {
    for (const across of [-1, 0, 1]) {
      const x = (pixel % width) + across;
      if (x < 0 || x >= width) continue;
      for (const down of [-width, 0, width]) {
        const next = pixel + across + down;
        if (labels[next] !== labels[first] || seen[next]) continue;
        seen[next] = 1;
        pixels.push(next);
      }
    }
  }
  return pixels;
}

/** Box and number of the photo's pixels that these show. */
function measured(pixels: number[], columns: Span[], rows: Span[]) {
  const box: FoundClass["box"] = [Infinity, Infinity, 0, 0];
  let count = 0;
  for (const pixel of pixels) {
    const x = columns[pixel % columns.length];
    const y = rows[Math.floor(pixel / columns.length)];
    box[0] = Math.min(box[0], x.start);
    box[1] = Math.min(box[1], y.start);
    box[2] = Math.max(box[2], x.end);
    box[3] = Math.max(box[3], y.end);
    count += (x.end - x.start) * (y.end - y.start);
  }
  return { box, count };
}
