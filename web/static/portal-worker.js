// The portal as an app: without a network it says so, and it shows notices that were asked for. Nothing that is anybody's own is ever kept, only what stands in KEPT.
"use strict";
self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(NAME).then((kept) => kept.addAll(KEPT)).then(() => self.skipWaiting()));
});
self.addEventListener("activate", (event) => {
  const others = (names) => Promise.all(names.filter((name) => name !== NAME).map((name) => caches.delete(name)));
  event.waitUntil(caches.keys().then(others).then(() => self.clients.claim()));
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (KEPT.includes(new URL(request.url).pathname)) {
    event.respondWith(caches.match(request, { ignoreSearch: true }).then((kept) => kept ?? fetch(request)));
  }
});
self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data.json();
  } catch {
    // The browser asks for a notice for each push: one without words leads to the portal.
  }
  const { title = NAMED, body = "", language = "", tag = "", page = HOME } = told;
  event.waitUntil(self.registration.showNotification(title, { body, lang: language, tag, icon: ICON, data: { page } }));
});
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const wanted = new URL(event.notification.data?.page ?? HOME, self.location.origin);
  const page = wanted.origin === self.location.origin && wanted.pathname.startsWith(HOME) ? wanted.href : HOME;
  event.waitUntil((async () => {
    const open = await self.clients.matchAll({ type: "window" });
    const there = open.find((one) => new URL(one.url).pathname.startsWith(HOME));
    if (!there) return self.clients.openWindow(page);
    const led = (await there.navigate(page)) ?? there;
    return led.focus();
  })());
});
