"use strict";
// Keeps what was read for when there is no connection. Always asks first: what was withdrawn is not shown from memory.
const NAME = "alerts-@MARK@", KEPT = @KEPT@, LANGUAGES = @LANGUAGES@, MOST = 80;
const TONGUE = LANGUAGES.find(each => self.location.search === `?${each}`) || LANGUAGES[0];
const PAGES = [`${TONGUE}/offline/`, `${TONGUE}/victim/`];
self.addEventListener("install", event => event.waitUntil((async () => {
  const kept = await caches.open(NAME);
  await kept.addAll(KEPT);
  await Promise.allSettled(PAGES.map(each => kept.add(each)));
  await self.skipWaiting();
})()));
self.addEventListener("activate", event => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("alerts-") && name !== NAME) await caches.delete(name);
  await self.clients.claim();
})()));
const asked = async (request, event) => {
  const kept = await caches.open(NAME);
  try {
    const got = await fetch(request);
    if (got.ok && got.type === "basic") {
      await kept.put(request, got.clone());
      const keys = await kept.keys();
      for (const old of keys.slice(0, Math.max(0, keys.length - MOST))) if (![...KEPT, ...PAGES].some(each => old.url.endsWith(each))) await kept.delete(old);
    } else if (got.status === 410 || got.status === 404) await kept.delete(request);
    return got;
  } catch (error) {
    const found = await kept.match(request, {ignoreSearch: true});
    if (found) {
      // It may be older than what is published now, and the page says so.
      event.waitUntil(clients.get(event.resultingClientId).then(reader => reader && reader.postMessage("kept")).catch(() => {}));
      return found;
    }
    if (request.mode !== "navigate") throw error;
    return await kept.match(PAGES[0]) || Response.error();
  }
};
const still = async (request, event) => await (await caches.open(NAME)).match(request) || asked(request, event);
self.addEventListener("fetch", event => {
  const {request} = event, address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== location.origin || !request.url.startsWith(self.registration.scope)) return;
  if (address.pathname.includes("/assets/")) event.respondWith(still(request, event));
  else if (request.mode === "navigate" || /\/index-\d+\.json$/.test(address.pathname)) event.respondWith(asked(request, event));
});
