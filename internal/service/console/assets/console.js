"use strict";
// The live list of exchanges: an element with data-live follows that address (server-sent events whose data are rows,
// see live.go) while its page is visible, until it is paused. Without this script the page shows what was when it was
// loaded, and has a link to load it again.
for (const live of document.querySelectorAll("[data-live]")) {
  const part = (name) => live.querySelector(`[data-${name}]`);
  const rows = live.querySelector("tbody");
  const button = part("pause");
  let source = null, timer = 0, paused = false;

  const say = (text) => { if (part("state").textContent !== text) part("state").textContent = text; };
  const swap = (style) => (event) => htmx.swap(rows, event.data, { swapStyle: style });

  const close = () => {
    clearTimeout(timer);
    if (source) source.close();
    source = null;
  };
  const open = () => {
    close();
    if (paused || document.hidden) return;
    source = new EventSource(live.dataset.live);
    source.addEventListener("open", () => { say("Live."); part("left").textContent = ""; });
    source.addEventListener("all", swap("innerHTML"));
    source.addEventListener("rows", swap("afterbegin"));
    source.addEventListener("note", (event) => { part("left").textContent = event.data; });
    source.addEventListener("error", () => {
      say("Not live: trying again.");
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 5000);
    });
  };

  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Resume" : "Pause";
    if (paused) say("Paused.");
    if (paused) close(); else open();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });

  button.hidden = false;
  part("refresh").hidden = true;
  open();
}
