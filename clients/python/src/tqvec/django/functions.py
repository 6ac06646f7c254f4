"""Distances as expressions: ``Item.objects.order_by(CosineDistance("embedding", query))``."""

from __future__ import annotations

from typing import Any

from django.db.models import FloatField, Func, Value

from .fields import TqVectorField


class _Distance(Func):
    function = ""
    output_field = FloatField()

    def __init__(self, expression: Any, vector: Any, /, **extra: Any) -> None:
        if not hasattr(vector, "resolve_expression"):
            # Of no dimension: a query need not have the column's type.
            vector = Value(TqVectorField().get_prep_value(vector), output_field=TqVectorField())
            # What makes expressions equal or not; vectors as they come may not be hashable.
            self._constructor_args = ((expression, vector), extra)
        super().__init__(expression, vector, **extra)


class CosineDistance(_Distance):
    """``<=>``."""

    arg_joiner = " <=> "


class L2Distance(_Distance):
    """``<->``."""

    arg_joiner = " <-> "


class MaxInnerProduct(_Distance):
    """``<#>``, the negative inner product: the least is the nearest."""

    arg_joiner = " <#> "


class L1Distance(_Distance):
    """``<+>``."""

    arg_joiner = " <+> "
