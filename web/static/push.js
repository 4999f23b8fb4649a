// Notices on this device: the browser is asked for them on a click and never before, and its answer is sent with a form of ours.
"use strict";
(async () => {
  const part = document.querySelector("[data-push]");
  const form = part?.querySelector("[data-push-add]");
  if (!part) return;
  const say = (what) => { part.querySelector(`[data-push-said="${what}"]`).hidden = false; };
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) return say("unable");
  const text = (octets) => btoa(String.fromCharCode(...new Uint8Array(octets))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const worker = await navigator.serviceWorker.ready;
  let there = await worker.pushManager.getSubscription();
  if (there && text(there.options.applicationServerKey) !== part.dataset.push) {
    // Of another installation, or of a key that is gone: nobody can send to it.
    await there.unsubscribe();
    there = null;
  }
  const digest = there && Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(there.endpoint))), (one) => one.toString(16).padStart(2, "0")).join("");
  const row = digest && part.querySelector(`[data-push-device="${digest}"]`);
  if (row) {
    row.querySelector("[data-push-here]").hidden = false;
    row.querySelector("form").addEventListener("submit", () => { there.unsubscribe(); });
    return;
  }
  if (Notification.permission === "denied") return say("denied");
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    if (form.elements.endpoint.value) return;
    event.preventDefault();
    try {
      if (await Notification.requestPermission() !== "granted") {
        form.hidden = true;
        return say("denied");
      }
      const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: part.dataset.push });
      form.elements.endpoint.value = made.endpoint;
      form.elements.p256dh.value = text(made.getKey("p256dh"));
      form.elements.auth.value = text(made.getKey("auth"));
      form.requestSubmit();
    } catch {
      say("failed");
    }
  });
})();
