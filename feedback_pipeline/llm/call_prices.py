"""What a model call costs, from a dated file of prices."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import yaml

TABLE = Path(__file__).parent / "call_prices.yaml"
_MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """US dollars per million tokens, input and output, by model."""

    as_of: date
    models: dict[str, tuple[float, float]]

    def cost(self, model: str | None, input_tokens: int | None, output_tokens: int | None) -> float | None:
        """The cost of one call in US dollars; None where the model or the tokens are unknown. A dated snapshot such as
        `gpt-4o-2024-08-06` costs what its family does."""
        if model is None or input_tokens is None or output_tokens is None:
            return None
        family = max(
            (name for name in self.models if model == name or model.startswith(f"{name}-20")), key=len, default=None
        )
        if family is None:
            return None
        input_price, output_price = self.models[family]
        return (input_tokens * input_price + output_tokens * output_price) / _MILLION


@cache
def read_prices(path: Path = TABLE) -> Prices:
    """The prices of a file.

    Raises:
        KeyError, TypeError, ValueError: the file is not of the form of `prices.yaml`.
    """
    content = yaml.safe_load(path.read_text())
    models = {name: (float(price["input"]), float(price["output"])) for name, price in content["models"].items()}
    return Prices(content["as_of"], models)
