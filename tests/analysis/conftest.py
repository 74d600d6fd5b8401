"""A table of feedback as people have it, with a cause planted in it."""

import numpy as np
import pandas as pd
import pytest

START = pd.Timestamp("2026-11-02T00:00:00Z")
VOTES = 4_000
DAYS = 21


@pytest.fixture(scope="session")
def feedback() -> pd.DataFrame:
    """Three weeks of thumbs and stars; framework `react` fails on intent `code`, tag `slow` comes with it."""
    random = np.random.default_rng(11)
    framework = random.choice(["react", "plain"], VOTES)
    intent = random.choice(["code", "chat"], VOTES)
    failing = (framework == "react") & (intent == "code")
    up = random.random(VOTES) < np.where(failing, 0.35, 0.85)
    return pd.DataFrame(
        {
            "feedback_id": [f"f{row:05d}" for row in range(VOTES)],
            "request_id": [f"r{row:05d}" for row in range(VOTES)],
            "user_id": [f"u{number}" for number in random.integers(0, 700, VOTES)],
            "timestamp": [START + pd.Timedelta(minutes=int(m)) for m in random.integers(0, DAYS * 24 * 60, VOTES)],
            "thumbs_up": up,
            "rating": np.where(up, random.integers(4, 6, VOTES), random.integers(1, 3, VOTES)),
            "intent": intent,
            "framework": framework,
            "prompt_version": np.where(failing, "v2", "v1"),
            "tags": [["slow"] if one else ["fast"] for one in failing],
            "notes": ["it does not compile" if one else "thanks a lot" for one in failing],
            "latency_ms": random.normal(800, 50, VOTES),
        }
    )
