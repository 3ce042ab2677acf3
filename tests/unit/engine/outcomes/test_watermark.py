"""Up to when all labels are in: time that passes proves nothing, label rows do (rule R9)."""

from collections.abc import Sequence

import numpy as np
import pytest

from schemas.events import Source
from streams.engine.outcomes.watermark import Watermark
from streams.engine.release import Piece, Release, merge
from streams.engine.silence import SilenceChange
from tests.worlds import block_of

PREDICTIONS, LABELS, MORE_LABELS = Source("p", 0), Source("l", 0), Source("l", 1)


def release(predictions: Sequence[int], labels: Sequence[int], more: Sequence[int] = ()) -> tuple[Release, np.ndarray]:
    pieces = [
        Piece(block := block_of(source, {}, stamps=np.array(stamps), role=role), 0, len(stamps), block.stamps)  # type: ignore[arg-type]
        for source, stamps, role in ((PREDICTIONS, predictions, "predictions"), (LABELS, labels, "labels"), (MORE_LABELS, more, "labels"))
        if len(stamps)
    ]
    merged = merge([pieces], 0)
    return merged, np.maximum.accumulate(merged.clocks)


def test_it_stands_at_the_newest_label_whatever_other_rows_come() -> None:
    rows, clocks = release([10, 30, 50, 70], [20, 60])
    assert clocks.tolist() == [10, 20, 30, 50, 60, 70]
    assert Watermark(hold=True).released(rows, clocks, ()).tolist()[1:] == [20, 20, 20, 60, 60]


def test_without_a_label_it_has_not_begun() -> None:
    rows, clocks = release([10, 20], [])
    assert (Watermark(hold=True).released(rows, clocks, ()) < 0).all()


def test_a_silent_partition_holds_it_until_it_is_heard_again() -> None:
    watermark = Watermark(hold=True)
    watermark.released(*release([], [10], [12]), ())
    rows, clocks = release([], [20, 30, 40, 50], [])
    silent = SilenceChange(1, MORE_LABELS, True, 12)
    heard = SilenceChange(3, MORE_LABELS, False, 12)
    assert watermark.released(rows, clocks, [silent, heard]).tolist() == [20, 20, 20, 50]


def test_deadlines_within_a_silence_and_while_labels_catch_up_were_missed() -> None:
    watermark = Watermark(hold=True, catch_up_ms=3)
    watermark.released(*release([], [10], [12]), ())
    rows, clocks = release([], [20, 30, 40], [])
    watermark.released(rows, clocks, [SilenceChange(0, MORE_LABELS, True, 12), SilenceChange(2, MORE_LABELS, False, 12)])
    assert [deadline for deadline in range(9, 50) if watermark.missed(deadline)] == list(range(13, 44))
    again = Watermark(hold=True, state=watermark.state())
    assert again.missed(13)


def test_a_silent_source_of_predictions_holds_nothing() -> None:
    watermark = Watermark(hold=True)
    watermark.released(*release([5], [10]), ())
    rows, clocks = release([], [20, 30])
    assert watermark.released(rows, clocks, [SilenceChange(0, PREDICTIONS, True, 5)]).tolist() == [20, 30]


def test_advance_goes_with_all_rows() -> None:
    rows, clocks = release([10, 30, 50], [20])
    assert Watermark(hold=False).released(rows, clocks, ()).tolist() == [10, 20, 30, 50]


@pytest.mark.parametrize("hold", [True, False])
def test_it_goes_on_from_what_was_saved(hold: bool) -> None:
    first = Watermark(hold=hold)
    first.released(*release([10], [20], [21]), ())
    first.released(*release([], [25]), [SilenceChange(0, MORE_LABELS, True, 21)])
    again = Watermark(hold=hold, state=first.state())
    rows, clocks = release([26, 40], [30])
    assert again.released(rows, clocks, ()).tolist() == first.released(rows, clocks, ()).tolist()


def test_of_many_silences_in_one_release_each_is_known_until_no_deadline_lies_in_it() -> None:
    watermark = Watermark(hold=True)
    said = list(range(0, 10_000, 100))
    silent = [SilenceChange(row, LABELS, True, said[row - 1]) for row in range(1, 98, 2)]
    heard = [SilenceChange(row + 1, LABELS, False, said[row - 1]) for row in range(1, 98, 2)]
    watermark.released(*release([], said), silent + heard)
    assert all(watermark.missed(deadline) for deadline in range(50, 9_800, 100))
    watermark.forget(9_700)
    assert [watermark.missed(deadline) for deadline in (9_500, 9_700, 9_801)] == [False, True, False]
    assert len(watermark.state()["gaps"]) == 1
