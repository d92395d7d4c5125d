// A table that can be sorted by every column, with its CSV.
import { element } from "./element.js";

const FIRST = 12;

/** The table of a payload. link: address of its CSV, "" for none; open: whether it is unfolded;
 * links: (column, text) -> where a cell leads to, null for nowhere; sorted: how the reader had sorted the one before. */
export function tableOf(table, link, open, links, sorted) {
  const title = `${table.title} (${table.total.toLocaleString("en")} ${table.total === 1 ? "row" : "rows"})`;
  const column = table.columns.findIndex((each) => each.name === sorted?.name);
  const state = { column, descending: sorted?.descending ?? false, all: sorted?.all ?? table.rows.length <= FIRST + 3 };
  const holder = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table ${table.name}: ${table.title}` });
  const more = element("button", { type: "button", class: "small" });
  more.addEventListener("click", () => {
    state.all = !state.all;
    draw();
  });

  function draw() {
    const rows = state.column < 0 ? table.rows : [...table.rows].sort(order(state.column, state.descending));
    const shown = state.all ? rows : rows.slice(0, FIRST);
    holder.replaceChildren(
      element(
        "table",
        {},
        element("caption", { class: "hidden" }, title),
        element("thead", {}, element("tr", {}, table.columns.map((column, place) => heading(column, place)))),
        element("tbody", {}, shown.map((row) => element("tr", {}, row.map((cell, place) => cellOf(cell, place))))),
      ),
    );
    more.textContent = state.all ? "Show the first rows" : `Show all ${table.rows.length} rows`;
    more.hidden = table.rows.length <= FIRST + 3;
    made.sorted = {
      name: table.columns[state.column]?.name,
      descending: state.descending,
      all: table.rows.length > FIRST + 3 ? state.all : undefined, // a short table grows: all of it is not asked for
    };
  }

  function heading(column, place) {
    const sorted = state.column === place ? (state.descending ? "descending" : "ascending") : "none";
    const button = element("button", { type: "button", class: "sort" }, column.title);
    button.addEventListener("click", () => {
      state.descending = state.column === place && !state.descending;
      state.column = place;
      draw();
      holder.querySelectorAll("th button")[place].focus();
    });
    return element("th", { scope: "col", class: column.layout, "aria-sort": sorted }, button);
  }

  function cellOf([text, number, given], place) {
    const href = given ?? links?.(table.columns[place].name, text);
    const content = href ? element("a", { href }, text) : text;
    return element("td", { class: table.columns[place].layout, "data-number": number }, content);
  }

  const cut = table.rows.length < table.total ? `The page has the first ${table.rows.length} rows; the CSV has all.` : "";
  const made = element(
    "details",
    { class: "table", "data-name": table.name, open },
    element("summary", {}, title),
    table.note ? element("p", { class: "note" }, table.note) : null,
    cut ? element("p", { class: "note" }, cut) : null,
    holder,
    element("p", { class: "tools" }, more, link ? element("a", { href: link, download: "" }, "CSV") : null),
  );
  draw();
  return made;
}

function order(column, descending) {
  const sign = descending ? -1 : 1;
  return (a, b) => {
    const [left, right] = [a[column], b[column]];
    if (left[1] !== null && right[1] !== null) return sign * (left[1] - right[1]);
    if (left[1] !== null || right[1] !== null) return left[1] === null ? 1 : -1; // what is missing stands last
    return sign * left[0].localeCompare(right[0], "en", { numeric: true });
  };
}
