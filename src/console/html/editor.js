// The field of the template: line numbers beside it, and the place of a mistake under it. It stays a plain field of a form.
const editor = document.getElementById("template");
const lines = document.getElementById("template-lines");
const marks = document.getElementById("template-marks");
const changes = new EventTarget();
let count = 0;
// The field is as high as its text within these bounds. `view.rs` has the same.
const MIN_ROWS = 3;
const MAX_ROWS = 18;

function number() {
  const next = editor.value.split("\n").length;
  if (next === count) return;
  count = next;
  editor.rows = Math.min(Math.max(count + 1, MIN_ROWS), MAX_ROWS);
  lines.textContent = Array.from({ length: count }, (_, index) => index + 1).join("\n");
}

function follow() {
  lines.scrollTop = editor.scrollTop;
  marks.scrollTop = editor.scrollTop;
  marks.scrollLeft = editor.scrollLeft;
}

// Lines and columns count from 1. A column is one character, which may take two places of a string.
function place(line, column) {
  const all = editor.value.split("\n");
  let at = 0;
  for (let n = 0; n < line - 1 && n < all.length; n += 1) at += all[n].length + 1;
  const text = all[line - 1] || "";
  const before = Array.from(text).slice(0, Math.max(0, column - 1)).join("");
  const rest = text.slice(before.length);
  const name = rest.match(/^[\p{L}\p{N}_.]+/u);
  const start = at + before.length;
  return { start, end: start + (name ? name[0] : Array.from(rest)[0] || "").length };
}

// Underlines a mistake. Without a place, nothing is underlined.
export function mark(line, column) {
  marks.textContent = "";
  if (!line) return;
  const { start, end } = place(line, column);
  const wrong = document.createElement("mark");
  // A mistake at the end of a line is shown behind it.
  wrong.textContent = editor.value.slice(start, end) || " ";
  marks.append(editor.value.slice(0, start), wrong, editor.value.slice(end), "\n");
  follow();
}

// Moves the cursor to a mistake.
export function go(line, column) {
  const { start, end } = place(line, column);
  editor.focus();
  editor.setSelectionRange(start, end);
}

export function insert(text) {
  editor.focus();
  editor.setRangeText(text, editor.selectionStart, editor.selectionEnd, "end");
  changed();
}

export function text() {
  return editor.value;
}

export function replace(value) {
  editor.value = value;
  changed();
}

// Calls `listener` after each change.
export function listen(listener) {
  changes.addEventListener("change", listener);
}

function changed() {
  number();
  mark(0, 0);
  changes.dispatchEvent(new Event("change"));
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
editor.addEventListener("input", (event) => {
  // A text that an input method still composes is not whole.
  if (event.isComposing) mark(0, 0);
  else changed();
});
editor.addEventListener("compositionend", changed);
editor.addEventListener("scroll", follow);
document.getElementById("editor").classList.add("with-scripts");
number();
