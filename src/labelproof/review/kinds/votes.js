// The review of votes: what was said of the item and by whom, and one more vote.
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

  // What a vote for the consensus is a vote for.
  given: (item) => start.classes[item.given],

  words: (item) => start.blind ? "Which class is it?" : `${item.votes.length} votes. Consensus ${start.classes[item.given]}, ${percent(1 - item.error_probability)}.`,

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
    const right = 1 - item.error_probability;
    $("verdict").textContent = `Which class is it? One more vote is expected to raise the probability that the consensus is right from ${percent(right)} to ${percent(right + item.value)}.`;
    const said = element("ul", { className: "votes", ariaLabel: "Votes so far" });
    for (const vote of item.votes) {
      said.append(element("li", {}, element("span", { textContent: vote.annotator }), element("strong", { textContent: vote.label }), element("small", { textContent: `right ${percent(vote.quality)}` })));
    }
    const keep = element("button", { type: "button", className: "choice", id: "keep" }, element("small", { textContent: `Consensus, ${percent(1 - item.error_probability)}` }), element("strong", { textContent: this.given(item) }), keyHint("K"));
    keep.onclick = () => decide("keep");
    $("choices").replaceChildren(said, keep);
  },
};
