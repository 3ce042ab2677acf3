"""Detectors of drift: pure arithmetic over many streams at once. `detectors.base` says what a detector is: start there."""

from detectors import adwin as adwin
from detectors import esr as esr
from detectors import page_hinkley as page_hinkley
from detectors import psi as psi
from detectors.base import BankState, DetectorBank, DetectorConfig, Finding, FloatArray, Reading, available, parse, register
from detectors.scaling import Scaler

__all__ = [
    "BankState",
    "DetectorBank",
    "DetectorConfig",
    "Finding",
    "FloatArray",
    "Reading",
    "Scaler",
    "available",
    "parse",
    "register",
]
