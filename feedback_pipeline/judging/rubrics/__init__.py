"""Rubrics: what is judged, on which scale, anchored in words and examples. One versioned YAML file each."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from feedback_pipeline.llm.fingerprints import fingerprint

RUBRIC_FOLDER = Path(__file__).parent
SCALE = ("1", "2", "3", "4", "5")
CANNOT_JUDGE = "cannot_judge"


class Criterion(BaseModel):
    """One question with its scale."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    question: str
    anchors: dict[str, str]
    """What 1 to 5 mean; at least the ends and the middle."""

    @model_validator(mode="after")
    def _anchored(self) -> "Criterion":
        missing = [step for step in ("1", "3", "5") if step not in self.anchors]
        unknown = [step for step in self.anchors if step not in SCALE]
        if missing or unknown:
            raise ValueError(f"criterion {self.name}: anchors missing {missing}, not on the scale {unknown}")
        return self


class Example(BaseModel):
    """An answer with the ratings it deserves."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    prompt: str
    answer: str
    ratings: dict[str, int]
    why: str


class Rubric(BaseModel):
    """A version of a rubric."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    version: str
    purpose: str
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    examples: tuple[Example, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Rubric":
        names = [criterion.name for criterion in self.criteria]
        if len(set(names)) != len(names):
            raise ValueError("criteria repeat a name")
        for example in self.examples:
            if strays := set(example.ratings) - set(names):
                raise ValueError(f"an example rates unknown criteria {sorted(strays)}")
            if any(not 1 <= rating <= 5 for rating in example.ratings.values()):
                raise ValueError("an example has a rating outside 1–5")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(criterion.name for criterion in self.criteria)

    @property
    def fingerprint(self) -> str:
        """Changes with any word of the rubric."""
        return fingerprint(self.model_dump())

    def only(self, *names: str) -> "Rubric":
        """The rubric with some of its criteria, in the rubric's order.

        Raises:
            ValueError: a name is not among the criteria.
        """
        if unknown := set(names) - set(self.names):
            raise ValueError(f"rubric {self.name} has no criteria {sorted(unknown)}")
        kept = [criterion for criterion in self.criteria if criterion.name in names]
        examples = [
            example.model_copy(
                update={"ratings": {name: example.ratings[name] for name in example.ratings if name in names}}
            )
            for example in self.examples
        ]
        return self.model_copy(update={"criteria": tuple(kept), "examples": tuple(examples)})


def read_rubric(name_or_path: str | Path = "answer_quality") -> Rubric:
    """Reads a rubric that comes with the project by its name, or any file by its path.

    Raises:
        FileNotFoundError: there is no such rubric.
        pydantic.ValidationError: it does not have the form of a rubric.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = RUBRIC_FOLDER / f"{name_or_path}.yaml"
    content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Rubric.model_validate(content)
