"""What people decided, and of which data."""
