// Tables: sort by a heading, filter by a text, state in the address, a reset. Without it all is read.
"use strict";
(() => {
  const ARROWS = { ascending: "▲", descending: "▼", none: "" };
  const compareTexts = new Intl.Collator("en", { numeric: true }).compare;
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

  function make(box) {
    const body = box.querySelector("tbody");
    const heads = [...box.querySelectorAll("thead th")];
    const first = [...body.rows];
    const values = [];
    const texts = [];
    const given = heads.map((head) => head.getAttribute("aria-sort") || "none");
    let sort = null; // {column, direction}, or null for the rows as they came
    let shown = first.length;

    const tools = document.createElement("div");
    tools.className = "tools";
    const label = document.createElement("label");
    const find = document.createElement("input");
    find.type = "search";
    find.autocomplete = "off";
    label.append("Filter ", find);
    const reset = document.createElement("button");
    reset.type = "button";
    reset.textContent = "Reset";
    const count = document.createElement("span");
    count.setAttribute("role", "status");
    tools.append(label, reset, count);
    box.prepend(tools);

    const column = (index) =>
      (values[index] ??= new Map(first.map((row) => [row, value(row.cells[index])])));

    function order() {
      if (!sort) return first;
      const index = heads.findIndex((head) => head.dataset.key === sort.column);
      const sign = sort.direction === "ascending" ? 1 : -1;
      const of = column(index);
      return first.slice().sort((a, b) => {
        const x = of.get(a);
        const y = of.get(b);
        if (x === null || y === null) return (x === null) - (y === null); // nothing is last, always
        if (typeof x === "number" && typeof y === "number") return sign * (x - y);
        return sign * compareTexts(String(x), String(y));
      });
    }

    function mark() {
      heads.forEach((head, index) => {
        const own = sort ? (head.dataset.key === sort.column ? sort.direction : "none") : given[index];
        if (own === "none") head.removeAttribute("aria-sort");
        else head.setAttribute("aria-sort", own);
        head.querySelector(".arrow").textContent = ARROWS[own];
      });
      const all = first.length.toLocaleString("en");
      count.textContent = shown < first.length ? `${shown.toLocaleString("en")} of ${all} rows` : `${all} rows`;
      reset.disabled = !sort && !find.value;
    }

    function arrange() {
      body.replaceChildren(...order());
    }

    function filter() {
      const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = 0;
      first.forEach((row, index) => {
        texts[index] ??= row.textContent.toLowerCase();
        const kept = words.every((word) => texts[index].includes(word));
        if (row.hidden === kept) row.hidden = !kept;
        shown += kept;
      });
    }

    heads.forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      const arrow = document.createElement("span");
      arrow.className = "arrow";
      arrow.setAttribute("aria-hidden", "true");
      button.append(arrow);
      head.append(button);
      button.addEventListener("click", () => {
        const before = sort ? (sort.column === head.dataset.key ? sort.direction : "none") : given[index];
        const start = head.dataset.best === "high" ? "descending" : "ascending";
        const other = start === "ascending" ? "descending" : "ascending";
        sort = { column: head.dataset.key, direction: before === start ? other : start };
        arrange();
        mark();
        writeState();
      });
    });
    find.addEventListener("input", () => {
      filter();
      mark();
      writeState();
    });
    reset.addEventListener("click", () => {
      sort = null;
      find.value = "";
      arrange();
      filter();
      mark();
      writeState();
      find.focus();
    });

    return {
      write(state) {
        if (sort) state.set(`${box.id}:sort`, `${sort.column}.${sort.direction}`);
        if (find.value) state.set(`${box.id}:find`, find.value);
      },
      read(state) {
        const [key, direction] = (state.get(`${box.id}:sort`) || "").split(".");
        const known = heads.some((head) => head.dataset.key === key) && direction in ARROWS;
        sort = known && direction !== "none" ? { column: key, direction } : null;
        find.value = (state.get(`${box.id}:find`) || "").slice(0, 500);
        arrange();
        filter();
        mark();
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
