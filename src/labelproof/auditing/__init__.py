"""Finding wrong labels. The public names are those of `labelproof`."""
