// The queue of a bank's lines by keyboard: arrows go from line to line, Enter takes the likeliest, a digit another one, O opens it.
"use strict";
(() => {
  const queue = document.querySelector("#queue");
  if (!queue) return;
  const lines = () => [...queue.querySelectorAll("[data-queue-line]")];
  const take = (line, place) => line.querySelector(`[data-take="${place}"]`)?.click();
  queue.addEventListener("keydown", (event) => {
    const line = event.target.closest("[data-queue-line]");
    if (!line || event.target !== line || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = lines();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      all[all.indexOf(line) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    } else if (event.key === "Enter") {
      event.preventDefault();
      take(line, 1);
    } else if (/^[1-5]$/.test(event.key)) take(line, event.key);
    else if (event.key.toLowerCase() === "o") location.href = line.dataset.open;
  });
  // What was decided stays where it was, and the next one that waits has the focus.
  let next = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    const line = event.target.closest?.("[data-queue-line]");
    if (!line) return;
    next = lines()[lines().indexOf(line) + 1]?.id ?? line.id;
    line.querySelectorAll("button").forEach((button) => (button.disabled = true));
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (next) document.getElementById(next)?.focus();
    next = null;
  });
  lines()[0]?.focus({ preventScroll: true });
})();
