"""What was expected of a value that did not fit, in the words of people who write plans."""

import json
import re
from typing import Any, Final

_PREFIX: Final = re.compile(r"^(?:Value error|Assertion failed), ")
_SHOWN_MAX: Final = 80

_EXPECTED: Final = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "a text",
    "string_pattern_mismatch": "a text of the form {pattern}",
    "string_too_short": "a text of at least {min_length} characters",
    "string_too_long": "a text of at most {max_length} characters",
    "too_short": "at least {min_length}",
    "too_long": "at most {max_length}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
}
"""By the kind of pydantic's errors; whatever is not in here has a message of ours."""


def expectation(found: Any) -> str:
    """Return what was expected instead, from the details of a pydantic error."""
    words = _EXPECTED.get(found["type"])
    if words is None:
        return _PREFIX.sub("", found["msg"])
    return "expected " + words.format(**found.get("ctx", {}))


def shown(value: Any) -> str | None:
    """Return a value as a message shows it; None for what is no single value."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if not isinstance(value, str | int | float):
        return None
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
