// Ranges on the axes of parallel coordinates: configurations outside of one are faint.
import { rowsOf } from "./columns.js";
import { element } from "./element.js";

const STEPS = 100;

/** Two sliders per axis for an answer of the view `parallel`. figures: where its figure is drawn */
export function brushOf(answer, figures) {
  const points = rowsOf(answer, "points");
  const axes = rowsOf(answer, "axes");
  if (!points.length || !axes.length) return null;
  const whole = new Set(points.map((point) => point.configuration)).size;
  const told = element("output", { class: "note" });
  const ranges = new Map(axes.map((axis) => [axis.field, [0, 1]]));
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

  function slidersOf(axis, number) {
    const value = (place) => textAt(points, axis, place);
    const ends = ["at least", "at most"].map((end, side) => {
      const id = `brush-${number}-${side}`;
      const slider = element("input", { id, type: "range", min: "0", max: String(STEPS), step: "1", value: side ? String(STEPS) : "0" });
      const text = element("span", { class: "at" }, value(side));
      slider.addEventListener("input", () => {
        const range = ranges.get(axis.field);
        range[side] = Number(slider.value) / STEPS;
        text.textContent = value(range[side]);
        slider.setAttribute("aria-valuetext", text.textContent);
        show();
      });
      return element("p", {}, element("label", { for: id }, end), slider, text);
    });
    return element("fieldset", {}, element("legend", {}, axis.label), ends);
  }

  const panel = element(
    "details",
    { class: "panel", "data-name": "brush" },
    element("summary", {}, "Show only ranges of the axes"),
    element("div", { class: "ranges" }, axes.map(slidersOf)),
    told,
  );
  for (const figure of figures) {
    figure.addEventListener("drawn", (event) => {
      view = event.detail;
      show();
    });
  }
  return panel;
}

/** The value of the nearest configuration on an axis. */
function textAt(points, axis, place) {
  const own = points.filter((point) => point.field === axis.field && typeof point.position === "number");
  if (!own.length) return "–";
  const near = own.reduce((a, b) => (Math.abs(b.position - place) < Math.abs(a.position - place) ? b : a));
  return String(near.value);
}
