"use strict";
// Search through all alerts, in the reader's own browser: nobody is told what is looked for.
(() => {
  const form = document.querySelector("form.search"), list = document.querySelector(".results"), said = document.querySelector(".found");
  if (!form) return;
  const word = form.dataset, years = word.years.split(" ").filter(Boolean), shown = 50;
  const names = Object.fromEntries([...form.querySelectorAll("option")].map(each => [each.value, each.textContent]));
  const bare = text => text.normalize("NFKD").replace(/[\u0300-\u036f\u064b-\u065f\u0640]/g, "").replace(/[أإآ]/g, "ا").replace(/ى/g, "ي").replace(/ة/g, "ه").toLocaleLowerCase();
  const language = document.documentElement.lang, root = document.body.dataset.root;
  const tag = {en: "en-GB", ar: "ar-u-nu-latn"}[language] || language;
  const day = new Intl.DateTimeFormat(tag, {dateStyle: "long", timeZone: "UTC"});
  let rows = null, waits = null, failed = false;

  const load = () => waits ||= (async () => {
    said.textContent = word.loading;
    rows = [];
    for (const year of years) {
      try {
        const got = await fetch(`${root}${language}/index-${year}.json`);
        if (!got.ok) throw new Error(got.status);
        for (const row of await got.json()) rows.push([row, bare([row[0], row[1], names[row[2]] || "", names[row[3]] || "", row[4].split(" ").map(code => names[code] || "").join(" ")].join(" "))]);
      } catch { failed = true; }
      show();
    }
  })();

  const made = (name, text, kind) => {
    const found = document.createElement(name);
    if (text) found.textContent = text;
    if (kind) found.className = kind;
    return found;
  };
  const item = row => {
    const [number, title, type, offence, codes, issued, ends, cancelled, tongue, place] = row;
    const over = cancelled || ends * 60000 <= Date.now();
    const found = made("li", "", `row type-${type}${over ? " is-over" : ""}`), tags = made("p", "", "tags"), head = made("h2"), link = made("a", title), facts = made("p", "", "facts");
    tags.append(made("span", names[type] || type, "kind"));
    if (over) tags.append(made("span", cancelled ? word.cancelled : document.body.dataset.expired, "status"));
    link.href = `${root}${place || language}/${number}/`;
    if (tongue) { link.lang = tongue; link.dir = "auto"; }
    head.append(link);
    const where = codes.split(" ").filter(Boolean);
    facts.append(made("span", day.format(new Date(issued + "T00:00:00Z"))), made("span", where.length ? where.slice(0, 3).map(code => names[code] || code).join(language === "ar" ? "، " : ", ") + (where.length > 3 ? ` +${where.length - 3}` : "") : word.world), made("span", names[offence] || ""));
    found.append(tags, head, facts);
    return found;
  };

  const show = () => {
    if (!rows) return;
    const asked = new FormData(form), wanted = bare(asked.get("q").trim()).split(/\s+/).filter(Boolean);
    const [country, crime, kind] = ["country", "crime", "kind"].map(name => asked.get(name));
    const isAsked = wanted.length || country || crime || kind;
    const found = isAsked ? rows.filter(([row, text]) => (!country || row[4].split(" ").includes(country) || !row[4]) && (!crime || row[3] === crime) && (!kind || row[2] === kind) && wanted.every(each => text.includes(each))) : [];
    list.replaceChildren(...found.slice(0, shown).map(([row]) => item(row)));
    said.textContent = failed && !rows.length ? word.failed : !isAsked ? "" : found.length ? word.found.replace("{count}", new Intl.NumberFormat(tag).format(found.length)) : word.none;
  };
  let later;
  const ask = () => { load(); clearTimeout(later); later = setTimeout(show, 80); };
  form.addEventListener("input", ask);
  form.addEventListener("focusin", load, {once: true});
  form.addEventListener("submit", event => { event.preventDefault(); ask(); });

  // An address can carry what is looked for: /search/?q=…
  const given = new URLSearchParams(location.search);
  let isGiven = false;
  for (const [name, value] of given) if (form.elements[name]) { form.elements[name].value = value; isGiven = true; }
  if (isGiven) ask();
})();
