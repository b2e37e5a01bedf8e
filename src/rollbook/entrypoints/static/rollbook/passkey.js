// Passkeys: a form marked `data-passkey` asks the browser for one and sends its answer. Without passkeys it stays hidden
// and says why. The private half never leaves the device.
"use strict";
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const listed = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  async function ask(kind, options) {
    const publicKey = { ...options, challenge: bytes(options.challenge) };
    if (kind === "get") publicKey.allowCredentials = listed(options.allowCredentials);
    else {
      publicKey.user = { ...options.user, id: bytes(options.user.id) };
      publicKey.excludeCredentials = listed(options.excludeCredentials);
    }
    const made = await navigator.credentials[kind]({ publicKey });
    const answer = { id: made.id, rawId: text(made.rawId), type: made.type, clientExtensionResults: {}, response: {} };
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (made.response[part]) answer.response[part] = text(made.response[part]);
    return JSON.stringify(answer);
  }

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    const said = form.querySelector("[data-said]"), button = form.querySelector("button");
    if (!window.PublicKeyCredential || /^[0-9.]+$|:/.test(location.hostname)) {
      button.hidden = true;
      said.textContent = window.PublicKeyCredential
        ? "Passkeys need the site’s name. Open it by its name, not by a number (on one machine: localhost)."
        : "This browser has no passkeys, or the connection is not safe.";
      continue;
    }
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      said.textContent = "";
      try {
        form.elements.answer.value = await ask(form.dataset.passkey, JSON.parse(form.dataset.options));
        form.submit();
      } catch {
        said.textContent = "That did not work. Try again.";
      }
    });
  }
})();
