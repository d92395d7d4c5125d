// In a frame made of a blob, as MLflow's viewer is, a browser refuses links within the page: scroll there instead.
if (location.protocol === "blob:") document.addEventListener("click", event => {
  const link = event.target.closest("a[href^='#']");
  const target = link && document.getElementById(link.getAttribute("href").slice(1));
  if (!target) return;
  event.preventDefault();
  target.scrollIntoView();
  target.tabIndex = -1;
  target.focus({preventScroll: true});
});
