"""Tags of which some are missing or incorrect, learned by a noise modeling network."""
