"""The audit in a labelling tool: what people are to judge as its tasks, and what they said there as labels.

Tasks show the request and the answer and nothing else: no votes, no judge's verdict, nobody's name. The answer's id
goes along and comes back.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from feedback_pipeline.judging.audit import AUDIT_VERDICTS

Tool = Literal["label-studio", "argilla"]
CHOICE = "verdict"
LABEL_CONFIG = f"""<View>
  <Header value="Asked"/><Text name="prompt" value="$prompt"/>
  <Header value="Answered"/><Text name="answer" value="$answer"/>
  <Header value="{{question}}"/>
  <Choices name="{CHOICE}" toName="answer" choice="single" required="true">
    {" ".join(f'<Choice value="{verdict}"/>' for verdict in AUDIT_VERDICTS)}
  </Choices>
</View>
"""
"""Label Studio's labelling interface; `{question}` is the criterion's."""


class TaskLabel(NamedTuple):
    """What one person said of one answer."""

    interaction_id: str
    auditor: str
    verdict: str


def tasks(texts: Iterable[tuple[str, str, str]], tool: Tool) -> list[dict[str, Any]]:
    """Answers (id, prompt, answer: redacted) as a tool's tasks."""
    if tool == "argilla":
        return [
            {"id": identity, "fields": {"prompt": prompt, "answer": answer}, "metadata": {}}
            for identity, prompt, answer in texts
        ]
    return [
        {"data": {"interaction_id": identity, "prompt": prompt, "answer": answer}} for identity, prompt, answer in texts
    ]


def labels_of(document: Any) -> Iterator[TaskLabel]:
    """The labels in an export of Label Studio (JSON), or in Argilla's records; skipped tasks say nothing.

    Raises:
        ValueError: it is neither, or a verdict is none of those that were offered; the message quotes nothing.
    """
    if not isinstance(document, list) or not all(isinstance(one, dict) for one in document):
        raise ValueError("expected the JSON export of Label Studio, or Argilla's records: an array of objects")
    for number, one in enumerate(document, 1):
        found = _argilla(one) if "fields" in one else _label_studio(one)
        for identity, auditor, verdict in found:
            if not isinstance(identity, str) or verdict not in AUDIT_VERDICTS:
                raise ValueError(f"task {number}: no answer's id, or a verdict other than {', '.join(AUDIT_VERDICTS)}")
            yield TaskLabel(identity, auditor, verdict)


def _label_studio(task: dict[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    data = task.get("data") if isinstance(task.get("data"), dict) else {}
    assert isinstance(data, dict)
    for annotation in task.get("annotations") or []:
        if annotation.get("was_cancelled"):
            continue
        who = annotation.get("completed_by")
        who = who.get("id") if isinstance(who, dict) else who
        for result in annotation.get("result") or []:
            if result.get("from_name") == CHOICE:
                choices = (result.get("value") or {}).get("choices") or [None]
                yield data.get("interaction_id"), f"label-studio:{who}", choices[0]


def _argilla(record: dict[str, Any]) -> Iterator[tuple[Any, str, Any]]:
    responses = record.get("responses")
    given = responses.get(CHOICE) if isinstance(responses, dict) else None
    for response in given or []:
        if response.get("status") in (None, "submitted"):
            yield record.get("id"), f"argilla:{response.get('user_id')}", response.get("value")
