"""The network classifier of the methods against noisy labels."""
