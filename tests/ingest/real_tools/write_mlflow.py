"""Run by MLflow's own Python: traces with people's feedback, one overridden, one deleted, a judge's, an expectation."""

import sys

import mlflow
from mlflow.entities import AssessmentSource

mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("shop")


@mlflow.trace(span_type="CHAT_MODEL")
def answer(messages):
    text = "At nine." if "open" in messages[-1]["content"] else "In the box."
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


@mlflow.trace
def ask(question):
    mlflow.update_current_trace(metadata={"mlflow.trace.user": "anna", "mlflow.trace.session": "s-1"})
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return answer(messages)["choices"][0]["message"]["content"]


def person(who):
    return AssessmentSource(source_type="HUMAN", source_id=who)


ids = []
for question in ("When do you open?", "Where is my key?", "Do you open on Sunday?"):
    ask(question)
    ids.append(mlflow.get_last_active_trace_id())
mlflow.flush_trace_async_logging()
mlflow.log_feedback(trace_id=ids[0], name="helpful", value=True, source=person("anna"), rationale="Right.")
first = mlflow.log_feedback(trace_id=ids[1], name="helpful", value=True, source=person("bo"))
mlflow.override_feedback(trace_id=ids[1], assessment_id=first.assessment_id, value=False, source=person("bo"))
judge = AssessmentSource(source_type="LLM_JUDGE", source_id="judge-1")
mlflow.log_feedback(trace_id=ids[1], name="quality", value=0.9, source=judge)
mlflow.log_expectation(trace_id=ids[1], name="expected_response", value='On the "top" shelf.', source=person("cy"))
gone = mlflow.log_feedback(trace_id=ids[2], name="helpful", value=False, source=person("di"))
mlflow.delete_assessment(trace_id=ids[2], assessment_id=gone.assessment_id)
mlflow.log_feedback(trace_id=ids[2], name="helpful", value="yes", source=person("ed"))
print(mlflow.__version__)
