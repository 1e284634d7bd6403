// The service worker that keeps the site for use without a network.

/**
 * Keeps the site and the files of the runtime that this browser took.
 *
 * @param onNewer called when a newer version of the site has replaced the one shown.
 * @returns whether all is kept; false where the browser cannot.
 */
export async function keepSite(onNewer: () => void): Promise<boolean> {
  const workers = navigator.serviceWorker;
  if (!workers) return false; // not by https nor on localhost
  if (workers.controller) workers.addEventListener("controllerchange", onNewer);
  await workers.register("sw.js");
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
