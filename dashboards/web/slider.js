// The thresholds of exit policies: a slider over the operating points of one trial, and where examples then leave.
import { rowsOf } from "./columns.js";
import { element } from "./element.js";

const ALONE = "static"; // one exit for all examples; last in the list of policies
const CHOSEN = "chosen"; // the signal with the marked point, as in greenexp/figures/views/operating_points.py

/** Controls and result for an answer of the view `thresholds`. figures: where its figure is drawn */
export function sliderOf(answer, figures) {
  const points = rowsOf(answer, "points");
  const profiles = rowsOf(answer, "profiles");
  const usable = points.filter((point) => point.bound !== "true");
  const policies = [...new Set([...usable.filter((point) => point.policy !== ALONE), ...usable].map((point) => point.policy))];
  if (!policies.length) return null;
  const score = answer.tables.find((each) => each.name === "points").columns.find((each) => each.name === "score") ?? { title: "score" };
  const policy = element("select", { id: "slider-policy" }, policies.map((name) => element("option", {}, name)));
  const range = element("input", { id: "slider-number", type: "range", min: "1", step: "1" });
  const least = element("input", { id: "slider-least", type: "number", min: "1", step: "0.1",
    value: document.getElementById("slider-least")?.value || "2" }); // what the reader has written stays
  const best = element("button", { type: "button" }, "Set to the best score at this speed-up");
  const told = element("output", { class: "result first", for: "slider-policy slider-number" });
  const leaving = element("div", {});
  let view = null;
  let own = [];

  function chooseLine() {
    own = points.filter((point) => point.policy === policy.value);
    range.max = String(own.length);
    range.value = String(Math.ceil(own.length / 2));
    show();
  }

  function show() {
    const point = own[Number(range.value) - 1];
    if (!point) return;
    history.replaceState(null, "", `#policy=${encodeURIComponent(policy.value)}&at=${range.value}`);
    range.setAttribute("aria-valuetext", `threshold ${write(point.threshold)}`);
    const flops = typeof point.inference_flops === "number" ? `, ${(point.inference_flops / 1e6).toPrecision(4)} MFLOP per example` : "";
    told.textContent =
      `${point.policy}${typeof point.threshold === "number" ? ` at ${write(point.threshold)}` : ""}: ` +
      `${score.title} ${write(point.score, 4)} at ${write(point.speed_up, 2)}×${flops}`;
    leaving.replaceChildren(profileOf(point));
    view?.signal(CHOSEN, { inference_flops: point.inference_flops, score: point.score }).runAsync();
  }

  function profileOf(point) {
    const known = profiles.filter((each) => each.policy === point.policy);
    if (!known.length) return element("p", { class: "note" }, "No exit profile of this policy is on record.");
    const near = known.reduce((a, b) => (away(b, point) < away(a, point) ? b : a));
    const shares = known.filter((each) => each.number === near.number);
    const other = near.number === point.number ? "" : ` at the nearest threshold on record, ${write(near.threshold)} (${write(near.speed_up, 2)}×)`;
    return element(
      "table",
      { class: "bars" },
      element("caption", {}, `Share of dev examples that leave at each exit${other}`),
      element("thead", {}, element("tr", {}, ["Exit", "Layer", "Share"].map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, shares.map((each) =>
        element("tr", {},
          element("td", { class: "number" }, String(each.exit)),
          element("td", { class: "number" }, String(each.layer)),
          element("td", {},
            element("span", { class: "bar", style: `width:${Math.round(160 * each.share)}px`, "aria-hidden": "true" }),
            ` ${(100 * each.share).toFixed(1)} %`),
        ))),
    );
  }

  function toBest() {
    const sign = answer.better.score === "less" ? -1 : 1;
    const enough = own.map((point, place) => [point, place]).filter(([point]) => point.speed_up >= Number(least.value));
    if (!enough.length) {
      told.textContent = `${policy.value} reaches no speed-up of ${least.value}×.`;
      leaving.replaceChildren();
      return;
    }
    range.value = String(enough.reduce((a, b) => (sign * b[0].score > sign * a[0].score ? b : a))[1] + 1);
    show();
  }

  best.addEventListener("click", toBest);
  least.addEventListener("keydown", (event) => event.key === "Enter" && toBest());
  policy.addEventListener("change", chooseLine);
  range.addEventListener("input", show);
  figures[0]?.addEventListener("drawn", (event) => {
    view = event.detail;
    show();
  });
  const [, given, place] = location.hash.match(/^#policy=([^&]*)&at=(\d+)$/) ?? [];
  const named = policies.find((name) => [name, encodeURIComponent(name)].includes(given)); // what was cut is no name
  if (named) policy.value = named;
  chooseLine();
  if (named) range.value = place;
  show();
  return element(
    "section",
    { class: "panel", "aria-label": "Choose a threshold" },
    element("p", {}, element("label", { for: "slider-policy" }, "Policy"), policy,
      element("label", { for: "slider-number" }, "Threshold"), range),
    element("p", {}, element("label", { for: "slider-least" }, "Speed-up of at least"), least, best),
    told,
    leaving,
  );
}

function away(profile, point) {
  return Math.abs(profile.number - point.number);
}

function write(value, digits) {
  if (typeof value !== "number") return "–";
  return digits === undefined ? String(Number(value.toPrecision(4))) : value.toFixed(digits);
}
