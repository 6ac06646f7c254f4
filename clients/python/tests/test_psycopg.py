"""psycopg 3: what is written, what is read, text and binary, synchronous and not."""

import asyncio

import numpy as np
import psycopg
import pytest
from psycopg_pool import ConnectionPool

from conftest import near
from tqvec import Record, Vector
from tqvec.psycopg import register_vector, register_vector_async


@pytest.fixture
def connection(table):
    with psycopg.connect() as connection:
        register_vector(connection)
        yield connection
        connection.rollback()


@pytest.mark.parametrize("placeholder", ["%s", "%t", "%b"])
@pytest.mark.parametrize("kind", [np.asarray, Vector, np.ndarray.tolist])
def test_insert_and_search(connection, vectors, stored, held, kind, placeholder):
    rows = vectors(10)
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO items (embedding) VALUES ({placeholder})", [(kind(row),) for row in rows])
    connection.commit()
    assert held() == stored(rows)
    query = f"SELECT id FROM items ORDER BY embedding <=> {placeholder} LIMIT 1"
    for number, row in enumerate(rows, 1):
        assert connection.execute(query, (kind(row),)).fetchone() == (number,)


def test_query_is_exact(connection, vectors):
    """Sent as real[], a query isn't compressed: its distance is the server's own, even of a zero vector."""
    row, query = vectors(2)
    connection.execute("INSERT INTO items (embedding) VALUES (%s)", (row,))
    statement = "SELECT embedding <-> %s, embedding <-> %s::real[], embedding <-> %s FROM items"
    got, exact, zero = connection.execute(statement, (query, query.tolist(), Vector([0] * 64))).fetchone()
    assert got == exact and zero == pytest.approx(1, abs=0.1)


def test_read(connection, vectors):
    (row,) = vectors(1)
    connection.execute("INSERT INTO items (embedding) VALUES (%s), (NULL)", (row,))
    (found,), (null,) = connection.execute("SELECT embedding FROM items ORDER BY id").fetchall()
    assert isinstance(found, Vector) and near(found, row) and null is None
    assert near(found.to_numpy(), row) and near(found.to_list(), row)
    (array,) = connection.execute("SELECT array_agg(embedding) FROM items").fetchone()
    assert array == [found, None]
    with connection.cursor(binary=True) as cursor:
        (record,) = cursor.execute("SELECT embedding FROM items WHERE id = 1").fetchone()
    assert isinstance(record, Record) and (record.dimension, record.bit_width) == (64, 4)
    (floats,) = connection.execute("SELECT embedding::real[] FROM items WHERE id = 1").fetchone()
    assert Vector(floats) == found


def test_records_travel(connection, vectors, held, stored):
    rows = vectors(3)
    for placeholder, data in zip(["%s", "%t", "%b"], stored(rows), strict=True):
        connection.execute(f"INSERT INTO items (embedding) VALUES ({placeholder})", (Record(data),))
    connection.commit()
    assert held() == stored(rows)


@pytest.mark.parametrize("form", ["", "(FORMAT binary)"])
@pytest.mark.parametrize("types", [None, ["tqvec"]])
@pytest.mark.parametrize("kind", [np.asarray, Vector])
def test_copy_in(connection, vectors, stored, held, kind, types, form):
    rows = vectors(100)
    with connection.cursor() as cursor, cursor.copy(f"COPY items (embedding) FROM STDIN {form}") as copy:
        if types:
            copy.set_types(types)
        for row in rows:
            copy.write_row([kind(row)])
    connection.commit()
    assert held() == stored(rows)


def test_copy_out(connection, vectors):
    (row,) = vectors(1)
    connection.execute("INSERT INTO items (embedding) VALUES (%s)", (row,))
    with connection.cursor() as cursor:
        with cursor.copy("COPY items (embedding) TO STDOUT") as copy:
            copy.set_types(["tqvec"])
            ((found,),) = copy.rows()
        with cursor.copy("COPY items (embedding) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["tqvec"])
            ((record,),) = copy.rows()
    assert near(found, row) and isinstance(record, Record)


def test_output_is_the_users(table, vectors):
    (row,) = vectors(1)
    with psycopg.connect(autocommit=True) as connection:
        register_vector(connection, output="record")
        connection.execute("INSERT INTO items (embedding) VALUES (%s)", (row,))
        assert isinstance(connection.execute("SELECT embedding FROM items").fetchone()[0], Record)
        connection.execute("SET tinyquant.output = floats")
        register_vector(connection, output=None)
        assert isinstance(connection.execute("SELECT embedding FROM items").fetchone()[0], Vector)
        with pytest.raises(ValueError):
            register_vector(connection, output="text")


def test_registering_leaves_the_transaction_as_it_was(table):
    with psycopg.connect() as connection:
        register_vector(connection)
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        connection.rollback()
        assert connection.execute("SHOW tinyquant.output").fetchone() == ("floats",)


def test_extension_elsewhere():
    with psycopg.connect() as connection:
        connection.execute("SET search_path = pg_catalog")
        with pytest.raises(psycopg.ProgrammingError, match="CREATE EXTENSION tinyquant"):
            register_vector(connection)
        register_vector(connection, schema="public")


def test_matrix_is_no_vector(connection):
    with pytest.raises(ValueError, match="has 2"):
        connection.execute("SELECT %s", (np.zeros((2, 2)),))


def test_pool(table, vectors):
    (row,) = vectors(1)
    with ConnectionPool(min_size=1, max_size=1, configure=register_vector) as pool:
        for _ in range(3):
            with pool.connection() as connection:
                connection.execute("INSERT INTO items (embedding) VALUES (%s)", (row,))
                assert near(connection.execute("SELECT embedding FROM items").fetchone()[0], row)


def test_async(table, vectors):
    (row,) = vectors(1)

    async def main():
        async with await psycopg.AsyncConnection.connect() as connection:
            await register_vector_async(connection)
            await connection.execute("INSERT INTO items (embedding) VALUES (%s)", (row,))
            cursor = await connection.execute("SELECT embedding FROM items ORDER BY embedding <=> %s LIMIT 1", (row,))
            return (await cursor.fetchone())[0]

    assert near(asyncio.run(main()), row)
