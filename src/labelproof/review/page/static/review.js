// The review page. Everything that comes from the data goes into the document as text, never as markup.
// What differs from one kind of label to another is `kind`, which precedes this in the same script: begin, given, ask, words, number, and where it has them shown, pressed, help.
"use strict";

const AHEAD = 5; // items fetched before they are needed
const IDLE_MS = 60_000; // leases are renewed this often while the page is open
const STALE_MS = 2500; // after which figures that were behind are asked for again
const LONGEST_LOOK_S = 900;
const LONG_TEXT = 1200;
const LONGEST_LIST = 60;
const SMALL_PIXELS = 200;

const $ = (id) => document.getElementById(id);
let start = null; // the answer of /api/start
let ahead = []; // items to come
let current = null;
let shownAt = 0;
let hiddenAt = 0;
let outbox = []; // decisions that the server has not acknowledged, oldest first
const settled = new Set(); // uids that the server has acknowledged or refused
const decided = []; // ids, in the order of the decisions
let news = ""; // shown until the next decision
let leaving = false; // the page is about to be reloaded
let sending = null;
let filling = null;
let undoing = false;
let finished = false;
const pictures = new Map(); // rank to an image that is being loaded or is there
const similar = new Map(); // rank to a promise of what is like it

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function newUid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const percent = (share) => {
  const value = 100 * share;
  if (value > 0 && value < 0.1) return "<\u00a00.1\u00a0%";
  if (value < 100 && value > 99.9) return ">\u00a099.9\u00a0%";
  return `${value.toFixed(1)}\u00a0%`;
};

class Refused extends Error {
  constructor(status, message, stale) {
    super(message);
    this.status = status;
    this.stale = stale; // it was about the labels of another audit
  }
}

async function call(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, { credentials: "same-origin", ...options });
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, content.error || `The server answered ${response.status}.`, content.stale === true);
  return content;
}

// ---- notices

function notice(text) {
  const said = [news, text].filter(Boolean).join(" ");
  $("notice").textContent = said;
  $("notice").hidden = !said;
}

function explain(error) {
  if (error instanceof Refused && error.status === 403) return "The server was restarted. Open the link that it printed. Nothing is lost.";
  if (error instanceof Refused) return error.message.charAt(0).toUpperCase() + error.message.slice(1);
  return "The server does not answer.";
}

// ---- sending decisions: kept in the browser until the server has them

const outboxName = () => `labelproof:${start.fingerprint}:${start.reviewer}`;

// Another page of this reviewer may keep its own there.
function keepOutbox() {
  const own = new Set([...outbox.map((sent) => sent.uid), ...settled]);
  keep(outboxName(), [...readOutbox().filter((sent) => !own.has(sent.uid)), ...outbox]);
}

function settle() {
  settled.add(outbox.shift().uid);
  keepOutbox();
}

function keep(name, kept) {
  try {
    if (kept.length) localStorage.setItem(name, JSON.stringify(kept));
    else localStorage.removeItem(name);
  } catch {
    // a full or forbidden storage: they are still in memory
  }
}

function readOutbox(name = outboxName()) {
  try {
    return JSON.parse(localStorage.getItem(name)) || [];
  } catch {
    return [];
  }
}

// Decisions made in an earlier audit: the server records those about the same data, the others wait for their own.
async function sendEarlier() {
  let names = [];
  try {
    const prefix = /^labelproof:[0-9a-f]{32}:/;
    names = Object.keys(localStorage).filter((name) => prefix.test(name) && name.replace(prefix, "") === start.reviewer && name !== outboxName());
  } catch {
    // a forbidden storage
  }
  let others = 0;
  for (const name of names) {
    const left = [];
    for (const sent of readOutbox(name)) {
      try {
        await call("/api/decide", sent);
      } catch (error) {
        left.push(sent);
        if (error instanceof Refused && (error.stale || error.status === 422)) others += 1;
      }
    }
    keep(name, left);
  }
  return others;
}

// There is a new audit, with other ranks, figures and perhaps classes.
function leave() {
  leaving = true;
  try {
    sessionStorage.setItem("labelproof:renewed", "yes");
  } catch {
    // then the page reloads without a notice
  }
  location.reload();
}

function sayWhatIsNew(others) {
  const parts = [];
  try {
    if (sessionStorage.getItem("labelproof:renewed")) parts.push("There is a new audit, so the page was reloaded.");
    sessionStorage.removeItem("labelproof:renewed");
  } catch {
    // a forbidden storage
  }
  if (others) parts.push(`${others === 1 ? "1 decision was" : `${others} decisions were`} about other labels and ${others === 1 ? "is" : "are"} not recorded.`);
  news = parts.join(" ");
  notice("");
}

function isRenewed(answer) {
  return answer.edition !== start.edition;
}

function flush() {
  sending ??= sendAll().finally(() => {
    sending = null;
  });
  return sending;
}

async function sendAll() {
  let wait = 500;
  let renewed = false;
  while (outbox.length) {
    try {
      const answer = await call("/api/decide", outbox[0]);
      settle();
      showCount(answer);
      renewed = isRenewed(answer);
      notice("");
      wait = 500;
    } catch (error) {
      if (error instanceof Refused && error.stale) {
        leave();
        return;
      }
      if (error instanceof Refused && error.status === 422) {
        settle();
        notice(`A decision was refused: ${error.message}`);
        continue;
      }
      const many = outbox.length === 1 ? "1 decision is" : `${outbox.length} decisions are`;
      notice(`${explain(error)} ${many} not saved yet and will be sent again.`);
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(2 * wait, 8000);
    }
  }
  if (renewed) leave();
}

// ---- items

const pictureOf = (rank) => `/api/items/${rank}/picture?edition=${start.edition}`;

function preload(item) {
  if (item.picture && !pictures.has(item.rank)) {
    const image = new Image();
    image.decoding = "async";
    image.src = pictureOf(item.rank);
    image.decode().catch(() => {});
    pictures.set(item.rank, image);
  }
}

function likeItem(rank) {
  if (!similar.has(rank)) similar.set(rank, call(`/api/items/${rank}/similar?edition=${start.edition}`).catch(() => ({})));
  return similar.get(rank);
}

function fill() {
  filling ??= fetchAhead().finally(() => {
    filling = null;
  });
  return filling;
}

async function fetchAhead() {
  const unsaved = outbox.map((sent) => sent.item); // the server may not know these yet when it answers
  const before = decided.length;
  try {
    const answer = await call("/api/next", { count: AHEAD });
    if (isRenewed(answer)) {
      leave();
      return;
    }
    const known = new Set([...ahead.map((item) => item.id), ...unsaved, ...decided.slice(before), current?.id]);
    for (const item of answer.items) {
      if (!known.has(item.id)) ahead.push(item);
    }
    ahead.forEach(preload);
    finished = answer.items.length === 0;
    showCount(answer);
    if (!outbox.length) notice("");
  } catch (error) {
    notice(explain(error));
  }
}

function short() {
  return ahead.length < AHEAD - 1;
}

async function advance() {
  if (!ahead.length) {
    await flush();
    await fill();
  }
  current = ahead.shift() ?? null;
  if (current) show(current);
  else showEnd();
  if (short()) {
    const onItsWay = filling !== null; // asked for when fewer were needed: once it is here, ask again
    fill().then(() => {
      if (ahead[0] && start.similar) likeItem(ahead[0].rank);
      if (onItsWay && short()) fill();
    });
  }
}

function decide(action, label = null) {
  if (!current || undoing || leaving) return;
  news = "";
  const seconds = Math.min(Math.round((performance.now() - shownAt) / 10) / 100, LONGEST_LOOK_S);
  const seen = action === "keep" ? kind.given(current) : label; // what was kept is what was seen, whatever is given by then
  outbox.push({ uid: newUid(), audit: start.fingerprint, item: current.id, action, label: seen, seconds });
  decided.push(current.id);
  keepOutbox();
  pictures.delete(current.rank);
  similar.delete(current.rank);
  current = null;
  flush().then(refreshFigures);
  advance();
}

async function undo() {
  if (undoing || leaving) return;
  undoing = true;
  const uid = newUid();
  try {
    await flush();
    const answer = await call("/api/undo", { uid });
    if (isRenewed(answer)) {
      leave();
      return;
    }
    showCount(answer);
    if (answer.item) {
      ahead = ahead.filter((item) => item.id !== answer.item.id);
      if (current && current.id !== answer.item.id) ahead.unshift(current);
      preload(answer.item);
      current = answer.item;
      show(current, "Undone. ");
      refreshFigures();
    } else {
      $("live").textContent = "There is no decision to undo.";
    }
  } catch (error) {
    notice(explain(error));
  } finally {
    undoing = false;
  }
}

// ---- showing an item

function show(item, before = "") {
  shownAt = performance.now();
  $("item-id").textContent = nameOf(item);
  $("shown").replaceChildren(kind.shown ? kind.shown(item) : shownOf(item));
  $("search").value = "";
  showMatches([]);
  document.querySelector(".decide").hidden = false;
  kind.ask(item);
  showSimilar(item);
  window.scrollTo(0, 0);
  $("shown").dispatchEvent(new CustomEvent("labelproof:shown", { bubbles: true, detail: item.rank }));
  $("live").textContent = `${before}Item ${nameOf(item)}. ${kind.words(item)}`;
}

function shownOf(item) {
  if (item.picture) {
    const image = pictures.get(item.rank) ?? new Image();
    image.alt = `Item ${nameOf(item)}`;
    const scale = () => image.classList.toggle("small", image.naturalWidth < SMALL_PIXELS);
    image.onload = scale;
    image.onerror = () => image.replaceWith(element("p", { className: "soft", textContent: "The picture cannot be shown." }));
    if (!image.src) image.src = pictureOf(item.rank);
    else if (image.complete) scale();
    return image;
  }
  if (item.fields) return fieldsOf(item.fields);
  if (item.problem) return element("p", { className: "soft", textContent: item.problem });
  const text = item.text || "";
  const body = element("div", { className: "text", textContent: text || "(empty text)" });
  if (text.length <= LONG_TEXT) return body;
  body.classList.add("long", "folded");
  const unfold = element("button", { type: "button", textContent: `Show all ${text.length.toLocaleString()} characters`, ariaExpanded: "false" });
  unfold.onclick = () => {
    body.classList.remove("folded");
    unfold.remove();
  };
  return element("div", { className: "column" }, body, unfold);
}

function fieldsOf(fields) {
  const list = element("dl", { className: "fields" });
  for (const field of fields) {
    const value = element("dd");
    if (field.unusual) value.append(element("mark", { title: "unusual for this label" }, field.value, element("span", { className: "unseen", textContent: " (unusual for this label)" })));
    else value.append(field.value);
    if (field.note) value.append(" ", element("mark", { className: "note", textContent: field.note }));
    list.append(element("div", {}, element("dt", { textContent: field.name }), value));
  }
  return list;
}

const nameOf = (item) => item.name ?? item.id;

const keyHint = (key) => (key ? element("kbd", { textContent: key, ariaHidden: "true" }) : null);

const shownBriefly = (other) =>
  other.picture
    ? element("img", { src: pictureOf(other.rank), alt: `Item ${other.id ?? other.rank}`, loading: "lazy" })
    : element("p", { textContent: other.text ?? (other.fields || []).map((field) => `${field.name}: ${field.value}`).join(" · ") });

// What a nearest item was given, and whether it is a duplicate.
function labelOf(other, item) {
  if (other.label === undefined) return [];
  const same = start.blind || other.label === start.classes[item.given];
  return [element("small", { className: same ? "same" : "unlike" }, other.label, other.duplicate ? " · copy" : "")];
}

async function showSimilar(item) {
  const place = $("similar");
  place.hidden = true;
  if (!start.similar || item.problem) return;
  const found = await likeItem(item.rank);
  if (current !== item) return;
  const groups = [];
  const surely = (code) => ["Trusted ", element("b", { textContent: start.classes[code] }), ", most similar to this"];
  const trusted = (found.trusted ?? []).map((group) => ["trusted", surely(group.class), group.items]);
  for (const [name, heading, others] of [...trusted, ["nearest", ["Nearest items with their labels"], found.nearest ?? []]]) {
    if (!others.length) continue;
    const words = !others[0].picture;
    const list = element("ul", words ? { className: "words" } : {});
    const most = name === "nearest" ? 4 : 2;
    for (const other of words ? others.slice(0, most) : others) list.append(element("li", {}, shownBriefly(other), ...labelOf(other, item)));
    groups.push(element("div", { className: name }, element("h3", {}, ...heading), list));
  }
  place.replaceChildren(...groups);
  place.hidden = !groups.length;
}

function showEnd() {
  $("item-id").textContent = "";
  $("similar").hidden = true;
  document.querySelector(".decide").hidden = true;
  const words = finished ? ["Nothing left to review", "The budget is used up, or other reviewers have the remaining items. To continue, start labelproof review with a larger --budget."] : ["Waiting for the server", ""];
  $("shown").replaceChildren(element("div", { className: "done" }, element("strong", { textContent: words[0] }), element("p", { className: "soft", textContent: words[1] })));
  $("live").textContent = words.join(". ");
  setTimeout(() => {
    if (!current) advance();
  }, 3000);
}

function showCount(answer) {
  const done = answer.budget - answer.left;
  $("bar").style.width = `${(100 * done) / answer.budget}%`;
  $("progress").setAttribute("aria-valuemax", answer.budget);
  $("progress").setAttribute("aria-valuenow", done);
  $("count").textContent = `${done.toLocaleString()} of ${answer.budget.toLocaleString()} reviewed`;
}

// ---- choosing a class

// The key of each class, where all classes have one.
function classKeys(names) {
  if (names.every((name) => /^[0-9]$/.test(name))) return new Map(names.map((name) => [name, name]));
  return new Map(names.length <= 9 ? names.map((name, i) => [String(i + 1), name]) : []);
}

// A button for each class that has a key, else for the likely ones.
function offerClasses(keys, likely) {
  const named = keys.size ? [...keys.entries()] : likely.map((code, i) => [String(i + 1), start.classes[code]]);
  $("classes").classList.toggle("short", named.length > 5 && named.every(([, name]) => name.length <= 2));
  $("classes").replaceChildren(
    ...named.map(([key, name]) => {
      const button = element("button", { type: "button", title: name, ariaKeyShortcuts: key }, name, name === key ? null : keyHint(key));
      button.onclick = () => decide("relabel", name);
      return button;
    }),
  );
}

let matched = [];
let selected = 0;

function showMatches(names) {
  matched = names;
  selected = 0;
  $("matches").hidden = !names.length;
  $("search").setAttribute("aria-expanded", String(!!names.length));
  $("matches").replaceChildren(
    ...names.map((name, i) => {
      const option = element("li", { id: `match-${i}`, role: "option", textContent: name, ariaSelected: String(i === 0) });
      option.onmousedown = (event) => {
        event.preventDefault();
        decide("relabel", name);
      };
      return option;
    }),
  );
  markSelected();
}

function markSelected() {
  [...$("matches").children].forEach((option, i) => option.setAttribute("aria-selected", String(i === selected)));
  $("matches").children[selected]?.scrollIntoView({ block: "nearest" });
  if (matched.length) $("search").setAttribute("aria-activedescendant", `match-${selected}`);
  else $("search").removeAttribute("aria-activedescendant");
}

function findClasses(typed) {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return [];
  const begins = [];
  const holds = [];
  for (const name of start.classes) {
    const plain = name.toLowerCase();
    if (plain.startsWith(wanted)) begins.push(name);
    else if (plain.includes(wanted)) holds.push(name);
    if (begins.length >= LONGEST_LIST) break;
  }
  return [...begins, ...holds].slice(0, LONGEST_LIST);
}

function searchKey(event) {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (matched.length) selected = (selected + (event.key === "ArrowDown" ? 1 : matched.length - 1)) % matched.length;
    markSelected();
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (matched.length) {
      const name = matched[selected];
      $("search").blur();
      decide("relabel", name);
    }
  } else if (event.key === "Escape") {
    $("search").value = "";
    showMatches([]);
    $("search").blur();
  }
}

// ---- figures

let figuresWanted = false;
let figuresBusy = false;

async function refreshFigures() {
  if (start.blind) return;
  figuresWanted = true;
  if (figuresBusy) return;
  figuresBusy = true;
  try {
    while (figuresWanted) {
      figuresWanted = false;
      const answer = await call("/api/figures");
      showFigures(answer);
      if (!answer.fresh) setTimeout(refreshFigures, STALE_MS);
      if ($("class-rates").open) showClassRates(await call("/api/classes"));
    }
  } catch {
    // the next decision asks again
  } finally {
    figuresBusy = false;
  }
}

const reviewsOf = (count, which = "") => `${count.toLocaleString()} ${which}review${count === 1 ? "" : "s"}`;

function showFigures(answer) {
  const { figures, curve, reviewers, agreement } = answer;
  const rate = figures.error_rate;
  $("rate").textContent = percent(rate.estimate);
  $("interval").textContent = `${start.of_all}; 95 % interval ${percent(rate.low)} to ${percent(rate.high)}${figures.from_reviews ? "" : " (by the audit alone)"}. ${figures.wrong} of ${figures.reviewed} reviewed were wrong.`;
  $("advice").textContent = figures.advice;
  drawCurve("chart", curve.map((point) => ({ at: point.reviewed, value: point.estimate, ...point })), {
    most: Math.min(1, Math.max(0.02, ...curve.map((point) => point.high)) * 1.05),
    height: (most) => `${(100 * most).toFixed(most < 0.1 ? 1 : 0)} %`,
    width: (last) => reviewsOf(last),
  });
  showForecast(answer);
  const kappa = agreement.kappa === null ? "" : `Agreement on ${agreement.items} shared items: κ = ${agreement.kappa.toFixed(2)}`;
  const rows = reviewers.map((one) => [one.name, one.decisions, one.median_seconds === null ? "" : `${one.median_seconds.toFixed(1)} s`, one.accuracy === null ? "" : percent(one.accuracy)]);
  $("people-table").replaceChildren(tableOf(["who", "labels", "median", "right"], rows), element("p", { className: "soft", textContent: kappa }));
  $("people").hidden = !reviewers.length;
}

function showClassRates(answer) {
  const rows = answer.classes.map((row) => [row.class, percent(row.estimate), row.low === null ? "" : `${percent(row.low)} to ${percent(row.high)}`]);
  $("class-table").replaceChildren(tableOf(["given", "wrong", "95 %"], rows));
}

function tableOf(names, rows) {
  const head = element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { textContent: name, scope: "col" }))));
  return element("table", {}, head, element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", { textContent: cell }))))));
}

// What the next reviews will find.
function showForecast({ outlook, forecast }) {
  $("outlook").textContent = outlook;
  const last = forecast[forecast.length - 1];
  $("ahead").toggleAttribute("hidden", last.reviews === 0);
  $("ahead").setAttribute("aria-label", `Wrong labels that the next ${reviewsOf(last.reviews)} will find: ${Math.round(last.low)} to ${Math.round(last.high)}`);
  drawCurve("ahead", forecast.map((point) => ({ at: point.reviews, value: point.found, ...point })), {
    most: Math.max(1, last.high) * 1.05,
    height: (most) => Math.floor(most).toLocaleString(),
    width: (end) => `wrong labels found by ${reviewsOf(end, "more ")}`,
  });
}

// A line of values and its band from low to high, over where they are at.
function drawCurve(id, points, { most, height, width }) {
  const ns = "http://www.w3.org/2000/svg";
  const make = (tag, attributes, text = "") => {
    const made = document.createElementNS(ns, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  };
  const [left, right, top, bottom] = [34, 316, 8, 100];
  const last = Math.max(1, ...points.map((point) => point.at));
  const x = (at) => left + ((right - left) * at) / last;
  const y = (value) => bottom - ((bottom - top) * value) / most;
  const upper = points.map((point) => `${x(point.at)},${y(point.high)}`);
  const lower = points.map((point) => `${x(point.at)},${y(point.low)}`).reverse();
  const end = points[points.length - 1];
  $(id).replaceChildren(
    make("line", { class: "axis", x1: left, x2: right, y1: bottom, y2: bottom }),
    make("polygon", { class: "band", points: [...upper, ...lower].join(" ") }),
    make("polyline", { class: "line", points: points.map((point) => `${x(point.at)},${y(point.value)}`).join(" ") }),
    make("circle", { cx: x(end.at), cy: y(end.value), r: 3 }),
    make("text", { x: left - 4, y: y(0), "text-anchor": "end" }, "0"),
    make("text", { x: left - 4, y: top + 8, "text-anchor": "end" }, height(most)),
    make("text", { x: right, y: bottom + 14, "text-anchor": "end" }, width(last)),
  );
}

// ---- keys

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const inText = event.target instanceof HTMLInputElement && event.target.type !== "checkbox";
  if (inText) return;
  if (current && kind.pressed?.(event)) {
    event.preventDefault();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const onButton = event.target instanceof HTMLButtonElement || event.target.tagName === "SUMMARY";
  if (key === "Enter" && onButton) return; // the button's own
  const actions = {
    k: () => $("keep")?.click(),
    Enter: () => ($("accept") ?? $("keep"))?.click(),
    n: () => (start.none ? decide("none") : null),
    u: () => decide("unsure"),
    s: () => decide("skip"),
    z: undo,
    "?": () => $("help").showModal(),
    "/": () => (start.choose ? $("search") : document.querySelector(".decide input[type=text]"))?.focus(),
  };
  if (/^[0-9]$/.test(key)) current && kind.number(key);
  else if (key in actions) actions[key]();
  else return;
  event.preventDefault();
}

// ---- beginning

async function askName() {
  $("who").showModal();
  await new Promise((resolve) => {
    $("who-form").onsubmit = async (event) => {
      event.preventDefault();
      try {
        start.reviewer = (await call("/api/reviewer", { name: $("who-name").value })).reviewer;
        $("who").close();
        resolve();
      } catch (error) {
        notice(explain(error));
      }
    };
  });
  notice("");
}

async function begin() {
  if (location.search) history.replaceState(null, "", "/"); // the token has done its work
  try {
    start = await call("/api/start");
  } catch (error) {
    notice(explain(error));
    setTimeout(begin, 2000);
    return;
  }
  kind.begin();
  for (const [keys, words] of kind.help ?? []) $("keys").append(element("dt", {}, element("kbd", { textContent: keys })), element("dd", { textContent: words }));
  $("other").hidden = !start.choose;
  $("none").hidden = !start.none;
  $("class-rates").hidden = !start.by_class;
  document.body.classList.toggle("blind", start.blind); // whose figures would tell whether the last label was changed
  $("who").addEventListener("cancel", (event) => event.preventDefault());
  if (!start.reviewer) await askName();
  outbox = readOutbox();
  await flush();
  sayWhatIsNew(await sendEarlier());
  document.addEventListener("keydown", pressed);
  $("search").addEventListener("keydown", searchKey);
  $("search").addEventListener("input", () => showMatches(findClasses($("search").value)));
  $("search").addEventListener("blur", () => showMatches([]));
  $("undo").onclick = undo;
  $("help-button").onclick = () => $("help").showModal();
  $("figures-button").onclick = () => {
    const open = $("figures").classList.toggle("open");
    $("figures-button").setAttribute("aria-expanded", String(open));
    if (open) $("figures").scrollIntoView();
  };
  document.querySelectorAll("[data-action]").forEach((button) => {
    button.onclick = () => decide(button.dataset.action);
  });
  $("class-rates").addEventListener("toggle", refreshFigures);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenAt = performance.now();
    else if (hiddenAt) shownAt += performance.now() - hiddenAt; // a look does not last while the page is away
  });
  setInterval(() => (document.hidden ? null : fill()), IDLE_MS);
  await advance();
  refreshFigures();
}

begin();
