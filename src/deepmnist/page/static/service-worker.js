// Keeps the page's files, so that it works without a network once it has been opened.
// FILES and VERSION stand above, put there by page/files.py: another list is another version.

// A host may have several pages of ours, each with a scope, in which no space can be.
const OURS = `deepmnist ${self.registration.scope} `;
const CACHE = OURS + VERSION;
const FIRST = /^deepmnist-[0-9a-f]{16}$/;
const PAGE = new URL("index.html", self.location).href;

self.addEventListener("install", (event) => {
  event.waitUntil(kept().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgotten().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  if (event.request.method === "GET") event.respondWith(answered(event.request));
});

async function kept() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((name) => new Request(name, { cache: "reload" })));
}

/** Drops what earlier versions of this very page kept, the first of which named no scope. */
async function forgotten() {
  const names = await caches.keys();
  const old = names.filter((name) => (name.startsWith(OURS) && name !== CACHE) || FIRST.test(name));
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function answered(request) {
  const page = request.mode === "navigate" && isOwnPage(request.url);
  const found = await (await caches.open(CACHE)).match(page ? PAGE : request.url, {
    ignoreSearch: true,
    ignoreVary: true,
  });
  return found ? direct(found) : fetch(request);
}

/**
 * A kept answer as if its file had lain where it was asked for. Many hosts send /index.html on to /,
 * and browsers take no answer that was sent on for a page.
 */
function direct(kept) {
  if (!kept.redirected) return kept;
  const { status, statusText, headers } = kept;
  return new Response(kept.body, { status, statusText, headers });
}

/** Whether an address is the page's, be it given with or without its file's name. */
function isOwnPage(address) {
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname}` === PAGE || `${origin}${pathname}` === new URL("./", PAGE).href;
}
