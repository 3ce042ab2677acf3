"""The command ``driftsonde``. Nothing heavy is imported before a command runs: ``--help`` must be quick."""

from streams.cli.app import main

__all__ = ["main"]
