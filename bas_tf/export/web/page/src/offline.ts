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
  await register();
  const { active } = await workers.ready;
  const folder = new URL("wasm/", document.baseURI).href;
  const urls = performance
    .getEntriesByType("resource")
    .map((entry) => entry.name)
    .filter((url) => url.startsWith(folder));
  return asked(active!, urls);
}

/**
 * Reloads a page whose server does not isolate it, once, through the service worker,
 * which does: a page that is isolated may use threads.
 *
 * @param isUntouched whether the visitor would lose nothing by it.
 * @returns where the page stays as it is.
 */
export async function isolatePage(isUntouched: () => boolean): Promise<void> {
  const workers = navigator.serviceWorker;
  const [{ type }] = performance.getEntriesByType("navigation") as [
    PerformanceNavigationTiming,
  ];
  if (crossOriginIsolated || !workers || workers.controller || type === "reload") return;
  const { installing, waiting, active } = await register();
  if ((await isActive((installing ?? waiting ?? active)!)) && isUntouched()) {
    location.reload();
    await new Promise(() => {}); // nothing more is loaded meanwhile
  }
}

// What is new stands in precache.js: no copy that a browser keeps may hide it.
function register(): Promise<ServiceWorkerRegistration> {
  return navigator.serviceWorker.register("sw.js", { updateViaCache: "none" });
}

/** Waits until a worker has begun, or failed to. */
async function isActive(worker: ServiceWorker): Promise<boolean> {
  while (worker.state !== "activated" && worker.state !== "redundant") {
    await new Promise((resolve) =>
      worker.addEventListener("statechange", resolve, { once: true }),
    );
  }
  return worker.state === "activated";
}

function asked(worker: ServiceWorker, urls: string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event) => resolve(event.data);
    worker.postMessage(urls, [port2]);
  });
}
