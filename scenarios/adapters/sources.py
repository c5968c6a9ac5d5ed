"""Where in an answer a value is: a JSON path, a header, a cookie, the Location, or its text."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from doorbuster.faults import Frozen

Place = Literal["json", "header", "cookie", "location", "text"]

JsonPath = Annotated[
    str, Field(pattern=r"^\$(\.[A-Za-z_][A-Za-z0-9_-]*|\[[0-9]+\])+$", max_length=200)
]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]
CookieName = Annotated[str, Field(pattern=r"^[^\s=;,]+$")]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"expected a regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]
"""A regular expression that is looked for anywhere in a text."""


class Source(Frozen):
    """One place in an answer.

    `location` and `text` are patterns, which say what of it is meant: their first group, or what
    they match. The others may be narrowed by `match` in the same way.
    """

    json_: JsonPath | None = Field(None, alias="json")
    header: HeaderName | None = None
    cookie: CookieName | None = None
    location: Pattern | None = None
    text: Pattern | None = None
    match: Pattern | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        places = (self.json_, self.header, self.cookie, self.location, self.text)
        if sum(place is not None for place in places) != 1:
            raise ValueError("expected exactly one of json, header, cookie, location, text")
        if self.match is not None and (self.location is not None or self.text is not None):
            raise ValueError("`location` and `text` are patterns themselves: leave out `match`")
        return self

    @classmethod
    def of(cls, **place: str) -> Self:
        """Return the source that a file would describe so."""
        return cls.model_validate(place)

    @property
    def place(self) -> tuple[Place, str]:
        """The kind of place, and which one of its kind or what of it."""
        found: list[tuple[Place, str | None]] = [
            ("json", self.json_),
            ("header", self.header),
            ("cookie", self.cookie),
            ("location", self.location),
            ("text", self.text),
        ]
        return next((kind, detail) for kind, detail in found if detail is not None)

    def __str__(self) -> str:
        kind, detail = self.place
        return f"{kind} {detail}" + (f" matching {self.match}" if self.match else "")


def _a_path_is_short_for_json(value: Any) -> Any:
    return {"json": value} if isinstance(value, str) else value


AnySource = Annotated[Source, BeforeValidator(_a_path_is_short_for_json)]
"""A source; a JSON path may stand alone."""


def keys_of(path: str) -> tuple[str | int, ...]:
    """Return the steps of a JSON path: field names and list positions."""
    steps = re.findall(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]+)\]", path)
    return tuple(name or int(position) for name, position in steps)
