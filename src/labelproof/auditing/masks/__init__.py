"""Auditing masks: predictions picture by picture, and what a changed region would explain."""
