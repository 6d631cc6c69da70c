"""Which items are worth a look, and what the looks say of all labels."""
