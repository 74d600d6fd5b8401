"""Collect each kind of feedback: thumbs, stars, a comment, what people do, outcomes, corrections, preferences."""

from feedback_client import collect_explicit_feedback, default_client, insert_feedback

client = default_client()
client.log({"request_id": "asked-1", "prompt": "How do I cancel?", "output": "In the settings.", "user_id": "ada"})
client.flush()

print("thumb      ", collect_explicit_feedback("asked-1", "down", comment="which settings?", user_id="ada"))
print("stars      ", collect_explicit_feedback("asked-1", 2, user_id="ben"))
print("outcome    ", insert_feedback("c-1", 1, "asked-1", None, None, "v1", "m", "outcome", {"task_succeeded": False}))
print("correction ", client.send({"kind": "correction", "correction": "Settings, Plan, Cancel.", "user_id": "ada",
                                  "request_id": "asked-1"}))  # fmt: skip
client.signal("asked-1", "copy", user_id="cleo")
client.flush()
print("implicit    copy, in the background:", client.metrics)
