"""The views for people who query SQL: the designs' queries run as written, each tenant for itself."""

import psycopg
import pytest

from feedback_pipeline.store import bulk
from feedback_pipeline.store.bulk import Batch
from feedback_pipeline.store.database import Database
from tests.support.store_rows import answers, votes

BEST_ACTIONS = """
    SELECT action_type, COUNT(*) AS total_feedback,
           SUM(CASE WHEN feedback = 'up' THEN 1 ELSE 0 END) AS thumbs_up,
           ROUND(100.0 * SUM(CASE WHEN feedback = 'up' THEN 1 ELSE 0 END) / COUNT(*), 1) AS approval_rate
    FROM feedback_votes GROUP BY action_type ORDER BY approval_rate DESC"""
DAILY_TREND = """
    SELECT DATE(created_at) AS date, COUNT(*) AS total,
           SUM(CASE WHEN feedback = 'up' THEN 1 ELSE 0 END) AS positive
    FROM feedback_votes WHERE created_at > timestamp '2026-01-01' GROUP BY DATE(created_at) ORDER BY date"""
FAILURES = """
    SELECT user_message, assistant_response, action_type, COUNT(*) AS frequency
    FROM feedback_votes WHERE feedback = 'down'
    GROUP BY user_message, assistant_response, action_type HAVING COUNT(*) > 2 ORDER BY frequency DESC LIMIT 20"""


@pytest.fixture
def filled(database: Database) -> Database:
    given = answers(
        {"name": "a", "action_type": "todo", "intent": "code"},
        {"name": "b", "action_type": "mail", "intent": "chat"},
        {"name": "c", "tenant": "other", "intent": "code"},
    )
    cast = [{"name": f"down {n}", "on": "b", "user_key": f"u{n}", "thumb": False} for n in range(3)]
    cast += [{"name": "up", "on": "a", "user_key": "u"}]
    bulk.file_batch(database, Batch(interactions=given, feedback=votes(*cast)))
    return database


def test_the_three_queries_of_the_design_run_as_written(filled: Database) -> None:  # D3
    with psycopg.connect(filled.url) as connection:
        assert connection.execute(BEST_ACTIONS).fetchall() == [("todo", 1, 1, 100), ("mail", 3, 0, 0)]
        assert [row[1:] for row in connection.execute(DAILY_TREND).fetchall()] == [(4, 1)]
        assert connection.execute(FAILURES).fetchall() == [("How do I cancel?", "In the settings.", "mail", 3)]


def test_accuracy_is_by_tenant_and_each_tenant_sees_its_own(filled: Database) -> None:  # B4, A3
    query = "SELECT tenant, model, intent, total, positive, accuracy FROM model_accuracy_by_intent ORDER BY intent"
    with psycopg.connect(filled.url) as connection:
        everything = connection.execute(query).fetchall()
        assert everything == [("default", "m1", "chat", 3, 0, 0), ("default", "m1", "code", 1, 1, 100)]
        connection.execute("SET ROLE feedback_api")
        connection.execute("SELECT set_config('feedback.tenant', 'other', false)")
        assert connection.execute(query).fetchall() == []
        assert connection.execute("SELECT count(*) FROM feedback_votes").fetchall() == [(0,)]
        connection.execute("SELECT set_config('feedback.tenant', 'default', false)")
        assert connection.execute("SELECT count(*) FROM feedback_votes").fetchall() == [(4,)]
