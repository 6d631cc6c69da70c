// The review of spans: a sentence with what was given above, and below it the spans that will be saved, which begin as suggested.
"use strict";

const kind = {
  draft: [], // [start, end, type] in tokens, in order
  from: null, // the selected tokens, both ends included
  to: null,
  drawing: false,
  original: "",

  help: [
    ["← →", "select a word; with Shift, more of them"],
    ["1 to 9", "the type of the selected words"],
    ["0", "no span there (also Delete)"],
  ],

  begin() {
    this.colours = new Map(start.classes.map((name, i) => [name, `type-${i % 8}`]));
    document.addEventListener("pointerup", () => (this.drawing = false));
  },

  given: (item) => item.given,

  same: (a, b) => JSON.stringify(a) === JSON.stringify(b),

  words(item) {
    const spans = (some) => some.map(([a, b, name]) => `${name} ${item.tokens.slice(a, b).join(" ")}`).join(", ") || "no span";
    return `Given: ${spans(item.given)}. ${this.same(item.given, item.suggested) ? "Nothing else is suggested." : `Suggested: ${spans(item.suggested)}.`}`;
  },

  number(key) {
    if (key === "0") this.remove();
    else if (start.classes[Number(key) - 1] !== undefined) this.mark(start.classes[Number(key) - 1]);
  },

  // Arrow keys select tokens, with Shift more of them.
  pressed(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step !== undefined && current.tokens.length) {
      const last = current.tokens.length - 1;
      const next = this.to === null ? (step > 0 ? 0 : last) : Math.max(0, Math.min(last, this.to + step));
      this.to = next;
      if (!event.shiftKey || this.from === null) this.from = next;
      this.draw();
      return true;
    }
    if (["Backspace", "Delete"].includes(event.key)) this.remove();
    else if (event.key === "Escape" && this.from !== null) this.select(null, null);
    else return false;
    return true;
  },

  select(from, to) {
    [this.from, this.to] = [from, to];
    if (document.activeElement instanceof HTMLButtonElement) document.activeElement.blur(); // so that Enter accepts
    this.draw();
  },

  chosen() {
    return this.from === null ? null : [Math.min(this.from, this.to), Math.max(this.from, this.to) + 1];
  },

  // Gives the selected tokens a type; spans that they cut into give way.
  mark(name) {
    const span = this.chosen();
    if (!span) return;
    this.draft = this.draft.filter(([a, b]) => b <= span[0] || a >= span[1]);
    this.draft.push([...span, name]);
    this.draft.sort((one, other) => one[0] - other[0]);
    this.select(null, null);
  },

  remove() {
    const span = this.chosen();
    if (!span) return;
    this.draft = this.draft.filter(([a, b]) => b <= span[0] || a >= span[1]);
    this.select(null, null);
  },

  shown(item) {
    this.draft = item.suggested.map((span) => [...span]);
    [this.from, this.to] = [null, null];
    const given = element("div", { className: "sentence", id: "given-sentence" });
    const yours = element("div", { className: "sentence drawn", id: "draft-sentence", role: "group", ariaLabel: "The sentence as it will be saved" });
    yours.onpointerdown = (event) => {
      const token = event.target.closest("[data-token]");
      if (!token) return;
      if (token.hasPointerCapture(event.pointerId)) token.releasePointerCapture(event.pointerId); // so that touch moves on to others
      event.preventDefault();
      this.drawing = true;
      const place = Number(token.dataset.token);
      const span = this.draft.find(([a, b]) => a <= place && place < b);
      const again = this.chosen();
      if (again && again[0] <= place && place < again[1]) this.select(null, null);
      else if (span && !event.shiftKey) this.select(span[0], span[1] - 1);
      else this.select(event.shiftKey && this.from !== null ? this.from : place, place);
      this.anchor = place;
    };
    yours.onpointermove = (event) => {
      if (!this.drawing) return;
      const under = document.elementFromPoint(event.clientX, event.clientY)?.closest("#draft-sentence [data-token]");
      if (under && Number(under.dataset.token) !== this.to) this.select(this.anchor, Number(under.dataset.token));
    };
    this.fill(given, item.tokens, item.given, item.suggested);
    return element("div", { className: "column spans" }, element("h3", { className: "soft", textContent: "Given" }), given, element("h3", { className: "soft", id: "draft-name", textContent: "Suggested" }), yours);
  },

  // Tokens, those of a span together; a span that the other sentence has not is marked.
  fill(place, tokens, spans, others, selected = null) {
    const has = (span) => others.some((one) => this.same(one, span));
    const made = [];
    const token = (i) => {
      const inside = selected && selected[0] <= i && i < selected[1];
      return element("span", { className: inside ? "token selected" : "token", "data-token": String(i), textContent: tokens[i] });
    };
    for (let i = 0; i < tokens.length; ) {
      const span = spans.find(([a]) => a === i);
      if (!span) {
        made.push(token(i), " ");
        i += 1;
        continue;
      }
      const own = element("span", { className: `span ${this.colours.get(span[2]) ?? ""}${has(span) ? "" : " differs"}` });
      for (; i < span[1]; i += 1) own.append(token(i), " ");
      own.append(element("small", { textContent: span[2] }));
      made.push(own, " ");
    }
    place.replaceChildren(...made);
  },

  draw() {
    const item = current;
    if (!item || !$("draft-sentence")) return;
    this.fill($("draft-sentence"), item.tokens, this.draft, item.given, this.chosen());
    const suggested = this.same(this.draft, item.suggested);
    const kept = this.same(this.draft, item.given);
    $("accept").hidden = kept;
    $("draft-name").textContent = suggested ? "Suggested" : "Yours";
    $("accept").querySelector("small").textContent = suggested ? "Accept the suggestion" : "Save yours";
    $("accept").querySelector("strong").textContent = this.said(item.tokens, this.draft);
    const chosen = this.chosen();
    $("draw-help").textContent = chosen ? `“${item.tokens.slice(...chosen).join(" ")}” is:` : "Select words to change their span.";
    for (const button of $("types").children) button.disabled = !chosen;
  },

  said: (tokens, spans) => spans.map(([a, b, name]) => `${tokens.slice(a, b).join(" ")} ${name}`).join(" · ") || "no span",

  ask(item) {
    const names = { missing: "missing", extra: "no entity", boundary: "another boundary", type: "another type" };
    const list = element("ul", { className: "found" });
    for (const one of item.found) {
      const [a, b] = one.given_label === null ? [one.suggested_start, one.suggested_end] : [one.start, one.end];
      const words = item.tokens.slice(a, b).join(" ");
      list.append(element("li", {}, element("b", { textContent: words }), ` ${one.given_label ?? one.suggested_label}: perhaps ${names[one.kind] ?? "wrong"}, ${percent(one.error_probability)}`));
    }
    $("verdict").replaceChildren(`Probability that a span is wrong: ${percent(item.error_probability)}`, list, element("span", { textContent: item.elsewhere }));
    const keep = element("button", { type: "button", className: "choice", id: "keep" }, element("small", { textContent: "Keep as given" }), element("strong", { textContent: this.said(item.tokens, item.given) }), keyHint("K"));
    keep.onclick = () => decide("keep");
    const accept = element("button", { type: "button", className: "choice", id: "accept" }, element("small", { textContent: "Accept the suggestion" }), element("strong", { textContent: this.said(item.tokens, item.suggested) }), keyHint("Enter"));
    accept.onclick = () => decide("relabel", this.draft);
    const types = element("div", { className: "classes", id: "types" });
    start.classes.forEach((name, i) => {
      const button = element("button", { type: "button", className: this.colours.get(name), disabled: true }, name, i < 9 ? keyHint(String(i + 1)) : null);
      button.onclick = () => this.mark(name);
      types.append(button);
    });
    const none = element("button", { type: "button", disabled: true }, "no span", keyHint("0"));
    none.onclick = () => this.remove();
    types.append(none);
    $("choices").replaceChildren(keep, accept, element("p", { className: "soft", id: "draw-help", textContent: "Select words to change their span." }), types);
    queueMicrotask(() => this.draw());
  },
};
