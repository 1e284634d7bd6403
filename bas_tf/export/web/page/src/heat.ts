// A foreground map as colours.

// Matplotlib's "inferno" at nine even steps, as bas_tf.report.pictures draws heat.
const INFERNO = [
  [0, 0, 4],
  [31, 12, 72],
  [85, 15, 109],
  [136, 34, 106],
  [186, 54, 85],
  [227, 89, 51],
  [249, 140, 10],
  [249, 201, 50],
  [252, 255, 164],
];

/**
 * RGBA of a map scaled to [0, 1], as the box rule sees it: dark where it is constant or
 * has a NaN or an infinity.
 */
export function heatColours(map: number[], width: number, height: number): ImageData {
  const finite = map.every(Number.isFinite) ? map : map.map(() => 0);
  const low = Math.min(...finite);
  const range = Math.max(...finite) - low || 1;
  const image = new ImageData(width, height);
  finite.forEach((value, i) => image.data.set(colour((value - low) / range), 4 * i));
  return image;
}

function colour(share: number): number[] {
  const place = share * (INFERNO.length - 1);
  const below = Math.min(Math.floor(place), INFERNO.length - 2);
  const rgb = INFERNO[below].map(
    (level, channel) => level + (place - below) * (INFERNO[below + 1][channel] - level),
  );
  return [...rgb, 255];
}
