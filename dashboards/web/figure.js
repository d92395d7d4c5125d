// A figure: Vega-Lite drawn in the page, with its text alternative, and the drawing as a file.
import { element } from "./element.js";

// On a dark page the inks of `greenexp.figures.style` are exchanged: each has at least 3:1 against it.
const DARK = new Map([
  ["#1a1a1a", "#e8e8e8"],
  ["#ffffff", "#15181c"],
  ["white", "#15181c"],
  ["#e6e6e6", "#33383f"],
  ["#0072b2", "#56b4e9"],
  ["#767676", "#a6a6a6"],
]);
const NARROW = 480; // pixels below which legends stand one below the other, and long titles have several lines
const LETTER = 6.6; // pixels, on average
const drawn = new Set();

/** The figure of a payload. link: address of its SVG; dark: whether the page is; of the one before, `unfolded`: whether
 * its words are, and `height`: of its drawing, in pixels, lest the page jump until this one is drawn. */
export function figureOf(figure, link, dark, { unfolded, height }) {
  const drawing = element("div", { class: "drawing", role: "img", "aria-label": figure.alt });
  drawing.style.minHeight = `${height}px`;
  const holder = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Drawing: ${figure.title}` },
    drawing);
  const made = element(
    "figure",
    { "data-name": figure.name },
    element("figcaption", {}, figure.title),
    holder,
    element("details", { class: "alt", "data-name": `${figure.name}-text`, open: unfolded }, element("summary", {}, "In words"),
      element("p", {}, figure.alt)),
    element("p", { class: "tools" }, element("a", { href: link, download: "" }, "SVG")),
  );
  requestAnimationFrame(() => draw(drawing, figure, dark));
  return made;
}

/** Forget the drawings that are no longer in the page. */
export function forget() {
  for (const result of drawn) result.finalize();
  drawn.clear();
}

async function draw(place, figure, dark) {
  if (!place.isConnected) return;
  if (!window.vegaEmbed) {
    window.addEventListener("load", () => draw(place, figure, dark), { once: true });
    return;
  }
  const spec = inked(structuredClone(figure.spec), dark);
  if (typeof spec.width === "number") {
    spec.width = "container"; // the drawing takes the room there is, and its text keeps its size
    spec.autosize = { type: "fit-x", contains: "padding" };
    place.classList.add("wide");
  }
  if (place.parentElement.clientWidth < NARROW) narrowed(spec, place.parentElement.clientWidth - 30);
  try {
    const result = await window.vegaEmbed(place, spec, {
      actions: false,
      ast: true, // the page's policy allows no code made of text
      defaultStyle: false,
      renderer: "svg",
      tooltip: { theme: dark ? "dark" : "light", disableDefaultStyle: true },
    });
    drawn.add(result);
    place.closest("figure").dispatchEvent(new CustomEvent("drawn", { detail: result.view }));
    place.querySelector("svg")?.setAttribute("aria-hidden", "true"); // the text alternative is the holder's
  } catch (error) {
    place.textContent = `This figure could not be drawn: ${error.message}. Its table follows.`;
  }
  place.style.minHeight = "";
}

/** Legends one below the other, small multiples too, and titles in lines: for `room` pixels. */
function narrowed(spec, room) {
  const layout = { ...spec.config.legend?.layout, top: { anchor: "end", direction: "vertical", margin: 4 } };
  const columns = 30 + LETTER * longestName(spec) < room / 2 ? 2 : 1;
  spec.config.legend = { ...spec.config.legend, columns, labelLimit: room / columns - 30, titleLimit: room, layout };
  spec.config.axisX = { ...spec.config.axisX, titleAnchor: "end" }; // names of rows may leave it little room
  titlesInLines(spec, Math.floor((room - 60) / LETTER));
  legendsIn(spec, columns);
  if (spec.columns > 1) spec.columns = 1;
  if (spec.facet && typeof spec.spec?.width === "number") spec.spec.width = Math.min(spec.spec.width, room - 80);
}

/** How many columns the legends have that say so themselves. */
function legendsIn(part, columns) {
  if (!part || typeof part !== "object") return;
  if (part.legend?.columns > columns) part.legend.columns = columns;
  for (const [name, each] of Object.entries(part)) if (name !== "data" && name !== "datasets") legendsIn(each, columns);
}

/** Break the titles of axes between words, in the place: a drawing is as narrow as the page, and as tall as it says. */
function titlesInLines(part, most) {
  if (!part || typeof part !== "object") return;
  for (const [name, each] of Object.entries(part)) {
    if (name === "data" || name === "datasets") continue;
    if ((name === "x" || name === "y") && typeof each?.title === "string") each.title = inLines(each.title, most);
    if (name === "axis" && typeof each?.title === "string") each.title = inLines(each.title, most);
    titlesInLines(each, most);
  }
}

/** Letters of the longest name in a legend. */
function longestName(part) {
  if (!part || typeof part !== "object") return 0;
  const names = Array.isArray(part.scale?.domain) ? part.scale.domain : [];
  const own = names.map((each) => (typeof each === "string" ? each.length : 0));
  const inside = Object.entries(part).filter(([name]) => name !== "data" && name !== "datasets").map(([, each]) => longestName(each));
  return Math.max(0, ...own, ...inside);
}

function inLines(text, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length > most && lines.at(-1)) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines.length > 1 ? lines : text;
}

function inked(spec, dark) {
  if (!dark) return spec;
  const exchange = (value) => {
    if (typeof value === "string") return DARK.get(value) ?? value;
    if (Array.isArray(value)) return value.map(exchange);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, key === "data" ? each : exchange(each)]));
    }
    return value;
  };
  return exchange(spec);
}
