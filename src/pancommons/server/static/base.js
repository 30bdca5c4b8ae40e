// Small comforts on every page; nothing depends on them.
"use strict";

// "/" goes to the search box, as long as nobody is writing.
document.addEventListener("keydown", (event) => {
  const at = event.target;
  const writing = at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
  if (event.key !== "/" || writing || event.ctrlKey || event.metaKey || event.altKey) return;
  const box = document.querySelector("main input[type=search]") || document.getElementById("top-q");
  if (box) {
    event.preventDefault();
    box.focus();
  }
});

// A menu closes on Escape and when something else is used.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Copy buttons: <button class="copy" data-copy="text" data-done="Copied">.
document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element && event.target.closest("button.copy");
  if (!button) return;
  const before = button.textContent;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = button.dataset.done;
  setTimeout(() => {
    button.textContent = before;
  }, 1500);
});
