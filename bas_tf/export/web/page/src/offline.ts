// The service worker that keeps the site for use without a network.

/** Tells when a newer version of the site has replaced the one that is shown. */
export function onNewerSite(tell: () => void): void {
  const workers = navigator.serviceWorker;
  if (workers?.controller) workers.addEventListener("controllerchange", tell);
}

/**
 * Keeps the site and the files of the runtime that this browser took.
 *
 * @returns whether all is kept; false where the browser cannot.
 */
export async function keepSite(): Promise<boolean> {
  const workers = navigator.serviceWorker;
  if (!workers) return false; // not by https nor on localhost
  // What is new stands in precache.js: no copy that a browser keeps may hide it.
  await workers.register("sw.js", { updateViaCache: "none" });
  const { active } = await workers.ready;
  const folder = new URL("wasm/", document.baseURI).href;
  const urls = performance
    .getEntriesByType("resource")
    .map((entry) => entry.name)
    .filter((url) => url.startsWith(folder));
  return asked(active!, urls);
}

function asked(worker: ServiceWorker, urls: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event) => resolve(event.data);
    worker.postMessage(urls, [port2]);
  });
}
