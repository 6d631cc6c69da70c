"""Auditing masks: predictions picture by picture, and the evidence for changed regions."""
