"""``python -m labelproof.cli``."""

from labelproof.cli import main

main()
