// Ranges on the axes of parallel coordinates: configurations outside of one are faint.
import { rowsOf } from "./columns.js";
import { element } from "./element.js";

const STEPS = 100;

/** Two sliders per axis for an answer of the view `parallel`. figures: where its figure is drawn; open: what the reader
 * has unfolded. The ranges are in the fragment of the address. */
export function brushOf(answer, figures, open) {
  const points = rowsOf(answer, "points");
  const axes = rowsOf(answer, "axes");
  if (!points.length || !axes.length) return null;
  const whole = new Set(points.map((point) => point.configuration)).size;
  const told = element("output", { class: "note" });
  const given = new URLSearchParams(location.hash.slice(1));
  const ranges = new Map(axes.map((axis) => [axis.field, rangeOf(given.get(axis.field))]));
  const isNarrowed = () => [...ranges.values()].some(([low, high]) => low > 0 || high < 1);
  let view = null;

  function inside() {
    const out = new Set();
    for (const point of points) {
      const [low, high] = ranges.get(point.field) ?? [0, 1];
      const narrowed = low > 0 || high < 1;
      const isThere = typeof point.position === "number";
      if (narrowed && (!isThere || point.position < low - 1e-9 || point.position > high + 1e-9)) out.add(point.configuration);
    }
    return new Set(points.map((point) => point.configuration).filter((name) => !out.has(name)));
  }

  function show() {
    const kept = inside();
    const names = [...kept];
    told.textContent =
      kept.size === whole
        ? `All ${whole} configurations are inside.`
        : `${kept.size} of ${whole} configurations are inside${names.length && names.length <= 12 ? `: ${names.join(", ")}` : ""}.`;
    view?.signal("inside", names).runAsync();
  }

  function writeAddress() {
    const fragment = new URLSearchParams();
    for (const [field, [low, high]] of ranges) if (low > 0 || high < 1) fragment.set(field, `${low}-${high}`);
    history.replaceState(null, "", isNarrowed() ? `#${fragment}` : location.pathname + location.search);
  }

  function slidersOf(axis, number) {
    const ends = ["at least", "at most"].map((end, side) => {
      const id = `brush-${number}-${side}`;
      const place = ranges.get(axis.field)[side];
      const value = (where) => textAt(points, axis, where, side);
      const slider = element("input", { id, type: "range", min: "0", max: String(STEPS), step: "1",
        value: String(Math.round(STEPS * place)), "aria-valuetext": value(place) });
      const text = element("span", { class: "at" }, value(place));
      slider.addEventListener("input", () => {
        const range = ranges.get(axis.field);
        range[side] = Number(slider.value) / STEPS;
        text.textContent = value(range[side]);
        slider.setAttribute("aria-valuetext", text.textContent);
        writeAddress();
        show();
      });
      return element("p", {}, element("label", { for: id }, end), slider, text);
    });
    return element("fieldset", {}, element("legend", {}, axis.label), ends);
  }

  const panel = element(
    "details",
    { class: "panel", "data-name": "brush", open: open.get("brush") ?? isNarrowed() },
    element("summary", {}, "Show only ranges of the axes"),
    element("div", { class: "ranges" }, axes.map(slidersOf)),
    told,
  );
  show();
  for (const figure of figures) {
    figure.addEventListener("drawn", (event) => {
      view = event.detail;
      show();
    });
  }
  return panel;
}

/** What `0.25-1` in an address stands for; the whole axis, where that is no range. */
function rangeOf(text) {
  const [low, high] = (text ?? "").split("-").map(Number);
  return low >= 0 && high <= 1 ? [low, high] : [0, 1];
}

/** The value of the outermost configuration inside of an end of a range on an axis. side: 0 for its lower end */
function textAt(points, axis, place, side) {
  const isInside = (point) => (side ? point.position <= place + 1e-9 : point.position >= place - 1e-9);
  const own = points.filter((point) => point.field === axis.field && typeof point.position === "number" && isInside(point));
  if (!own.length) return "none";
  return String(own.reduce((a, b) => (side ? b.position > a.position : b.position < a.position) ? b : a).value);
}
