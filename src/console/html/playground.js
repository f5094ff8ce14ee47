// The page Templates: previews while the reader types, keeps drafts in this browser, and inserts fields. Without scripts the
// button "Preview" does the same.
import { go, insert, listen, mark, replace, text } from "./editor.js";

const form = document.getElementById("draft");
const reset = document.getElementById("reset");
const DELAY = 300;
let timer = 0;
let running = null;

function key() {
  return `wecom-relay draft ${form.receiver.value} ${form.field.value}`;
}

function stored() {
  try { return localStorage.getItem(key()); } catch { return null; }
}

function keep() {
  const isDraft = text() !== form.dataset.inUse;
  reset.hidden = !isDraft;
  try {
    if (isDraft) localStorage.setItem(key(), text());
    else localStorage.removeItem(key());
  } catch {
    // Without storage the draft lives as long as the page.
  }
}

async function preview() {
  if (running) running.abort();
  const mine = new AbortController();
  running = mine;
  try {
    const answer = await fetch(form.getAttribute("action"), {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "text/html" },
      signal: mine.signal,
    });
    if (answer.redirected) {
      // The session has ended.
      location.reload();
      return;
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!fresh.getElementById("result")) {
      // A refusal has a page of its own.
      const reason = document.createElement("p");
      reason.className = "notice bad";
      reason.textContent = (fresh.querySelector("main") || fresh.body).textContent.trim();
      document.getElementById("result").replaceChildren(reason);
      return;
    }
    for (const id of ["result", "paths"]) {
      const from = fresh.getElementById(id);
      if (from) document.getElementById(id).innerHTML = from.innerHTML;
    }
    markFirst();
    document.dispatchEvent(new Event("pages:changed"));
  } catch {
    // Another preview has begun, or the relay is away. The next key asks again.
  }
}

// Underlines the first mistake that is in this template.
function markFirst() {
  const place = document.querySelector("#result a.place");
  if (place) mark(Number(place.dataset.line), Number(place.dataset.column));
}

function later() {
  keep();
  clearTimeout(timer);
  timer = setTimeout(preview, DELAY);
}

document.getElementById("payload").addEventListener("input", () => {
  form.data.value = "paste";
  later();
});
form.addEventListener("change", (event) => {
  if (event.target.hasAttribute("data-reload")) {
    const wanted = new URLSearchParams({ receiver: form.receiver.value });
    if (event.target.name === "field") wanted.set("field", form.field.value);
    location.search = wanted;
  } else if (event.target.name === "data" || event.target.name === "engine") {
    later();
  }
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("button.insert");
  if (button) insert(button.dataset.insert);
  const place = event.target.closest("a.place");
  if (place) {
    event.preventDefault();
    go(Number(place.dataset.line), Number(place.dataset.column));
  }
});
reset.addEventListener("click", () => replace(form.dataset.inUse));
listen(later);
const draft = stored();
if (draft !== null && draft !== text()) {
  replace(draft);
} else {
  keep();
  markFirst();
}
