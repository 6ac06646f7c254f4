"""psycopg2, asyncpg and pg8000."""

import asyncio

import asyncpg
import numpy as np
import pg8000.dbapi
import pg8000.native
import psycopg2
import pytest

import tqvec.asyncpg
import tqvec.pg8000
import tqvec.psycopg2
from conftest import DATABASE, near
from tqvec import Record, Vector

KINDS = [np.asarray, Vector]


@pytest.mark.parametrize("kind", KINDS)
def test_psycopg2(table, vectors, stored, held, kind):
    rows = vectors(5)
    connection = psycopg2.connect("")
    try:
        tqvec.psycopg2.register_vector(connection)
        assert connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE
        connection.rollback()
        cursor = connection.cursor()
        cursor.executemany("INSERT INTO items (embedding) VALUES (%s)", [(kind(row),) for row in rows])
        cursor.execute("INSERT INTO items (embedding) VALUES (%s), (NULL)", (Record(stored(rows)[0]),))
        connection.commit()
        assert held() == [*stored(rows), stored(rows)[0], None]
        cursor.execute("SELECT id, embedding FROM items ORDER BY embedding <=> %s LIMIT 1", (kind(rows[1]),))
        number, found = cursor.fetchone()
        assert number == 2 and isinstance(found, Vector) and near(found, rows[1])
        cursor.execute("SELECT array_agg(embedding ORDER BY id) FROM items WHERE id IN (2, 7)")
        assert cursor.fetchone() == ([found, None],)
        cursor.execute("SET tinyquant.output = record")
        cursor.execute("SELECT embedding FROM items WHERE id = 1")
        assert cursor.fetchone() == (Record(stored(rows)[0]),)
    finally:
        connection.close()


@pytest.mark.parametrize("kind", [*KINDS, np.ndarray.tolist])
@pytest.mark.parametrize("cast", ["", "::real[]"])
def test_asyncpg(table, vectors, stored, held, kind, cast):
    rows = vectors(5)

    async def main():
        connection = await asyncpg.connect()
        try:
            await tqvec.asyncpg.register_vector(connection)
            values = [(kind(row),) for row in rows]
            await connection.executemany(f"INSERT INTO items (embedding) VALUES ($1{cast})", values)
            await connection.execute("INSERT INTO items (embedding) VALUES ($1)", Record(stored(rows)[0]))
            query = f"SELECT id, embedding FROM items ORDER BY embedding <=> $1{cast}, id LIMIT 1"
            found = await connection.fetchrow(query, kind(rows[1]))
            assert found["id"] == 2 and isinstance(found["embedding"], Vector) and near(found["embedding"], rows[1])
            await connection.execute("SET tinyquant.output = record")
            assert isinstance(await connection.fetchval("SELECT embedding FROM items"), Record)
        finally:
            await connection.close()

    asyncio.run(main())
    if cast:
        assert held() == [*stored(rows), stored(rows)[0]]


@pytest.mark.parametrize("kind", [*KINDS, np.ndarray.tolist])
def test_asyncpg_copy(table, vectors, stored, held, kind):
    rows = vectors(100)

    async def main():
        connection = await asyncpg.connect()
        try:
            await tqvec.asyncpg.register_vector(connection, format="binary")
            records = [(kind(row),) for row in rows]
            await connection.copy_records_to_table("items", columns=["embedding"], records=records)
            assert isinstance(await connection.fetchval("SELECT embedding FROM items"), Record)
        finally:
            await connection.close()

    asyncio.run(main())
    assert held() == stored(rows)


def test_asyncpg_pool(table, vectors):
    """A pool resets settings when a connection comes back, but not what the connection began with."""
    (row,) = vectors(1)

    async def main():
        settings = {"tinyquant.output": "floats"}
        init = tqvec.asyncpg.register_vector
        async with asyncpg.create_pool(min_size=1, max_size=1, init=init, server_settings=settings) as pool:
            await pool.execute("INSERT INTO items (embedding) VALUES ($1)", Vector(row))
            return [await pool.fetchval("SELECT embedding FROM items") for _ in range(3)]

    assert all(isinstance(found, Vector) and near(found, row) for found in asyncio.run(main()))


def test_asyncpg_extension_elsewhere():
    async def main():
        connection = await asyncpg.connect(server_settings={"search_path": "pg_catalog"})
        try:
            with pytest.raises(ValueError, match="CREATE EXTENSION tinyquant"):
                await tqvec.asyncpg.register_vector(connection)
            await tqvec.asyncpg.register_vector(connection, schema="public")
        finally:
            await connection.close()

    asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_pg8000_native(table, vectors, stored, held, socket, kind):
    rows = vectors(5)
    connection = pg8000.native.Connection("postgres", unix_sock=socket, database=DATABASE)
    try:
        tqvec.pg8000.register_vector(connection)
        for row in rows:
            connection.run("INSERT INTO items (embedding) VALUES (CAST(:v AS real[]))", v=kind(row))
        connection.run("INSERT INTO items (embedding) VALUES (:v)", v=Record(stored(rows)[0]))
        assert held() == [*stored(rows), stored(rows)[0]]
        query = "SELECT id, embedding FROM items ORDER BY embedding <=> :v, id LIMIT 1"
        ((number, found),) = connection.run(query, v=kind(rows[1]))
        assert number == 2 and isinstance(found, Vector) and near(found, rows[1])
    finally:
        connection.close()


def test_pg8000_dbapi(table, vectors, socket):
    (row,) = vectors(1)
    connection = pg8000.dbapi.connect("postgres", unix_sock=socket, database=DATABASE)
    try:
        tqvec.pg8000.register_vector(connection)
        connection.rollback()
        cursor = connection.cursor()
        cursor.execute("INSERT INTO items (embedding) VALUES (%s)", (Vector(row),))
        cursor.execute("SELECT embedding FROM items")
        assert near(cursor.fetchone()[0], row)
    finally:
        connection.close()
