"""Evidence that a span is wrong: probabilities of tags, planted errors to learn from, and valid readings."""
