"""pgvector's own Python package on a column of tqvec: a program that isn't changed, but for the column's type."""

import io

import numpy as np
import pgvector.psycopg
import pgvector.psycopg2
import psycopg
import psycopg2
import pytest
import sqlalchemy as sa
from pgvector.sqlalchemy import Vector as VECTOR
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column

from conftest import DATABASE, DIMENSIONS, near


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    embedding = mapped_column(VECTOR(DIMENSIONS))


def text(row):
    return str(row.tolist())


# Text in binary is of type text, which isn't for pgvector's column either.
HABITS = [(kind, placeholder) for kind in (np.asarray, np.ndarray.tolist) for placeholder in ("%s", "%t", "%b")]


@pytest.mark.parametrize(("kind", "placeholder"), [*HABITS, (text, "%s"), (text, "%t")])
def test_psycopg(pgvector_there, table, vectors, kind, placeholder):
    rows = vectors(10)
    with psycopg.connect() as connection:
        pgvector.psycopg.register_vector(connection)
        for row in rows:
            connection.execute(f"INSERT INTO items (embedding) VALUES ({placeholder})", (kind(row),))
        query = f"SELECT id, embedding FROM items ORDER BY embedding <=> {placeholder} LIMIT 1"
        number, found = connection.execute(query, (kind(rows[3]),)).fetchone()
        # The package knows the type vector alone, and so gives this column's text.
        assert number == 4 and near([float(x) for x in found[1:-1].split(",")], rows[3])


@pytest.mark.parametrize("types", [["vector"], ["float4[]"]])
def test_psycopg_copy(pgvector_there, table, vectors, types):
    rows = vectors(100)
    with psycopg.connect() as connection:
        pgvector.psycopg.register_vector(connection)
        with connection.cursor() as cursor, cursor.copy("COPY items (embedding) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row([row if types == ["vector"] else row.tolist()])
        query = "SELECT id FROM items ORDER BY embedding <=> %s LIMIT 1"
        assert [connection.execute(query, (row,)).fetchone()[0] for row in rows[:5]] == [1, 2, 3, 4, 5]


def test_psycopg2(pgvector_there, table, vectors):
    rows = vectors(10)
    connection = psycopg2.connect("")
    pgvector.psycopg2.register_vector(connection, globally=False)
    cursor = connection.cursor()
    for kind in (np.asarray, np.ndarray.tolist):
        cursor.executemany("INSERT INTO items (embedding) VALUES (%s)", [(kind(row),) for row in rows])
        cursor.execute("SELECT id FROM items ORDER BY embedding <=> %s, id LIMIT 1", (str(rows[3].tolist()),))
        assert cursor.fetchone() == (4,)
    cursor.copy_expert("COPY items (embedding) FROM STDIN", io.StringIO("\n".join(str(row.tolist()) for row in rows)))
    connection.close()


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2"])
def test_sqlalchemy(pgvector_there, table, vectors, driver):
    rows = vectors(10)
    engine = sa.create_engine(f"postgresql+{driver}:///{DATABASE}")
    with Session(engine) as session:
        session.add_all(Item(embedding=row) for row in rows)
        session.flush()
        session.expire_all()
        found = session.scalars(sa.select(Item).order_by(Item.embedding.cosine_distance(rows[3]))).first()
        assert found.id == 4 and near(found.embedding, rows[3])
        session.rollback()
    engine.dispose()
