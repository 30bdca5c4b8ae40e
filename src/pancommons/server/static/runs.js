// A run while it goes: its events say that something changed, the page is fetched in parts and put in place.
"use strict";

const now = document.getElementById("now");
const log = document.getElementById("log");
const box = document.getElementById("log-box");
const words = document.getElementById("log-words");
let last = Number(now.dataset.last);
let due = null;
let fetching = false;
let again = false;

// The log follows until somebody scrolls up, and follows again once they are back at its end.
let follows = true;
box.addEventListener("scroll", () => {
  follows = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
});
function follow() {
  if (follows) box.scrollTop = box.scrollHeight;
}

function chosen() {
  const wanted = words.value.toLocaleLowerCase();
  for (const line of log.children) {
    line.hidden = !line.querySelector("span").textContent.toLocaleLowerCase().includes(wanted);
  }
  follow();
}
words.addEventListener("input", chosen);
document.getElementById("log-form").addEventListener("submit", (event) => {
  event.preventDefault();
  chosen();
});

async function refresh() {
  due = null;
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch(`${now.dataset.now}?after=${last}`, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const read = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = read.getElementById("now");
    if (fresh.dataset.state !== now.dataset.state) {
      location.reload();
      return;
    }
    now.replaceChildren(...fresh.childNodes);
    for (const line of [...read.getElementById("news").children]) {
      last = Math.max(last, Number(line.dataset.line));
      log.append(line);
    }
    const empty = document.getElementById("log-empty");
    if (empty && log.children.length) empty.remove();
    if (words.value) chosen();
    follow();
  } finally {
    fetching = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

function soon() {
  if (due === null) due = setTimeout(refresh, 700);
}

follow();
if ("active" in now.dataset) {
  const source = new EventSource(`${now.dataset.events}?after=${last}`);
  source.addEventListener("message", soon);
  source.addEventListener("error", soon);
  setInterval(soon, 3000);
}
