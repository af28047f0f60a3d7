// Keeps a page as it is now, and its times in the viewer's zone. All pages work without it.
"use strict";

const AGAIN_MS = 3000;

// --- Live: when the node has committed something, the page's own address is fetched again, and what differs replaced.

let stream, fetching = false, missed = false;

function isInUse(element) {
  const at = document.activeElement;
  return at === element && at.matches("input, textarea, select");
}

// Makes an element like another one, and touches only what differs: open details, focus, selection, scrolling stay.
function become(old, fresh) {
  if (old.isEqualNode(fresh) || isInUse(old)) return;
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) { old.replaceWith(fresh); return; }
  if (old.nodeType !== Node.ELEMENT_NODE) { old.nodeValue = fresh.nodeValue; return; }
  const stays = (name) => name === "open" && old.nodeName === "DETAILS";
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !stays(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value && !stays(name)) old.setAttribute(name, value);
  const named = new Map([...old.children].filter((each) => each.id).map((each) => [each.id, each]));
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = child.id ? named.get(child.id) : at && !named.has(at.id) ? at : null;
    if (same) named.delete(child.id);
    if (!same) { old.insertBefore(child, at); continue; }
    if (same === at) at = at.nextSibling; else old.insertBefore(same, at);
    become(same, child);
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

async function refresh() {
  if (fetching) { missed = true; return; }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "1", Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname === "/login") { location.reload(); return; }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    showTimes(fresh);
    for (const old of document.querySelectorAll("[data-live][id]")) {
      const next = fresh.getElementById(old.id);
      if (next) become(old, document.importNode(next, true));
    }
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
  stream.addEventListener("open", () => {
    document.body.classList.remove("away");
    refresh(); // what was committed since the page was made
  });
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

// How long something has lasted, in its two largest units.
function lasting(seconds) {
  const at = UNITS.findIndex(([each]) => seconds >= each);
  if (at < 0) return "0 s";
  const whole = Math.floor(seconds);
  const said = UNITS.slice(at, at + 2).map(([size, unit], nth) => {
    const within = nth ? whole % UNITS[at][0] : whole;
    return `${Math.floor(within / size)} ${unit}`;
  });
  return said.join(" ");
}

function showTimes(page = document) {
  for (const each of page.querySelectorAll("time[datetime]")) {
    const date = new Date(each.dateTime);
    const seconds = (Date.now() - date) / 1000;
    const text = each.classList.contains("lasting") ? lasting(seconds) : age(seconds);
    if (each.textContent !== text) each.textContent = text;
    const title = `${date.toLocaleString()}\n${each.dateTime} (UTC)`;
    if (each.title !== title) each.title = title;
  }
}

// --- Logs: <pre data-log=URL data-offset=N> grows at its end, and stays there while the reader is there.

const LOG_SHOWN_CHARS = 2_000_000;

async function follow(log) {
  if (log.dataset.busy || log.dataset.complete || document.hidden) return;
  log.dataset.busy = "1";
  let more = false;
  try {
    const answer = await fetch(`${log.dataset.log}${log.dataset.log.includes("?") ? "&" : "?"}offset=${log.dataset.offset}`);
    if (!answer.ok) return;
    const text = await answer.text();
    const state = answer.headers.get("Caroni-Log");
    log.dataset.offset = answer.headers.get("Caroni-Log-Next") ?? log.dataset.offset;
    if (state === "complete") log.dataset.complete = "1";
    sayState(log, answer.headers.get("Caroni-Log-Cut") ? "cut" : state);
    if (text) { grow(log, text); find(log); }
    more = Boolean(text);
  } catch { /* the node is away: again in a moment */ } finally { delete log.dataset.busy; }
  if (more) follow(log);
}

function grow(log, text) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const last = log.lastChild, line = text.indexOf("\n") + 1 || text.length;
  if (last && !last.data.endsWith("\n")) {
    last.appendData(text.slice(0, line)); // so that what one looks for is never in two nodes
    if (line < text.length) log.append(text.slice(line));
  } else log.append(text);
  let chars = Number(log.dataset.chars ?? log.textContent.length - text.length) + text.length;
  while (chars > LOG_SHOWN_CHARS && log.childNodes.length > 1) {
    chars -= log.firstChild.textContent.length;
    log.firstChild.remove();
  }
  log.dataset.chars = chars;
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function sayState(log, state) {
  const said = document.getElementById(`${log.id}-state`);
  const words = said?.getAttribute(`data-${state}`);
  if (words && said.textContent !== words) said.textContent = words;
}

function followAll() {
  for (const log of document.querySelectorAll("pre[data-log]")) follow(log);
}

// <input data-find=ID> marks what it names in that log; Enter goes to the next one, with Shift to the one before.

const FOUND_MAX = 1000;
let found = [], foundAt = 0;

function find(log, step = 0) {
  if (!globalThis.Highlight) return;
  const field = document.querySelector(`input[data-find="${log.id}"]`);
  const wanted = field?.value.toLowerCase();
  if (!step) {
    const fresh = wanted ? rangesOf(log, wanted) : [];
    if (field?.dataset.was !== wanted) { foundAt = -1; step = 1; }
    if (field) field.dataset.was = wanted;
    found = fresh;
  }
  if (found.length && step) foundAt = (foundAt + step + found.length) % found.length;
  CSS.highlights.set("found", new Highlight(...found));
  CSS.highlights.set("found-here", new Highlight(...found.slice(foundAt, foundAt + 1)));
  if (found.length && step) scrollTo(log, found[foundAt]);
  const said = document.getElementById("found");
  const count = `${found.length}${found.length === FOUND_MAX ? " or more" : ""}`;
  if (said) said.textContent = !wanted ? "" : found.length ? `${foundAt + 1} of ${count}` : "nowhere";
}

function rangesOf(log, wanted) {
  const ranges = [];
  for (const node of log.childNodes) {
    const text = node.textContent.toLowerCase();
    for (let at = text.indexOf(wanted); at >= 0 && ranges.length < FOUND_MAX; at = text.indexOf(wanted, at + wanted.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + wanted.length);
      ranges.push(range);
    }
  }
  return ranges;
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
  const log = event.key === "Enter" && document.getElementById(event.target.dataset?.find);
  if (log) { event.preventDefault(); find(log, event.shiftKey ? -1 : 1); }
  if (event.key === "Escape") {
    const open = event.target.closest?.("details.ask[open]");
    if (open) { open.removeAttribute("open"); open.querySelector("summary").focus(); }
  }
});

document.body.classList.add("scripted");
showTimes();
setInterval(() => showTimes(), 1000);
for (const log of document.querySelectorAll("pre[data-log]")) log.scrollTop = log.scrollHeight;
followAll();
document.addEventListener("live", followAll);
setInterval(followAll, 2000);
listen();
