"""Whether somebody is asked about an answer: by chance alone, once a session at most; the probability is kept."""

import random
from typing import Literal

from feedback_pipeline.capture.service import Service
from feedback_pipeline.capture.votes import Person


async def asks(
    service: Service, tenant: str, person: Person, kind: Literal["request", "content"], value: str
) -> tuple[bool, float]:
    """Whether to ask this person about this answer, and with which probability that was drawn; the same whenever it is
    asked for again.

    Args:
        kind: what `value` is: the request's id, or the name of content on a page.
    """
    share = service.settings.capture.ask_share
    unit, voter = person.session_key or person.user_key, person.voter
    if share <= 0 or unit is None or voter is None:
        return False, 0.0
    rows = await service.store.fetch(tenant, "decide_ask", tenant, kind, value, unit, voter, random.random(), share)
    return rows[0]["asked"], rows[0]["probability"]
