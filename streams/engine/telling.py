"""Puts what an episode has to say into the event that leaves the engine."""

from __future__ import annotations

from schemas.alerts import Alert, AlertData, AlertPosition, Kind, State, alert_id, iso, stream_name
from schemas.config import Model
from streams.engine.episode import Episode, Moment, Stream
from streams.engine.story import Story

__all__ = ["alert_of"]


def alert_of(
    model: Model,
    config_hash: str,
    application: str,
    stream: Stream,
    episode: Episode,
    state: State,
    at: Moment,
    story: Story,
    also_firing: dict[Kind, int],
) -> Alert:
    """Make the event number `episode.sequence` of a stream.

    Parameters
    ----------
    model : Model
        For its name, owner and runbook.
    config_hash : str
        Of its configuration.
    application : str
        Who says it.
    also_firing : dict of Kind to int
        Episodes of other kinds that are firing then.
    """
    name = stream_name(model.name, *stream)
    return Alert(
        id=alert_id(name, episode.sequence, at.position),
        source=f"/driftsonde/{application}",
        subject=name,
        time=iso(at.time),
        data=AlertData(
            state=state,
            kind=story.kind,
            severity=story.severity,
            model=model.name,
            model_version=stream.version,
            segment=stream.segment,
            subject=stream.subject,
            alert_key=episode.key,
            stream=name,
            sequence=episode.sequence,
            started_at=iso(story.started_ms),
            detected_at=iso(at.time),
            summary=story.summary,
            evidence=story.evidence,
            effect=story.effect,
            provisional=story.provisional,
            also_firing=also_firing,
            owner=model.owner,
            runbook=model.runbook,
            reference=story.reference,
            config=config_hash,
            position=AlertPosition(**at.position._asdict()),
        ),
    )
