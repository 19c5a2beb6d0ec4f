// Passkeys: asks the portal for a question, the device for an answer, and sends the answer with the form.
const bytesOf = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
const textOf = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const named = (list) => (list ?? []).map((each) => ({ ...each, id: bytesOf(each.id) }));

async function question(form) {
  const said = new FormData();
  said.set("purpose", form.dataset.passkey);
  said.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  const response = await fetch(form.dataset.challenge, { method: "POST", body: said });
  if (!response.ok) throw new Error(String(response.status));
  return (await response.json()).publicKey;
}

async function made(asked) {
  const user = { ...asked.user, id: bytesOf(asked.user.id) };
  const options = { ...asked, user, challenge: bytesOf(asked.challenge), excludeCredentials: named(asked.excludeCredentials) };
  const found = await navigator.credentials.create({ publicKey: options });
  return [found, { attestationObject: textOf(found.response.attestationObject) }];
}

async function answered(asked) {
  const options = { ...asked, challenge: bytesOf(asked.challenge), allowCredentials: named(asked.allowCredentials) };
  const found = await navigator.credentials.get({ publicKey: options });
  const { authenticatorData, signature, userHandle } = found.response;
  const said = { authenticatorData: textOf(authenticatorData), signature: textOf(signature) };
  return [found, userHandle ? { ...said, userHandle: textOf(userHandle) } : said];
}

for (const form of document.querySelectorAll("[data-passkey]")) {
  const button = form.querySelector("[data-passkey-go]");
  const failed = form.querySelector("[data-passkey-failed]");
  if (!button || !window.PublicKeyCredential) continue;
  button.hidden = false;
  if (form.dataset.passkey === "new") {
    form.addEventListener("submit", (event) => { event.preventDefault(); button.click(); });  // The Enter key.
  }
  button.addEventListener("click", async () => {
    const isNew = form.dataset.passkey === "new";
    if (isNew && !form.reportValidity()) return;
    failed.hidden = true;
    button.disabled = true;
    try {
      const asked = await question(form);
      const [found, response] = await (isNew ? made(asked) : answered(asked));
      response.clientDataJSON = textOf(found.response.clientDataJSON);
      form.elements.passkey.value = JSON.stringify({ id: found.id, rawId: textOf(found.rawId), type: found.type, response });
      form.submit();
    } catch {
      failed.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}
