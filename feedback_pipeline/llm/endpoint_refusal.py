"""What makes every further call to an endpoint pointless. Its message is ours alone: codes, no text."""


class EndpointRefusedError(RuntimeError):
    """The endpoint will answer no call of this run: what was judged before is in the cache, nothing else counts."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(f"the endpoint refuses calls: {reason}" + (f" (HTTP {status})" if status else ""))
        self.reason = reason
        self.status = status
