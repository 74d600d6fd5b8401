"""The calibration of patterns: what is found where there is nothing, and what is found of what was planted.

`python -m bench.calibrate` prints the table that docs quote. Every figure is a simulation with fixed seeds.
"""

import argparse
import datetime as dt
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import polars as pl

from bench import experiments
from bench.simulated import Line
from feedback_pipeline.alerting.detectors import approval_under_target, evidence_against, negative_count
from feedback_pipeline.alerting.rules import FACTS_DAYS, Trailing, daily_approval, read_rules
from feedback_pipeline.cleaning.tables import VOTE_FACTS
from feedback_pipeline.judging.correction import PredictionPowered, prediction_powered_mean
from feedback_pipeline.judging.tables import OVERALL
from feedback_pipeline.judging.versions import compare_versions
from feedback_pipeline.patterns.slices import find_slices
from feedback_pipeline.stats.bradley_terry import Strengths, fit_bradley_terry
from feedback_pipeline.stats.estimates import Estimate
from feedback_pipeline.stats.intervals import clustered_rate, difference

WEEK = dt.date(2026, 11, 9)
LEVELS = {"model": 8, "prompt_version": 12, "language": 5, "intent": 20, "framework": 10, "variant": 4}
BASE = 0.18
PLANTED = (
    ((("model", "model_1"),), 0.06),
    ((("language", "language_2"), ("prompt_version", "prompt_version_3")), 0.29),
    ((("framework", "framework_0"), ("intent", "intent_4")), 0.26),
)
"""Slices and by how much their negative rate exceeds the base."""


def week_of_votes(
    votes: int,
    seed: int,
    *,
    planted: Sequence[tuple[tuple[tuple[str, str], ...], float]],
    people: int | None = None,
    person_spread: float = 0.0,
) -> pl.DataFrame:
    """Synthetic `vote_facts`: six dimensions with skewed levels, people with skewed activity.

    `person_spread` is the standard deviation of people's leaning, in log-odds.
    """
    rng = np.random.default_rng(seed)
    codes = {}
    for name, levels in LEVELS.items():
        weight = 1.0 / np.arange(1, levels + 1) ** 0.6
        codes[name] = rng.choice(levels, votes, p=weight / weight.sum())
    count = people or max(votes // 8, 50)
    activity = 1.0 / np.arange(1, count + 1) ** 0.7
    person = rng.choice(count, votes, p=activity / activity.sum())
    negative = np.full(votes, BASE)
    for chosen, excess in planted:
        inside = np.ones(votes, dtype=bool)
        for name, value in chosen:
            inside &= codes[name] == int(value.rsplit("_", 1)[1])
        negative[inside] += excess
    leaning = rng.normal(0.0, person_spread, count)[person] if person_spread else 0.0
    odds = np.log(negative / (1.0 - negative)) + leaning
    down = rng.random(votes) < 1.0 / (1.0 + np.exp(-odds))
    return pl.DataFrame(
        {
            "feedback_id": [f"f{i:08d}" for i in range(votes)],
            "interaction_id": [f"i{i:08d}" for i in range(votes)],
            "day": pl.Series([WEEK] * votes),
            "person": person.astype(np.uint64),
            "verdict": np.where(down, -1, 1).astype(np.int8),
            "strength": np.ones(votes, dtype=np.float32),
            "stars": pl.Series([None] * votes, dtype=pl.Int8),
            **{
                name: pl.Series([f"{name}_{i}" for i in range(LEVELS[name])]).gather(values).cast(pl.Categorical)
                for name, values in codes.items()
            },
        }
    )


def shuffled_weeks(weeks: int = 200, votes: int = 20_000) -> Iterator[Line]:
    """The share of weeks with any finding, where labels say nothing; with independent and with leaning people."""
    for spread, label in ((0.0, "people alike"), (1.0, "people lean, sd 1 log-odds")):
        for size in (votes // 4, votes):
            with_findings = sum(
                not find_slices(
                    week_of_votes(size, seed, planted=(), person_spread=spread), list(LEVELS), week=WEEK
                ).findings.is_empty()
                for seed in range(weeks)
            )
            share = with_findings / weeks
            # 5 % plus two standard errors of the number of weeks simulated.
            limit = 0.05 + 2.0 * np.sqrt(0.05 * 0.95 / weeks)
            yield Line(
                f"no cause, {size:,} votes, {label}: weeks with a finding", f"{share:.1%}", "≤ 5 %", share <= limit
            )


def planted_weeks(weeks: int = 100, votes: int = 20_000) -> Iterator[Line]:
    """How often all three planted causes are found, and with how many findings."""
    causes = {tuple(chosen) for chosen, _ in PLANTED}
    for size in (votes, 5 * votes):
        complete, short, lengths = 0, 0, []
        runs = weeks if size == votes else max(weeks // 4, 1)
        for seed in range(runs):
            found = find_slices(week_of_votes(size, 10_000 + seed, planted=PLANTED), list(LEVELS), week=WEEK).findings
            slices = {tuple(zip(row["dimensions"], row["values"], strict=True)) for row in found.iter_rows(named=True)}
            complete += causes <= slices
            short += causes <= slices and len(slices) <= 4
            lengths.append(len(slices))
        yield Line(
            f"three causes, {size:,} votes: all found",
            f"{complete / runs:.1%} (mean findings {np.mean(lengths):.2f})",
            "≥ 95 %",
            complete / runs >= 0.95,
        )
        yield Line(
            f"three causes, {size:,} votes: all found in ≤ 4 findings",
            f"{short / runs:.1%}",
            "≥ 95 %",
            short / runs >= 0.95,
        )


def small_causes(weeks: int = 100, votes: int = 20_000) -> Iterator[Line]:
    """How small a severe cause (44 % against 18 %) may be to be found, as a fact to know rather than a target."""
    for chosen in (
        (("language", "language_3"), ("prompt_version", "prompt_version_7")),
        (("framework", "framework_3"), ("intent", "intent_9")),
    ):
        found, sizes = 0, []
        for seed in range(weeks):
            facts = week_of_votes(votes, 20_000 + seed, planted=((chosen, 0.26),))
            findings = find_slices(facts, list(LEVELS), week=WEEK).findings
            found += any(
                tuple(zip(row["dimensions"], row["values"], strict=True)) == chosen
                for row in findings.iter_rows(named=True)
            )
            inside = [pl.col(name).cast(pl.String) == value for name, value in chosen]
            sizes.append(facts.filter(*inside).height)
        yield Line(
            f"one cause of about {np.median(sizes):.0f} of {votes:,} votes, 44 % down: found",
            f"{found / weeks:.0%}",
            "to know",
            True,
        )


def busy_voters(weeks: int = 100, votes: int = 20_000) -> Iterator[Line]:
    """Five people who vote down 200 times each, every one on a slice of their own choosing."""
    with_findings = 0
    for seed in range(weeks):
        rng = np.random.default_rng(30_000 + seed)
        facts = week_of_votes(votes, 30_000 + seed, planted=())
        columns = []
        place = np.arange(votes)
        busy = place < 1_000
        person = np.where(busy, 10**6 + place // 200, facts["person"].to_numpy())
        for name, levels in LEVELS.items():
            theirs = pl.Series([f"{name}_{level}" for level in rng.integers(0, levels, 5)])
            columns.append(
                pl.when(pl.Series(busy))
                .then(theirs.gather(np.minimum(place // 200, 4)))
                .otherwise(pl.col(name).cast(pl.String))
                .cast(pl.Categorical)
                .alias(name)
            )
        verdict = np.where(busy, -1, facts["verdict"].to_numpy())
        facts = facts.with_columns(
            *columns, person=pl.Series(person, dtype=pl.UInt64), verdict=pl.Series(verdict, dtype=pl.Int8)
        )
        with_findings += not find_slices(facts, list(LEVELS), week=WEEK).findings.is_empty()
    share = with_findings / weeks
    yield Line(
        "five people vote down 200 times each, each on one slice: weeks with a finding",
        f"{share:.1%}",
        "≤ 5 %",
        share <= 0.05 + 2.0 * np.sqrt(0.05 * 0.95 / weeks),
    )


def clustered_comparisons(runs: int = 2_000) -> Iterator[Line]:
    """Type-I error of comparing two arms of people who differ: 400 people, Zipf(1.8) votes capped at 60, sd 1."""
    rng = np.random.default_rng(1)
    clustered = naive = 0
    for _ in range(runs):
        n = np.minimum(rng.zipf(1.8, 400), 60)
        rate = 1.0 / (1.0 + np.exp(-(1.4 + rng.normal(0.0, 1.0, 400))))
        up = rng.binomial(n, rate)
        arm = rng.random(400) < 0.5
        clustered += difference(clustered_rate(up[arm], n[arm]), clustered_rate(up[~arm], n[~arm])).excludes_zero
        a, b = up[arm].sum() / n[arm].sum(), up[~arm].sum() / n[~arm].sum()
        pooled = up.sum() / n.sum()
        error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / n[arm].sum() + 1.0 / n[~arm].sum()))
        naive += abs(a - b) > 1.96 * error
    yield Line(
        "A/A by person: type-I error, clustered (naive z beside it)",
        f"{clustered / runs:.1%} ({naive / runs:.1%})",
        "≤ 6 %",
        clustered / runs <= 0.06,
    )


def _days(up: np.ndarray, votes: int) -> pl.DataFrame:
    days = [WEEK - dt.timedelta(days=len(up) - 1 - place) for place in range(len(up))]
    return pl.DataFrame(
        {
            "day": days,
            "votes": np.full(len(up), votes),
            "people": np.full(len(up), votes),
            "people_up": up.astype(float),
            "people_down": (votes - up).astype(float),
        }
    )


ALERT_LIMITS = {20: (0.54, 0.007, 5, 9), 50: (0.12, 0.001, 4, 5), 200: (0.0, 0.0, 3, 2)}
"""Votes a day → false days in 90 and median delay of the posterior, probability of a false alarm and delay of the
e-detector, as published in the design's calibration (500 simulated quarters each)."""


def approval_alerts(runs: int = 200, target: float = 0.8) -> Iterator[Line]:
    """False alarms over 90 days at a true approval of 83 %, and the delay after a drop to 70 %."""
    for votes, (false_days, false_share, _, _) in ALERT_LIMITS.items():
        rng = np.random.default_rng(votes)
        quiet_days, quiet_alarms, delays, detector_delays = 0, 0, [], []
        for _ in range(runs):
            quiet = _days(rng.binomial(votes, 0.83, 90), votes)
            quiet_days += sum(
                approval_under_target(quiet, day=day, target=target).alert is not None for day in quiet["day"]
            )
            quiet_alarms += bool((evidence_against(quiet, target=target) >= 365).any())
            fallen = _days(rng.binomial(votes, [0.83] * 45 + [0.70] * 45), votes)
            after = [
                place
                for place, day in enumerate(fallen["day"])
                if place >= 45 and approval_under_target(fallen, day=day, target=target).alert is not None
            ]
            delays.append(after[0] - 44 if after else 99)
            alarms = np.flatnonzero(evidence_against(fallen, target=target)[45:] >= 365)
            detector_delays.append(int(alarms[0]) + 1 if alarms.size else 99)
        measured = quiet_days / runs
        # Two standard errors of a Poisson count of false days that come in runs of about three.
        slack = 2.0 * np.sqrt(3.0 * max(false_days, 0.05) / runs)
        yield Line(
            f"{votes} votes a day: false days of the 7-day posterior in 90 (median delay after a drop)",
            f"{measured:.2f} ({np.median(delays):.0f} days)",
            f"{false_days:.2f}",
            measured <= false_days + slack,
        )
        yield Line(
            f"{votes} votes a day: e-detector false in 90 days (median delay after a drop)",
            f"{quiet_alarms / runs:.1%} ({np.median(detector_delays):.0f} days)",
            f"{false_share:.1%}",
            quiet_alarms / runs <= false_share + 2.0 * np.sqrt(max(false_share, 0.005) / runs),
        )


def count_alerts(series: int = 60, days: int = 100) -> Iterator[Line]:
    """False alarms of the count model per 100 days, on counts that vary more than a Poisson's (mean 20, k 8)."""
    rng = np.random.default_rng(5)
    false = poisson = caught = 0
    for _ in range(series):
        weekday = np.array([1.1, 1.1, 1.0, 1.0, 0.9, 0.6, 0.6])[np.arange(days + 57) % 7]
        mean = 20.0 * weekday / weekday.mean()
        down = rng.negative_binomial(8, 8.0 / (8.0 + mean))
        frame = _days(np.zeros(days + 57, dtype=int), 0).with_columns(pl.Series("people_down", down.astype(float)))
        for day in frame["day"][57:]:
            reading = negative_count(frame, day=day)
            false += reading.alert is not None
            usual = reading.numbers["expected"]
            poisson += reading.numbers["down"] > usual + 3.09 * np.sqrt(usual)
        last = frame.with_columns(
            pl.when(pl.col("day") == WEEK).then(pl.col("people_down") * 4).otherwise("people_down").alias("people_down")
        )
        caught += negative_count(last, day=WEEK).alert is not None
    per_hundred = 100.0 * false / (series * days)
    yield Line(
        "votes down a day, overdispersed: false alarms per 100 days (Poisson beside it; ×4 days caught)",
        f"{per_hundred:.2f} ({100.0 * poisson / (series * days):.2f}; {caught / series:.0%})",
        "≤ 0.43",
        per_hundred <= 0.43,
    )


def rules_together(quarters: int = 60) -> Iterator[Line]:
    """All alert rules on every day of quarters in which nothing happens, after 60 days that they learn from."""
    for votes, runs in ((1, quarters), (5, quarters), (20, quarters), (200, max(quarters // 4, 2))):
        for rate, label in ((0.83, "three points above the target"), (0.80, "exactly the target")):
            rng = np.random.default_rng(1_000 * votes + int(100 * rate))
            alarmed, by_rule = 0, dict[str, int]()
            for _ in range(runs):
                fired = set(_quarter(rng, votes, rate))
                alarmed += bool(fired)
                for name in fired:
                    by_rule[name] = by_rule.get(name, 0) + 1
            share = alarmed / runs
            told = ", ".join(f"{name} {count}" for name, count in sorted(by_rule.items())) or "none"
            # ten percent plus two standard errors of the number of quarters
            limit = 0.10 + 2.0 * np.sqrt(0.10 * 0.90 / runs)
            yield Line(
                f"all rules together, {votes} votes a day, {label}: quarters with a false alert",
                f"{share:.1%} of {runs} ({told})",
                "≤ 10 %",
                share <= limit,
            )


def _quarter(rng: np.random.Generator, votes: int, rate: float, before: int = 60, days: int = 90) -> Iterator[str]:
    """The rules that alert in a quarter of Poisson counts, by people with eight votes each on average."""
    counts = rng.poisson(votes, before + days)
    total = int(counts.sum())
    first = WEEK - dt.timedelta(days=before + days - 1)
    place = np.repeat(np.arange(before + days), counts)
    facts = pl.DataFrame(
        {
            "feedback_id": [f"f{n}" for n in range(total)],
            "interaction_id": [f"i{n}" for n in range(total)],
            "day": [first + dt.timedelta(days=int(day)) for day in place],
            "person": rng.integers(0, max(total // 8, 5), total).astype(np.uint64),
            "verdict": np.where(rng.random(total) < rate, 1, -1).astype(np.int8),
            "strength": np.ones(total, dtype=np.float32),
            "action_type": pl.Series(rng.choice(["todo", "mail"], total)).cast(pl.Categorical),
        },
        schema_overrides={"day": pl.Date},
    )
    conformed = VOTE_FACTS.conform(
        facts.with_columns(
            pl.lit(None, dtype).alias(name) for name, dtype in VOTE_FACTS.schema.items() if name not in facts.columns
        )
    )
    daily = daily_approval(conformed)
    for day in (first + dt.timedelta(days=offset) for offset in range(before, before + days)):
        recent = conformed.filter(pl.col("day").is_between(day - dt.timedelta(days=FACTS_DAYS - 1), day))
        for reading in read_rules(Trailing(daily, recent), day=day, target=0.8):
            if reading.alert is not None:
                yield reading.kind


def version_weeks(weeks: int = 200) -> Iterator[Line]:
    """Weeks with a significant comparison of prompt versions that are all the same."""
    for label, spread in (("scores vary", True), ("every answer has one score", False)):
        told = 0
        for seed in range(weeks):
            rng = np.random.default_rng(40_000 + seed)
            sample, judgements, votes = _same_versions(rng, spread=spread)
            found = compare_versions(sample, judgements, votes)
            told += bool((found["q_value"] <= 0.05).any())
        share = told / weeks
        yield Line(
            f"prompt versions alike, {label}: weeks with a significant comparison",
            f"{share:.1%} of {weeks}",
            "≤ 5 %",
            share <= 0.05 + 2.0 * np.sqrt(0.05 * 0.95 / weeks),
        )


def _same_versions(rng: np.random.Generator, *, spread: bool) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """600 sampled answers under three versions, their judgements, and votes on a third of them."""
    count = 600
    ids = [f"i{n:04d}" for n in range(count)]
    sample = pl.DataFrame(
        {
            "interaction_id": ids,
            "conversation_id": [f"c{n // 2}" for n in range(count)],
            "model": "m",
            "prompt_version": [f"v{1 + n // 2 % 3}" for n in range(count)],
            "inclusion_probability": 1.0,
        }
    )
    good = rng.random(count) < 0.8
    score = np.where(good, 0.7, 0.3) + rng.normal(0.0, 0.1, count) if spread else np.full(count, 0.1) + 0.2
    judged = good if spread else np.ones(count, dtype=bool)
    judgements = pl.DataFrame(
        {
            "judge": "local", "fingerprint": "l", "criterion": OVERALL, "interaction_id": ids,
            "other_interaction_id": "", "status": "ok", "verdict": np.where(judged, "up", "down"),
            "score": score, "rating": pl.Series([None] * count, dtype=pl.Float64),
        }
    )  # fmt: skip
    asked = rng.choice(count, count // 3, replace=False)
    says = good[asked] ^ (rng.random(asked.size) < 0.1)
    votes = pl.DataFrame(
        {
            "interaction_id": [ids[n] for n in asked],
            "voter": [f"p{n % 90}" for n in asked],
            "verdict": np.where(says, "up", "down"),
        }
    )
    return sample, judgements, votes


def few(runs: int = 1_000) -> Iterator[Line]:
    """Coverage of 95 % intervals where there is little: few labels near 0 and 1, few people, one to ten preferences."""
    for rate in (0.98, 0.95, 0.9, 0.5):
        for labels in (20, 50, 100):
            covered = np.mean([_powered(np.random.default_rng(seed), rate, labels) for seed in range(runs)])
            yield _covered(f"PPI++, true rate {rate:.0%}, {labels} of 1,000 labelled", float(covered), runs)
    for people, votes in ((5, 400), (10, 400), (10, 40), (40, 10)):
        covered = np.mean([_people(np.random.default_rng(seed), people, votes) for seed in range(runs)])
        yield _covered(f"approval of {people} people × {votes} votes, who lean (sd 1 log-odds)", float(covered), runs)
    for votes in (1, 3, 10):
        covered = np.mean([_preferred(np.random.default_rng(seed), votes) for seed in range(runs)])
        yield _covered(f"Bradley–Terry strength from {votes} preferences", float(covered), runs)


def _covered(what: str, covered: float, runs: int) -> Line:
    wanted = 0.93
    slack = 2.0 * np.sqrt(wanted * (1.0 - wanted) / runs)
    return Line(what, f"{covered:.1%} covered", f"at least {wanted:.0%}", covered >= wanted - slack)


def _powered(rng: np.random.Generator, rate: float, labels: int) -> bool:
    human = (rng.random(1_000) < rate).astype(float)
    judged = np.where(human == 1, rng.random(1_000) < 0.9, rng.random(1_000) < 0.3).astype(float)
    labelled = np.full(1_000, np.nan)
    asked = rng.choice(1_000, labels, replace=False)
    labelled[asked] = human[asked]
    found = prediction_powered_mean(judged, labelled)
    interval = found.estimate((0.0, 1.0)) if isinstance(found, PredictionPowered) else found
    return isinstance(interval, Estimate) and interval.low <= rate <= interval.high


LEANING_RATE = 0.7634
"""Mean of 1 / (1 + exp(−x)) for x normal with mean 1.4 and standard deviation 1, by quadrature."""


def _people(rng: np.random.Generator, people: int, votes: int) -> bool:
    rates = 1.0 / (1.0 + np.exp(-(1.4 + rng.normal(0.0, 1.0, people))))
    found = clustered_rate(rng.binomial(votes, rates), np.full(people, votes))
    return found.low is not None and found.high is not None and found.low <= LEANING_RATE <= found.high


def _preferred(rng: np.random.Generator, votes: int) -> bool:
    """The strength of the better of two models whose log-odds differ by 0.8."""
    won = rng.random(votes) < 1.0 / (1.0 + np.exp(-0.8))
    found = fit_bradley_terry(
        np.zeros(votes, dtype=np.int64), np.ones(votes, dtype=np.int64), won.astype(float), 2,
        clusters=[np.arange(votes)],
    )  # fmt: skip
    return isinstance(found, Strengths) and found.low[0] <= 0.4 <= found.high[0]


PARTS: dict[str, Callable[[int], Iterator[Line]]] = {
    "shuffled": lambda part: shuffled_weeks(weeks=200 // part),
    "planted": lambda part: planted_weeks(weeks=100 // part),
    "small": lambda part: small_causes(weeks=100 // part),
    "busy": lambda part: busy_voters(weeks=100 // part),
    "clustered": lambda part: clustered_comparisons(runs=2_000 // part),
    "approval": lambda part: approval_alerts(runs=200 // part),
    "counts": lambda part: count_alerts(series=60 // part),
    "rules": lambda part: rules_together(quarters=60 // part),
    "versions": lambda part: version_weeks(weeks=200 // part),
    "few": lambda part: few(runs=1_000 // part),
    "experiments": lambda part: experiments.calibration(runs=1_000 // part),
}


def main() -> None:
    """Prints the table; exits with 1 if a line misses what it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="parts to simulate; all by default")
    parser.add_argument("--quick", action="store_true", help="simulate a tenth")
    chosen = parser.parse_args()
    print("| what | measured | wanted | |\n|---|---|---|---|")
    good = True
    for name in chosen.parts or PARTS:
        for line in PARTS[name](10 if chosen.quick else 1):
            good &= line.good
            print(f"| {line.what} | {line.measured} | {line.wanted} | {'ok' if line.good else 'MISSED'} |", flush=True)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
