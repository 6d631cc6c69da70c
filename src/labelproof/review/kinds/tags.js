// The review of tags: an item with all of its tags, of which those that are right are ticked.
"use strict";

const kind = {
  help: [["1 to 9", "tick or untick the tag with that number"]],

  begin() {},

  given: (item) => item.tags.filter((tag) => tag.given).map((tag) => tag.name),

  words: (item) => start.blind ? "Which tags are right?" : `${item.tags.filter((tag) => tag.error >= 0.5).length} doubtful tags.`,

  number: (key) => document.querySelectorAll(".tags input")[Number(key) - 1]?.click(),

  ask(item) {
    $("verdict").textContent = start.blind ? "Tick the tags that are right." : `Probability that one of the tags is wrong: ${percent(item.error_probability)}`;
    const boxes = element("div", { className: "tags", role: "group", ariaLabel: "Tags" });
    item.tags.forEach((tag, i) => {
      const kind = tag.given ? "incorrect" : "missing";
      const doubt = tag.error >= 0.1 ? element("span", { className: "chip", textContent: `perhaps ${kind} ${percent(tag.error)}` }) : null;
      const box = element("input", { type: "checkbox", checked: tag.given, value: tag.name });
      boxes.append(element("label", {}, box, element("span", { textContent: tag.name }), doubt, i < 9 ? keyHint(String(i + 1)) : null));
    });
    const keep = element("button", { type: "button", className: "choice", id: "keep" }, element("strong", { textContent: "Keep as given" }), keyHint("K"));
    keep.onclick = () => decide("keep");
    const save = element("button", { type: "button", className: "choice", id: "accept" }, element("strong", { textContent: "Save what is ticked" }), keyHint("Enter"));
    save.onclick = () => decide("relabel", [...boxes.querySelectorAll("input:checked")].map((box) => box.value));
    $("choices").replaceChildren(...(start.blind ? [boxes, save] : [boxes, save, keep]));
  },
};
