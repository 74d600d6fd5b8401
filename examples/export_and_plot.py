"""Export the team's votes over HTTP to CSV, and draw their approval by day as an SVG."""

import os
import sys
import tempfile
from pathlib import Path

import httpx
import pandas as pd

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
headers = {"Authorization": f"Bearer {os.environ['FEEDBACK_API_KEY']}"}
votes: list[dict[str, object]] = []
cursor: str | None = None
while True:
    wanted = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
    page = httpx.get(f"{os.environ['FEEDBACK_API_URL']}/v1/feedback", params=wanted, headers=headers).raise_for_status()
    votes += page.json()["items"]
    cursor = page.json()["next_cursor"]
    if cursor is None:
        break
frame = pd.DataFrame(votes)
frame.to_csv(folder / "votes.csv", index=False)
days = frame.assign(day=frame["created_at"].str[:10], up=frame["rating"].isin([1, True, "up"]))
approval = days.groupby("day")["up"].mean()
bars = "".join(
    f'<rect x="{20 * n}" y="{100 - 100 * share:.0f}" width="16" height="{100 * share:.0f}" fill="#2563eb"><title>'
    f"{day}: {share:.0%}</title></rect>"
    for n, (day, share) in enumerate(approval.items())
)
(folder / "approval.svg").write_text(
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {20 * max(1, len(approval))} 100">{bars}</svg>'
)
print(len(votes), "votes in", folder / "votes.csv", "and", folder / "approval.svg")
