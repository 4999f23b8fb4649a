// Recording payments by keyboard: the list under "Who paid" is gone through by arrows, Enter chooses, the amount is what is open.
"use strict";
(() => {
  const form = document.querySelector("[data-payment-form]");
  if (!form) return;
  const who = form.querySelector("#who");
  const list = form.querySelector("#who-found");
  const customer = form.querySelector("#customer_id");
  const owed = form.querySelector("#owed");
  const amount = form.querySelector("#amount");
  const options = () => [...list.querySelectorAll("[data-customer]")];
  const marked = () => list.querySelector('[data-customer][aria-selected="true"]');
  let asked = "";

  const open = (is) => {
    list.hidden = !is;
    who.setAttribute("aria-expanded", String(is));
    if (!is) who.removeAttribute("aria-activedescendant");
  };
  const mark = (option) => {
    options().forEach((one) => one.setAttribute("aria-selected", String(one === option)));
    if (!option) return;
    who.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };
  const suggest = () => {
    const typed = owed.firstElementChild?.dataset.suggested;
    if (typed) amount.value = typed;
    amount.focus();
    amount.select();
  };
  const load = async (number, invoices) => {
    const questions = new URLSearchParams([["customer", number], ["issuer", owed.dataset.issuer]]);
    invoices.forEach((one) => questions.append("invoice", one));
    const answer = await fetch(`${owed.dataset.address}?${questions}`, { headers: { "HX-Request": "true" } });
    if (answer.ok && customer.value === number) owed.innerHTML = await answer.text();
    suggest();
  };
  const choose = (option) => {
    open(false);
    who.value = option.dataset.name;
    customer.value = option.dataset.customer;
    const name = form.querySelector("#chosen-name");
    name.textContent = option.dataset.name;
    name.href = `/customers/${option.dataset.customer}`;
    form.querySelector("#chosen").hidden = false;
    load(option.dataset.customer, option.dataset.invoice ? [option.dataset.invoice] : []);
  };
  const forget = () => {
    customer.value = "";
    owed.replaceChildren();
    form.querySelector("#chosen").hidden = true;
  };

  who.addEventListener("input", () => {
    forget();
    if (!who.value.trim()) open(false);
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target !== list) return;
    asked = who.value;
    const there = document.activeElement === who && Boolean(who.value.trim()) && !customer.value;
    open(there);
    if (there) mark(options()[0]);
    if (there && waits && marked()) {
      waits = false;
      choose(marked());
    }
  });
  // Enter that comes before the answer does chooses its first line as soon as it is there.
  let waits = false;
  who.addEventListener("keydown", (event) => {
    waits = false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const all = options();
      if (!all.length) return;
      open(true);
      const step = event.key === "ArrowDown" ? 1 : -1;
      mark(all[(all.indexOf(marked()) + step + all.length) % all.length]);
    } else if (event.key === "Escape") {
      open(false);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (customer.value) amount.focus();
      else if (who.value === asked && marked()) choose(marked());
      else waits = Boolean(who.value.trim());
    }
  });
  who.addEventListener("blur", () => setTimeout(() => open(false), 150));
  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest("[data-customer]");
    if (!option) return;
    event.preventDefault();
    choose(option);
  });
  // Ticked invoices come to the amount; none ticked, it is what is due.
  owed.addEventListener("change", (event) => {
    if (event.target.name !== "invoices" || !customer.value) return;
    load(customer.value, [...owed.querySelectorAll("input:checked")].map((one) => one.value));
  });
  if (!customer.value) who.focus();
  else if (document.activeElement === document.body) amount.focus();
})();
