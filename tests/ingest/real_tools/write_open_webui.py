"""Run by Open WebUI's own Python, with its server up: what its page sends when people rate answers."""

import sys
import time

import httpx

url = sys.argv[1]
client = httpx.Client(base_url=url, timeout=60)
person = {"name": "Ann", "email": "ann@example.org", "password": "a-long-password"}
signed = client.post("/api/v1/auths/signup", json=person)
signed.raise_for_status()
token = signed.json()["token"]
client.headers["Authorization"] = f"Bearer {token}"
now = int(time.time())
messages = {
    "u1": {"id": "u1", "parentId": None, "childrenIds": ["a1", "a2"], "role": "user", "content": "When do you open?"},
    "a1": {"id": "a1", "parentId": "u1", "childrenIds": ["u2"], "role": "assistant", "content": "At nine."},
    "a2": {"id": "a2", "parentId": "u1", "childrenIds": [], "role": "assistant", "content": "Never."},
    "u2": {"id": "u2", "parentId": "a1", "childrenIds": ["a3"], "role": "user", "content": "And on Sunday?"},
    "a3": {"id": "a3", "parentId": "u2", "childrenIds": [], "role": "assistant", "content": "At ten."},
}
for name, message in messages.items():
    message |= {"timestamp": now, **({"model": "north-7b", "done": True} if name.startswith("a") else {})}
history = {"messages": messages, "currentId": "a3"}
made = client.post("/api/v1/chats/new", json={"chat": {"title": "Hours", "models": ["north-7b"], "history": history}})
made.raise_for_status()
chat = made.json()


def rate(message, rating, **said):
    body = {
        "type": "rating",
        "data": {"rating": rating, "model_id": "north-7b", **said},
        "meta": {"chat_id": chat["id"], "message_id": message, "message_index": 1, "arena": False},
        "snapshot": {"chat": chat},
    }
    answer = client.post("/api/v1/evaluations/feedback", json=body)
    answer.raise_for_status()
    return answer.json()["id"]


rate("a1", 1, comment="Right.", reason="accurate_information", details={"rating": 8})
rate("a2", -1)
changed = rate("a3", 1)
body = {"type": "rating", "data": {"rating": -1, "model_id": "north-7b"},
        "meta": {"chat_id": chat["id"], "message_id": "a3"}, "snapshot": {"chat": chat}}  # fmt: skip
client.post(f"/api/v1/evaluations/feedback/{changed}", json=body).raise_for_status()
print(token, client.get("/api/version").json()["version"])
