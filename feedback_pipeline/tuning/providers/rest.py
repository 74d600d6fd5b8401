"""HTTP to providers with an API of their own: JSON in and out, errors as codes, never their words."""

from typing import Any

import httpx2

from feedback_pipeline.tuning.providers.protocol import CREATE, ProviderError, says_not_ready

SECONDS = 60.0


class Rest:
    """Calls of one provider's API. Nothing is retried: whoever calls knows what may be done twice.

    Args:
        provider: its name, for errors.
        url: what paths are added to.
        key: bearer token.
    """

    def __init__(self, provider: str, url: str, key: str) -> None:
        self._provider = provider
        self._client = httpx2.Client(
            base_url=url.rstrip("/"), headers={"authorization": f"Bearer {key}"}, timeout=SECONDS
        )

    def call(self, act: str, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The answer's JSON object; an empty one where it has none.

        Raises:
            ProviderError: the provider could not be reached, or answered with an error.
        """
        answer = self.response(act, method, path, **options)
        try:
            found = answer.json() if answer.content else {}
        except ValueError:
            raise ProviderError(self._provider, act, "an answer that is not JSON") from None
        return found if isinstance(found, dict) else {"data": found}

    def response(self, act: str, method: str, path: str, **options: Any) -> httpx2.Response:
        """The answer itself: for those whose headers count."""
        try:
            answer = self._client.request(method, path, **options)
        except httpx2.HTTPError as error:
            raise ProviderError(self._provider, act, type(error).__name__) from None
        if answer.status_code >= 400:
            code, words = _error(answer)
            text = f"{answer.status_code}" + (f" {code}" if code else "")
            not_yet = act == CREATE and answer.status_code in (400, 404, 409, 412, 425) and says_not_ready(words)
            raise ProviderError(self._provider, act, text, not_yet=not_yet)
        return answer

    def exists(self, act: str, path: str, **options: Any) -> dict[str, Any] | None:
        """What is there; None where the provider knows no such thing."""
        try:
            return self.call(act, "GET", path, **options)
        except ProviderError as error:
            if error.code.startswith("404"):
                return None
            raise


def _error(answer: httpx2.Response) -> tuple[str | None, str]:
    """The provider's code, and its words: they are looked at and not kept."""
    try:
        found = answer.json()
    except ValueError:
        return None, ""
    error = found.get("error", found) if isinstance(found, dict) else {}
    if not isinstance(error, dict):
        return None, str(error)
    code = next((error[name] for name in ("code", "status", "type") if isinstance(error.get(name), str)), None)
    return code, str(error.get("message", ""))


def rows(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects listed under a name."""
    return [row for row in answer.get(name) or () if isinstance(row, dict)]
