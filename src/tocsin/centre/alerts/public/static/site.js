"use strict";
// Comforts alone: every page says all that it has to say without this file.
(() => {
  const body = document.body, root = body.dataset.root;
  const all = (what, of) => [...(of || document).querySelectorAll(what)];

  for (const each of all(".only-script")) each.hidden = false;

  // The root and an alert's permanent address lead to the reader's language.
  if (body.dataset.choose && !location.hash) {
    const there = new Map(body.dataset.choose.trim().split(/\s+/).map(each => each.split("=")));
    for (const wanted of navigator.languages || []) {
      const found = there.get(wanted) || there.get(wanted.split("-")[0]);
      if (found) { location.replace(root + found); break; }
    }
  }

  // A page may be older than the alert's end.
  const marked = now => {
    for (const each of all("[data-expires]")) {
      const ends = Date.parse(each.dataset.expires);
      if (!(ends <= now)) continue;
      if (each.classList.contains("expired")) each.hidden = false;
      else if (!each.classList.contains("is-over")) {
        each.classList.add("is-over");
        const status = document.createElement("span");
        status.className = "status";
        status.textContent = body.dataset.expired;
        (each.querySelector(".tags") || each).append(status);
      }
    }
  };
  marked(Date.now());

  // Copying.
  if (navigator.clipboard) {
    for (const each of all("[data-copy],[data-copy-all]")) {
      each.hidden = false;
      const label = each.innerHTML;
      let back;
      each.addEventListener("click", async () => {
        const text = each.dataset.copyAll ? all("." + each.dataset.copyAll).map(one => one.textContent).join("\n") : each.dataset.copy;
        try { await navigator.clipboard.writeText(text); } catch { return; }
        each.textContent = body.dataset.copied;
        clearTimeout(back);
        back = setTimeout(() => { each.innerHTML = label; }, 2000);
      });
    }
  }

  // A long list of names, shortened as somebody types. Marks above letters make no difference.
  const bare = text => text.normalize("NFKD").replace(/[\u0300-\u036f\u064b-\u065f\u0640]/g, "").replace(/[أإآ]/g, "ا").toLocaleLowerCase();
  for (const field of all("[data-filters]")) {
    const rows = all("li", document.getElementById(field.dataset.filters)).map(each => [each, bare(each.textContent + " " + (each.dataset.words || ""))]);
    field.addEventListener("input", () => {
      const wanted = bare(field.value.trim());
      for (const [each, text] of rows) each.hidden = !text.includes(wanted);
    });
    field.addEventListener("keydown", event => {
      const left = rows.filter(([each]) => !each.hidden);
      if (event.key === "Enter" && left.length === 1) left[0][0].querySelector("a").click();
    });
  }

  // What was read stays readable without a connection.
  const offline = document.querySelector(".offline");
  let isKept = false;
  const look = () => { if (offline) offline.hidden = navigator.onLine !== false && !isKept; };
  addEventListener("online", look);
  addEventListener("offline", look);
  look();
  if ("serviceWorker" in navigator && !body.classList.contains("framed") && location.protocol.startsWith("http")) {
    navigator.serviceWorker.addEventListener("message", event => {
      isKept = event.data === "kept";
      look();
    });
    addEventListener("load", () => navigator.serviceWorker.register(new URL(`${root}sw.js?${document.documentElement.lang}`, location.href)).catch(() => {}));
  }
})();
