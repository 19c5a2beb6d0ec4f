// Hands files over one by one, each with its own bar; without this script the form sends them all at once.
const form = document.querySelector("[data-upload]");
const list = document.querySelector("[data-results]");

function line(file) {
  const item = document.createElement("li");
  const name = document.createElement("bdi");
  name.className = "file-name strong";
  name.dir = "auto";
  name.textContent = file.name;
  const bar = document.createElement("progress");
  bar.className = "progress";
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", file.name);
  const note = document.createElement("span");
  note.className = "note";
  note.textContent = form.dataset.waiting;
  item.append(name, bar, note);
  list.prepend(item);
  return { item, bar, note };
}

function send(file, shown) {
  const body = new FormData(form);
  body.delete("files");
  body.append("files", file);
  const request = new XMLHttpRequest();
  return new Promise((done) => {
    const finish = (answer) => {
      const result = answer?.results?.[0];
      shown.bar.remove();
      shown.note.textContent = result?.message ?? answer?.errors?.join(" ") ?? form.dataset.failed;
      shown.item.classList.toggle("is-refused", !result?.url);
      if (result?.url) {
        const link = document.createElement("a");
        link.className = "btn btn-small";
        link.href = result.url;
        link.textContent = result.label;
        shown.item.insertBefore(link, shown.note);
      }
      done();
    };
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) shown.bar.value = event.loaded / event.total; });
    request.addEventListener("load", () => { try { finish(JSON.parse(request.responseText)); } catch { finish(null); } });
    request.addEventListener("error", () => finish(null));
    request.open("POST", location.pathname);
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
  });
}

form?.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (button?.hasAttribute("data-plain")) return;
  event.preventDefault();
  const files = [...form.elements.files.files];
  if (!files.length) return;
  document.getElementById("results").hidden = false;
  const waiting = files.map((file) => [file, line(file)]);
  if (button) button.disabled = true;
  for (const [file, shown] of waiting) await send(file, shown);
  if (button) button.disabled = false;
  form.elements.files.value = "";
  const names = form.querySelector("[data-drop-names]");
  if (names) names.textContent = "";
});
