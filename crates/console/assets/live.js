// Files as they are read. Where this does not run, the page shows how things were when it was loaded.

const place = document.getElementById("live");
if (place?.dataset.live && window.EventSource) {
  let source;
  const open = () => {
    source = new EventSource(place.dataset.live);
    source.addEventListener("files", (event) => {
      // Folded values stay as they were unfolded, and the focus where it was.
      const active = document.activeElement;
      const focused = place.contains(active) ? active.getAttribute("href") : null;
      const parsed = new DOMParser().parseFromString(event.data, "text/html");
      place.replaceChildren(...parsed.body.childNodes);
      if (focused) place.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
      place.dispatchEvent(new CustomEvent("cortex:shown", { bubbles: true }));
    });
  };
  open();
  // A page that no one sees asks for nothing.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) source.close();
    else open();
  });
  addEventListener("pagehide", () => source.close());
}
