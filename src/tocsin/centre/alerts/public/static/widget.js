"use strict";
// The latest warnings on another site: <div data-alerts="en" data-count="5" data-country="FR">…</div> and this script.
// What stands in the element is shown where the script, or the site, is out of reach.
// No cookies, nothing is sent but the request for one public file; what is drawn stands apart from the page's own style.
(() => {
  const root = "@ROOT@";
  const style = `:host{display:block;font:1rem/1.5 system-ui,sans-serif;color:#17222c;color-scheme:light}
section{border:1px solid #d8d5cc;border-radius:12px;background:#fff;padding:1rem;max-inline-size:28rem}
h2{font-size:1.05rem;margin:0 0 .6rem}ol{list-style:none;margin:0;padding:0}
li{border-block-start:1px solid #e8e5dc;padding-block:.6rem}a{color:#0f4c8a}small{display:block;color:#4d5a66}
li.IMMINENT small{color:#a33a00;font-weight:600}p{margin:.6rem 0 0}`;
  const made = (name, text) => { const found = document.createElement(name); if (text) found.textContent = text; return found; };
  const linked = (text, address) => { const found = made("a", text); found.href = address; found.rel = "noopener"; return found; };
  const draw = async place => {
    if (place.shadowRoot) return;
    const shadow = place.attachShadow({mode: "open"});
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style);
      shadow.adoptedStyleSheets = [sheet];
    } catch { /* An old browser shows it plain. */ }
    try {
      const got = await fetch(`${root}widget/${encodeURIComponent(place.dataset.alerts || "en")}.json`, {credentials: "omit", referrerPolicy: "no-referrer"});
      if (!got.ok) throw new Error(got.status);
      const data = await got.json(), wanted = place.dataset.country;
      const rows = data.alerts.filter(each => Date.parse(each.expires) > Date.now() && (!wanted || !each.countries.length || each.countries.includes(wanted)));
      const box = made("section"), head = made("h2"), list = made("ol"), foot = made("p");
      box.lang = data.language;
      box.dir = data.direction;
      box.setAttribute("aria-label", data.title);
      head.append(linked(data.title, data.url));
      for (const each of rows.slice(0, Number(place.dataset.count) || 5)) {
        const item = made("li"), link = linked(each.title, each.url);
        item.className = each.type;
        link.lang = each.language;
        item.append(made("small", `${each.kind} · ${each.day}`), link);
        list.append(item);
      }
      if (!rows.length) list.append(made("li", data.none));
      foot.append(made("small", data.issuer));
      box.append(head, list, foot);
      shadow.replaceChildren(box);
    } catch { shadow.replaceChildren(place.children.length ? made("slot") : linked(root, root)); }
  };
  const start = () => document.querySelectorAll("[data-alerts]").forEach(draw);
  document.readyState === "loading" ? document.addEventListener("DOMContentLoaded", start) : start();
})();
