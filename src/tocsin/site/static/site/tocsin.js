// The few things that pages cannot do without a script: theme, phone navigation, menus, copying, dropping files.
const root = document.documentElement;

function markTheme() {
  const chosen = root.dataset.theme ?? "auto";
  for (const button of document.querySelectorAll("[data-theme-choice]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
  }
}

document.addEventListener("click", (event) => {
  const theme = event.target.closest("[data-theme-choice]");
  if (theme) {
    const choice = theme.dataset.themeChoice;
    if (choice === "auto") delete root.dataset.theme;
    else root.dataset.theme = choice;
    try { localStorage.setItem("theme", choice); } catch { /* Lasts for this page only. */ }
    markTheme();
  }
  const side = document.getElementById("side");
  const opener = event.target.closest("[data-side]");
  if (side && (opener || !event.target.closest("#side"))) {
    if (opener) event.preventDefault();
    const open = Boolean(opener) && !side.classList.contains("is-open");
    side.classList.toggle("is-open", open);
    document.querySelector("[data-side]")?.setAttribute("aria-expanded", String(open));
    if (open) side.querySelector("a")?.focus();
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const copier = event.target.closest("[data-copy]");
  if (copier) {
    navigator.clipboard?.writeText(copier.dataset.copy).then(() => copier.classList.add("is-copied"));
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
    document.getElementById("side")?.classList.remove("is-open");
  }
  if (event.key === "/" && !/^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "")) {
    const find = document.getElementById("find") ?? document.getElementById("id_q");
    if (find) { event.preventDefault(); find.focus(); }
  }
});

// A select or input marked so sends its form as soon as it changes.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submits]")) event.target.form?.requestSubmit();
});

for (const zone of document.querySelectorAll("[data-drop]")) {
  const input = zone.querySelector("input[type=file]");
  const names = zone.querySelector("[data-drop-names]");
  const show = () => { if (names) names.textContent = [...input.files].map((file) => file.name).join(", "); };
  input?.addEventListener("change", show);
  for (const kind of ["dragenter", "dragover"]) zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("is-over"); });
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.remove("is-over"); });
  zone.addEventListener("drop", (event) => { if (input && event.dataTransfer.files.length) { input.files = event.dataTransfer.files; show(); } });
}

// A table that is wider than its place can be reached and moved with the keyboard; one that fits is no stop on the way.
function markScrollers() {
  for (const box of document.querySelectorAll(".table-scroll")) {
    if (box.scrollWidth > box.clientWidth) {
      const title = box.closest("section, .card")?.querySelector("h2") ?? document.querySelector("h1");
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", title?.textContent.trim() ?? document.title);
    } else if (box.tabIndex === 0) {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}
// Whatever changes the room of a table or its own width: the window, a font that comes late, something unfolded.
const roomOfTables = new ResizeObserver(markScrollers);
function watchScrollers() {
  for (const box of document.querySelectorAll(".table-scroll")) {
    roomOfTables.observe(box);
    if (box.firstElementChild) roomOfTables.observe(box.firstElementChild);
  }
  markScrollers();
}
document.addEventListener("toggle", markScrollers, true);
document.addEventListener("htmx:afterSettle", watchScrollers);

watchScrollers();
markTheme();
