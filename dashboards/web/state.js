// What the page shows is its URL: ?view=...&sweep=...&<options of the view>&hide=...&theme=...

const OWN = new Set(["view", "sweep", "others", "hide", "theme", "token"]);
const PARTS = new Set(["menu", "head", "controls", "tables", "notes"]);

/** The state that a query string stands for. */
export function readState(search) {
  const given = new URLSearchParams(search);
  const options = {};
  for (const [name, value] of given) if (!OWN.has(name) && value) options[name] = value;
  const hide = (given.get("hide") ?? "").split(",").filter((part) => PARTS.has(part));
  const theme = ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : "";
  const others = given.getAll("others").filter(Boolean);
  return { view: given.get("view") || "", sweep: given.get("sweep") || "", others, options, hide, theme };
}

/** The query string of a state. */
export function writeState(state) {
  const given = new URLSearchParams();
  if (state.view) given.set("view", state.view);
  if (state.sweep) given.set("sweep", state.sweep);
  for (const key of state.others) given.append("others", key);
  for (const [name, value] of Object.entries(state.options)) if (value) given.set(name, value);
  if (state.hide.length) given.set("hide", state.hide.join(","));
  if (state.theme) given.set("theme", state.theme);
  return `?${given}`;
}

/** The keys that `others` of an address stand for: one each or, where no sweep is called so, with commas between them. */
export function keysOf(others, known) {
  return others.flatMap((given) => (known.includes(given) ? [given] : given.split(",").filter(Boolean)));
}

/** The part of a query string that the server is asked with. */
export function asked(state) {
  const given = new URLSearchParams({ sweep: state.sweep, ...state.options });
  if (state.view === "compare") for (const key of state.others) given.append("others", key);
  return given.toString();
}
