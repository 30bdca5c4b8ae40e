// A plot that the server cannot draw gives way to the small picture that the catalogue keeps.
"use strict";

for (const image of document.querySelectorAll("img[data-instead]")) {
  const give = () => {
    image.src = image.dataset.instead;
  };
  if (image.complete && image.naturalWidth === 0) give();
  else image.addEventListener("error", give, { once: true });
}

// What was wrong takes the focus.
document.getElementById("summary")?.focus();
