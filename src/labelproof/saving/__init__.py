"""Reading and writing on disk: complete files and folders or none, marked as labelproof's own, and checked when read."""
