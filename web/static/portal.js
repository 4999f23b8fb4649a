// The portal can be installed: its worker is registered for it and for nothing else of this site.
"use strict";
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/portal/worker.js", { scope: "/portal" });
}
