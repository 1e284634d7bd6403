/**
 * A score in [0, 1] with so many digits after the point; one that would read as a full 1
 * without being it, or as nothing, is reported as a bound: ">0.999", "<0.001".
 */
export function scoreText(score: number, digits: number): string {
  const least = 10 ** -digits;
  const text = score.toFixed(digits);
  if (Number(text) === 0) return `<${least.toFixed(digits)}`;
  if (Number(text) === 1 && score < 1) return `>${(1 - least).toFixed(digits)}`;
  return text;
}
