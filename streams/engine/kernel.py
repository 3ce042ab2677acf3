"""The fold: ``Engine.process(messages) -> alerts``. The live agent, the backtest and the tests call this one method.

What it does with a batch of messages, for each model in turn (`streams.engine.pipeline`):

1. the **sequencer** puts the rows of all sources into one order, which depends on the logs alone (rules Q1 to Q11);
2. **monitors** run their detectors over the released rows, column by column: one group for each version and segment;
3. what they find is sorted by row and handed to the **alert policy**, which gives every event its number and its id.

The engine has no clock, no I/O, no randomness and no logger: time is in the rows, and what it wants to say it returns.
Three promises, each with a parity test: the alerts do not depend on how messages were batched, on how sources were interleaved
(unless a row comes later than the grace, which is counted), or on where the engine was stopped and restored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.alerts import Alert
from schemas.config import Config
from schemas.errors import FormatError
from schemas.events import Message
from streams.engine.join.chunk import Arrays
from streams.engine.monitors import References
from streams.engine.pipeline import Pipeline
from streams.engine.stats import EngineStats

__all__ = ["Engine"]

#: Changes when the order, the feed or the episodes are stored in another shape: such a state can't be read by another release.
#: What monitors store has a number of its own (`streams.engine.pipeline.MONITORS_FORMAT`), and merely begins anew.
STATE_FORMAT = 2


class Engine:
    """All models of a configuration whose messages it is given.

    Parameters
    ----------
    config : Config
        The configuration.
    references : mapping of (model, version) to Reference
        References loaded from files; version "default" serves versions that have none of their own.
    state : mapping, optional
        What `snapshot` returned; the new engine goes on from there. Models that the configuration no longer has are dropped.
    arrays : Arrays, optional
        Where columns of predictions that wait for their labels are kept when there are many; in memory when None.

    Raises
    ------
    FormatError
        The state was made by a release that stores it in another shape.

    Examples
    --------
    >>> from schemas.config import Config
    >>> config = Config.model_validate({"version": 1, "models": [{"name": "fraud", "sources": {
    ...     "features": {"topic": "f", "fields": {"id": "id", "features": "x"}}}}]})
    >>> engine = Engine(config, {})
    >>> engine.process([]), engine.stats().models
    ([], ())
    """

    def __init__(
        self, config: Config, references: References, *, state: Mapping[str, Any] | None = None, arrays: Arrays | None = None
    ) -> None:
        self._config, self._references, self._arrays = config, references, arrays
        self._models = {model.name: model for model in config.models}
        if state is not None and state.get("format") != STATE_FORMAT:
            raise FormatError(f"an engine state of format {state.get('format')}; this version of driftsonde reads format {STATE_FORMAT}")
        saved = {} if state is None else state["models"]
        self._pipelines = {
            name: Pipeline(config, self._models[name], references, arrays=arrays, state=saved[name])
            for name in sorted(saved)
            if name in self._models
        }

    def process(self, messages: Sequence[Message]) -> list[Alert]:
        """Take messages in journal order; return the alerts they lead to, in order within each stream.

        Parameters
        ----------
        messages : sequence of Message
            Blocks, ticks, announcements and ends. A message seen before (a redelivery) changes nothing but a counter.

        Raises
        ------
        KeyError
            A message is of a model that the configuration does not have.
        """
        by_model: dict[str, list[Message]] = {}
        for message in messages:
            by_model.setdefault(message.model, []).append(message)
        return [alert for name, mine in by_model.items() for alert in self._pipeline(name).process(mine)]

    def snapshot(self) -> dict[str, Any]:
        """Everything needed to go on from here: nested dict of JSON values, bytes and numpy arrays (`schemas.snapshot` packs it)."""
        return {"format": STATE_FORMAT, "models": {name: pipeline.state() for name, pipeline in self._pipelines.items()}}

    def stats(self) -> EngineStats:
        """Counters of every model seen so far."""
        return EngineStats(tuple(self._pipelines[name].stats() for name in sorted(self._pipelines)))

    def _pipeline(self, name: str) -> Pipeline:
        if name not in self._pipelines:
            self._pipelines[name] = Pipeline(self._config, self._models[name], self._references, arrays=self._arrays)
        return self._pipelines[name]
