"""Which labels are wrong. The public names are those of `labelproof`."""
