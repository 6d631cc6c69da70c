"""Deep generative models of data and their noisy labels."""
