// Passkeys: a form with `data-passkey` asks the server what the browser is to make or sign, has it done, and sends the answer along.
"use strict";
(() => {
  const { startRegistration, startAuthentication, browserSupportsWebAuthn } = window.SimpleWebAuthnBrowser;
  document.querySelectorAll("[data-passkey]").forEach((form) => {
    const part = form.closest("[data-passkey-part]") ?? form;
    if (!browserSupportsWebAuthn()) return;
    part.hidden = false;
    const said = form.querySelector("[data-passkey-said]");
    form.addEventListener("submit", async (event) => {
      if (form.elements.answer.value) return;
      event.preventDefault();
      event.stopPropagation();
      said.hidden = true;
      try {
        const asked = await fetch(form.dataset.options, { method: "POST", body: new URLSearchParams(new FormData(form)) });
        if (!asked.ok) throw new Error(String(asked.status));
        const { handle, options } = await asked.json();
        const make = form.dataset.passkey === "new" ? startRegistration : startAuthentication;
        const answer = await make({ optionsJSON: options });
        form.elements.handle.value = handle;
        form.elements.answer.value = JSON.stringify(answer);
        form.requestSubmit();
      } catch {
        said.hidden = false;
      }
    }, true);
  });
})();
