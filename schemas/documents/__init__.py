"""YAML, JSON and TOML files into pydantic models, every mistake with its place, in plain words."""

from schemas.documents.load import Loaded, load

__all__ = ["Loaded", "load"]
