// Keeps the regions with `data-live` up to date: asks for the same page every 2 s while it is visible, and replaces only
// the regions that changed. Focus, open <details> and the scroll position stay.
const INTERVAL = 2000;
const body = document.body;
const skew = Date.now() - Number(body.dataset.now);
const units = body.dataset.units.split(",");
const seen = new Map();
let etag = "";
let lastAnswer = Date.now();
let timer = 0;

// The same rules as `span` in moment.rs.
function span(seconds) {
  if (seconds < 60) return `${seconds} ${units[0]}`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} ${units[1]}`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} ${units[2]}`;
  return `${Math.floor(seconds / 86400)} ${units[3]}`;
}

function tick() {
  const now = Date.now() - skew;
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = Math.trunc((now - Date.parse(time.dateTime)) / 1000);
    if (Number.isNaN(seconds)) continue;
    const pattern = seconds >= 0 ? body.dataset.ago : body.dataset.in;
    const text = pattern.replace("{}", span(Math.abs(seconds)));
    if (time.textContent !== text) time.textContent = text;
  }
}

// The part of a region that decides whether it is replaced. The texts of times always differ.
function essence(region) {
  return region.innerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1");
}

function focusedIn(region) {
  const focused = document.activeElement;
  if (!focused || !region.contains(focused)) return "";
  if (focused.id) return `#${CSS.escape(focused.id)}`;
  const href = focused.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : "";
}

function replace(region, fresh) {
  const focus = focusedIn(region);
  const open = [...region.querySelectorAll("details[id][open]")].map((details) => details.id);
  region.innerHTML = fresh.innerHTML;
  for (const id of open) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
  const focused = focus && region.querySelector(focus);
  if (focused) focused.focus({ preventScroll: true });
}

// Rows of a list change in place and never move. New ones are only counted.
function updateRows(region, fresh) {
  const next = fresh.getElementById(region.id);
  if (!next) return false;
  let changed = false;
  for (const row of region.querySelectorAll("li[id]")) {
    const freshRow = fresh.getElementById(row.id);
    if (!freshRow || essence(freshRow) === seen.get(row.id)) continue;
    seen.set(row.id, essence(freshRow));
    replace(row, freshRow);
    changed = true;
  }
  const ids = [...next.querySelectorAll("li[id]")].map((row) => row.id);
  const known = ids.findIndex((id) => document.getElementById(id) !== null);
  const count = known < 0 ? ids.length : known;
  const pill = document.querySelector("[data-new]");
  if (pill && count > 0) {
    pill.querySelector("span").textContent = known < 0 ? `${count}+` : String(count);
    pill.hidden = false;
  }
  return changed;
}

function update(fresh) {
  let changed = false;
  for (const region of document.querySelectorAll("[data-live-rows][id]")) {
    changed = updateRows(region, fresh) || changed;
  }
  for (const region of document.querySelectorAll("[data-live][id]")) {
    const next = fresh.getElementById(region.id);
    if (!next || essence(next) === seen.get(region.id)) continue;
    seen.set(region.id, essence(next));
    replace(region, next);
    changed = true;
  }
  if (document.title !== fresh.title) document.title = fresh.title;
  const icon = fresh.getElementById("icon");
  if (icon && icon.href !== document.getElementById("icon").href) document.getElementById("icon").href = icon.href;
  if (changed) document.dispatchEvent(new Event("pages:changed"));
}

function lost() {
  const line = document.getElementById("lost");
  const silence = Math.round((Date.now() - lastAnswer) / 1000);
  if (silence < 6) return;
  const at = new Date(lastAnswer).toLocaleTimeString();
  line.textContent = body.dataset.lost.replace("{}", span(silence)).replace("{at}", at);
  line.hidden = false;
}

function answered() {
  lastAnswer = Date.now();
  document.getElementById("lost").hidden = true;
}

async function ask() {
  // A network that answers nothing at all must not stop the next turn.
  const limit = new AbortController();
  const limitTimer = setTimeout(() => limit.abort(), 5000);
  try {
    const answer = await fetch(location.href, {
      signal: limit.signal,
      cache: "no-store",
      redirect: "manual",
      headers: { Accept: "text/html", ...(etag && { "If-None-Match": etag }) },
    });
    if (answer.type === "opaqueredirect") {
      // The session has ended.
      location.reload();
      return;
    }
    if (answer.status === 304) answered();
    if (answer.ok) {
      answered();
      etag = answer.headers.get("ETag") || "";
      update(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } catch {
    // The relay restarts, or the network is away. The next turn asks again.
  } finally {
    clearTimeout(limitTimer);
  }
  lost();
}

function isPaused() {
  const pause = document.getElementById("pause");
  return document.hidden || document.querySelector("dialog[open]") !== null || (pause !== null && pause.getAttribute("aria-pressed") === "true");
}

async function turn() {
  clearTimeout(timer);
  if (!isPaused()) await ask();
  timer = setTimeout(turn, INTERVAL);
}

const pause = document.getElementById("pause");
if (pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(pause.getAttribute("aria-pressed") !== "true"));
  });
}
setInterval(tick, 1000);
const LIVE = "[data-live][id], [data-live-rows] li[id]";
if (document.querySelector(LIVE)) {
  for (const region of document.querySelectorAll(LIVE)) seen.set(region.id, essence(region));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
  timer = setTimeout(turn, INTERVAL);
}
