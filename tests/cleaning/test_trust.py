"""Who is trusted less, and why: planted spam and campaigns are found, honest people are left alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_pipeline.cleaning.clusters import prompt_clusters
from feedback_pipeline.cleaning.tables import RATER_TRUST, TRUST_REASONS
from feedback_pipeline.cleaning.trust import TrustPolicy, rater_trust
from tests.support.sampled_votes import SampledVotes, clean_votes, sampled

MONDAY = datetime(2026, 10, 19, 8, 0, 7, 500_000, tzinfo=UTC)
SAMPLES = [(5_000, 4, 3), (20_000, 4, 1), (8_000, 1, 2), (25_000, 7, 5)]
"""Votes, weeks and seeds: campaigns of twelve to sixty accounts, one week of history and seven."""


def vote(voter: str, answer: str, verdict: str, minutes: float = 0.0, **more: Any) -> dict[str, Any]:
    given = {
        "voter": voter,
        "interaction_id": answer,
        "verdict": verdict,
        "occurred_at": MONDAY + timedelta(minutes=minutes),
    }
    return given | more


def apart(votes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The votes, half an hour apart: nobody is in a hurry."""
    return [given | {"occurred_at": MONDAY + timedelta(minutes=31 * number)} for number, given in enumerate(votes)]


def of(trust: pl.DataFrame, *voters: str) -> pl.DataFrame:
    return trust.filter(pl.col("voter").is_in(voters))


def weight(trust: pl.DataFrame, voter: str) -> float:
    return of(trust, voter)["weight"].item()


def placed(sample: SampledVotes) -> pl.DataFrame:
    clusters = prompt_clusters(sample.signatures.lazy())
    return sample.signatures.join(clusters.select("prompt_hash", "cluster_id"), on="prompt_hash", how="left")


@pytest.fixture(scope="module", params=SAMPLES, ids=str)
def judged(request: pytest.FixtureRequest) -> tuple[SampledVotes, pl.DataFrame]:
    """A sample and the trust in its voters over the last four weeks."""
    sample = sampled(*request.param)
    return sample, rater_trust(sample.last_weeks(4), clusters=placed(sample))


class TestPlanted:
    def test_nine_in_ten_spam_raters_are_found(self, judged: tuple[SampledVotes, pl.DataFrame]) -> None:
        sample, trust = judged
        spam = of(trust, *sample.people("spam_raters"))
        assert spam.height > 0
        assert (spam["weight"] < 0.5).mean() >= 0.9
        assert spam["reasons"].explode().is_in(["faster_than_reading"]).any()

    def test_nine_in_ten_of_the_brigade_are_found(self, judged: tuple[SampledVotes, pl.DataFrame]) -> None:
        sample, trust = judged
        brigade = of(trust, *sample.people("brigade"))
        assert brigade.height == len(sample.people("brigade"))
        assert (brigade["weight"] < 0.5).mean() >= 0.9
        assert brigade["reasons"].list.contains("brigade").mean() >= 0.9

    def test_two_in_a_hundred_honest_people_at_most_are_trusted_less(
        self, judged: tuple[SampledVotes, pl.DataFrame]
    ) -> None:
        sample, trust = judged
        planted = sample.people("spam_raters") + sample.people("brigade")
        honest = trust.filter(~pl.col("voter").is_in(planted))
        assert (honest["weight"] < 0.8).mean() <= 0.02
        assert (honest["weight"] < 1.0).mean() <= 0.02

    def test_heavy_users_and_one_way_voters_are_left_alone(self, judged: tuple[SampledVotes, pl.DataFrame]) -> None:
        sample, trust = judged
        honest = of(trust, *sample.people("heavy_users"), *sample.people("one_way_negative_voters"))
        assert honest.height > 0
        assert honest["weight"].min() == 1.0

    def test_rows_are_the_declared_table(self, judged: tuple[SampledVotes, pl.DataFrame]) -> None:
        assert RATER_TRUST.problems(judged[1]) == []


class TestConsensus:
    def test_one_disagreement_says_nothing(self) -> None:
        crowd = [vote(f"p{person}", f"a{number}", "up") for number in range(30) for person in range(4)]
        trust = rater_trust(clean_votes(apart([*crowd, vote("once", "a3", "down")])))
        assert trust["weight"].min() == 1.0

    def test_contradicting_everybody_lowers_trust_and_says_why(self) -> None:
        crowd = [vote(f"p{person}", f"a{number}", "up") for number in range(30) for person in range(4)]
        contrary = [vote("contrary", f"a{number}", "down") for number in range(30)]
        trust = rater_trust(clean_votes(apart(crowd + contrary)))
        assert weight(trust, "contrary") < 0.3
        assert of(trust, "contrary")["reasons"].item().to_list() == ["disagrees_with_consensus"]
        assert trust.filter(pl.col("voter") != "contrary")["weight"].min() == 1.0

    def test_voting_one_way_alone_lowers_nobodys_trust(self) -> None:
        """One answer in ten is bad; who votes only then is seconded as rarely as honest down votes are."""
        draw = np.random.default_rng(4)
        votes = []
        for number in range(400):
            bad = number % 10 == 0
            for person in range(3):
                mistaken = draw.random() < 0.06
                votes.append(vote(f"p{(number + person) % 40}", f"a{number}", "down" if bad != mistaken else "up"))
            if bad:
                votes.append(vote("angry", f"a{number}", "down"))
            else:
                votes.append(vote("pleased", f"a{number}", "up"))
        trust = rater_trust(clean_votes(apart(votes)))
        assert weight(trust, "angry") == 1.0
        assert weight(trust, "pleased") == 1.0

    def test_honest_people_of_ordinary_carefulness_keep_their_trust(self) -> None:
        """Forty people who err in every eighth vote, five on each answer, fifty comparisons each: a hundred at most
        of a thousand such people are told that they disagree, and twenty fall below 0.8."""
        draw = np.random.default_rng(5)
        weights = []
        for _ in range(25):
            votes = []
            for number in range(400):
                good = draw.random() < 0.8
                for person in draw.permutation(40)[:5]:
                    says_up = good != (draw.random() < 0.125)
                    votes.append(vote(f"p{person}", f"a{number}", "up" if says_up else "down"))
            weights += rater_trust(clean_votes(apart(votes)))["weight"].to_list()
        assert len(weights) == 1000
        assert np.mean(np.array(weights) < 0.8) <= 0.02
        assert np.mean(np.array(weights) < 1.0) <= 0.1

    def test_who_votes_at_random_is_trusted_less_the_more_often_they_do(self) -> None:
        draw = np.random.default_rng(6)
        votes = [vote(f"p{person}", f"a{number}", "up") for number in range(200) for person in range(3)]
        for voter, count in (("few", 4), ("some", 40), ("many", 200)):
            votes += [vote(voter, f"a{number}", "up" if draw.random() < 0.5 else "down") for number in range(count)]
        trust = rater_trust(clean_votes(apart(votes)))
        assert weight(trust, "few") == 1.0
        assert weight(trust, "some") < 0.85
        assert weight(trust, "many") < weight(trust, "some") - 0.15

    def test_an_even_split_says_nothing_about_its_voters(self) -> None:
        split = [
            vote(f"p{person}", f"a{number}", "up" if person < 3 else "down")
            for number in range(30)
            for person in range(6)
        ]
        # each of six people sees two against three among the others: thirty times a coin that hardly falls
        trust = rater_trust(clean_votes(apart(split)))
        assert trust["weight"].min() == 1.0

    def test_an_audit_outweighs_the_crowd(self) -> None:
        crowd = [vote(f"p{person}", f"a{number}", "up") for number in range(30) for person in range(3)]
        lonely = [vote("lonely", f"a{number}", "down") for number in range(30)]
        audited = pl.DataFrame({"interaction_id": [f"a{number}" for number in range(30)], "verdict": ["down"] * 30})
        trust = rater_trust(clean_votes(apart(crowd + lonely)), audited=audited)
        assert weight(trust, "lonely") == 1.0
        assert weight(trust, "p0") < 0.3

    def test_spam_does_not_make_the_consensus(self) -> None:
        """Eight accounts vote a second apart and all down; the one careful person is not measured against them."""
        spam = [
            vote(f"bot{bot}", f"a{number}", "down", minutes=bot * 10 + number / 60)
            for number in range(30)
            for bot in range(8)
        ]
        careful = apart([vote("careful", f"a{number}", "up") for number in range(30)])
        second = apart([vote("second", f"a{number}", "up") for number in range(30)])
        trust = rater_trust(clean_votes(spam + careful + second))
        assert weight(trust, "bot1") == pytest.approx(0.1)
        assert weight(trust, "careful") == 1.0


class TestSpeed:
    def test_a_vote_a_second_is_faster_than_anybody_reads(self) -> None:
        votes = [vote("quick", f"a{number}", "up", minutes=number / 60) for number in range(20)]
        trust = rater_trust(clean_votes(votes))
        assert trust.select("fastest_minute", "hurried").row(0) == (20, 19)
        assert weight(trust, "quick") == pytest.approx(0.1)
        assert trust["reasons"].item().to_list() == ["faster_than_reading"]

    def test_a_minute_is_any_sixty_seconds(self) -> None:
        votes = [vote("even", f"a{number}", "up", minutes=0.9 + number * 0.05) for number in range(18)]
        assert rater_trust(clean_votes(votes))["fastest_minute"].item() == 18

    def test_a_form_sent_once_and_times_without_a_clock_are_no_hurry(self) -> None:
        form = [vote("form", f"a{number}", "up") for number in range(10)]
        dates = [
            vote("dates", f"a{number}", "up", occurred_at=datetime(2026, 10, 20, tzinfo=UTC)) for number in range(50)
        ]
        trust = rater_trust(clean_votes(form + dates))
        assert trust["weight"].to_list() == [1.0, 1.0]
        assert trust.sort("voter")["fastest_minute"].to_list() == [0, 10]

    def test_signals_of_the_machine_are_nobodys_hurry(self) -> None:
        votes = [vote("user", f"a{number}", "up", minutes=number / 60, kind="outcome") for number in range(30)]
        assert rater_trust(clean_votes(votes))["weight"].item() == 1.0


class TestComments:
    def test_pasting_one_comment_over_and_over(self) -> None:
        pasted = [vote("paster", f"a{number}", "up", comment="visit my page") for number in range(8)]
        thanks = [vote("polite", f"b{number}", "up", comment="thanks!") for number in range(8)]
        own = [vote("writer", f"c{number}", "up", comment=f"the date {number} is right") for number in range(8)]
        trust = rater_trust(clean_votes(apart(pasted + thanks + own)))
        assert of(trust, "paster")["reasons"].item().to_list() == ["repeated_comments"]
        assert of(trust, "polite", "writer")["weight"].to_list() == [1.0, 1.0]

    def test_one_comment_by_many_accounts_within_the_hour(self) -> None:
        text = "this model is useless, use the other product"
        accounts = [
            vote(f"n{number}", f"a{number}", "down", minutes=3.1 * number, comment=text) for number in range(12)
        ]
        later = [vote("later", "z", "down", minutes=60 * 24 * 3, comment=text)]
        trust = rater_trust(clean_votes(accounts + later))
        assert of(trust, "n0")["reasons"].item().to_list() == ["copied_comments"]
        assert weight(trust, "later") == 1.0

    def test_what_everybody_says_all_the_time_is_not_copied(self) -> None:
        votes = [
            vote(f"n{number}", f"a{number}", "up", minutes=4.1 * number, comment="thank you, that worked")
            for number in range(2000)
        ]
        assert rater_trust(clean_votes(votes))["weight"].min() == 1.0


def ordinary(people: int = 60, weeks: int = 3, seed: int = 8) -> list[dict[str, Any]]:
    """People who vote on answers of their own every other day, four in five times up, for weeks."""
    draw = np.random.default_rng(seed)
    return [
        vote(
            f"p{person}", f"p{person}-{number}", "up" if draw.random() < 0.8 else "down", draw.random() * weeks * 10_080
        )
        for person in range(people)
        for number in range(weeks * 4)
    ]


def clusters_of(votes: pl.DataFrame, answers: str, cluster: int = 7) -> pl.DataFrame:
    """Puts the answers whose id begins so under one prompt, every other one under its own."""
    ids = votes.select("interaction_id").unique().sort("interaction_id").with_row_index("number", offset=100)
    here = pl.col("interaction_id").str.starts_with(answers)
    return ids.select("interaction_id", cluster_id=pl.when(here).then(cluster).otherwise("number").cast(pl.UInt64))


class TestCampaigns:
    def campaign(self, accounts: int, verdict: str = "down", minutes: float = 20_000.3) -> list[dict[str, Any]]:
        """New accounts, one vote each on one of three answers to a prompt, within half an hour."""
        return [
            vote(f"new{number}", f"target-{number % 3}", verdict, minutes + number * 30 / accounts)
            for number in range(accounts)
        ]

    def test_a_campaign_on_the_answers_to_one_prompt(self) -> None:
        votes = clean_votes(ordinary() + self.campaign(15))
        with_clusters = rater_trust(votes, clusters=clusters_of(votes, "target"))
        found = with_clusters.filter(pl.col("reasons").list.contains("brigade"))
        assert set(found["voter"]) == {f"new{number}" for number in range(15)}
        assert found["weight"].max() == pytest.approx(0.1)

    def test_seven_accounts_may_be_a_coincidence(self) -> None:
        votes = clean_votes(ordinary() + self.campaign(7))
        assert rater_trust(votes, clusters=clusters_of(votes, "target"))["weight"].min() == 1.0

    def test_users_with_a_history_who_are_angry_at_once_are_no_campaign(self) -> None:
        """An outage: forty people with weeks of ordinary votes vote down the same within half an hour."""
        outage = [vote(f"p{person}", f"target-{person}", "down", 20_000.3 + person * 0.7) for person in range(40)]
        votes = clean_votes(ordinary() + outage)
        assert rater_trust(votes, clusters=clusters_of(votes, "target"))["weight"].min() == 1.0

    def test_accounts_known_from_before_the_window_are_not_new(self) -> None:
        votes = clean_votes(ordinary() + self.campaign(15))
        everybody = votes.select("tenant", "voter").unique().with_columns(first_seen=MONDAY - timedelta(days=90))
        trust = rater_trust(votes, clusters=clusters_of(votes, "target"), first_seen=everybody)
        assert not trust["reasons"].list.contains("brigade").any()

    def test_newcomers_who_all_try_the_suggested_prompt_are_no_campaign(self) -> None:
        """Four newcomers an hour, every hour of a week, like the prompt that the product suggests; then twenty do."""
        steady = [vote(f"n{number}", f"target-{number}", "up", 5_000 + number * 15.3) for number in range(650)]
        launch = [vote(f"m{number}", f"target-m{number}", "up", 15_500.3 + number * 2) for number in range(20)]
        votes = clean_votes(ordinary() + steady + launch)
        assert rater_trust(votes, clusters=clusters_of(votes, "target"))["weight"].min() == 1.0

    def test_newcomers_who_agree_with_established_voters_are_no_campaign(self) -> None:
        liked = [vote(f"p{person}", f"target-{person}", "up", 300.1 * person) for person in range(40)]
        votes = clean_votes(ordinary() + liked + self.campaign(15, "up"))
        assert rater_trust(votes, clusters=clusters_of(votes, "target"))["weight"].min() == 1.0

    def test_where_everybody_votes_once_nobody_is_called_a_campaign(self) -> None:
        draw = np.random.default_rng(9)
        once = [
            vote(f"n{number}", f"target-{number}" if number % 10 == 0 else f"x{number}", "up", draw.random() * 2_000)
            for number in range(2_000)
        ]
        votes = clean_votes(once)
        assert rater_trust(votes, clusters=clusters_of(votes, "target"))["weight"].min() == 1.0

    def test_a_new_account_alone_is_hardly_trusted_less(self) -> None:
        votes = clean_votes([*ordinary(), vote("newcomer", "a", "up", 3 * 10_000)])
        known = votes.filter(pl.col("voter") != "newcomer").select("tenant", "voter", first_seen=pl.lit(MONDAY))
        trust = rater_trust(votes, first_seen=known.unique())
        assert weight(trust, "newcomer") == pytest.approx(0.9)
        assert of(trust, "newcomer")["reasons"].item().to_list() == ["new_account"]
        assert of(trust, "p1")["weight"].item() == 1.0


def preference(voter: str, one: str, other: str, won: str) -> dict[str, Any]:
    judges_nothing = {"verdict": None, "counts": False, "strength": None}
    return (
        vote(voter, one, "") | {"kind": "preference", "preference": won, "other_interaction_id": other} | judges_nothing
    )


class TestPreferences:
    def test_a_pair_is_the_same_from_either_side(self) -> None:
        votes = []
        for number in range(30):
            votes += [preference(f"p{person}", f"a{number}", f"b{number}", "this") for person in range(3)]
            votes += [preference("mirror", f"b{number}", f"a{number}", "other")]
            votes += [preference("contrary", f"b{number}", f"a{number}", "this")]
        trust = rater_trust(clean_votes(apart(votes)))
        assert weight(trust, "mirror") == 1.0
        assert weight(trust, "contrary") == pytest.approx(0.1, abs=0.05)

    def test_ties_are_no_contradiction(self) -> None:
        votes = []
        for number in range(30):
            votes += [preference(f"p{person}", f"a{number}", f"b{number}", "this") for person in range(3)]
            votes += [preference("cautious", f"a{number}", f"b{number}", "tie")]
        assert weight(rater_trust(clean_votes(apart(votes))), "cautious") == 1.0

    def test_a_coin_carries_no_trust(self) -> None:
        draw = np.random.default_rng(10)
        votes = []
        for number in range(150):
            votes += [preference(f"p{person}", f"a{number}", f"b{number}", "this") for person in range(4)]
            votes += [preference("coin", f"a{number}", f"b{number}", str(draw.choice(["this", "other"])))]
        assert weight(rater_trust(clean_votes(apart(votes))), "coin") < 0.35


class TestProperties:
    """What holds for any votes."""

    CASTS = st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz"), st.sampled_from(["up", "neutral", "down"])),
        max_size=40,
        unique_by=lambda cast: cast[:2],
    )

    @settings(max_examples=40, deadline=None)
    @given(CASTS)
    def test_weights_are_between_a_tenth_and_one_and_have_a_reason_below(
        self, casts: list[tuple[str, str, str]]
    ) -> None:
        trust = rater_trust(clean_votes(apart([vote(*cast) for cast in casts])))
        assert trust["weight"].is_between(0.0999, 1.0).all()
        assert ((trust["weight"] < 1.0) == (trust["reasons"].list.len() > 0)).all()
        assert set(trust["reasons"].explode().drop_nulls()) <= set(TRUST_REASONS)
        assert set(trust["voter"]) == {voter for voter, _, _ in casts}

    @settings(max_examples=30, deadline=None)
    @given(CASTS, st.sampled_from(["up", "down"]), st.booleans())
    def test_an_unrelated_vote_changes_nobody_else(
        self, casts: list[tuple[str, str, str]], verdict: str, elsewhere: bool
    ) -> None:
        """A vote on an answer nobody else judged, or in another tenant."""
        votes = apart([vote(*cast) for cast in casts])
        stranger = vote("stranger", "w" if elsewhere else "own", verdict, 90_000.0)
        more = clean_votes([*votes, stranger | ({"tenant": "other"} if elsewhere else {})])
        before = rater_trust(clean_votes(votes))
        after = rater_trust(more).filter(pl.col("voter") != "stranger")
        assert after.equals(before)

    @settings(max_examples=20, deadline=None)
    @given(CASTS, st.integers(0, 1000))
    def test_the_order_of_the_rows_does_not_matter(self, casts: list[tuple[str, str, str]], seed: int) -> None:
        votes = clean_votes(apart([vote(*cast) for cast in casts]))
        shuffled = votes.sample(fraction=1.0, shuffle=True, seed=seed)
        assert rater_trust(shuffled).equals(rater_trust(votes))

    def test_at_least_one_round(self) -> None:
        with pytest.raises(ValueError, match="rounds"):
            TrustPolicy(rounds=0)
