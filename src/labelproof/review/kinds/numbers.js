// The review of numbers: keep the given one, take the suggestion, or type another.
"use strict";

const kind = {
  help: [
    ["/", "type another number"],
    ["N", "no value: the cell is emptied"],
  ],

  begin() {
    $("none").replaceChildren("No value", keyHint("N"));
    $("none").title = "The number is not known: its cell is emptied";
  },

  given: (item) => item.given,

  words(item) {
    if (start.blind) return `Which number is right? ${item.choices.join(" or ")}.`;
    const better = item.suggested && item.suggested !== item.given ? `Suggested ${item.suggested}.` : "No better number is known.";
    return `Given ${item.given}. ${better} ${this.why(item)}`;
  },

  number() {
    $("typed").focus();
  },

  plain: (value) => Number(value.toPrecision(4)).toLocaleString(undefined, { maximumSignificantDigits: 4 }),

  why(item) {
    const said = {
      factor: "Looks like a decimal mark in the wrong place",
      unit: "Looks like another unit",
      sign: "Looks like the wrong sign",
      "swapped digits": "Looks like swapped digits",
      copied: "Looks like the number of the row before or after",
      sentinel: "Looks like a number that stands for “missing”",
    }[item.error_kind];
    const usual = `The model expects ${this.plain(item.low)} to ${this.plain(item.high)}.`;
    return said ? `${said}. ${usual}` : usual;
  },

  ask(item) {
    if (start.blind) {
      $("verdict").textContent = "Which number is right?";
      const choices = item.choices.map((number) => {
        const button = element("button", { type: "button", className: "choice" }, element("strong", { textContent: number }));
        button.onclick = () => decide("relabel", number);
        return button;
      });
      $("choices").replaceChildren(...choices, this.field());
      return;
    }
    const same = !item.suggested || item.suggested === item.given;
    $("verdict").textContent = `Probability that the number is wrong: ${percent(item.error_probability)}. ${this.why(item)}`;
    const keep = element("button", { type: "button", className: "choice", id: "keep" }, element("small", { textContent: "Keep the given number" }), element("strong", { textContent: item.given }), keyHint("K"));
    keep.onclick = () => decide("keep");
    const accept = same ? null : element("button", { type: "button", className: "choice", id: "accept" }, element("small", { textContent: "Suggested" }), element("strong", { textContent: item.suggested }), keyHint("Enter"));
    if (accept) accept.onclick = () => decide("relabel", item.suggested);
    $("choices").replaceChildren(...[keep, accept, this.chart(item), this.field()].filter(Boolean));
  },

  field() {
    const input = element("input", { id: "typed", type: "text", inputMode: "decimal", autocomplete: "off", placeholder: "another number" });
    const save = element("button", { type: "submit", textContent: "Save" });
    const form = element("form", { className: "typed" }, element("label", { htmlFor: "typed" }, "Another number", keyHint("/")), input, save);
    form.onsubmit = (event) => {
      event.preventDefault();
      const plain = input.value.trim().replace(",", ".");
      const wrong = plain === "" || !Number.isFinite(Number(plain));
      input.setCustomValidity(wrong ? "Type a number, such as 12.5." : "");
      if (wrong) input.reportValidity();
      else decide("relabel", plain);
    };
    input.oninput = () => input.setCustomValidity("");
    input.onkeydown = (event) => {
      if (event.key !== "Escape") return;
      input.value = "";
      input.blur();
    };
    return form;
  },

  // Numbers of items for which the model predicts about the same; this one, what is suggested, and where most numbers lie.
  chart(item) {
    const ns = "http://www.w3.org/2000/svg";
    const make = (tag, attributes, text = "") => {
      const made = document.createElementNS(ns, tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      made.textContent = text;
      return made;
    };
    const given = Number(item.given);
    const suggested = item.suggested === "" ? given : Number(item.suggested);
    const across = item.around.map(([x]) => x);
    const up = [...item.around.map(([, y]) => y), given, suggested, item.low, item.high];
    const [left, right, top, bottom] = [52, 312, 10, 118];
    const scale = (values, from, to) => {
      const [least, most] = [Math.min(...values), Math.max(...values)];
      const span = most - least || Math.abs(most) || 1;
      return [(value) => from + ((to - from) * (value - least + span * 0.06)) / (span * 1.12), least, most];
    };
    const [x] = scale([...across, item.predicted], left, right);
    const [y, least, most] = scale(up, bottom, top);
    const names = `Given numbers of ${item.around.length} items for which the model predicts about ${this.plain(item.predicted)}; this item was given ${item.given}`;
    const drawing = make("svg", { class: "chart near", viewBox: "0 0 320 146", role: "img", "aria-label": names });
    drawing.append(
      make("line", { class: "axis", x1: left, x2: right, y1: bottom + 4, y2: bottom + 4 }),
      make("rect", { class: "band", x: left, width: right - left, y: y(item.high), height: Math.max(1, y(item.low) - y(item.high)) }),
      ...item.around.map(([a, b]) => make("circle", { class: "other-item", cx: x(a), cy: y(b), r: 2.4 })),
      make("circle", { class: "suggested-item", cx: x(item.predicted), cy: y(suggested), r: 5 }),
      make("circle", { class: "given-item", cx: x(item.predicted), cy: y(given), r: 5 }),
      make("text", { x: left - 6, y: y(most) + 4, "text-anchor": "end" }, this.plain(most)),
      make("text", { x: left - 6, y: y(least) + 4, "text-anchor": "end" }, this.plain(least)),
      make("text", { x: right, y: bottom + 22, "text-anchor": "end" }, `items predicted about ${this.plain(item.predicted)}`),
    );
    return drawing;
  },
};
