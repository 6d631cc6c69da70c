"""What says that a span is wrong: probabilities of tags, errors that were planted to learn from, and readings that are valid."""
