"""Auditing masks: predictions picture by picture, what a changed region would explain, and planted errors."""
