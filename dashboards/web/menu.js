// The menu of views, the list of sweeps, and the options of a view.
import { element } from "./element.js";
import { keepFocus } from "./kept.js";
import { writeState } from "./state.js";
import { tableOf } from "./table.js";

/** The views, by group; the one that is shown is marked. */
export function showMenu(place, views, state) {
  const shown = JSON.stringify([views, writeState(state)]);
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  const groups = new Map([["Sweeps", [{ name: "sweeps", title: "All sweeps" }]]]);
  for (const view of state.view === "sweeps" ? [] : views) groups.set(view.group, [...(groups.get(view.group) ?? []), view]);
  const sections = [...groups].map(([group, members]) =>
    element(
      "section",
      {},
      element("h2", {}, group),
      element(
        "ul",
        {},
        members.map((view) => {
          const target = writeState({ ...state, view: view.name, options: {} });
          const current = view.name === state.view ? "page" : null;
          return element("li", {}, element("a", { href: target, "aria-current": current }, view.title));
        }),
      ),
    ),
  );
  keepFocus(place, () => place.replaceChildren(...sections));
}

/** All sweeps as a table, each a link to its overview. */
export function sweepTable(sweeps, state, sorted) {
  const columns = [
    ["name", "Sweep", "name"],
    ["state", "State", "text"],
    ["trials", "Trials", "number"],
    ["finished", "Finished", "number"],
    ["stopped", "Stopped early", "number"],
    ["failed", "Failed", "number"],
    ["running", "Running", "number"],
    ["best", "Best dev score", "number"],
    ["metric", "Metric", "text"],
    ["start_s", "Began", "name"],
  ].map(([name, title, layout]) => ({ name, title, layout }));
  const rows = sweeps.map((sweep) =>
    columns.map(({ name }) => {
      if (name === "name") {
        return [sweep.key, null, writeState({ ...state, view: "overview", sweep: sweep.key, options: {} })];
      }
      const value = sweep[name];
      if (value === null || value === undefined) return ["–", null];
      if (name === "start_s") return [new Date(value * 1000).toISOString().slice(0, 16).replace("T", " "), value];
      if (name === "best") return [value.toFixed(4), value];
      return typeof value === "number" ? [value.toLocaleString("en"), value] : [String(value), null];
    }),
  );
  return tableOf({ name: "sweeps", title: "Sweeps", note: "Times are UTC.", columns, rows, total: rows.length }, "", true, undefined, sorted);
}

/** The options of a view as a form; `changed` is given their values, a list of those of which several are chosen. */
export function showControls(place, options, values, changed) {
  const controls = Object.entries(options).map(([name, option]) => {
    const id = `option-${name}`;
    const value = values[name] ?? option.default ?? "";
    const control = option.choices === null ? textControl(id, value) : choiceControl(id, option, value);
    control.addEventListener("change", () => changed(name, read(control)));
    return element("p", {}, element("label", { for: id }, option.title), control);
  });
  keepFocus(place, () => place.replaceChildren(...controls));
  place.hidden = !Object.keys(options).length;
}

function textControl(id, value) {
  return element("input", { id, type: "text", value });
}

function choiceControl(id, option, value) {
  const chosen = Array.isArray(value) ? value : option.many ? value.split(",") : [value];
  const choices = option.default ? option.choices : ["", ...option.choices];
  const size = option.many ? Math.min(4, choices.length) : null;
  return element(
    "select",
    { id, multiple: option.many, size },
    choices.map((choice) => element("option", { value: choice, selected: chosen.includes(choice) }, choice ? (option.labels?.[choice] ?? choice) : option.nothing)),
  );
}

function read(control) {
  if (control.multiple) return [...control.selectedOptions].map((each) => each.value).filter(Boolean);
  return control.value;
}
