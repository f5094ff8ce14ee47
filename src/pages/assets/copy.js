// Buttons that copy a text. They stay hidden without scripts. The clipboard API needs https, so a text field inside the
// same dialog or page is the fallback.
function select(text, near) {
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  near.after(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
}

async function copy(button) {
  let copied = false;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    copied = true;
  } catch {
    copied = select(button.dataset.copy, button);
  }
  if (!copied) return;
  const label = button.textContent;
  button.textContent = document.body.dataset.copied;
  setTimeout(() => { button.textContent = label; }, 2000);
}

function show() {
  for (const button of document.querySelectorAll("button.copy[hidden]")) button.hidden = false;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (button) copy(button);
});
document.addEventListener("pages:changed", show);
show();
