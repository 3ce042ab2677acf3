"""``python -m streams.cli`` is ``driftsonde``."""

from streams.cli.app import main

main()
