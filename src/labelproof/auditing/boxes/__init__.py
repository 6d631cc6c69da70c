"""What the audit of boxes is made of."""
