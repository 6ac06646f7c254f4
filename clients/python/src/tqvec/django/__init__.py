"""Django: the model field ``TqVectorField``, distances, an index and the migration that makes the extension."""

from .._record import Record
from .._vector import Vector
from .fields import TqVectorField
from .functions import CosineDistance, L1Distance, L2Distance, MaxInnerProduct
from .indexes import TinyquantIndex
from .operations import TinyquantExtension

VectorField = TqVectorField
VectorExtension = TinyquantExtension

__all__ = [
    "CosineDistance",
    "L1Distance",
    "L2Distance",
    "MaxInnerProduct",
    "Record",
    "TinyquantExtension",
    "TinyquantIndex",
    "TqVectorField",
    "Vector",
    "VectorExtension",
    "VectorField",
]
