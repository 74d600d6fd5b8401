"""What the truth says was planted can be found in the rows, and only there."""

from datetime import date, timedelta

import polars as pl
import pytest

from feedback_pipeline.sample.identities import pools


def rates(month, condition: pl.Expr) -> tuple[float, float]:
    """Share of downs among the votes on answers inside and outside of a condition."""
    explicit = month.events.filter((pl.col("kind") == "explicit") & ~pl.col("withdrawn") & pl.col("up").is_not_null())
    votes = explicit.join(
        month.interactions.rename({"id": "answer_id"}), on="answer_id", suffix="_answer", maintain_order="left"
    ).with_columns(inside=condition)
    inside, outside = votes.filter("inside"), votes.filter(~pl.col("inside"))
    assert inside.height > 100
    return 1 - inside["up"].mean(), 1 - outside["up"].mean()


@pytest.mark.parametrize(
    ("plant", "condition"),
    [
        ("cause_model_version", (pl.col("model") == "borealis-2") & (pl.col("prompt_version") == "2.1")),
        ("cause_tool", pl.col("tools_called").list.contains("crm_lookup")),
        ("cause_intent_language", (pl.col("intent") == "travel") & (pl.col("language") == "de")),
    ],
)
def test_each_cause_shows_in_a_plain_comparison_of_rates(month, plant, condition):
    known = month.truth["plants"][plant]
    inside, outside = rates(month, condition)
    # 20 points were planted; on 400 votes or more, three standard errors are 7 points.
    assert 0.13 <= inside - outside <= 0.29
    answers = month.interactions.filter(condition).height
    assert answers == known["inside"]["answers"]


@pytest.mark.parametrize(("plant", "column"), [("term_in_prompts", "prompt"), ("term_in_answers", "output")])
def test_each_planted_term_predicts_downs(month, plant, column):
    terms = list(month.truth["plants"][plant]["terms"].values())
    inside, outside = rates(month, pl.col(column).str.contains_any(terms))
    assert inside - outside > 0.15  # 26 points were planted


def test_comments_after_a_caused_failure_say_what_it_is(month):
    downs = month.events.filter((pl.col("up") == False) & pl.col("comment").is_not_null())  # noqa: E712
    votes = downs.join(month.interactions.rename({"id": "answer_id"}), on="answer_id", suffix="_answer")
    with_tool = pl.col("tools_called").list.contains("crm_lookup")
    says = pl.col("comment").str.contains_any(["outdated", "veraltet", "Veraltet", "périmé", "desfasad", "古い"])
    inside = votes.filter(with_tool).select(says.mean()).item()
    outside = votes.filter(~with_tool & (pl.col("intent") != "travel")).select(says.mean()).item()
    assert inside > 0.25
    assert outside < 0.02


def test_the_mix_shifts_in_the_last_week_while_no_segment_changes(month):
    shift = month.truth["plants"]["mix_shift"]
    answers = month.interactions.with_columns(day=pl.col("occurred_at").dt.date()).join(
        month.labels.select(id="interaction_id", good="good"), on="id"
    )

    def week(monday: str) -> pl.DataFrame:
        start = date.fromisoformat(monday)
        return answers.filter(pl.col("day").is_between(start, start + timedelta(days=6)))

    before, after = week(shift["before"]), week(shift["after"])
    for rows, share in ((before, shift["share_before"]), (after, shift["share_after"])):
        # The popular prompts, 1–2 % of all, have intents of their own.
        assert rows.select((pl.col("intent") == "code").mean()).item() == pytest.approx(share, abs=0.03)
    assert shift["true_approval_change_by_mix"] < -0.015
    assert abs(shift["true_approval_change_by_rate"]) < 0.012
    segments = (
        before.group_by("intent")
        .agg(pl.col("good").mean())
        .join(after.group_by("intent").agg(after=pl.col("good").mean()), on="intent")
    )
    assert segments.select((pl.col("good") - pl.col("after")).abs().max()).item() < 0.06
    releases = [date.fromisoformat(release["day"]) for release in month.truth["releases"]]
    assert max(releases) < date.fromisoformat(shift["before"])


def test_spam_raters_vote_faster_than_anybody_reads_and_paste_their_comments(month):
    spam = month.truth["plants"]["spam_raters"]
    votes = month.events.filter(pl.col("user_key").is_in(spam["people"])).sort("user_key", "occurred_at")
    assert votes.height == spam["votes"] >= 200
    gaps = votes.select(pl.col("occurred_at").diff().over("user_key").dt.total_milliseconds()).to_series()
    assert gaps.median() < 1_500
    assert set(votes["comment"].drop_nulls()) <= set(spam["copied_comments"])
    assert 0.35 < votes["up"].mean() < 0.65  # a fair coin, 240 times


def test_the_brigade_is_new_votes_down_once_and_on_one_prompt(month):
    brigade = month.truth["plants"]["brigade"]
    votes = month.events.filter(pl.col("user_key").is_in(brigade["people"]))
    assert votes.height == brigade["votes"] >= 50
    assert not votes["up"].any()
    assert set(votes["occurred_at"].dt.date()) == {date.fromisoformat(brigade["day"])}
    assert votes["occurred_at"].max() - votes["occurred_at"].min() < timedelta(minutes=60)
    answers = month.interactions.filter(pl.col("id").is_in(votes["answer_id"].implode()))
    assert answers.height == brigade["answers"]
    words = " ".join(brigade["prompt"].lower().replace(",", "").split()[:12])
    assert answers["prompt"].str.to_lowercase().str.replace_all(",", "").str.contains(words, literal=True).all()
    assert month.labels.filter(pl.col("interaction_id").is_in(answers["id"].implode()))["good"].all()
    assert month.interactions.filter(pl.col("user_key").is_in(brigade["people"])).is_empty()


def test_honest_heavy_users_vote_much_at_a_human_pace(month):
    heavy = month.truth["plants"]["heavy_users"]["people"]
    explicit = month.events.filter(pl.col("kind") == "explicit", pl.col("user_key").is_not_null())
    per_person = explicit.group_by("user_key").len()
    typical = per_person["len"].median()
    theirs = per_person.filter(pl.col("user_key").is_in(heavy))
    assert theirs["len"].min() > 3 * typical
    agreed = explicit.filter(pl.col("user_key").is_in(heavy)).join(
        month.labels.rename({"interaction_id": "answer_id"}), on="answer_id"
    )
    assert agreed.select((pl.col("up") == pl.col("good")).mean()).item() > 0.85
    per_minute = (
        explicit.filter(pl.col("user_key").is_in(heavy))
        .group_by("user_key", pl.col("occurred_at").dt.truncate("1m"))
        .len()
    )
    assert per_minute["len"].max() <= 6


def test_one_way_voters_are_honest_about_bad_answers(month):
    people = month.truth["plants"]["one_way_negative_voters"]["people"]
    changed = pl.col("thumb").is_not_null() & (pl.col("up") == True)  # noqa: E712
    votes = month.events.filter(
        (pl.col("kind") == "explicit") & pl.col("user_key").is_in(people) & ~pl.col("withdrawn")
    )
    assert votes.height > 20
    labelled = votes.join(month.labels.rename({"interaction_id": "answer_id"}), on="answer_id")
    assert labelled["good"].mean() < 0.05
    assert votes.filter(changed).height <= 2  # who changes a vote turns it round


def test_conflicting_votes_split_three_to_three(month):
    planted = month.truth["plants"]["conflicting_votes"]
    thumbs = month.events.filter((pl.col("kind") == "explicit") & ~pl.col("withdrawn"))
    split = thumbs.group_by("answer_id").agg(
        votes=pl.len(), people=pl.col("user_key").n_unique(), ups=pl.col("thumb").sum()
    )
    undecided = split.filter((pl.col("votes") == 6) & (pl.col("people") == 6) & (pl.col("ups") == 3))
    assert undecided.height == planted["answers"] == planted["votes"] // 6 == 20


def test_deliveries_are_repeated_as_often_as_the_truth_says(month):
    repeated = month.deliveries.filter(pl.col("id").is_duplicated())
    assert repeated.height == 2 * month.truth["plants"]["duplicate_deliveries"]["rows"]
    assert repeated.unique().height == repeated.height // 2, "a repetition differs from its original"
    assert month.deliveries.height == month.truth["counts"]["feedback_rows"]
    later = sum(batch.feedback["id"].is_duplicated().sum() for batch in month.batches)
    assert later < repeated.height, "some repetitions come in a later batch"


def test_pending_events_come_before_their_answer_and_orphans_for_ever_without(month):
    seen: set[str] = set()
    waiting: set[str] = set()
    for batch in month.batches:
        seen |= set(batch.interactions["id"])
        known = month.events.filter(pl.col("id").is_in(batch.feedback["id"].implode()))
        waiting |= set(known.filter(~pl.col("answer_id").is_in(list(seen)))["id"])
    everything = set(month.interactions["id"])
    orphans = month.events.filter(~pl.col("answer_id").is_in(list(everything)) | pl.col("answer_id").is_null())
    assert orphans.height == month.truth["plants"]["orphan_events"]["events"] > 0
    resolved = month.events.filter(pl.col("id").is_in(list(waiting)), pl.col("answer_id").is_in(list(everything)))
    assert 0 < resolved.height <= month.truth["plants"]["pending_events"]["events"]


def test_late_changed_and_withdrawn_votes_are_counted(month):
    plants = month.truth["plants"]
    votes = month.events.filter(pl.col("kind") == "explicit").join(
        month.interactions.select(answer_id="id", answered="occurred_at"), on="answer_id"
    )
    slow = votes.filter(pl.col("occurred_at") - pl.col("answered") >= timedelta(days=1) - timedelta(hours=1))
    changes = plants["changed_votes"]["events"] + plants["withdrawn_votes"]["events"]
    assert plants["late_votes"]["votes"] * 0.9 <= slow.height <= plants["late_votes"]["votes"] + changes
    offline = month.events.filter(pl.col("received_at") - pl.col("occurred_at") >= timedelta(hours=23))
    assert offline.height == plants["late_arrivals"]["votes"]
    assert month.events["withdrawn"].sum() == plants["withdrawn_votes"]["events"] == 100  # 0.5 % of 20,000
    twice = (
        votes.filter(~pl.col("withdrawn"), pl.col("user_key").is_not_null())
        .group_by("user_key", "answer_id")
        .agg(pl.len(), flipped=pl.col("up").n_unique() == 2)
        .filter(pl.col("len") == 2)
    )
    assert twice.height == pytest.approx(plants["changed_votes"]["events"], abs=5)
    assert twice["flipped"].mean() > 0.9  # a neutral three stars is turned into an up


def test_bad_rows_hold_each_fault_as_often_as_the_truth_says(month):
    faults = month.truth["plants"]["bad_rows"]["by_fault"]
    assert month.bad_rows.height == sum(faults.values())
    found = {
        "rating_of_seven": (pl.col("stars") == "7").sum(),
        "date_in_1970": pl.col("occurred_at").str.starts_with("1970").sum(),
        "date_in_2199": pl.col("occurred_at").str.starts_with("2199").sum(),
        "unreadable_date": (pl.col("occurred_at") == "yesterday").sum(),
        "unknown_kind": (pl.col("kind") == "applause").sum(),
        "unreadable_thumb": (pl.col("thumb") == "sideways").sum(),
        "no_answer_named": (pl.col("key_value") == "").sum(),
    }
    assert month.bad_rows.select(**found).row(0, named=True) == faults


def test_personal_data_and_look_alikes_are_where_the_truth_counts_them(month):
    values = pools(7)
    texts = {
        "prompts": month.interactions["prompt"],
        "answers": month.interactions["output"],
        "comments": month.events["comment"].drop_nulls(),
    }
    for kind, counts in month.truth["plants"]["personal_data"].items():
        for place, count in counts.items():
            found = int(texts[place].str.contains_any(values[kind]).sum())
            assert found == count, (kind, place)
    for kind in ("isbn", "order_number", "commit", "uuid", "not_a_card"):
        found = int(texts["prompts"].str.contains_any(values[kind]).sum())
        assert found == month.truth["plants"]["look_alikes"][kind]


def test_near_duplicate_prompts_are_a_few_words_apart(month):
    prompts = month.interactions["prompt"].str.to_lowercase().str.replace_all(",", "")
    for cluster in month.truth["plants"]["near_duplicate_prompts"]["clusters"]:
        core = " ".join(cluster["prompt"].lower().replace(",", "").split()[2:-2])
        members = prompts.filter(prompts.str.contains(core, literal=True))
        assert len(members) == cluster["answers"] > 20
        assert 1 < members.n_unique() <= 8


def test_a_pair_shares_its_prompt_and_differs_in_its_model(month):
    preferences = month.events.filter(pl.col("kind") == "preference")
    assert preferences.height == month.truth["plants"]["preferences"]["events"] == 400  # 2 % of 20,000
    answers = month.interactions.select("id", "prompt", "model", "tenant")
    both = preferences.join(answers, left_on="answer_id", right_on="id").join(
        answers, left_on="other_interaction_id", right_on="id", suffix="_other"
    )
    assert both.height == preferences.height
    assert (both["prompt"] == both["prompt_other"]).all()
    assert (both["model"] != both["model_other"]).all()
    assert set(both["preference"]) == {"this", "other", "tie"}


def test_corrections_are_written_by_askers_of_bad_answers(month):
    corrections = month.events.filter(pl.col("kind") == "correction")
    assert corrections["correction"].null_count() == 0
    answers = month.interactions.join(month.labels.select(id="interaction_id", good="good"), on="id")
    both = corrections.join(answers, left_on="answer_id", right_on="id", suffix="_asker")
    assert not both["good"].any()
    assert (both["user_key"] == both["user_key_asker"]).all()
    assert (both["correction"] != both["output"]).mean() > 0.9


def test_true_approval_is_what_the_labels_say_and_observed_approval_is_lower(month):
    approval = month.truth["approval"]["everything"]["all"]
    delivered = month.labels.join(month.interactions.select(interaction_id="id"), on="interaction_id")
    assert delivered["good"].mean() == pytest.approx(approval["good_share"], abs=1e-6)
    for model, level in month.truth["approval"]["model"].items():
        rows = delivered.filter(pl.col("model") == model)
        assert rows.height == level["answers"]
        assert rows["good"].mean() == pytest.approx(level["good_share"], abs=1e-6)
    # Dissatisfied people vote more, so that votes understate quality.
    assert approval["ups"] / (approval["ups"] + approval["downs"]) < approval["true_approval"]
    response = {model: level["response_rate"] for model, level in month.truth["approval"]["model"].items()}
    assert response["delta-instruct"] > response["borealis-mini"] + 0.1


def test_one_tenant_and_some_people_refuse_training_or_use(month):
    policies = month.truth["policies"]
    assert set(month.interactions["tenant"]) == set(policies["tenants"])
    assert [name for name, policy in policies["tenants"].items() if not policy["use_for_training"]] == ["initech"]
    theirs = month.events.filter(pl.col("user_key").is_in(policies["opted_out"]))
    assert theirs.height == month.truth["plants"]["opted_out"]["events"] > 0
