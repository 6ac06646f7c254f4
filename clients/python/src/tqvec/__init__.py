"""The PostgreSQL type ``tqvec`` of the extension tinyquant, for Python.

``Vector`` is a vector of floats, ``Record`` a compressed one. What belongs to a driver or a framework is in a module
of its name, which is imported only if asked for: ``tqvec.psycopg``, ``tqvec.psycopg2``, ``tqvec.asyncpg``,
``tqvec.pg8000``, ``tqvec.sqlalchemy``, ``tqvec.django``. Names and habits are those of the package ``pgvector``.
"""

from ._record import Record
from ._vector import Vector

__version__ = "0.3.0"
__all__ = ["Record", "Vector"]
