"""How masks go wrong: regions, what a model says of them, and the errors that people make."""
