// The page Templates: previews while the reader types, keeps drafts in this browser, and inserts fields. Without scripts the
// button "Preview" does the same.
const form = document.getElementById("draft");
const editor = document.getElementById("template");
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
  const isDraft = editor.value !== form.dataset.inUse;
  reset.hidden = !isDraft;
  try {
    if (isDraft) localStorage.setItem(key(), editor.value);
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
    document.dispatchEvent(new Event("pages:changed"));
  } catch {
    // Another preview has begun, or the relay is away. The next key asks again.
  }
}

function later() {
  keep();
  clearTimeout(timer);
  timer = setTimeout(preview, DELAY);
}

function insert(text) {
  editor.focus();
  editor.setRangeText(text, editor.selectionStart, editor.selectionEnd, "end");
  later();
}

// Lines and columns count from 1. A column is one character, which may take two places of a string.
function go(line, column) {
  const lines = editor.value.split("\n");
  let at = 0;
  for (let n = 0; n < line - 1 && n < lines.length; n += 1) at += lines[n].length + 1;
  const characters = Array.from(lines[line - 1] || "");
  const start = at + characters.slice(0, Math.max(0, column - 1)).join("").length;
  const width = (characters[column - 1] || "").length;
  editor.focus();
  editor.setSelectionRange(start, start + width);
}

let leaves = false;
editor.addEventListener("keydown", (event) => {
  if (event.key === "Escape") leaves = true;
  else if (event.key === "Tab" && !event.shiftKey && !leaves) {
    event.preventDefault();
    insert("  ");
  } else if (event.key !== "Shift") leaves = event.key === "Tab" && leaves;
});
editor.addEventListener("blur", () => { leaves = false; });
editor.addEventListener("input", (event) => { if (!event.isComposing) later(); });
editor.addEventListener("compositionend", later);
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
reset.addEventListener("click", () => {
  editor.value = form.dataset.inUse;
  later();
});
const draft = stored();
if (draft !== null && draft !== editor.value) {
  editor.value = draft;
  later();
} else {
  keep();
}
