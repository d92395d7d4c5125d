// What a view answers: sentences, figures, tables, and what must be known to use them.
import { brushOf } from "./brush.js";
import { copyButton, element } from "./element.js";
import { figureOf, forget } from "./figure.js";
import { keepFocus, readerState } from "./kept.js";
import { sliderOf } from "./slider.js";
import { asked, writeState } from "./state.js";
import { tableOf } from "./table.js";

const OPEN = { overview: ["configurations"], decisions: ["decisions"], compare: ["sweeps", "pairs"], costs: ["costs"] };
const PANELS = { thresholds: sliderOf, parallel: brushOf }; // view -> what can be moved in it
const SHORT = 160; // letters of a sentence that can be set large

/** Put an answer into the page; what was unfolded, sorted or focused stays so. */
export function showAnswer(place, answer, state, dark) {
  const { open, sorted, heights } = readerState(place);
  const hidden = (part) => state.hide.includes(part);
  const query = asked(state);
  const base = `api/views/${encodeURIComponent(answer.view)}`;
  const figures = answer.figures.map((figure) =>
    figureOf(figure, `${base}/figures/${encodeURIComponent(figure.name)}.svg?${query}`, dark, {
      unfolded: open.get(`${figure.name}-text`) ?? false,
      height: heights.get(figure.name) ?? 0,
    }),
  );
  const unfoldedFirst = OPEN[answer.view] ?? (answer.figures.length ? [] : answer.tables.slice(0, 1).map((table) => table.name));
  const tables = answer.tables.map((table) => {
    const unfolded = open.get(table.name) ?? unfoldedFirst.includes(table.name);
    return tableOf(table, `${base}/tables/${encodeURIComponent(table.name)}.csv?${query}`, unfolded, links, sorted.get(table.name));
  });
  function links(column, text) {
    if (column !== "trial" || !text || text === "–" || state.view === "compare") return null;
    return writeState({ ...state, view: "trial", options: { trial: text } });
  }
  forget();
  const parts = [
    answer.refusal ? element("p", { class: "refusal" }, element("strong", {}, "No answer: "), answer.refusal) : null,
    ...answer.warnings.map((text) => element("p", { class: "warning" }, element("strong", {}, "Warning: "), text)),
    ...answer.verdict.map((text, number) => element("p", { class: number || text.length > SHORT ? "result" : "result first" }, text)),
    PANELS[answer.view]?.(answer, figures, open) ?? null,
    figures.length ? element("div", { class: "figures" }, figures) : null,
    ...(hidden("tables") ? [] : tables),
    answer.log ? logOf(answer.log, open) : null,
    answer.listing ? element("pre", { tabindex: "0" }, answer.listing) : null,
    hidden("notes") ? null : notes("Notes", "notes", answer.notes, open),
    hidden("notes") ? null : notes("What this assumes", "assumptions", answer.assumptions, open),
    hidden("notes") || answer.view !== "overview" ? null : commands(answer.commands, open),
    hidden("notes") ? null : python(answer.python, open),
  ].filter((part) => part !== null);
  keepFocus(place, () => place.replaceChildren(...parts));
}

function notes(title, name, texts, open) {
  if (!texts.length) return null;
  return element(
    "details",
    { "data-name": name, open: open.get(name) ?? false },
    element("summary", {}, `${title} (${texts.length})`),
    element("ul", {}, texts.map((text) => element("li", {}, text))),
  );
}

function logOf(text, open) {
  return element(
    "details",
    { "data-name": "log", open: open.get("log") ?? false },
    element("summary", {}, "The end of its log"),
    element("pre", { tabindex: "0" }, text),
  );
}

function commands(known, open) {
  const lines = Object.entries(known ?? {});
  if (!lines.length) return null;
  return element(
    "details",
    { "data-name": "commands", open: open.get("commands") ?? false },
    element("summary", {}, "Stop, continue or extend this sweep"),
    element("p", {}, "This page changes nothing. Ctrl-C in the terminal where the sweep runs stops it. Commands:"),
    element("ul", {}, lines.map(([what, line]) =>
      element("li", {}, `To ${what}: `, element("code", {}, line), " ", copyButton("Copy", line)))),
  );
}

function python(code, open) {
  if (!code) return null;
  return element(
    "details",
    { "data-name": "python", open: open.get("python") ?? false },
    element("summary", {}, "The same in Python"),
    element("pre", { tabindex: "0" }, code),
    copyButton("Copy as Python", code),
  );
}
