// What a reader has done to a page stays when its parts are made anew: the focus, and what is unfolded, sorted or tall.
const REACHABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

/** Make the parts of `place` anew by `redraw`, and focus what stands where the focused one stood. */
export function keepFocus(place, redraw) {
  const focused = place.contains(document.activeElement) && document.activeElement !== place ? document.activeElement : null;
  const counterpart = focused && counterpartOf(place, focused);
  redraw();
  if (focused && !focused.isConnected) counterpart()?.focus({ preventScroll: true });
}

function counterpartOf(place, focused) {
  if (focused.id) return () => document.getElementById(focused.id);
  const named = focused.closest("[data-name]");
  const name = named && place.contains(named) ? `${named.localName}[data-name="${CSS.escape(named.dataset.name)}"]` : "";
  const within = () => (name ? place.querySelector(name) : place);
  const number = [...within().querySelectorAll(REACHABLE)].indexOf(focused);
  return () => {
    const found = within()?.querySelectorAll(REACHABLE)[number];
    return found?.tagName === focused.tagName ? found : (within()?.querySelector("summary") ?? null);
  };
}

/** Of each named part: whether it is unfolded, how its table is sorted, how tall its drawing is. */
export function readerState(place) {
  const open = new Map();
  const sorted = new Map();
  const heights = new Map();
  for (const each of place.querySelectorAll("details[data-name]")) {
    open.set(each.dataset.name, each.open);
    if (each.sorted) sorted.set(each.dataset.name, each.sorted);
  }
  for (const each of place.querySelectorAll("figure[data-name]")) {
    heights.set(each.dataset.name, each.querySelector(".drawing").offsetHeight);
  }
  return { open, sorted, heights };
}
