// The review of masks: a picture under the classes that will be saved, which begin as suggested; a brush mends them.
"use strict";

const NO_LABEL = 65535;
const MOST_STROKES = 30; // that can be taken back
const VIEWS = [["yours", "Yours"], ["given", "Given"], ["picture", "Picture"]];

const kind = {
  given: () => [],
  codes: null, // Int32Array of the given classes, row by row
  draft: null,
  on: new Set(), // regions whose suggestion is taken
  brush: null, // the class that is painted
  radius: 4,
  seen: "yours",
  opacity: 0.5,
  zoomed: { scale: 1, x: 0, y: 0 },
  pointers: new Map(),
  stroke: null,
  strokes: [],
  touched: false, // whether a brush was used

  help: [
    ["drag", "paint with the chosen class; Alt-drag or two fingers move the picture"],
    ["1 to 9", "the class that is painted; [ and ] the size of the brush"],
    ["T", "the mask as it will be saved, as given, or the picture alone"],
    ["X", "take back the last stroke"],
    ["+ −", "zoom (also the wheel or two fingers); F: the whole picture"],
    ["R", "begin again from the suggestion; G: from what was given"],
  ],

  begin() {
    this.colours = start.classes.map((_, code) => this.colour(code));
  },

  // As in the report: hues a golden angle apart, light and dark in turn.
  colour(code) {
    const [h, l, s] = [((code * 137.508) % 360) / 360, [0.5, 0.38, 0.64][code % 3], 0.72];
    const q = l < 0.5 ? l * (1 + s) : l + s - l * s;
    const p = 2 * l - q;
    const channel = (t) => {
      const at = (t + 1) % 1;
      if (at < 1 / 6) return p + (q - p) * 6 * at;
      if (at < 1 / 2) return q;
      return at < 2 / 3 ? p + (q - p) * (2 / 3 - at) * 6 : p;
    };
    return [h + 1 / 3, h, h - 1 / 3].map((t) => Math.round(255 * channel(t)));
  },

  words(item) {
    const names = { missing: "missing", extra: "none", class: "of another class", border: "with another border" };
    const list = item.found.map((one) => `${one.given_label} perhaps ${one.suggested_label} (${names[one.kind] ?? "wrong"})`).join(", ");
    return list ? `Doubtful: ${list}.` : "No region is doubtful.";
  },

  number(key) {
    if (start.classes[Number(key) - 1] !== undefined) this.choose(Number(key) - 1);
  },

  pressed(event) {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "[" || key === "]") this.resize(this.radius * (key === "]" ? 1.35 : 1 / 1.35));
    else if (key === "t") this.look(VIEWS[(VIEWS.findIndex(([name]) => name === this.seen) + 1) % VIEWS.length][0]);
    else if (key === "x") this.takeBack();
    else if (key === "+" || key === "=") this.zoom(1.4);
    else if (key === "-" || key === "−") this.zoom(1 / 1.4);
    else if (key === "f") this.fit();
    else if (key === "r") this.restart(true);
    else if (key === "g") this.restart(false);
    else return false;
    return true;
  },

  // ---- run lengths, column by column, zeros first

  *runs(text) {
    let at = 0;
    const counts = text.split(" ").map(Number);
    for (let i = 0; i < counts.length; i += 1) {
      if (i % 2 && counts[i]) yield [at, at + counts[i]];
      at += counts[i];
    }
  },

  eachPixel(text, act) {
    const [width, height] = current.size;
    for (const [from, to] of this.runs(text)) for (let place = from; place < to; place += 1) act((place % height) * width + Math.floor(place / height));
  },

  // What differs from the given mask, as patches by class.
  answer() {
    const [width, height] = current.size;
    const held = new Map();
    for (let x = 0; x < width; x += 1) {
      for (let y = 0; y < height; y += 1) {
        const code = this.draft[y * width + x];
        if (code === this.codes[y * width + x] || code < 0) continue;
        const place = x * height + y;
        const own = held.get(code);
        if (own === undefined) held.set(code, [[place, place + 1]]);
        else if (own[own.length - 1][1] === place) own[own.length - 1][1] += 1;
        else own.push([place, place + 1]);
      }
    }
    const text = (own) => {
      const counts = [];
      let at = 0;
      for (const [from, to] of own) {
        counts.push(from - at, to - from);
        at = to;
      }
      if (at < width * height) counts.push(width * height - at);
      return counts.join(" ");
    };
    return [...held].sort(([a], [b]) => a - b).map(([code, own]) => [start.classes[code], text(own)]);
  },

  // ---- the mask

  async load(item) {
    try {
      const answer = await fetch(`/api/items/${item.rank}/mask?edition=${start.edition}`, { credentials: "same-origin" });
      if (!answer.ok) {
        if (current === item) $("draw-help").textContent = "The mask cannot be read any more, or is not the one that was audited: it can be kept, and not changed.";
        return;
      }
      const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
      if (current !== item || bitmap.width !== item.size[0] || bitmap.height !== item.size[1]) return;
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
      this.codes = new Int32Array(bitmap.width * bitmap.height);
      for (let i = 0; i < this.codes.length; i += 1) {
        const code = data[4 * i] | (data[4 * i + 1] << 8);
        this.codes[i] = code === NO_LABEL ? -1 : code;
      }
      this.restart(true);
      $("stage").dispatchEvent(new CustomEvent("labelproof:mask", { bubbles: true }));
    } catch (error) {
      notice(explain(error));
    }
  },

  restart(suggested) {
    if (!this.codes) return;
    this.on = new Set(suggested ? current.found.filter((one) => one.suggested).map((one) => one.region) : []);
    [this.strokes, this.touched] = [[], false];
    this.apply();
  },

  // The draft is the given mask, with the suggestions that are taken; surest last.
  apply() {
    this.draft = this.codes.slice();
    for (const one of [...current.found].reverse()) {
      if (!this.on.has(one.region)) continue;
      const code = start.classes.indexOf(one.suggested_label);
      this.eachPixel(one.rle, (i) => (this.draft[i] = code));
    }
    this.draw();
  },

  toggle(one, taken) {
    if (!this.codes) return;
    this.keepStroke();
    if (taken) this.on.add(one.region);
    else this.on.delete(one.region);
    const code = start.classes.indexOf(one.suggested_label);
    this.eachPixel(one.rle, (i) => (this.draft[i] = taken ? code : this.codes[i]));
    this.draw();
  },

  keepStroke() {
    this.strokes.push([this.draft.slice(), new Set(this.on)]);
    if (this.strokes.length > MOST_STROKES) this.strokes.shift();
  },

  takeBack() {
    if (!this.strokes.length) return;
    [this.draft, this.on] = this.strokes.pop();
    this.draw();
  },

  paint(from, to) {
    const [width, height] = current.size;
    const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y)));
    const r = this.radius;
    for (let step = 0; step <= steps; step += 1) {
      const [cx, cy] = [from.x + ((to.x - from.x) * step) / steps, from.y + ((to.y - from.y) * step) / steps];
      for (let y = Math.max(0, Math.ceil(cy - r - 0.5)); y <= Math.min(height - 1, cy + r - 0.5); y += 1) {
        for (let x = Math.max(0, Math.ceil(cx - r - 0.5)); x <= Math.min(width - 1, cx + r - 0.5); x += 1) {
          if ((x + 0.5 - cx) ** 2 + (y + 0.5 - cy) ** 2 <= r * r) this.draft[y * width + x] = this.brush;
        }
      }
    }
    this.touched = true;
    const edge = Math.ceil(r) + 2;
    this.overlay(Math.min(from.x, to.x) - edge, Math.min(from.y, to.y) - edge, Math.max(from.x, to.x) + edge, Math.max(from.y, to.y) + edge);
  },

  // ---- what is seen

  overlay(x0 = 0, y0 = 0, x1 = Infinity, y1 = Infinity) {
    const [width, height] = current.size;
    const [left, top] = [Math.max(0, Math.floor(x0)), Math.max(0, Math.floor(y0))];
    const [right, bottom] = [Math.min(width, Math.ceil(x1)), Math.min(height, Math.ceil(y1))];
    if (right <= left || bottom <= top || !this.codes) return;
    const context = $("overlay").getContext("2d");
    const image = context.createImageData(right - left, bottom - top);
    const codes = this.seen === "given" ? this.codes : this.draft;
    const differs = (i) => this.draft[i] !== this.codes[i];
    for (let y = top; y < bottom && this.seen !== "picture"; y += 1) {
      for (let x = left; x < right; x += 1) {
        const i = y * width + x;
        const at = 4 * ((y - top) * (right - left) + x - left);
        const changed = differs(i);
        const edge = changed && ((x > 0 && !differs(i - 1)) || (x < width - 1 && !differs(i + 1)) || (y > 0 && !differs(i - width)) || (y < height - 1 && !differs(i + width)));
        const colour = edge ? [255, 255, 255] : codes[i] < 0 ? [128, 128, 128] : this.colours[codes[i]];
        image.data.set(colour, at);
        image.data[at + 3] = edge ? 255 : Math.round(255 * (codes[i] < 0 ? 0.15 : changed ? Math.min(1, this.opacity + 0.2) : this.opacity));
      }
    }
    context.putImageData(image, left, top);
  },

  look(name) {
    this.seen = name;
    for (const button of document.querySelectorAll("[data-view]")) button.setAttribute("aria-pressed", String(button.dataset.view === name));
    this.overlay();
  },

  resize(radius) {
    this.radius = Math.max(0.5, Math.min(200, radius));
    $("radius").value = String(Math.round(10 * Math.log2(2 * this.radius)));
  },

  choose(code) {
    this.brush = this.brush === code ? null : code;
    for (const button of $("types").children) button.setAttribute("aria-pressed", String(Number(button.dataset.code) === this.brush));
    $("draw-help").textContent = this.brush === null ? "Choose a class to paint with it." : `The brush paints: ${start.classes[this.brush]}`;
  },

  // ---- zoom

  fit() {
    this.zoomed = { scale: 1, x: 0, y: 0 };
    this.place();
  },

  place() {
    const { scale, x, y } = this.zoomed;
    $("stage").style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  },

  // About a place on the screen, or the middle.
  zoom(factor, at = null) {
    const frame = $("drawing").getBoundingClientRect();
    const stage = $("stage").getBoundingClientRect();
    const { scale } = this.zoomed;
    const next = Math.max(1, Math.min(40, scale * factor));
    const [cx, cy] = at ? [at.x, at.y] : [frame.x + frame.width / 2, frame.y + frame.height / 2];
    this.zoomed.x += (cx - stage.x) * (1 - next / scale);
    this.zoomed.y += (cy - stage.y) * (1 - next / scale);
    this.zoomed.scale = next;
    if (next === 1) this.zoomed = { scale: 1, x: 0, y: 0 };
    this.place();
  },

  // So near that a region fills half of the frame.
  close(one) {
    const [width, height] = current.size;
    const frame = $("drawing").getBoundingClientRect();
    const stage = { width: $("stage").offsetWidth, height: $("stage").offsetHeight };
    const scale = Math.max(1, Math.min(40, Math.min(width / (2 * (one.x2 - one.x1)), height / (2 * (one.y2 - one.y1)))));
    const [x, y] = [((one.x1 + one.x2) / 2 / width) * stage.width, ((one.y1 + one.y2) / 2 / height) * stage.height];
    this.zoomed = scale === 1 ? { scale, x: 0, y: 0 } : { scale, x: frame.width / 2 - $("stage").offsetLeft - x * scale, y: frame.height / 2 - $("stage").offsetTop - y * scale };
    this.place();
  },

  pixel(event) {
    const stage = $("stage").getBoundingClientRect();
    return { x: ((event.clientX - stage.x) / stage.width) * current.size[0], y: ((event.clientY - stage.y) / stage.height) * current.size[1] };
  },

  down(event) {
    if (event.button > 1) return;
    event.preventDefault();
    $("drawing").setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.pointers.size === 2) {
      if (this.stroke) this.takeBack(); // two fingers come one after the other
      this.stroke = null;
      return;
    }
    if (event.button === 1 || event.altKey || this.brush === null || !this.codes) return;
    this.keepStroke();
    this.stroke = this.pixel(event);
    this.paint(this.stroke, this.stroke);
  },

  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    this.pointers.set(event.pointerId, now);
    if (this.stroke) {
      const at = this.pixel(event);
      this.paint(this.stroke, at);
      this.stroke = at;
      return;
    }
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const far = (a) => Math.max(1, Math.hypot(a.x - other.x, a.y - other.y));
      this.zoom(far(now) / far(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
    }
    if (this.zoomed.scale > 1) {
      this.zoomed.x += (now.x - before.x) / (other ? 2 : 1);
      this.zoomed.y += (now.y - before.y) / (other ? 2 : 1);
      this.place();
    }
  },

  up(event) {
    this.pointers.delete(event.pointerId);
    if (this.stroke) {
      this.stroke = null;
      this.draw();
    }
  },

  shown(item) {
    [this.codes, this.draft, this.strokes, this.touched, this.stroke] = [null, null, [], false, null];
    this.on = new Set();
    this.pointers.clear();
    this.zoomed = { scale: 1, x: 0, y: 0 };
    const image = item.picture ? (pictures.get(item.rank) ?? new Image()) : null;
    if (image) {
      image.alt = `Item ${item.id}`;
      image.draggable = false;
      image.onerror = () => image.remove();
      if (!image.src) image.src = pictureOf(item.rank);
    }
    const canvas = element("canvas", { id: "overlay", width: item.size[0], height: item.size[1] });
    const stage = element("div", { className: "stage", id: "stage" }, image, canvas);
    const frame = element("div", { className: "drawing masked", id: "drawing", role: "group", ariaLabel: "The picture under its mask as it will be saved" }, stage);
    frame.style.setProperty("--shape", item.size[0] / item.size[1]);
    frame.addEventListener("pointerdown", (event) => this.down(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel"]) frame.addEventListener(end, (event) => this.up(event));
    frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 0.85 : 1 / 0.85, { x: event.clientX, y: event.clientY });
    }, { passive: false });
    const button = (text, title, act, more = {}) => {
      const made = element("button", { type: "button", className: "quiet", title, ...more }, text);
      made.onclick = () => {
        act();
        made.blur();
      };
      return made;
    };
    const views = VIEWS.map(([name, text]) => button(text, `Show ${text.toLowerCase()}`, () => this.look(name), { "data-view": name, ariaPressed: String(name === this.seen) }));
    const radius = element("input", { type: "range", id: "radius", min: "0", max: "86", value: String(Math.round(10 * Math.log2(2 * this.radius))) });
    radius.oninput = () => (this.radius = 2 ** (Number(radius.value) / 10) / 2);
    const bar = element("div", { className: "tools" }, ...views, button("−", "Zoom out", () => this.zoom(1 / 1.4)), button("+", "Zoom in", () => this.zoom(1.4)), button("Fit", "The whole picture", () => this.fit()),
      button("Back", "Take back the last stroke", () => this.takeBack(), { id: "take-back" }), element("label", {}, "Brush", radius));
    this.load(item);
    return element("div", { className: "column" }, frame, bar);
  },

  draw() {
    if (!current || !$("overlay")) return;
    this.overlay();
    for (const box of document.querySelectorAll("[data-region]")) box.checked = this.on.has(Number(box.dataset.region));
    this.drawChoices();
  },

  drawChoices() {
    const kept = !this.draft || this.draft.every((code, i) => code === this.codes[i]);
    $("accept").hidden = kept;
    const suggested = !this.touched && current.found.every((one) => one.suggested === this.on.has(one.region));
    $("accept").querySelector("small").textContent = suggested ? "Accept the suggestion" : "Save yours";
    let changed = 0;
    if (!kept) for (let i = 0; i < this.draft.length; i += 1) changed += this.draft[i] !== this.codes[i];
    $("accept").querySelector("strong").textContent = `${changed.toLocaleString()} pixels change`;
  },

  ask(item) {
    const names = { missing: "missing", extra: "none", class: "of another class", border: "another border" };
    const list = element("ul", { className: "found" });
    for (const one of item.found) {
      const box = element("input", { type: "checkbox", "data-region": String(one.region), checked: one.suggested });
      box.onchange = () => {
        this.toggle(one, box.checked);
        box.blur();
      };
      const name = one.kind === "missing" ? one.suggested_label : one.given_label;
      const rest = one.kind === "missing" ? `missing in ${one.given_label}` : `perhaps ${one.suggested_label}${one.kind === "border" ? ", at its border" : ""}`;
      const look = element("button", { type: "button", className: "link", title: "Look at it closely" }, name);
      look.onclick = () => {
        this.close(one);
        look.blur();
      };
      const words = element("label", {}, `${rest}, ${one.area.toLocaleString()} pixels, ${percent(one.error_probability)}`);
      box.id = `region-${one.region}`;
      words.htmlFor = box.id;
      list.append(element("li", { title: names[one.kind] ?? "" }, box, element("span", {}, look, " ", words)));
    }
    $("verdict").replaceChildren(`Probability that a region is wrong: ${percent(item.error_probability)}`, list);
    const keep = element("button", { type: "button", className: "choice", id: "keep" }, element("small", { textContent: "Keep as given" }), element("strong", { textContent: "no pixel changes" }), keyHint("K"));
    keep.onclick = () => decide("keep");
    const accept = element("button", { type: "button", className: "choice", id: "accept", hidden: true }, element("small", { textContent: "Accept the suggestion" }), element("strong", {}), keyHint("Enter"));
    accept.onclick = () => this.draft && decide("relabel", this.answer());
    const types = element("div", { className: "classes many", id: "types" });
    start.classes.forEach((name, code) => {
      const button = element("button", { type: "button", "data-code": String(code), ariaPressed: "false" }, name, code < 9 ? keyHint(String(code + 1)) : null);
      button.style.setProperty("--own", `rgb(${this.colours[code].join(" ")})`);
      button.style.borderLeft = "5px solid var(--own)";
      button.onclick = () => {
        this.choose(code);
        button.blur();
      };
      types.append(button);
    });
    this.brush = null;
    $("choices").replaceChildren(keep, accept, element("p", { className: "soft", id: "draw-help", textContent: "Choose a class to paint with it." }), types);
  },
};
