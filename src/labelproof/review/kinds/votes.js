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
    const names = start.classes;
    if (names.every((name) => /^[0-9]$/.test(name))) this.keys = new Map(names.map((name) => [name, name]));
    else if (names.length <= 9) this.keys = new Map(names.map((name, i) => [String(i + 1), name]));
  },

  // What a vote for the consensus is a vote for.
  given: (item) => start.classes[item.given],

  words: (item) => `${item.votes.length} votes. Consensus ${start.classes[item.given]}, ${percent(1 - item.error_probability)}.`,

  number(key) {
    const name = this.keys.size ? this.keys.get(key) : start.classes[current.likely[Number(key) - 1]];
    if (name !== undefined) decide("relabel", name);
  },

  ask(item) {
    const right = 1 - item.error_probability;
    $("verdict").textContent = `Which class is it? One more vote is expected to raise the probability that the consensus is right from ${percent(right)} to ${percent(right + item.value)}.`;
    const said = element("ul", { className: "votes", ariaLabel: "Votes so far" });
    for (const vote of item.votes) {
      said.append(element("li", {}, element("span", { textContent: vote.annotator }), element("strong", { textContent: vote.label }), element("small", { textContent: `right ${percent(vote.quality)}` })));
    }
    const keep = element("button", { type: "button", className: "choice given alone", id: "keep" }, element("small", { textContent: `Consensus, ${percent(1 - item.error_probability)}` }), element("strong", { textContent: this.given(item) }), keyHint("K"));
    keep.onclick = () => decide("keep");
    $("choices").replaceChildren(said, keep);
    const named = this.keys.size ? [...this.keys.entries()] : item.likely.map((code, i) => [String(i + 1), start.classes[code]]);
    $("classes").classList.toggle("short", named.length > 5 && named.every(([, name]) => name.length <= 2));
    $("classes").replaceChildren(
      ...named.map(([key, name]) => {
        const button = element("button", { type: "button", title: name, ariaKeyShortcuts: key }, name, name === key ? null : keyHint(key));
        button.onclick = () => decide("relabel", name);
        return button;
      }),
    );
  },
};
