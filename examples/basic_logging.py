"""Log every answer of an application, whether or not anybody votes on it.

FEEDBACK_API_URL=http://127.0.0.1:8787 FEEDBACK_API_KEY=fbk_… python examples/basic_logging.py
"""

from feedback_client import default_client, log_llm_request
from model import answer

PROMPT = "You help customers. Be friendly."


@log_llm_request(prompt_version="v1")
def reply(question: str, request_id: str, user_id: str) -> str:
    """What the application answers; the decorator keeps question, answer, time and version."""
    return answer(PROMPT, question)


for number in range(3):
    print(reply(f"How do I change my address? ({number})", request_id=f"logged-{number}", user_id="ada"))
default_client().flush()
print("logged", default_client().metrics["delivered"], "answers")
