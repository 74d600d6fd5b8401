"""What other people's tools write, in their own formats: made for these tests, a few rows each."""

import json
import sqlite3
from pathlib import Path
from typing import Any

DAY = "2026-11-12"


def open_webui() -> list[dict[str, Any]]:
    """Two ratings on siblings of one conversation, one on a follow-up, and a rating that was taken back."""
    messages = {
        "u1": {
            "id": "u1",
            "parentId": None,
            "childrenIds": ["a1", "a2"],
            "role": "user",
            "content": "Why is the sky blue?",
            "timestamp": 1_762_940_000,
        },
        "a1": {
            "id": "a1",
            "parentId": "u1",
            "childrenIds": ["u2"],
            "role": "assistant",
            "content": "Rayleigh scattering.",
            "model": "north-7b",
        },
        "a2": {
            "id": "a2",
            "parentId": "u1",
            "childrenIds": [],
            "role": "assistant",
            "content": "Because of the sea.",
            "model": "south-7b",
        },
        "u2": {"id": "u2", "parentId": "a1", "childrenIds": ["a3"], "role": "user", "content": "And at dusk?"},
        "a3": {"id": "a3", "parentId": "u2", "childrenIds": [], "role": "assistant", "content": "The path is longer."},
    }

    def row(number: int, message: str, rating: int, **data: Any) -> dict[str, Any]:
        return {
            "id": f"0f9d6f7e-0000-4000-8000-00000000000{number}",
            "user_id": f"user-{number}",
            "version": 0,
            "type": "rating",
            "data": {"rating": rating, "model_id": "north-7b", "sibling_model_ids": None, **data},
            "meta": {"chat_id": "c1", "message_id": message, "message_index": 1, "arena": False, "tags": ["Physics"]},
            "snapshot": {
                "chat": {
                    "id": "c1",
                    "user_id": "owner",
                    "title": "Sky",
                    "chat": {
                        "title": "Sky",
                        "models": ["north-7b"],
                        "history": {"messages": messages, "currentId": "a3"},
                    },
                }
            },
            "created_at": 1_762_940_100 + number,
            "updated_at": 1_762_940_200 + number,
        }

    return [
        row(1, "a1", 1, reason="accurate_information", comment="Short and right.", details={"rating": 9}),
        row(2, "a2", -1, reason="not_factually_correct", details={"rating": 2}),
        row(3, "a3", 1),
    ]


def librechat() -> dict[str, Any]:
    """An exported conversation with two rated messages of three."""

    def message(identity: str, parent: str, text: str, minute: int, **more: Any) -> dict[str, Any]:
        return {
            "messageId": identity,
            "conversationId": "conv-1",
            "parentMessageId": parent,
            "text": text,
            "user": "66f0",
            "createdAt": f"{DAY}T09:{minute:02}:00.000Z",
            "updatedAt": f"{DAY}T09:{minute:02}:30.000Z",
            **more,
        }

    return {
        "conversationId": "conv-1",
        "endpoint": "openAI",
        "title": "Ferries",
        "exportAt": "Thu Nov 12 2026",
        "branches": True,
        "recursive": False,
        "options": {"model": "north-7b"},
        "messages": [
            message(
                "m1",
                "00000000-0000-0000-0000-000000000000",
                "When does the ferry leave?",
                1,
                isCreatedByUser=True,
                sender="User",
            ),
            message(
                "m2",
                "m1",
                "At nine.",
                2,
                isCreatedByUser=False,
                sender="GPT",
                model="north-7b",
                feedback={"rating": "thumbsUp", "tag": "accurate_reliable"},
            ),
            message("m3", "m2", "And back?", 3, isCreatedByUser=True, sender="User"),
            message(
                "m4",
                "m3",
                "",
                4,
                isCreatedByUser=False,
                sender="GPT",
                model="north-7b",
                content=[{"type": "text", "text": "There is no boat back."}],
                feedback={"rating": "thumbsDown", "tag": {"key": "inaccurate", "label": "x"}, "text": "There is one."},
            ),
            message("m5", "m3", "At five.", 5, isCreatedByUser=False, sender="GPT", model="north-7b"),
        ],
    }


def label_studio() -> list[dict[str, Any]]:
    """Two tasks; one annotation was skipped, one holds a choice, stars and a text."""

    def annotation(identity: int, who: int, results: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {
            "id": identity,
            "completed_by": who,
            "result": results,
            "was_cancelled": False,
            "ground_truth": False,
            "created_at": f"{DAY}T10:00:0{identity % 10}.123456Z",
            "updated_at": f"{DAY}T10:00:0{identity % 10}.123456Z",
            "lead_time": 4.2,
            **more,
        }

    def result(kind: str, value: dict[str, Any]) -> dict[str, Any]:
        return {"id": "r", "from_name": kind, "to_name": "text", "type": kind, "origin": "manual", "value": value}

    return [
        {
            "id": 1,
            "data": {"prompt": "Where is my invoice?", "answer": "Under Billing."},
            "predictions": [],
            "annotations": [
                annotation(
                    11,
                    3,
                    [
                        result("choices", {"choices": ["Good"]}),
                        result("rating", {"rating": 4}),
                        result("textarea", {"text": ["Clear."]}),
                    ],
                ),
                annotation(12, 4, [result("choices", {"choices": ["Bad"]})]),
            ],
        },
        {
            "id": 2,
            "data": {"prompt": "Can I pay by card?", "answer": "No."},
            "predictions": [],
            "annotations": [annotation(13, 3, [], was_cancelled=True)],
        },
    ]


def label_studio_pairs() -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "data": {"prompt": f"Name shelf {number}.", "answer1": f"Shelf {number}.", "answer2": "No idea."},
            "annotations": [
                {
                    "id": 20 + number,
                    "completed_by": {"id": 5, "email": "ann@example.org"},
                    "was_cancelled": False,
                    "created_at": f"{DAY}T11:00:00Z",
                    "updated_at": f"{DAY}T11:00:00Z",
                    "result": [
                        {
                            "type": "pairwise",
                            "from_name": "pw",
                            "to_name": "a,b",
                            "value": {"selected": "left" if number else "right"},
                        }
                    ],
                }
            ],
        }
        for number in range(2)
    ]


def arena() -> list[dict[str, Any]]:
    """Votes of each outcome, the conversations of each side beside them."""

    def said(answer: str) -> list[dict[str, str]]:
        return [{"role": "user", "content": "Write a haiku."}, {"role": "assistant", "content": answer}]

    outcomes = ("model_a", "model_b", "tie", "tie (bothbad)")
    return [
        {
            "question_id": f"q{number}",
            "model_a": "north-7b",
            "model_b": "south-7b",
            "winner": winner,
            "judge": f"arena_user_{number}",
            "conversation_a": said(f"Autumn {number}."),
            "conversation_b": said("Leaves."),
            "turn": 1,
            "anony": True,
            "language": "English",
            "tstamp": 1_762_940_000.5 + number,
        }
        for number, winner in enumerate(outcomes)
    ]


TIMED = "0192ced0-a8a4-7472-8a02-d45ad8b75a{:02x}"
"""Ids of version 7 of October 2024."""


def tensorzero() -> dict[str, list[dict[str, Any]]]:
    """Inferences, and each kind of feedback on them."""
    inferences = [
        {
            "id": TIMED.format(number),
            "function_name": "write_haiku",
            "variant_name": "initial",
            "episode_id": TIMED.format(99),
            "input": f'{{"messages":[{{"role":"user","content":[{{"type":"text","text":"A haiku on {topic}."}}]}}]}}',
            "output": f'[{{"type":"text","text":"{topic} in the rain"}}]',
            "tool_params": "",
            "inference_params": "{}",
            "processing_time_ms": 812,
            "tags": {},
        }
        for number, topic in enumerate(("moss", "stone"))
    ]
    about = TIMED.format(0)
    return {
        "inferences": inferences,
        "boolean": [
            {"id": TIMED.format(16), "target_id": about, "metric_name": "liked", "value": True, "tags": {}},
            {"id": TIMED.format(17), "target_id": TIMED.format(1), "metric_name": "liked", "value": False, "tags": {}},
        ],
        "comments": [
            {"id": TIMED.format(18), "target_id": about, "target_type": "inference", "value": "Lovely.", "tags": {}}
        ],
        "demonstrations": [
            {
                "id": TIMED.format(19),
                "inference_id": TIMED.format(1),
                "value": '[{"type":"text","text":"stone under snow"}]',
                "tags": {},
            }
        ],
    }


def langsmith() -> list[dict[str, Any]]:
    """Runs with their feedback: a person's, with a correction, and a judge's."""

    def feedback(identity: str, kind: str, score: float, **more: Any) -> dict[str, Any]:
        return {
            "id": identity,
            "run_id": "run-1",
            "key": "user_score",
            "score": score,
            "value": None,
            "comment": None,
            "correction": None,
            "created_at": f"{DAY}T12:00:00+00:00",
            "modified_at": f"{DAY}T12:00:00+00:00",
            "feedback_source": {"type": kind, "metadata": None, "user_id": "u-1"},
            **more,
        }

    return [
        {
            "id": "run-1",
            "name": "chat",
            "run_type": "llm",
            "start_time": f"{DAY}T11:59:00",
            "trace_id": "run-1",
            "session_id": "project",
            "inputs": {"question": "Is it open on Sunday?"},
            "outputs": {"output": "Yes."},
            "extra": {"metadata": {"ls_model_name": "north-7b", "session_id": "s-1"}},
            "feedback": [
                feedback("f-1", "app", 0, comment="It is closed.", correction={"output": "No."}),
                feedback("f-2", "model", 1.0),
            ],
        },
        {
            "id": "run-2",
            "name": "chat",
            "run_type": "llm",
            "start_time": f"{DAY}T11:59:30",
            "trace_id": "run-2",
            "session_id": "project",
            "inputs": {"question": "And on Monday?"},
            "outputs": {"output": "From ten."},
            "extra": {"metadata": {}},
            "feedback": [feedback("f-3", "api", 1)],
        },
    ]


def chainlit(file: Path) -> None:
    """Chainlit's database with a thread, its steps and two feedbacks."""
    with sqlite3.connect(file) as connection:
        connection.executescript(
            """
            CREATE TABLE threads (id TEXT, "createdAt" TEXT, name TEXT, "userId" TEXT, "userIdentifier" TEXT);
            CREATE TABLE steps (id TEXT, name TEXT, type TEXT, "threadId" TEXT, "parentId" TEXT, input TEXT,
                                output TEXT, "createdAt" TEXT);
            CREATE TABLE feedbacks (id TEXT, "forId" TEXT, "threadId" TEXT, value INT, comment TEXT);
            INSERT INTO threads VALUES ('t1', '2026-11-12T09:00:00Z', 'Keys', 'u1', 'anna@example.org');
            INSERT INTO steps VALUES
                ('s1', 'User', 'user_message', 't1', NULL, '', 'How do I rotate a key?', '2026-11-12T09:00:00.000Z'),
                ('s2', 'Bot', 'assistant_message', 't1', NULL, '', 'In settings.', '2026-11-12T09:00:05.000Z'),
                ('s3', 'User', 'user_message', 't1', NULL, '', 'Which tab?', '2026-11-12T09:01:00.000Z'),
                ('s4', 'Bot', 'assistant_message', 't1', NULL, '', 'The third.', '2026-11-12T09:01:05.000Z');
            INSERT INTO feedbacks VALUES ('f1', 's2', 't1', 1, NULL), ('f2', 's4', 't1', 0, 'It is the second.');
            """
        )


GRADIO = """prompt,output,flag,username,timestamp
How warm is it?,21 degrees.,Like,anna,2026-11-12 09:00:00.123456
Will it rain?,No.,Dislike,,2026-11-12 09:05:00.123456
"""


def mlflow(file: Path) -> None:
    """MLflow's tracking database: three traces; feedback, one that was overridden, a judge's, and an expectation."""

    def content(given: Any, answered: Any) -> str:
        attributes = {"mlflow.spanInputs": json.dumps(given), "mlflow.spanOutputs": json.dumps(answered)}
        return json.dumps({"name": "ask", "events": [], "status": {"code": "STATUS_CODE_OK"}, "attributes": attributes})

    with sqlite3.connect(file) as connection:
        connection.executescript(
            """
            CREATE TABLE trace_info (request_id TEXT, experiment_id INT, timestamp_ms INT, execution_time_ms INT);
            CREATE TABLE trace_request_metadata (key TEXT, value TEXT, request_id TEXT);
            CREATE TABLE spans (trace_id TEXT, span_id TEXT, parent_span_id TEXT, name TEXT, type TEXT,
                                start_time_unix_nano INT, end_time_unix_nano INT, content TEXT);
            CREATE TABLE assessments (assessment_id TEXT, trace_id TEXT, name TEXT, assessment_type TEXT, value TEXT,
                error TEXT, created_timestamp INT, last_updated_timestamp INT, source_type TEXT, source_id TEXT,
                run_id TEXT, span_id TEXT, rationale TEXT, overrides TEXT, valid BOOLEAN, assessment_metadata TEXT);
            """
        )
        asked = (
            ("When do you open?", "At nine."),
            ("Where is my key?", "In the box."),
            ("Do you open on Sunday?", "At nine."),
        )
        for number, (question, answer) in enumerate(asked, 1):
            at = 1_795_984_691_000 + number
            messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
            reply = {"choices": [{"message": {"role": "assistant", "content": answer}}]}
            connection.execute("INSERT INTO trace_info VALUES (?, 1, ?, 390)", (f"tr-{number}", at))
            connection.execute(
                "INSERT INTO trace_request_metadata VALUES ('mlflow.trace.session', 's-1', ?)", (f"tr-{number}",)
            )
            root, call = content({"question": question}, answer), content({"messages": messages}, reply)
            rows = [
                (f"tr-{number}", f"r{number}", None, "ask", "UNKNOWN", at * 10**6, at * 10**6 + 9, root),
                (f"tr-{number}", f"c{number}", f"r{number}", "answer", "CHAT_MODEL", at * 10**6, at * 10**6 + 5, call),
            ]
            connection.executemany("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        said = [
            ("a-1", "tr-1", "helpful", "feedback", "true", "HUMAN", "anna", "Right.", None, 1),
            ("a-2", "tr-2", "helpful", "feedback", "true", "HUMAN", "bo", None, None, 0),
            ("a-3", "tr-2", "helpful", "feedback", "false", "HUMAN", "bo", "It was not there.", "a-2", 1),
            ("a-4", "tr-2", "quality", "feedback", "0.9", "LLM_JUDGE", "judge-1", None, None, 1),
            (
                "a-5",
                "tr-2",
                "expected_response",
                "expectation",
                '"On the \\"top\\" shelf."',
                "HUMAN",
                "cy",
                None,
                None,
                1,
            ),
            ("a-6", "tr-3", "helpful", "feedback", '"yes"', "HUMAN", "ed", None, None, 1),
        ]
        connection.executemany(
            """
            INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value, source_type, source_id,
                rationale, overrides, valid, created_timestamp, last_updated_timestamp)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1795984693493, 1795984693493)""",
            said,
        )


def phoenix(file: Path) -> None:
    """Phoenix's database: two spans with annotations of people and one of a judge."""
    with sqlite3.connect(file) as connection:
        connection.executescript(
            """
            CREATE TABLE projects (id INT, name TEXT);
            CREATE TABLE traces (id INT, project_rowid INT, trace_id TEXT);
            CREATE TABLE users (id INT, username TEXT);
            CREATE TABLE spans (id INT, trace_rowid INT, span_id TEXT, end_time TEXT, attributes TEXT);
            CREATE TABLE span_annotations (id INT, span_rowid INT, name TEXT, label TEXT, score REAL, explanation TEXT,
                annotator_kind TEXT, updated_at TEXT, user_id INT, identifier TEXT, source TEXT);
            INSERT INTO projects VALUES (2, 'shop');
            INSERT INTO users VALUES (1, 'admin');
            INSERT INTO span_annotations VALUES
                (1, 1, 'helpful', 'thumbs-up', 1, 'Right.', 'HUMAN', '2026-11-12 20:43:34.999057', NULL, 'anna', 'API'),
                (2, 2, 'helpful', NULL, 0, NULL, 'HUMAN', '2026-11-12 20:43:35.075025', 1, '', 'APP'),
                (3, 2, 'correctness', 'correct', 0.9, NULL, 'LLM', '2026-11-12 20:43:35.162454', NULL, 'j', 'API');
            """
        )
        for number, (question, answer) in enumerate((("When do you open?", "At nine."), ("Where is it?", "There.")), 1):
            messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
            attributes = {
                "user": {"id": "anna"}, "session": {"id": "s-1"}, "input": {"value": question},
                "output": {"value": answer},
                "llm": {"model_name": "north-7b", "token_count": {"prompt": 12, "completion": 3},
                        "input_messages": [{"message": message} for message in messages],
                        "output_messages": [{"message": {"role": "assistant", "content": answer}}]},
            }  # fmt: skip
            connection.execute("INSERT INTO traces VALUES (?, 2, ?)", (number, f"{number:032x}"))
            row = (number, number, f"{number:016x}", "2026-11-12 20:38:32.227362", json.dumps(attributes))
            connection.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?)", row)
