"""The model field of a column ``tqvec``, and its form field."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Field
from django.db.models.lookups import Exact, In

from .._modifier import Modifier
from .._record import Record, from_text
from .._vector import Vector


class TqVectorField(Field):
    """A column ``tqvec(dimensions, bits, …)``, whose values are lists of floats.

    Given are lists, ``Vector`` or NumPy arrays. Statements cast both ways, so ``tinyquant.output`` doesn't matter.
    """

    description = "Compressed vector"
    empty_strings_allowed = False

    def __init__(
        self,
        *args: Any,
        dimensions: int | None = None,
        bits: int | None = 4,
        residual: bool = False,
        rotation: str | None = None,
        codec: str | None = None,
        normalize: bool = False,
        **kwargs: Any,
    ) -> None:
        self.dimensions = dimensions
        self.bits = bits
        self.residual = residual
        self.rotation = rotation
        self.codec = codec
        self.normalize = normalize
        width = bits if dimensions and not codec else None
        self._sql = Modifier(dimensions, width, residual, rotation, codec, normalize).sql()
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[Any, Any, Any, dict[str, Any]]:
        """For migrations: what isn't the default."""
        name, path, args, kwargs = super().deconstruct()
        defaults = {
            "dimensions": None,
            "bits": 4,
            "residual": False,
            "rotation": None,
            "codec": None,
            "normalize": False,
        }
        kwargs.update({key: getattr(self, key) for key, value in defaults.items() if getattr(self, key) != value})
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str:
        """The type in DDL."""
        return self._sql

    def get_prep_value(self, value: Any) -> Any:
        """A list of floats, or a record as it is."""
        value = super().get_prep_value(value)
        if value is None or isinstance(value, Record) or hasattr(value, "resolve_expression"):
            return value
        return self.to_python(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """The text of a ``real[]``, or of a record."""
        value = super().get_db_prep_value(value, connection, prepared)
        if isinstance(value, Record):
            return value.to_text()
        return Vector(value).to_array_text() if isinstance(value, list) else value

    def get_placeholder(self, value: Any, compiler: Any, connection: Any) -> str:
        """Floats go in as ``real[]``: queries stay exact, and columns compress once."""
        if hasattr(value, "resolve_expression"):
            return "%s"
        is_record = isinstance(value, Record) or (isinstance(value, str) and value.startswith("\\x"))
        return "%s::tqvec" if is_record else "%s::real[]"

    def select_format(self, compiler: Any, sql: str, params: Any) -> tuple[str, Any]:
        """Only the server has the codec."""
        return f"{sql}::real[]", params

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Floats, whatever has read them."""
        return self.to_python(value)

    def to_python(self, value: Any) -> list[float] | Record | None:
        """A list of floats of whatever a vector may be; also of text, as forms and fixtures have it."""
        if value is None or isinstance(value, Record):
            return value
        if isinstance(value, list):
            return value
        try:
            value = from_text(value) if isinstance(value, str) else Vector(value)
        except ValueError as error:
            raise ValidationError(str(error), code="invalid") from error
        return value.to_list() if isinstance(value, Vector) else value

    def value_to_string(self, obj: Any) -> str:
        """For fixtures."""
        value = self.get_prep_value(self.value_from_object(obj))
        return "" if value is None else value.to_text() if isinstance(value, Record) else Vector(value).to_text()

    def formfield(self, form_class: Any = None, choices_form_class: Any = None, **kwargs: Any) -> forms.Field:
        """A field of text, ``[0.1,0.2]``."""
        return super().formfield(
            form_class=form_class or VectorFormField, choices_form_class=choices_form_class, **kwargs
        )


class VectorFormField(forms.CharField):
    """Text that is a vector; nothing is NULL."""

    def prepare_value(self, value: Any) -> Any:
        """What the widget shows."""
        return Vector(value).to_text() if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """A list of floats."""
        return None if value in (None, "") else TqVectorField().to_python(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Whether a form changes the vector."""
        try:
            floats = self.to_python(data)
        except ValidationError:
            return True
        return (initial and Vector(initial)) != (floats and Vector(floats))


class _Compressed:
    """What a column is compared with is compressed as the column is."""

    def _compress(self, sql: str) -> str:
        field = self.lhs.output_field  # type: ignore[attr-defined]
        return f"%s::real[]::{field._sql.replace('%', '%%')}" if sql == "%s" else sql


@TqVectorField.register_lookup
class _Exact(_Compressed, Exact):
    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, Any]:
        sql, params = super().get_db_prep_lookup(value, connection)
        return self._compress(sql), params


@TqVectorField.register_lookup
class _In(_Compressed, In):
    def batch_process_rhs(self, compiler: Any, connection: Any, rhs: Any = None) -> tuple[Any, Any]:
        sqls, params = super().batch_process_rhs(compiler, connection, rhs)
        return tuple(self._compress(sql) for sql in sqls), params
