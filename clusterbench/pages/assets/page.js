// Tables: sort by a heading, filter by a text, state in the address, a reset. Without it all is read.
"use strict";
(() => {
  const ARROWS = { ascending: "▲", descending: "▼", none: "" };
  const MOST = 100; // rows in the page at a time, until all are asked for: laying out takes the time
  const compareTexts = new Intl.Collator("en", { numeric: true }).compare;
  const whenIdle = window.requestIdleCallback || ((work) => setTimeout(work, 50));
  const written = (number) => number.toLocaleString("en");
  const tables = [];

  // The state of all tables of the page: "#key:sort=column.descending&key:find=text".
  const readState = () => new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  function writeState() {
    const state = new URLSearchParams();
    for (const table of tables) table.write(state);
    const text = state.toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }

  function value(cell) {
    if ("none" in cell.dataset) return null;
    if (!("value" in cell.dataset)) return cell.textContent;
    const number = Number(cell.dataset.value);
    return cell.className.startsWith("text") || Number.isNaN(number) ? cell.dataset.value : number;
  }

  // A number per row that sorts as its cell does; NaN for none.
  function sortKeys(cells) {
    const values = cells.map(value);
    if (values.every((v) => v === null || typeof v === "number")) return values.map((v) => v ?? NaN);
    const texts = [...new Set(values.filter((v) => v !== null).map(String))].sort(compareTexts);
    const places = new Map(texts.map((text, place) => [text, place]));
    return values.map((v) => (v === null ? NaN : places.get(String(v))));
  }

  function button(text, work) {
    const made = document.createElement("button");
    made.type = "button";
    made.append(text);
    made.addEventListener("click", work);
    return made;
  }

  function make(box) {
    const body = box.querySelector("tbody");
    const heads = [...box.querySelectorAll("thead th")];
    const given = heads.map((head) => head.getAttribute("aria-sort") || "none");
    const rows = [...body.rows];
    const columns = [];
    const texts = [];
    let sort = null; // {key, direction}, or null for the rows as they came
    let all = false;

    const keysOf = (index) => (columns[index] ??= sortKeys(rows.map((row) => row.cells[index])));
    const textOf = (index) => (texts[index] ??= rows[index].textContent.toLowerCase());

    function order() {
      const places = rows.map((_, place) => place);
      if (!sort) return places;
      const keys = keysOf(heads.findIndex((head) => head.dataset.key === sort.key));
      const sign = sort.direction === "ascending" ? 1 : -1;
      return places.sort((a, b) => {
        const [x, y] = [keys[a], keys[b]];
        if (x !== x || y !== y) return (x !== x) - (y !== y) || a - b; // nothing is last, always
        return sign * (x - y) || a - b;
      });
    }

    function arrange() {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      const kept = order().filter((place) => words.every((word) => textOf(place).includes(word)));
      const shown = all ? kept : kept.slice(0, MOST);
      body.replaceChildren(...shown.map((place) => rows[place]));
      heads.forEach((head, index) => {
        const own = sort ? (head.dataset.key === sort.key ? sort.direction : "none") : given[index];
        if (own === "none") head.removeAttribute("aria-sort");
        else head.setAttribute("aria-sort", own);
        head.querySelector(".arrow").textContent = ARROWS[own];
      });
      const found = kept.length < rows.length ? `${written(kept.length)} of ` : "";
      const first = shown.length < kept.length ? `, the first ${written(shown.length)} shown` : "";
      count.textContent = `${found}${written(rows.length)} rows${first}`;
      reset.disabled = !sort && !find.value && !all;
      more.hidden = shown.length === kept.length;
    }

    const change = (work) => () => {
      work();
      arrange();
      writeState();
    };
    const find = document.createElement("input");
    find.type = "search";
    find.autocomplete = "off";
    find.addEventListener("input", change(() => {}));
    const label = document.createElement("label");
    label.append("Filter ", find);
    const reset = button(
      "Reset",
      change(() => {
        sort = null;
        all = false;
        find.value = "";
        find.focus(); // the button is disabled now, and would lose it
      }),
    );
    const more = button(
      "Show all",
      change(() => {
        all = true;
        find.focus();
      }),
    );
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    const tools = document.createElement("div");
    tools.className = "tools";
    tools.append(label, reset, count, more);
    box.prepend(tools);

    heads.forEach((head, index) => {
      const { key, best } = head.dataset;
      const start = best === "high" ? "descending" : "ascending";
      const other = best === "high" ? "ascending" : "descending";
      const sorter = button(
        "",
        change(() => {
          const before = sort ? (sort.key === key ? sort.direction : "none") : given[index];
          sort = { key, direction: before === start ? other : start };
        }),
      );
      const arrow = document.createElement("span");
      arrow.className = "arrow";
      arrow.setAttribute("aria-hidden", "true");
      sorter.replaceChildren(...head.childNodes, arrow);
      head.append(sorter);
    });
    // Read now what the first click would have to read.
    heads.forEach((_, index) => whenIdle(() => keysOf(index)));

    return {
      write(state) {
        if (sort) state.set(`${box.id}:sort`, `${sort.key}.${sort.direction}`);
        if (find.value) state.set(`${box.id}:find`, find.value);
      },
      read(state) {
        const [key, direction] = (state.get(`${box.id}:sort`) || "").split(".");
        const known = heads.some((head) => head.dataset.key === key);
        sort = known && ["ascending", "descending"].includes(direction) ? { key, direction } : null;
        find.value = (state.get(`${box.id}:find`) || "").slice(0, 500);
        arrange();
      },
    };
  }

  for (const box of document.querySelectorAll(".table[data-tools]")) tables.push(make(box));
  const readAll = () => {
    const state = readState();
    for (const table of tables) table.read(state);
  };
  readAll();
  // A place on the page, such as that of the skip link, says nothing of the tables.
  addEventListener("hashchange", () => {
    if (!location.hash || location.hash.includes("=")) readAll();
  });
})();
