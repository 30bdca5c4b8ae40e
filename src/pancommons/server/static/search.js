// Facets stand open beside the list, and fold above it where there is no room.
"use strict";

const narrow = window.matchMedia("(max-width: 860px)");

function unfold() {
  const facets = document.querySelector("details.facets");
  if (facets && !narrow.matches) facets.open = true;
}
unfold();
narrow.addEventListener("change", unfold);

// After a choice the new facets are as open as the old ones were, and what had the focus has it again.
let before = null;
document.addEventListener("htmx:beforeSwap", () => {
  const facets = document.querySelector("details.facets");
  const at = document.activeElement;
  const place = at && at.closest ? at.closest("section.facet, form.ranges, .sorts") : null;
  before = {
    open: Boolean(facets && facets.open),
    section: place && place.id ? place.id : null,
    label: place && at ? at.textContent.trim() : null,
    name: place && at ? at.getAttribute("name") : null,
  };
});
document.addEventListener("htmx:afterSettle", () => {
  const facets = document.querySelector("details.facets");
  if (!facets || !before) return;
  facets.open = before.open;
  unfold();
  const place = before.section ? document.getElementById(before.section) : null;
  const same = place && [...place.querySelectorAll("a")].find((one) => one.textContent.includes(before.label));
  if (same) same.focus({ preventScroll: true });
  before = null;
});
