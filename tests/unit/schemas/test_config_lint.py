"""What a review of a configuration finds, and what it leaves in peace."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.config_lint import lint_config
from schemas.hints import dotted
from tests.unit.schemas.configs import FEATURES, LABELS, PREDICTIONS, Folder, with_model

ANSWERED = ("owner: ml", "runbook: https://wiki.example.com")
ALL = f"{FEATURES}, {PREDICTIONS}, {LABELS}"


def remarks(folder: Folder, *lines: str, sources: str = FEATURES, top: str = "", answered: bool = True) -> list[str]:
    """Each remark as 'level path: the first words'."""
    config = folder.load(with_model(*(ANSWERED if answered else ()), *lines, sources=sources, top=top))
    return [f"{remark.level} {dotted(remark.path)}: {remark.message.split(';')[0]}" for remark in lint_config(config)]


def test_nothing_to_say(folder: Folder) -> None:
    assert remarks(folder) == []
    assert remarks(folder, "task: binary", "monitors: [{subjects: ['*', prediction, loss]}]", sources=ALL) == []


def test_the_example_is_clean(folder: Folder) -> None:
    assert lint_config(folder.load(Path(__file__).with_name("example.yaml").read_text(encoding="utf-8"))) == []


def test_nobody_answers(folder: Folder) -> None:
    assert remarks(folder, answered=False) == [
        "error models[0].owner: 'owner' is missing",
        "error models[0].runbook: 'runbook' is missing",
    ]


@pytest.mark.parametrize(
    ("top", "remark"),
    [
        ("journal: {partitions: 2}\n", "warning journal.partitions: found 2"),
        ("journal: {retention: 10m}\n", "warning journal.retention: less than 1h: a worker that is away longer has a gap"),
        (
            "engine: {grace: 1m, silence: 30s}\n",
            "warning engine.silence: not longer than 'grace': every pause of a source would be reported as silence",
        ),
    ],
)
def test_settings(folder: Folder, top: str, remark: str) -> None:
    assert remarks(folder, top=top) == [remark]


@pytest.mark.parametrize(
    ("task", "sources", "remark"),
    [
        (
            "binary",
            ALL.replace(", horizon: 7d", ""),
            "warning models[0].sources.labels: no 'horizon', so labels are waited for 1w",
        ),
        (
            "binary",
            f"{FEATURES}, {LABELS}",
            "error models[0].sources.labels: labels without 'predictions': there is nothing to join them with",
        ),
        (
            "regression",
            ALL.replace("prediction: label", "score: p"),
            "error models[0].sources.predictions.fields: no 'prediction', which labels are compared with",
        ),
        (
            "binary",
            ALL[:-1] + ", meaning: time_to_event}",
            "warning models[0].sources.labels.fields: time_to_event goes by when the event happened, and this is when its record was"
            " written",
        ),
        ("none", ALL, "warning models[0].sources.labels: labels are configured but task is none: they are counted, not joined"),
        (
            "none",
            FEATURES.replace("id: id", "id: id, revision: r"),
            "warning models[0].sources.features.fields.revision: 'revision' says something about labels only",
        ),
    ],
)
def test_labels(folder: Folder, task: str, sources: str, remark: str) -> None:
    assert remarks(folder, f"task: {task}", sources=sources) == [remark]


def test_a_loss_without_a_task(folder: Folder) -> None:
    assert "error models[0].monitors[0].subjects[0]: 'loss' can match nothing: labels are not joined for task 'none'" in remarks(
        folder, "monitors: [{subjects: [loss, '*']}]", sources=ALL
    )


@pytest.mark.parametrize("line", ["positive: fraud", "threshold: 0.3"])
def test_classes_without_a_class(folder: Folder, line: str) -> None:
    key = line.partition(":")[0]
    assert remarks(folder, "task: binary", line) == []
    assert remarks(folder, "task: regression", line) == [f"warning models[0].{key}: {key!r} says something for task 'binary' only"]


def test_references(folder: Folder) -> None:
    assert remarks(folder, "references: {default: {learn: 500}}") == [
        "warning models[0].references.default.learn: a reference learnt from 500 rows shows large shifts only"
    ]
    assert remarks(folder, "references: {3: a.json, default: b.json, unversioned: c.json}") == [
        "error models[0].references.3: no source maps 'version', so every row is 'unversioned' and this reference is never used"
    ]
    assert remarks(folder, "references: {3: a.json}", sources=FEATURES.replace("id: id", "id: id, version: v")) == []


@pytest.mark.parametrize(
    ("subject", "task", "sources", "reason"),
    [
        ("prediction", "none", FEATURES, "no source maps 'prediction'"),
        ("score", "none", f"{FEATURES}, {PREDICTIONS}", "no source maps 'score'"),
        ("loss", "binary", f"{FEATURES}, {PREDICTIONS}", "it needs 'predictions' and 'labels'"),
        ("label_delay", "binary", f"{FEATURES}, {PREDICTIONS}", "it needs 'predictions' and 'labels'"),
        ("missed_positives", "regression", ALL, "there is a positive class for task 'binary' only"),
        ("label source", "binary", ALL, "it says how labels are joined, and is not watched"),
        ("amount", "none", PREDICTIONS, "there is no source of features"),
        ("a*", "none", PREDICTIONS, "there is no source of features"),
    ],
)
def test_a_monitor_that_can_match_nothing(folder: Folder, subject: str, task: str, sources: str, reason: str) -> None:
    found = remarks(folder, f"task: {task}", f"monitors: [{{subjects: ['pre*', '{subject}']}}]", sources=sources)
    assert found == [f"error models[0].monitors[0].subjects[1]: {subject!r} can match nothing: {reason}"]


@pytest.mark.parametrize(
    ("monitors", "overridden"),
    [
        ("[{subjects: [amount], detectors: [psi]}, {subjects: ['*'], detectors: [esr]}]", True),
        ("[{subjects: [amount], detectors: [psi]}, {subjects: ['am*'], detectors: [esr]}]", True),
        ("[{subjects: ['am*'], detectors: [psi]}, {subjects: ['am*', x], detectors: []}]", True),
        ("[{subjects: [a, b], detectors: [psi]}, {subjects: [a], detectors: []}, {subjects: [b], detectors: []}]", True),
        ("[{subjects: [amount], detectors: [psi], evidence: []}, {subjects: ['*'], detectors: [esr]}]", False),
        ("[{subjects: ['am*'], detectors: [psi]}, {subjects: ['a*t'], detectors: [esr]}]", False),
        ("[{subjects: ['*'], detectors: [psi]}, {subjects: [amount], detectors: [esr]}]", False),
        ("[{subjects: ['*']}, {subjects: ['*'], detectors: [psi]}]", False),
    ],
)
def test_a_monitor_that_later_ones_replace(folder: Folder, monitors: str, overridden: bool) -> None:
    expected = ["warning models[0].monitors[0]: later entries replace all that this one says"] if overridden else []
    assert remarks(folder, f"monitors: {monitors}") == expected


@pytest.mark.parametrize("monitors", ["[]", "[{subjects: ['*'], detectors: []}]"])
def test_nothing_is_watched(folder: Folder, monitors: str) -> None:
    assert remarks(folder, f"monitors: {monitors}") == ["warning models[0].monitors: nothing is watched"]


def test_a_topic_of_two_models(folder: Folder) -> None:
    second = f"  - name: second\n    owner: ml\n    runbook: x\n    sources: {{{FEATURES}}}\n"
    found = lint_config(folder.load(with_model(*ANSWERED) + second))
    assert [(remark.level, dotted(remark.path)) for remark in found] == [
        ("warning", "models[0].sources.features.fields"),
        ("warning", "models[1].sources.features.fields"),
    ]
    assert found[1].message.startswith(
        "topic 'fraud.features' is read for 'fraud' too, and there is no 'model' here: every record counts for 'second'"
    )
    marked = FEATURES.replace("id: id", "id: id, model: model")
    assert lint_config(folder.load(with_model(*ANSWERED, sources=marked) + second.replace(FEATURES, marked))) == []
