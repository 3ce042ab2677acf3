"""No test asserts how long something takes: a property may take what a busy machine needs (hypothesis' own CI profile agrees)."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("busy machine", deadline=None)
if "CI" not in os.environ:
    settings.load_profile("busy machine")
