// What a link leads to may be folded: unfold it. In a frame made of a blob, as MLflow's viewer is, a browser refuses
// links within the page: scroll there instead.
const unfold = target => {
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
};
document.addEventListener("click", event => {
  const link = event.target.closest("a[href^='#']");
  const target = link && document.getElementById(link.getAttribute("href").slice(1));
  if (!target) return;
  unfold(target);
  if (location.protocol !== "blob:") return;
  event.preventDefault();
  target.scrollIntoView();
  target.tabIndex = -1;
  target.focus({preventScroll: true});
});
if (location.hash) unfold(document.getElementById(location.hash.slice(1)));
// On paper nothing can be unfolded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of folded) one.open = false;
});
