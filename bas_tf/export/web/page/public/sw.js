// Keeps the whole site for use without a network: each version whole, or not at all.
// precache.js sets SITE: {version, files, runtime}; it is written with the site.
importScripts("precache.js");

const OURS = `bas_tf ${self.registration.scope} `;
const CACHE = OURS + SITE.version;

async function install() {
  const cache = await caches.open(CACHE);
  const files = [...SITE.files, ...(await runtimeTaken())];
  await cache.addAll(files.map((file) => new Request(file, { cache: "reload" })));
  await self.skipWaiting();
}

// The runtime has a file for each kind of browser: only those that this one took. The
// page tells them; a newer version finds them in the one whose place it takes.
async function runtimeTaken() {
  const kept = await Promise.all(SITE.runtime.map((file) => caches.match(file)));
  return SITE.runtime.filter((_, i) => kept[i]);
}

async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith(OURS) && name !== CACHE) await caches.delete(name);
  }
  await self.clients.claim();
}

async function keep(urls) {
  const cache = await caches.open(CACHE);
  for (const url of urls) {
    if (!(await cache.match(url))) await cache.add(url);
  }
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  const response = (await cache.match(request)) ?? (await fetch(request));
  const isolates = request.mode === "navigate" || request.destination === "worker";
  return isolates && response.ok ? isolated(response) : response;
}

// Only an isolated page may use threads, and not every server sends the headers for it.
function isolated(response) {
  const { body, status, statusText } = response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(body, { status, statusText, headers });
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => {
  const told = (kept) => event.ports[0].postMessage(kept);
  event.waitUntil(
    keep(event.data).then(
      () => told(true),
      () => told(false),
    ),
  );
});
self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answer(event.request));
});
