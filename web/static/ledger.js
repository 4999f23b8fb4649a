// An entry by hand: what debits and credits come to stands under them while one types, and lines are added as they are needed.
"use strict";
(() => {
  const form = document.querySelector("[data-entry-form]");
  if (!form) return;
  const language = document.documentElement.lang;
  const point = new Intl.NumberFormat(language).formatToParts(1.5).find((part) => part.type === "decimal").value;
  const shown = new Intl.NumberFormat(language, { minimumFractionDigits: 2 });
  // In thousandths, so that nothing is rounded on the way.
  const read = (text) => {
    const other = point === "," ? "." : ",";
    const plain = text.trim().replaceAll(" ", "").replaceAll(other, "").replace(point, ".");
    return /^\d+(\.\d{1,3})?$/.test(plain) ? Math.round(Number(plain) * 1000) : 0;
  };
  const sum = (side) => [...form.querySelectorAll(`[data-side="${side}"]`)].reduce((all, one) => all + read(one.value), 0);
  const place = form.querySelector("#entry-balance");
  const tell = () => {
    const [debit, credit] = [sum("debit"), sum("credit")];
    form.querySelector("#entry-debit").textContent = shown.format(debit / 1000);
    form.querySelector("#entry-credit").textContent = shown.format(credit / 1000);
    const off = Math.abs(debit - credit);
    place.textContent = off ? `${place.dataset.off} ${shown.format(off / 1000)}` : debit ? place.dataset.equal : "";
    place.className = off ? "text-tone-bad" : "text-tone-good";
  };
  form.addEventListener("input", tell);
  form.querySelector("[data-more-lines]").addEventListener("click", () => {
    const lines = [...form.querySelectorAll("[data-entry-line]")];
    const line = lines.at(-1).cloneNode(true);
    line.querySelectorAll("input").forEach((input) => {
      input.value = "";
      input.id = input.id.replace(/\d+$/, lines.length + 1);
    });
    line.querySelectorAll("label").forEach((label) => (label.htmlFor = label.htmlFor.replace(/\d+$/, lines.length + 1)));
    lines.at(-1).after(line);
    line.querySelector("input").focus();
  });
  tell();
})();
