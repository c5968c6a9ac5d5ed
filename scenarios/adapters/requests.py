"""Requests as an adapter file describes them: method, path, headers, and one kind of body."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from doorbuster.faults import Frozen
from scenarios.adapters.rules import Rules
from scenarios.adapters.sources import HeaderName
from scenarios.adapters.templates import Filled, Line, Text

_PATH: Final = re.compile(r"/\S*|\{[A-Za-z_]\w*\}")


def _a_path(path: str) -> str:
    if not _PATH.fullmatch(path):
        raise ValueError("expected a path such as /buy, or one placeholder for a whole Location")
    return path


Path = Annotated[Line, AfterValidator(_a_path)]
"""A path, or one placeholder alone for a Location that an answer told."""


class Request(Frozen):
    """One HTTP request of an operation; `{sku}` and the like are filled in.

    Args:
        content: A JSON body, written `json`.
        form: The fields of a form; a list sends a field several times.
        body: Any other body as text, with `content_type`.
    """

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    path: Path
    headers: dict[HeaderName, Line] = Field({})
    content: Filled = Field(None, alias="json")
    form: dict[str, Filled] | None = None
    body: Text | None = None
    content_type: Line | None = None

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        bodies = [self.content is not None, self.form is not None, self.body is not None]
        if sum(bodies) > 1:
            raise ValueError("expected one body: json, form or body")
        if (self.body is None) != (self.content_type is None):
            raise ValueError("`body` and `content_type` go together")
        if self.method in ("GET", "HEAD") and any(bodies):
            raise ValueError(f"a {self.method} takes no body")
        return self

    @property
    def is_safe(self) -> bool:
        """Whether it only asks: nothing can have happened by it."""
        return self.method in ("GET", "HEAD")


class Exchange(Frozen):
    """One request of several, and what its answers mean."""

    request: Request
    outcome: Rules
