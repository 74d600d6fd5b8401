"""Your own questions, in SQL over the store's views and in pandas over what they give."""

import os

import pandas as pd
import psycopg

QUESTION = """
SELECT model, count(*) AS votes, avg(thumb::int) AS approval
FROM current_feedback WHERE thumb IS NOT NULL GROUP BY model ORDER BY votes DESC
"""

with psycopg.connect(os.environ["FEEDBACK_DATABASE_URL"]) as connection:
    cursor = connection.execute(QUESTION)
    print(pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description]))
    accuracy = connection.execute("SELECT * FROM model_accuracy_by_intent").fetchall()
    print("accuracy by model and intent:", len(accuracy), "rows")
    rows = connection.execute("SELECT day, thumb FROM current_feedback WHERE thumb IS NOT NULL").fetchall()
by_day = pd.DataFrame(rows, columns=["day", "thumb"]).groupby("day")["thumb"].agg(["count", "mean"])
print(by_day)
