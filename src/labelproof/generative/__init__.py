"""Generative models of data and their noisy labels."""
