"""Pictures of the right class, generated from noisy labels."""
