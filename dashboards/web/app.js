// The page: its URL says what it shows, the server answers, and news make it ask again.
import { showAnswer } from "./answer.js";
import { element } from "./element.js";
import { forget } from "./figure.js";
import { keepFocus, readerState } from "./kept.js";
import { showControls, showMenu, sweepTable } from "./menu.js";
import { json, listen } from "./server.js";
import { asked, keysOf, readState, writeState } from "./state.js";

const MOST_LISTED = 200; // sweeps in the list of the head; of more, the page of all sweeps leads to each
const MANY = 15; // sweeps on the page of all sweeps, from which on they can be looked for by name
const CALM_MS = 2000; // between two readings of a sweep that reports all the time
const READING = "Reading the sweep";
const SLOW_MS = 600; // after which a reader is told why nothing stands there yet
const at = (id) => document.getElementById(id);
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
let state = readState(location.search);
let board = { sweeps: [], views: [], problems: [] };
let stamps = {};
let shownStamp = "";
let request = new AbortController();
let waiting = 0;
let reading = 0;
let isPaused = false;

function isDark() {
  return state.theme ? state.theme === "dark" : prefersDark.matches;
}

function go(change, replace = false) {
  state = { ...state, ...change };
  history[replace ? "replaceState" : "pushState"](null, "", writeState(state));
  show();
}

async function show({ quiet = false } = {}) {
  request.abort();
  request = new AbortController();
  const { signal } = request;
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
  at("theme").textContent = isDark() ? "Light" : "Dark";
  for (const part of ["menu", "head", "controls"]) at(part).classList.toggle("away", state.hide.includes(part));
  try {
    if (!quiet || !board.views.length) board = await json("api/board", signal);
    state.others = keysOf(state.others, board.sweeps.map((each) => each.key));
    if (!state.view) state.view = board.sweeps.length === 1 || state.sweep ? "overview" : "sweeps";
    if (!state.sweep && board.sweeps.length && state.view !== "sweeps") state.sweep = board.sweeps[0].key;
    showMenu(at("menu"), board.views, state);
    showWhere();
    if (state.view === "sweeps" || !state.sweep) showSweeps(quiet); // without a sweep there is nothing else to show
    else await showView(signal, quiet);
  } catch (error) {
    if (error.name !== "AbortError") showError(error);
  }
}

function showWhere() {
  const sweep = board.sweeps.find((each) => each.key === state.sweep);
  if (!sweep || state.view === "sweeps") return at("where").replaceChildren();
  const few = board.sweeps.length <= MOST_LISTED ? board.sweeps : [sweep];
  const about = ` ${sweep.state}, ${sweep.source}`;
  const listed = JSON.stringify([sweep.key, few.map((each) => each.key)]);
  const known = at("sweep");
  if (known?.dataset.listed === listed) return at("where").replaceChild(document.createTextNode(about), known.nextSibling);
  const picker = element("select", { id: "sweep", "aria-label": "Sweep", "data-listed": listed },
    few.map((each) => element("option", { value: each.key, selected: each.key === sweep.key }, each.key)));
  picker.addEventListener("change", () => go({ sweep: picker.value, options: {}, others: [] }));
  return keepFocus(at("where"), () => at("where").replaceChildren(picker, about));
}

function heading(title, about) {
  at("title").textContent = title;
  at("about").textContent = about;
  document.title = `${title} · ${state.view === "sweeps" ? "" : `${state.sweep} · `}greenexp`;
}

function showSweeps(quiet) {
  heading("All sweeps", "The sweeps in the folders and at the addresses that this dashboard was given.");
  const find = state.options.find ?? "";
  const filter = { find: { title: "Name contains", choices: null } };
  if (!quiet || at("controls").hidden) { // else somebody may be writing there
    showControls(at("controls"), board.sweeps.length > MANY ? filter : {}, { find }, (name, value) =>
      go({ options: value ? { [name]: value } : {} }, true),
    );
  }
  const found = board.sweeps.filter((each) => each.key.toLowerCase().includes(find.toLowerCase()));
  forget();
  const problems = board.problems.map((text) => element("p", { class: "warning" }, text));
  const none = `There is no sweep yet in ${board.sources.join(", ")}. "greenexp run smoke" begins one.`;
  const { sorted } = readerState(at("answer"));
  const listed = () => at("answer").replaceChildren(...problems, sweepTable(found, state, sorted.get("sweeps")));
  if (board.sweeps.length) keepFocus(at("answer"), listed);
  else at("answer").replaceChildren(...(problems.length ? problems : [element("p", {}, none)]));
}

async function showView(signal, quiet) {
  const name = encodeURIComponent(state.view);
  if (!quiet) {
    const view = board.views.find((each) => each.name === state.view);
    heading(view?.title ?? state.view, view?.about ?? "");
    at("answer").setAttribute("aria-busy", "true");
    const slow = setTimeout(() => (at("news").textContent = READING), SLOW_MS);
    signal.addEventListener("abort", () => clearTimeout(slow));
    reading = slow;
    const options = await json(`api/sweeps/${encodeURIComponent(state.sweep)}/options/${name}`, signal);
    const values = { ...state.options };
    if (view?.several) {
      const keys = board.sweeps.map((each) => each.key).filter((key) => key !== state.sweep);
      options.others = { title: "Other sweeps", choices: keys, default: "", many: true, nothing: "none" };
      values.others = state.others;
    }
    showControls(at("controls"), options, values, (option, value) =>
      go(option === "others" ? { others: value } : { options: { ...state.options, [option]: [value].flat().join(",") } }),
    );
  }
  const answer = await json(`api/views/${name}?${asked(state)}`, signal);
  shownStamp = answer.stamp;
  clearTimeout(reading);
  if (at("news").textContent === READING) at("news").textContent = "";
  showAnswer(at("answer"), answer, state, isDark());
  at("answer").removeAttribute("aria-busy");
}

function showError(error) {
  clearTimeout(reading);
  if (at("news").textContent === READING) at("news").textContent = "";
  forget();
  at("answer").removeAttribute("aria-busy");
  at("answer").replaceChildren(element("p", { class: "refusal", role: "alert" }, error.message));
}

function isOld() {
  if (at("answer").hasAttribute("aria-busy") || !board.views.length) return false; // it is being read
  const keys = Object.keys(stamps);
  if (state.view !== "sweeps") return state.sweep ? (stamps[state.sweep] ?? shownStamp) !== shownStamp : keys.length > 0;
  const listed = new Map(board.sweeps.map((each) => [each.key, each.stamp]));
  return keys.length !== listed.size || keys.some((key) => stamps[key] !== listed.get(key));
}

function changed(news) {
  stamps = news;
  if (waiting || isPaused) return;
  waiting = setTimeout(async () => {
    waiting = 0;
    if (isPaused || !isOld()) return;
    board = await json("api/board").catch(() => board);
    await show({ quiet: state.view === "sweeps" || Boolean(state.sweep) }); // the first sweep brings its heading, too
    at("updated").textContent = `Updated at ${new Date().toLocaleTimeString("en", { hour12: false })}`;
  }, CALM_MS);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='?']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const target = readState(link.getAttribute("href"));
  go({ ...target, hide: state.hide, theme: state.theme });
  at("menu").classList.remove("unfolded");
  at("fold").setAttribute("aria-expanded", "false");
  at("main").focus({ preventScroll: true });
  window.scrollTo(0, 0);
});
window.addEventListener("popstate", () => {
  state = readState(location.search);
  show();
});
prefersDark.addEventListener("change", () => show());
at("theme").addEventListener("click", () => go({ theme: isDark() ? "light" : "dark" }, true));
at("fold").addEventListener("click", () => {
  const unfolded = at("menu").classList.toggle("unfolded");
  at("fold").setAttribute("aria-expanded", String(unfolded));
});
at("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  at("pause").textContent = isPaused ? "Resume updates" : "Pause updates";
  changed(stamps); // what came meanwhile
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment of the address belongs to the view
  at("main").focus();
});
at("controls").addEventListener("submit", (event) => event.preventDefault());
listen(changed, (heard) => (at("news").textContent = heard ? "" : "The server cannot be heard; what stands here may be old."));
show();
