"""Which items to review, and what the reviews imply for all labels."""
