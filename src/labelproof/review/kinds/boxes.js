// The review of boxes: a picture with the boxes that will be saved, which begin as suggested, over those that were given.
"use strict";

const kind = {
  draft: [], // [x1, y1, x2, y2, class] in pixels
  chosen: null, // place of the selected box in the draft
  last: null, // class of the next box that is drawn
  view: null, // the part of the picture that is seen: x, y, width, height
  size: null,
  svg: null,
  under: [], // the picture and the ground below it
  over: null, // the boxes
  pointers: new Map(),
  doing: null, // what the pointer does: draw, move, resize or pan

  help: [
    ["drag", "draw a box; drag a box to move it, a handle to change it"],
    ["← →", "select a box; with Shift, move it by a pixel (also ↑ ↓)"],
    ["1 to 9", "the class of the selected box, or of the next one"],
    ["0", "remove the selected box (also Delete)"],
    ["+ −", "zoom (also the wheel or two fingers); F: the whole picture"],
    ["R", "begin again from the suggestion; G: from what was given"],
  ],

  begin() {
    this.colours = new Map(start.classes.map((name, i) => [name, `type-${i % 8}`]));
    this.last = start.classes[0] ?? null;
  },

  given: (item) => item.given,

  same: (a, b) => JSON.stringify(a) === JSON.stringify(b),

  sorted: (boxes) => boxes.map((box) => [...box]).sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3] || (a[4] < b[4] ? -1 : 1)),

  has: (boxes, box) => boxes.some((one) => one.every((edge, i) => edge === box[i])),

  words(item) {
    const list = (boxes) => boxes.map((box) => box[4]).join(", ") || "no box";
    return `Given: ${list(item.given)}. ${this.same(item.given, item.suggested) ? "Nothing else is suggested." : `Suggested: ${list(item.suggested)}.`}`;
  },

  number(key) {
    const name = start.classes[Number(key) - 1];
    if (key === "0") this.remove();
    else if (name !== undefined) this.mark(name);
  },

  pressed(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (step && event.shiftKey && this.chosen !== null) {
      this.shift(this.draft[this.chosen], step[0], step[1]);
      this.draw();
    } else if (step && step[0] && this.draft.length) {
      const next = this.chosen === null ? (step[0] > 0 ? 0 : this.draft.length - 1) : (this.chosen + step[0] + this.draft.length) % this.draft.length;
      this.select(next);
    } else if (["Backspace", "Delete"].includes(key)) this.remove();
    else if (key === "Escape" && this.chosen !== null) this.select(null);
    else if (key === "+" || key === "=") this.zoom(0.7);
    else if (key === "-" || key === "−") this.zoom(1 / 0.7);
    else if (key === "f") this.fit();
    else if (key === "r") this.restart(current.suggested);
    else if (key === "g") this.restart(current.given);
    else return false;
    return true;
  },

  restart(boxes) {
    this.draft = boxes.map((box) => [...box]);
    this.select(null);
  },

  select(place) {
    this.chosen = place;
    if (place !== null && start.classes.includes(this.draft[place][4])) this.last = this.draft[place][4];
    if (document.activeElement instanceof HTMLButtonElement) document.activeElement.blur(); // so that Enter accepts
    this.draw();
  },

  mark(name) {
    this.last = name;
    if (this.chosen !== null) this.draft[this.chosen][4] = name;
    this.draw();
  },

  remove() {
    if (this.chosen === null) return;
    this.draft.splice(this.chosen, 1);
    this.select(null);
  },

  // ---- the part of the picture that is seen

  fit() {
    this.view = { x: 0, y: 0, width: this.size[0], height: this.size[1] };
    this.draw();
  },

  zoom(factor, about = null) {
    const { view, size } = this;
    const place = about ?? { x: view.x + view.width / 2, y: view.y + view.height / 2 };
    const scale = Math.max(Math.min(factor, size[0] / view.width), Math.min(1, 12 / view.width));
    view.x = place.x - (place.x - view.x) * scale;
    view.y = place.y - (place.y - view.y) * scale;
    view.width *= scale;
    view.height *= scale;
    this.keepInside();
    this.draw();
  },

  keepInside() {
    const { view, size } = this;
    view.x = Math.max(0, Math.min(size[0] - view.width, view.x));
    view.y = Math.max(0, Math.min(size[1] - view.height, view.y));
  },

  place(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    return { x: point.x, y: point.y };
  },

  // Pixels of the picture that one on the screen stands for.
  grain() {
    return 1 / (this.svg?.getScreenCTM()?.a || 1);
  },

  rounded(value) {
    const digits = this.grain() < 0.2 ? 10 : 1;
    return Math.round(value * digits) / digits;
  },

  clamped(value, axis) {
    return Math.max(0, Math.min(this.size[axis], this.rounded(value)));
  },

  shift(box, dx, dy) {
    const [width, height] = [box[2] - box[0], box[3] - box[1]];
    const digits = (value) => Math.round(value * 1000) / 1000;
    box[0] = digits(Math.max(0, Math.min(this.size[0] - width, box[0] + dx)));
    box[1] = digits(Math.max(0, Math.min(this.size[1] - height, box[1] + dy)));
    box[2] = digits(box[0] + width);
    box[3] = digits(box[1] + height);
  },

  // ---- the pointer

  down(event) {
    if (event.button > 1) return;
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.pointers.size === 2) {
      if (this.doing?.what === "draw") this.draft.splice(this.doing.box, 1), (this.chosen = null);
      this.doing = { what: "pinch" };
      return;
    }
    const at = this.place(event);
    if (event.button === 1 || event.altKey) {
      this.doing = { what: "pan" };
      return;
    }
    const handle = event.target.closest("[data-handle]");
    const under = event.target.closest("[data-box]");
    if (handle) this.doing = { what: "resize", edges: handle.dataset.handle, box: this.chosen };
    else if (under) {
      this.doing = { what: "move", box: Number(under.dataset.box), from: at };
      this.select(Number(under.dataset.box));
    } else if (this.last !== null) {
      this.doing = { what: "draw", from: at, box: null };
      if (this.chosen !== null) this.select(null);
    }
  },

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before || !this.doing) return;
    const now = { x: event.clientX, y: event.clientY };
    if (this.doing.what === "pinch") this.pinch(event.pointerId, now);
    else this.drag(event, before, now);
    this.pointers.set(event.pointerId, now);
  },

  pinch(id, now) {
    const other = [...this.pointers].find(([own]) => own !== id)?.[1];
    const before = this.pointers.get(id);
    if (!other) return;
    const far = (a, b) => Math.max(1, Math.hypot(a.x - b.x, a.y - b.y));
    this.zoom(far(before, other) / far(now, other), this.place({ clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 }));
    this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
  },

  pan(dx, dy) {
    this.view.x -= dx * this.grain();
    this.view.y -= dy * this.grain();
    this.keepInside();
    this.draw();
  },

  drag(event, before, now) {
    const { doing } = this;
    const at = this.place(event);
    if (doing.what === "pan") {
      this.pan(now.x - before.x, now.y - before.y);
      return;
    }
    if (doing.what === "move") {
      const box = this.draft[doing.box];
      const [dx, dy] = [this.rounded(at.x - doing.from.x), this.rounded(at.y - doing.from.y)];
      if (!dx && !dy) return;
      this.shift(box, dx, dy);
      doing.from = { x: doing.from.x + dx, y: doing.from.y + dy };
    } else if (doing.what === "resize") {
      const box = this.draft[doing.box];
      const least = Math.max(1, 2 * this.grain());
      if (doing.edges.includes("w")) box[0] = Math.min(this.clamped(at.x, 0), box[2] - least);
      if (doing.edges.includes("e")) box[2] = Math.max(this.clamped(at.x, 0), box[0] + least);
      if (doing.edges.includes("n")) box[1] = Math.min(this.clamped(at.y, 1), box[3] - least);
      if (doing.edges.includes("s")) box[3] = Math.max(this.clamped(at.y, 1), box[1] + least);
    } else if (doing.what === "draw") {
      const [x1, x2] = [doing.from.x, at.x].map((x) => this.clamped(x, 0)).sort((a, b) => a - b);
      const [y1, y2] = [doing.from.y, at.y].map((y) => this.clamped(y, 1)).sort((a, b) => a - b);
      if (Math.min(x2 - x1, y2 - y1) < 3 * this.grain() || x1 === x2 || y1 === y2) return;
      if (doing.box === null) {
        this.draft.push([x1, y1, x2, y2, this.last]);
        doing.box = this.chosen = this.draft.length - 1;
      } else this.draft[doing.box].splice(0, 4, x1, y1, x2, y2);
    }
    this.draw();
  },

  up(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.doing = null;
  },

  // ---- what is seen

  shown(item) {
    this.draft = item.suggested.map((box) => [...box]);
    [this.chosen, this.doing] = [null, null];
    this.pointers.clear();
    const edges = [...item.given, ...item.suggested];
    const image = item.picture ? (pictures.get(item.rank) ?? new Image()) : null;
    if (image && !image.src) image.src = pictureOf(item.rank);
    this.size = item.size ?? [Math.max(1, ...edges.map((box) => box[2])) * 1.05, Math.max(1, ...edges.map((box) => box[3])) * 1.05];
    this.view = { x: 0, y: 0, width: this.size[0], height: this.size[1] };
    if (image && !item.size) {
      const known = () => {
        if (current !== item || !image.naturalWidth) return;
        this.size = [image.naturalWidth, image.naturalHeight]; // they are shown at most 1,024 pixels wide or high
        this.fit();
      };
      if (image.complete) queueMicrotask(known);
      else image.addEventListener("load", known, { once: true });
    }
    this.svg = this.make("svg", { id: "drawing", class: "drawing", role: "group", "aria-label": "The picture with its boxes as they will be saved" });
    this.under = [this.make("rect", { class: "ground" })];
    if (item.picture) this.under.push(this.make("image", { href: pictureOf(item.rank), preserveAspectRatio: "none" }));
    this.over = this.make("g", {});
    this.svg.append(...this.under, this.over);
    this.svg.addEventListener("pointerdown", (event) => this.down(event));
    this.svg.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) this.svg.addEventListener(end, (event) => this.up(event));
    this.svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1 / 0.85 : 0.85, this.place(event));
    }, { passive: false });
    const button = (text, title, act, id) => {
      const made = element("button", { type: "button", className: "quiet", title, id }, text);
      made.onclick = () => {
        act();
        made.blur();
      };
      return made;
    };
    const bar = element("div", { className: "tools" },
      button("−", "Zoom out", () => this.zoom(1 / 0.7), "zoom-out"), button("+", "Zoom in", () => this.zoom(0.7), "zoom-in"), button("Fit", "The whole picture", () => this.fit(), "zoom-fit"),
      button("As given", "Begin from what was given", () => this.restart(current.given), "from-given"), button("As suggested", "Begin from the suggestion", () => this.restart(current.suggested), "from-suggested"));
    queueMicrotask(() => this.draw());
    return element("div", { className: "column" }, this.svg, bar);
  },

  make(tag, attributes, text = "") {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  },

  rectangle(box, attributes) {
    const [x, y] = [Math.min(box[0], box[2]), Math.min(box[1], box[3])];
    return this.make("rect", { x, y, width: Math.abs(box[2] - box[0]), height: Math.abs(box[3] - box[1]), ...attributes });
  },

  draw() {
    const item = current;
    if (!item || !this.svg?.isConnected) return;
    const { view, size } = this;
    this.svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    this.svg.style.setProperty("--shape", size[0] / size[1]);
    this.svg.style.setProperty("--grain", this.grain());
    const parts = [];
    for (const box of item.given) if (!this.has(this.draft, box)) parts.push(this.rectangle(box, { class: "was" }));
    this.draft.forEach((box, i) => {
      const colour = this.colours.get(box[4]) ?? "";
      const changed = this.has(item.given, box) ? "" : " changed";
      const inner = this.rectangle(box, { class: `own ${colour}${changed}${i === this.chosen ? " selected" : ""}`, "data-box": i });
      inner.append(this.make("title", {}, box[4]));
      parts.push(inner);
      if (changed || i === this.chosen) parts.push(this.make("text", { class: colour, x: box[0], y: box[1] - 3 * this.grain() }, box[4]));
    });
    if (this.chosen !== null) parts.push(...this.handles(this.draft[this.chosen]));
    for (const under of this.under) {
      under.setAttribute("width", size[0]);
      under.setAttribute("height", size[1]);
    }
    this.over.replaceChildren(...parts);
    this.drawChoices(item);
  },

  handles(box) {
    const [x1, y1, x2, y2] = box;
    const half = 5 * this.grain();
    const places = { nw: [x1, y1], n: [(x1 + x2) / 2, y1], ne: [x2, y1], e: [x2, (y1 + y2) / 2], se: [x2, y2], s: [(x1 + x2) / 2, y2], sw: [x1, y2], w: [x1, (y1 + y2) / 2] };
    const corners = (x2 - x1) / this.grain() < 50 || (y2 - y1) / this.grain() < 50;
    return Object.entries(places).filter(([name]) => !corners || name.length === 2).map(([name, [x, y]]) => this.make("rect", { class: `handle ${name}`, "data-handle": name, x: x - half, y: y - half, width: 2 * half, height: 2 * half }));
  },

  said: (boxes) => {
    const counts = new Map();
    for (const box of boxes) counts.set(box[4], (counts.get(box[4]) ?? 0) + 1);
    return [...counts].map(([name, count]) => (count > 1 ? `${count} × ${name}` : name)).join(" · ") || "no box";
  },

  drawChoices(item) {
    const draft = this.sorted(this.draft);
    const suggested = this.same(draft, this.sorted(item.suggested));
    const kept = this.same(draft, this.sorted(item.given));
    $("accept").hidden = kept;
    $("accept").querySelector("small").textContent = suggested ? "Accept the suggestion" : "Save yours";
    $("accept").querySelector("strong").textContent = this.said(this.draft);
    $("draw-help").textContent = this.chosen !== null ? `The selected box is: ${this.draft[this.chosen][4]}` : this.last === null ? "" : `The next box that you draw is: ${this.last}`;
    const name = this.chosen !== null ? this.draft[this.chosen][4] : this.last;
    for (const button of $("types").children) {
      if (button.id === "remove") button.disabled = this.chosen === null;
      else button.setAttribute("aria-pressed", String(button.dataset.name === name));
    }
  },

  ask(item) {
    const names = { missing: "missing", extra: "none", displaced: "displaced", class: "of another class" };
    const reasons = { duplicate: "stands twice", outside: "reaches beyond the picture", empty: "has no area", order: "coordinates in another order", unit: "in other units" };
    const list = element("ul", { className: "found" });
    for (const one of item.found) {
      const what = one.kind === "class" ? `perhaps ${one.suggested_label}` : `perhaps ${reasons[one.reason] ?? names[one.kind] ?? "wrong"}`;
      const row = element("li", {}, element("button", { type: "button", className: "link" }, one.given_label ?? one.suggested_label), ` ${what}, ${percent(one.error_probability)}`);
      row.querySelector("button").onclick = (event) => {
        this.look(one);
        event.target.blur();
      };
      list.append(row);
    }
    $("verdict").replaceChildren(`Probability that a box is wrong: ${percent(item.error_probability)}`, list);
    const keep = element("button", { type: "button", className: "choice", id: "keep" }, element("small", { textContent: "Keep as given" }), element("strong", { textContent: this.said(item.given) }), keyHint("K"));
    keep.onclick = () => decide("keep");
    const accept = element("button", { type: "button", className: "choice", id: "accept" }, element("small", { textContent: "Accept the suggestion" }), element("strong", { textContent: this.said(item.suggested) }), keyHint("Enter"));
    accept.onclick = () => decide("relabel", this.draft);
    const types = element("div", { className: "classes many", id: "types" });
    start.classes.forEach((name, i) => {
      const button = element("button", { type: "button", className: this.colours.get(name), "data-name": name }, name, i < 9 ? keyHint(String(i + 1)) : null);
      button.onclick = () => this.mark(name);
      types.append(button);
    });
    const none = element("button", { type: "button", id: "remove", disabled: true }, "remove", keyHint("0"));
    none.onclick = () => this.remove();
    types.append(none);
    $("choices").replaceChildren(keep, accept, element("p", { className: "soft", id: "draw-help" }), types);
  },

  // The part of the picture around what was found, and the box, if the draft has it.
  look(one) {
    const edges = [one.suggested_x1 ?? one.x1, one.suggested_y1 ?? one.y1, one.suggested_x2 ?? one.x2, one.suggested_y2 ?? one.y2];
    const around = 0.6 * Math.max(edges[2] - edges[0], edges[3] - edges[1], 24);
    const shape = this.size[0] / this.size[1];
    const width = Math.min(this.size[0], Math.max(edges[2] - edges[0] + 2 * around, (edges[3] - edges[1] + 2 * around) * shape));
    this.view = { x: (edges[0] + edges[2]) / 2 - width / 2, y: (edges[1] + edges[3]) / 2 - width / shape / 2, width, height: width / shape };
    this.keepInside();
    const own = this.draft.findIndex((box) => edges.every((edge, i) => Math.abs(edge - box[i]) < 0.01));
    this.select(own < 0 ? null : own);
  },
};
