"""``tinyquant.output``, the setting that decides whether a column's text is floats or a record."""

from __future__ import annotations

from typing import Literal

Output = Literal["floats", "record"]

NOT_FOUND = "type tqvec not found in the database; hint: CREATE EXTENSION tinyquant, or give its schema"


def statement(output: Output) -> str:
    """The statement that sets it for a session."""
    if output not in ("floats", "record"):
        raise ValueError(f"output is floats, record or None, not {output!r}")
    return f"SET tinyquant.output = '{output}'"


def type_name(schema: str | None) -> str:
    """The type's name for ``to_regtype``: by the search path, or of a schema."""
    return "tqvec" if schema is None else '"' + schema.replace('"', '""') + '".tqvec'
