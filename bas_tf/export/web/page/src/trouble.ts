/** What went wrong, in words for whoever uses the page, and what would work. */
export class Trouble extends Error {}

/** The words for any error; one that nobody foresaw says what it is. */
export function words(error: unknown): string {
  if (error instanceof Trouble) return error.message;
  const reason = error instanceof Error ? error.message : String(error);
  return `Something unforeseen went wrong (${reason}). Reload the page and try again.`;
}
