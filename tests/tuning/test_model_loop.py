"""From an approved dataset to a model that answers, and back: nothing twice, nothing without a person."""

import datetime as dt
import hashlib
from dataclasses import replace
from pathlib import Path

import polars as pl
import psycopg
import pytest

from feedback_pipeline.pipeline import Pipeline
from feedback_pipeline.store.database import Database
from feedback_pipeline.tuning import approvals, registry, tuning
from feedback_pipeline.tuning.configured import open_provider
from feedback_pipeline.tuning.evaluation import Evaluation, evaluate, evaluation_prompts
from feedback_pipeline.tuning.following import follow
from feedback_pipeline.tuning.registry import PromotionRefusedError
from feedback_pipeline.tuning.runs import Ledger
from tests.support.provider_server import DECLINED, ProviderServer, sensible
from tests.support.tuning_world import BASE, NOW, PROMPTS, TUNED, WEEK, pipeline_for, training_examples, with_dataset


def trained(pipeline: Pipeline) -> registry.Model:
    """A run taken to its end."""
    run, considered = tuning.start(pipeline)
    assert run is not None, considered.refusals
    tuning.submit(pipeline, run, open_provider(pipeline.settings))
    for _ in range(4):
        follow(pipeline)
    return registry.model_named(pipeline.database, TUNED)


def evaluated(pipeline: Pipeline, model: registry.Model, prompts: pl.DataFrame | None = None) -> Evaluation:
    answering = registry.current_model(pipeline.database)
    current = answering.model if answering else BASE
    asked = evaluation_prompts(training_examples(WEEK, 600), "supervised") if prompts is None else prompts
    found = evaluate(pipeline.settings, pipeline.database, WEEK, model, current, asked)
    registry.record_evaluation(
        pipeline.database, model.name, current, found.content_hash, passed=found.passed,
        detail=found.rows().to_dicts(), now=pipeline.now(),
    )  # fmt: skip
    return found


def approve(pipeline: Pipeline, evaluation: str) -> None:
    approvals.record(pipeline, approvals.model_subject(TUNED), evaluation, "approved", approver="ada", reason="good")


def test_a_dataset_becomes_a_model_that_answers_and_a_rollback_goes_back(
    tuned: Pipeline, provider: ProviderServer
) -> None:
    model = trained(tuned)
    assert (model.state, model.base, model.week) == ("candidate", BASE, WEEK)
    assert model.shutdown_date is None  # this provider's end dates are not published, and it tells none
    found = evaluated(tuned, model)
    assert found.passed, [one for one in found.verdicts if not one.passed]
    with pytest.raises(PromotionRefusedError, match="nobody approved"):
        registry.promote(tuned, TUNED)
    approve(tuned, found.content_hash)
    assert registry.promote(tuned, TUNED).model == TUNED
    assert registry.promote(tuned, TUNED).previous == BASE  # again: nothing happens
    assert [event["event"] for event in registry.history(tuned.database)] == ["promoted"]

    back = registry.roll_back(tuned, person="grace", reason="approval fell")
    assert (back.model, back.previous) == (BASE, None)
    assert registry.model_named(tuned.database, TUNED).state == "retired"
    with pytest.raises(PromotionRefusedError, match="nobody approved"):  # the rollback revoked it
        registry.promote(tuned, TUNED)
    with pytest.raises(PromotionRefusedError, match="nothing to go back to"):
        registry.roll_back(tuned, person="grace", reason="again")

    [run] = Ledger(tuned.database).runs()
    states = [line["state"] for line in Ledger(tuned.database).history(run.entry.key)]
    assert states[:5] == ["planned", "uploading", "uploaded", "creating", "following"]
    assert states[-1] == "succeeded"
    assert (provider.posts("/v1/files"), provider.posts("/v1/fine_tuning/jobs")) == (2, 1)
    assert run.charged_usd == pytest.approx(1234 * 5 / 1_000_000)  # 1234 tokens billed at 5 USD a million


def test_an_evaluation_measures_what_the_gate_asks_for(tuned: Pipeline, provider: ProviderServer) -> None:
    found = evaluated(tuned, trained(tuned))
    by_name = {one.measure.name: one for one in found.verdicts}
    # all won in both orders; Wilson's lower end of 35 of 35 is 35 / (35 + 1.96²) = 0.901
    assert by_name["win_rate/held_out"].measure.n == PROMPTS
    assert by_name["win_rate/regression"].measure.low == pytest.approx(0.901 - 0.5, abs=0.001)
    assert by_name["probe/safety"].measure.candidate == 1.0
    assert all(one.passed for one in found.verdicts)
    assert found.rows().height == len(found.verdicts)


def test_a_candidate_that_answers_anything_is_not_safe(tuned: Pipeline, provider: ProviderServer) -> None:
    model = trained(tuned)
    provider.handler.speak = staticmethod(
        lambda model, question: f"Sure (better) {question}" if model.startswith("ft:") else sensible(model, question)
    )
    found = evaluated(tuned, model)
    assert not found.passed
    assert "probe/safety" in {one.measure.name for one in found.verdicts if not one.passed}
    approve(tuned, found.content_hash)
    with pytest.raises(PromotionRefusedError, match="did not pass the gate"):
        registry.promote(tuned, TUNED)


def test_a_candidate_that_declines_everything_or_repeats_addresses_is_refused(
    tuned: Pipeline, provider: ProviderServer
) -> None:
    model = trained(tuned)
    for said, measure in ((DECLINED, "probe/helpfulness"), ("(better) ask ada@realmail.org", "answers/personal_data")):
        provider.handler.speak = staticmethod(
            lambda model, question, said=said: said if model.startswith("ft:") else sensible(model, question)
        )
        assert measure in {one.measure.name for one in evaluated(tuned, model).verdicts if not one.passed}


def test_a_worse_candidate_is_not_promoted(tuned: Pipeline, provider: ProviderServer) -> None:
    model = trained(tuned)
    provider.handler.speak = staticmethod(
        lambda model, question: sensible("plain" if model.startswith("ft:") else "ft:", question)
    )
    failed = {one.measure.name for one in evaluated(tuned, model).verdicts if not one.passed}
    assert {"win_rate/held_out", "win_rate/regression", "improvement"} <= failed


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"FEEDBACK_JUDGE_MODEL": ""}, "no judging model is configured"),
        ({"FEEDBACK_TUNING_PROVIDER": "dry_run"}, "a dry run trains nothing that could answer"),
        ({"FEEDBACK_JUDGE_BASE_URL": "https://models.invalid/v1"}, "no price is known for"),
    ],
)
def test_what_cannot_be_evaluated_says_why_and_passes_nothing(
    tuned: Pipeline, provider: ProviderServer, tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    model = trained(tuned)
    other = pipeline_for(tmp_path / "home", tuned.database, provider.url, **environment)
    found = evaluated(other, model)
    assert not found.passed
    assert any(said in reason for reason in found.rows()["reason"].drop_nulls())


def test_a_judge_that_errs_moves_the_rate_away_from_one_half_and_widens_its_interval(
    tuned: Pipeline, provider: ProviderServer
) -> None:
    model = trained(tuned)
    provider.handler.speak = staticmethod(
        lambda model, question: sensible(
            model if hashlib.sha256(question.encode()).digest()[0] % 3 else "plain", question
        )
    )
    asked = evaluation_prompts(training_examples(WEEK, 600), "supervised")
    raw, corrected = (
        {one.measure.name: one.measure for one in evaluate(
            tuned.settings, tuned.database, WEEK, model, BASE, asked, agreement).verdicts}["win_rate/held_out"]
        for agreement in (None, 0.9)
    )  # fmt: skip
    assert None not in (raw.difference, raw.low, corrected.difference, corrected.low)
    assert 0.2 < raw.difference < 0.45
    # Rogan and Gladen's correction divides the distance from one half by 2 × 0.9 − 1
    assert corrected.difference == pytest.approx(raw.difference / 0.8)
    assert corrected.low == pytest.approx(raw.low / 0.8)
    assert "agrees with people in 90%" in (corrected.reason or "")


def test_few_prompts_prove_nothing(tuned: Pipeline, provider: ProviderServer) -> None:
    prompts = evaluation_prompts(training_examples(WEEK, 600), "supervised").group_by("suite").head(9)
    assert not evaluated(tuned, trained(tuned), prompts).passed


def test_prompts_that_were_trained_on_measure_nothing() -> None:
    examples = training_examples(WEEK, 600)
    twin = pl.col("cluster").replace({600: 0})  # a held-out prompt that nearly repeats one of train
    asked = evaluation_prompts(examples.with_columns(cluster=twin), "supervised")
    assert "row00600" not in asked["prompt_id"]
    assert dict(asked.group_by("suite").len().sort("suite").iter_rows()) == {
        "held_out": PROMPTS - 1,
        "regression": PROMPTS,
    }
    # a preference run saw the rejected answers of train
    assert evaluation_prompts(examples, "preference").filter(pl.col("suite") == "regression").is_empty()


def test_an_approval_of_another_evaluation_does_not_count(tuned: Pipeline, provider: ProviderServer) -> None:
    model = trained(tuned)
    first = evaluated(tuned, model)
    approve(tuned, first.content_hash)
    later = Pipeline(tuned.settings, NOW + dt.timedelta(hours=1))
    provider.handler.speak = staticmethod(lambda model, question: sensible(model, question) + " and more")
    again = evaluated(later, model)
    assert again.content_hash != first.content_hash
    with pytest.raises(PromotionRefusedError, match="another evaluation"):
        registry.promote(later, TUNED)


def test_a_model_compared_with_another_model_is_evaluated_again(tuned: Pipeline, provider: ProviderServer) -> None:
    model = trained(tuned)
    found = evaluated(tuned, model)
    approve(tuned, found.content_hash)
    with psycopg.connect(tuned.database.address()) as connection:
        connection.execute("INSERT INTO model (name, state) VALUES ('other', 'promoted')")
        connection.execute("INSERT INTO model_alias VALUES ('production', 'other', NULL, now())")
    with pytest.raises(PromotionRefusedError, match=r"compared with gpt-4\.1-mini, but other answers now"):
        registry.promote(tuned, TUNED)


def test_an_erasure_stops_a_promotion(tuned: Pipeline, provider: ProviderServer) -> None:
    model = trained(tuned)
    approve(tuned, evaluated(tuned, model).content_hash)
    with psycopg.connect(tuned.database.address()) as connection:
        connection.execute("UPDATE model SET tainted_share = 0.02, state = 'tainted' WHERE name = %s", (TUNED,))
    with pytest.raises(PromotionRefusedError, match=r"2\.0% of what it was trained on has been erased"):
        registry.promote(tuned, TUNED)


def test_a_model_that_ends_stops_answering_in_time(tuned: Pipeline, provider: ProviderServer) -> None:
    provider.state.models[TUNED] = "2026-12-24"
    model = trained(tuned)
    assert model.shutdown_date == dt.date(2026, 12, 24)
    approve(tuned, evaluated(tuned, model).content_hash)
    registry.promote(tuned, TUNED)
    assert "in 33 days" in registry.expiry_warnings(tuned.database, NOW.date())[0]
    assert registry.expire(tuned) is None
    on_the_day = Pipeline(tuned.settings, dt.datetime(2026, 12, 24, 1, tzinfo=dt.UTC))
    changed = registry.expire(on_the_day)
    assert changed is not None
    assert changed.model == BASE
    assert registry.expire(on_the_day) is None
    with pytest.raises(PromotionRefusedError, match="it ended on 2026-12-24"):
        registry.promote(on_the_day, TUNED)


def test_a_dry_run_goes_through_the_ledger_and_makes_no_model(database: Database, tmp_path: Path) -> None:
    pipeline = pipeline_for(tmp_path / "home", database)
    with_dataset(pipeline)
    run, considered = tuning.start(pipeline, asked=True)
    assert run is not None, considered.refusals
    run = tuning.submit(pipeline, run, open_provider(pipeline.settings))
    [followed] = follow(pipeline)
    assert followed.run.entry.state == "not_run"
    assert registry.models(database) == []
    assert Ledger(database).spent_usd(NOW.replace(day=1)) == 0.0


def test_approvals_are_append_only_signed_and_chained(tuned: Pipeline) -> None:
    approvals.record(tuned, approvals.DATASET, "x", "approved", approver="ada")
    assert [one.decision for one in approvals.approvals(tuned)] == ["approved", "approved"]
    with psycopg.connect(tuned.database.address()) as connection:
        with pytest.raises(psycopg.errors.RaiseException), connection.transaction():
            connection.execute("UPDATE approval SET approver = 'eve'")
        with pytest.raises(psycopg.errors.RaiseException), connection.transaction():
            connection.execute("DELETE FROM approval")
        connection.execute(
            "INSERT INTO approval (subject, content_hash, decision, approver, signature)"
            " SELECT subject, 'forged', decision, approver, signature FROM approval ORDER BY id DESC LIMIT 1"
        )
    with pytest.raises(approvals.ApprovalsTamperedError, match="was not signed"):
        approvals.approved_hash(tuned, approvals.DATASET)
    with pytest.raises(approvals.ApprovalsTamperedError):
        tuning.start(tuned)


def test_a_signature_of_another_installation_is_not_ours(tuned: Pipeline, tmp_path: Path) -> None:
    home = tmp_path / "other"
    moved = Pipeline(replace(tuned.settings, home=home), NOW)
    with pytest.raises(approvals.ApprovalsTamperedError):
        approvals.approved_hash(moved, approvals.DATASET)
