"""DuckDB columns generated from the record types, so that nothing is ever guessed from the data.

Auto-detection would turn an id such as 2026-11-23 into a date.
"""

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

_SCALARS = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}


def duckdb_type(hint: Any) -> str:
    """Return the DuckDB type that holds values of a record's field."""
    if get_origin(hint) in (Union, UnionType):
        (inner,) = (part for part in get_args(hint) if part is not NoneType)
        return duckdb_type(inner)
    if get_origin(hint) is Literal:
        return "VARCHAR"
    if get_origin(hint) is tuple:
        return f"{duckdb_type(get_args(hint)[0])}[]"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        fields = (f'"{name}" {kind}' for name, kind in columns(hint).items())
        return f"STRUCT({', '.join(fields)})"
    return _SCALARS[hint]


def columns(record: type[msgspec.Struct]) -> dict[str, str]:
    """Return the columns of `record`, name to DuckDB type."""
    hints = get_type_hints(record)
    return {
        field.encode_name: duckdb_type(hints[field.name])
        for field in msgspec.structs.fields(record)
    }


def table_columns(record: type[msgspec.Struct]) -> str:
    """Return the column definitions of a table; what has no default and is not optional must be."""
    kinds, hints = columns(record), get_type_hints(record)

    def constraint(field: msgspec.structs.FieldInfo) -> str:
        optional = NoneType in get_args(hints[field.name])
        return " NOT NULL" if field.required and not optional else ""

    return ", ".join(
        f'"{field.encode_name}" {kinds[field.encode_name]}{constraint(field)}'
        for field in msgspec.structs.fields(record)
    )


def selected_columns(record: type[msgspec.Struct]) -> str:
    """Return what to select from the read JSON: each column, or its default where it is left out.

    Writers omit fields that have their default value.
    """
    return ", ".join(_selected(field) for field in msgspec.structs.fields(record))


def read_columns(record: type[msgspec.Struct]) -> str:
    """Return the `columns` argument of DuckDB's `read_json`."""
    return "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in columns(record).items()) + "}"


def _selected(field: msgspec.structs.FieldInfo) -> str:
    name = f'"{field.encode_name}"'
    match field.default:
        case bool() | int() | float():
            return f"coalesce({name}, {field.default})"
        case ():
            return f"coalesce({name}, [])"
        case _:
            return name
