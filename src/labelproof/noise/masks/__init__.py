"""How masks go wrong: regions, the response of a model to them, and people's errors."""
