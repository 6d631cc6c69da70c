"""The version of labelproof, which everything that is saved names."""

VERSION = "0.2.0"
