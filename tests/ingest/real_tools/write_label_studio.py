"""Run by Label Studio's own Python, with its server up: tasks with people's annotations, one skipped; a pair."""

import sys

import httpx
from label_studio_sdk import LabelStudio

url, legacy = sys.argv[1:]
client = LabelStudio(base_url=url, api_key=legacy)
config = """<View><Text name="prompt" value="$prompt"/><Text name="answer" value="$answer"/>
<Choices name="helpful" toName="answer"><Choice value="Good"/><Choice value="Bad"/></Choices>
<Rating name="stars" toName="answer" maxRating="5"/><TextArea name="note" toName="answer"/></View>"""
project = client.projects.create(title="Answers", label_config=config)


def result(kind, name, value):
    return {"from_name": name, "to_name": "answer", "type": kind, "value": value}


for number, (prompt, answer) in enumerate([("When do you open?", "At nine."), ("Where is my key?", "In the box.")]):
    task = client.tasks.create(project=project.id, data={"prompt": prompt, "answer": answer, "model": "north-7b"})
    said = [result("choices", "helpful", {"choices": ["Bad" if number else "Good"]})]
    if not number:
        said += [result("rating", "stars", {"rating": 4}), result("textarea", "note", {"text": ["Right."]})]
    client.annotations.create(id=task.id, result=said, was_cancelled=False)
skipped = client.tasks.create(project=project.id, data={"prompt": "Do you open on Sunday?", "answer": "At nine."})
client.annotations.create(id=skipped.id, result=[], was_cancelled=True)
config = """<View><Pairwise name="pw" toName="a,b"/>
<Text name="a" value="$answer1"/><Text name="b" value="$answer2"/></View>"""
pairs = client.projects.create(title="Pairs", label_config=config)
task = client.tasks.create(
    project=pairs.id, data={"prompt": "Name a shelf.", "answer1": "The top one.", "answer2": "No idea."}
)
chosen = {"from_name": "pw", "to_name": "a,b", "type": "pairwise", "value": {"selected": "left"}}
client.annotations.create(id=task.id, result=[chosen], was_cancelled=False)
made = httpx.post(f"{url}/api/token/", headers={"Authorization": f"Token {legacy}"})
made.raise_for_status()
version = client.versions.get().label_studio_os_package["version"]
print(project.id, pairs.id, made.json()["token"], version)
