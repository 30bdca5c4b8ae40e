// The form of a pipeline: what is wrong takes the focus, and a fold opens for a field that a link leads to.
"use strict";

const wrong = document.getElementById("wrong");
if (wrong) wrong.focus();

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element && event.target.closest('a[href^="#p-"]');
  if (!link) return;
  const field = document.getElementById(link.getAttribute("href").slice(1));
  if (!field) return;
  const fold = field.closest("details");
  if (fold) fold.open = true;
  event.preventDefault();
  field.focus();
});
