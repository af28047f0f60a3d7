// Keeps a page as it is now, and its times in the viewer's zone. All pages work without it.
"use strict";

const AGAIN_MS = 3000;

// --- Live: when the node has committed something, the page's own address is fetched again, and what differs replaced.

let stream, fetching = false, missed = false;

function isInUse(element) {
  const at = document.activeElement;
  return at && at !== document.body && element.contains(at) && at.matches("input, textarea, select");
}

function replace(old, fresh) {
  if (old.isEqualNode(fresh) || isInUse(old)) return;
  const open = [...old.querySelectorAll("details[open]")].map((each) => each.id).filter(Boolean);
  const focused = old.contains(document.activeElement) && document.activeElement.id;
  old.replaceWith(fresh);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function refresh() {
  if (fetching) { missed = true; return; }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "1", Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/login") { location.reload(); return; }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live][id]")) {
      const next = fresh.getElementById(old.id);
      if (next) replace(old, document.importNode(next, true));
    }
    showTimes();
    document.dispatchEvent(new Event("live"));
  } catch { /* the node is away: the stream says when it is back */ } finally {
    fetching = false;
    if (missed) { missed = false; refresh(); }
  }
}

function listen() {
  if (stream || document.hidden || !document.body.dataset.liveAt) return;
  stream = new EventSource(document.body.dataset.liveAt);
  stream.addEventListener("change", refresh);
  stream.addEventListener("error", () => {
    document.body.classList.add("away");
    if (stream.readyState === EventSource.CLOSED) { stream = undefined; setTimeout(listen, AGAIN_MS); }
  });
  stream.addEventListener("open", () => document.body.classList.remove("away"));
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { stream?.close(); stream = undefined; } else { listen(); refresh(); }
});

// --- Times: "6 min ago", and on hover the viewer's own date beside UTC.

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function age(seconds) {
  const since = Math.abs(seconds);
  if (since < 1) return "now";
  const [size, unit] = UNITS.find(([each]) => since >= each);
  const text = `${Math.floor(since / size)} ${unit}`;
  return seconds < 0 ? `in ${text}` : `${text} ago`;
}

function showTimes() {
  for (const each of document.querySelectorAll("time[datetime]")) {
    const date = new Date(each.dateTime);
    const text = age((Date.now() - date) / 1000);
    if (each.textContent !== text) each.textContent = text;
    each.title = `${date.toLocaleString()}\n${each.dateTime} (UTC)`;
  }
}

// --- Logs: <pre data-log=URL data-offset=N> grows at its end, and stays there while the reader is there.

async function follow(log) {
  if (log.dataset.busy || log.dataset.complete) return;
  log.dataset.busy = "1";
  try {
    const answer = await fetch(`${log.dataset.log}${log.dataset.log.includes("?") ? "&" : "?"}offset=${log.dataset.offset}`);
    if (!answer.ok) return;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const text = await answer.text();
    if (text) log.append(text);
    log.dataset.offset = answer.headers.get("Caroni-Log-Next") ?? log.dataset.offset;
    if (answer.headers.get("Caroni-Log") === "complete") log.dataset.complete = "1";
    if (text && atEnd) log.scrollTop = log.scrollHeight;
    if (text) find(log);
  } finally { delete log.dataset.busy; }
}

function followAll() {
  for (const log of document.querySelectorAll("pre[data-log]")) follow(log);
}

// <input data-find=ID> marks what it names in that log.
function find(log) {
  if (!globalThis.Highlight) return;
  const wanted = document.querySelector(`input[data-find="${log.id}"]`)?.value.toLowerCase();
  const ranges = [];
  for (const node of wanted ? log.childNodes : []) {
    const text = node.textContent.toLowerCase();
    for (let at = text.indexOf(wanted); at >= 0 && ranges.length < 1000; at = text.indexOf(wanted, at + wanted.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      ranges.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
  if (ranges.length) scrollTo(log, ranges[0]);
}

function scrollTo(log, range) {
  log.scrollTop += range.getBoundingClientRect().top - log.getBoundingClientRect().top - log.clientHeight / 3;
}

// --- Forms that are looked at as one types: <form data-check=URL>, what is wrong with it goes into #check.

let typing;

async function check(form) {
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(form.dataset.check, { method: "POST", body, headers: { "X-Live": "1", Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("check");
  const old = document.getElementById("check");
  if (answer.ok && fresh && old) old.replaceWith(document.importNode(fresh, true));
}

document.addEventListener("input", (event) => {
  const { form, dataset } = event.target;
  if (dataset?.find) { const log = document.getElementById(dataset.find); if (log) find(log); }
  if (!form?.dataset.check) return;
  clearTimeout(typing);
  typing = setTimeout(() => check(form), 400);
});

// --- Keys: "/" goes to the filter, Escape closes what is open.

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typed = event.target.matches?.("input, textarea, select");
  if (event.key === "/" && !typed) {
    const field = document.querySelector("[data-key-filter]");
    if (field) { event.preventDefault(); field.focus(); }
  }
  if (event.key === "Escape") {
    const open = event.target.closest?.("details.ask[open]");
    if (open) { open.removeAttribute("open"); open.querySelector("summary").focus(); }
  }
});

document.body.classList.add("scripted");
showTimes();
setInterval(showTimes, 1000);
followAll();
document.addEventListener("live", followAll);
setInterval(followAll, 2000);
listen();
