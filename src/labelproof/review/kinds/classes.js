// The review of classes: keep the given one, take the suggestion, or name another.
"use strict";

const kind = {
  keys: new Map(), // key to class name, where all classes have one

  help: [
    ["1 to 9", "the class with that number"],
    ["/", "type the name of a class"],
    ["N", "none of these classes"],
  ],

  begin() {
    this.keys = classKeys(start.classes);
  },

  // What is kept where the given label is kept.
  given: (item) => start.classes[item.given],

  words(item) {
    if (start.blind) return "Which class is it?";
    const better = item.suggested === item.given ? "No better class is known." : `Suggested ${start.classes[item.suggested]}, ${percent(item.confidence)}.`;
    return `Labelled ${start.classes[item.given]}. ${better}`;
  },

  number(key) {
    const name = this.keys.size ? this.keys.get(key) : start.classes[current.likely[Number(key) - 1]];
    if (name !== undefined) decide("relabel", name);
  },

  ask(item) {
    offerClasses(this.keys, item.likely);
    if (start.blind) {
      $("verdict").textContent = "Which class is it?";
      $("choices").replaceChildren();
      return;
    }
    const given = start.classes[item.given];
    const suggested = start.classes[item.suggested];
    const same = item.given === item.suggested;
    $("verdict").textContent = `Probability that the label is wrong: ${percent(item.error_probability)}`;
    const keep = element("button", { type: "button", className: "choice", id: "keep" }, element("small", { textContent: "Keep the given label" }), element("strong", { textContent: given }), keyHint("K"));
    keep.onclick = () => decide("keep");
    const accept = same
      ? null
      : element("button", { type: "button", className: "choice", id: "accept" }, element("small", { textContent: `Suggested, ${percent(item.confidence)}` }), element("strong", { textContent: suggested }), keyHint("Enter"));
    if (accept) accept.onclick = () => decide("relabel", suggested);
    $("choices").replaceChildren(...[keep, accept].filter(Boolean));
  },
};
