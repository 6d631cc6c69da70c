"""What is written to disk: whole files and folders or none, marked as labelproof's own, and read again with care."""
