"""The parts of the audit of boxes."""
