"""The pure engine: messages in, alerts out. Start with `streams.engine.kernel`."""

from streams.engine.kernel import Engine
from streams.engine.monitors import References
from streams.engine.stats import EngineStats, ModelStats

__all__ = ["Engine", "EngineStats", "ModelStats", "References"]
