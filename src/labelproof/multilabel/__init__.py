"""Noisy tags: each item has any number of them, some missing, some incorrect."""
