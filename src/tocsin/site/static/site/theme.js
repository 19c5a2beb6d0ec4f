// Before the first paint: the theme that the reader chose, if any. Loaded without defer on purpose.
(() => {
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch { /* Storage may be forbidden; then the system's theme holds. */ }
})();
