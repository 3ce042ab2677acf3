"""Invented card transactions: their features, and how likely fraud they are."""

from __future__ import annotations

from typing import Any

from numpy.random import Generator
from numpy.typing import NDArray

from schemas.events import FloatArray

__all__ = ["features", "logit"]


def features(rng: Generator, n: int) -> dict[str, NDArray[Any]]:
    """Draw the features of `n` transactions, by name."""
    return {
        "amount": rng.lognormal(3.5, 0.8, n),
        "balance": rng.normal(2_000, 900, n),
        "session_seconds": rng.lognormal(4.2, 1.0, n),
        "distance_km": rng.exponential(12, n),
        "account_age_days": rng.gamma(2.0, 300, n),
        "items": 1 + rng.poisson(1.5, n),
        "transactions_1h": rng.poisson(0.4, n),
        "transactions_24h": rng.poisson(3.0, n),
        "device_risk": rng.beta(1.5, 9, n),
        "merchant_risk": rng.beta(2, 14, n),
        "ip_risk": rng.beta(1.2, 6, n),
        "typing_speed": rng.normal(4.1, 1.1, n),
        "channel": rng.choice(["app", "web", "phone"], n, p=[0.6, 0.35, 0.05]),
        "country": rng.choice(["DE", "FR", "NL", "ES", "IT"], n, p=[0.4, 0.25, 0.15, 0.12, 0.08]),
    }


def logit(columns: dict[str, NDArray[Any]]) -> FloatArray:
    """Logit of fraud, of features that keep their distribution throughout: each fault then shows in its own subjects only."""
    merchant, ip, transactions = (columns[name].astype(float) for name in ("merchant_risk", "ip_risk", "transactions_1h"))
    total: FloatArray = -6.4 + 12 * merchant + 8 * ip + 1.2 * transactions
    return total
