"""SQLAlchemy's type on each driver, with drivers that have been told of tqvec and such that haven't."""

import asyncio

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import tqvec.asyncpg
import tqvec.pg8000
import tqvec.psycopg
import tqvec.psycopg2
import tqvec.sqlalchemy
from conftest import DATABASE, DIMENSIONS, near
from tqvec import Record, Vector
from tqvec.sqlalchemy import TQVEC, avg, sum


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(), primary_key=True)
    embedding: Mapped[list[float] | None] = mapped_column(TQVEC(DIMENSIONS, 4))
    __table_args__ = (
        sa.Index(
            "items_embedding",
            "embedding",
            postgresql_using="tinyquant",
            postgresql_ops={"embedding": "tqvec_cosine_ops"},
            postgresql_with={"refine": "table"},
        ),
    )


REGISTER = {
    "psycopg": tqvec.psycopg.register_vector,
    "psycopg2": tqvec.psycopg2.register_vector,
    "pg8000": tqvec.pg8000.register_vector,
    "asyncpg": lambda connection: connection.run_async(tqvec.asyncpg.register_vector),
}


def each_engine(driver, told, socket, work):
    """Runs work(session) on an engine of this driver, within a transaction that is rolled back."""
    arguments = {"unix_sock": socket} if driver == "pg8000" else {}
    url = f"postgresql+{driver}://postgres@/{DATABASE}"
    if driver == "asyncpg":
        engine = create_async_engine(url)
        sync = engine.sync_engine
    else:
        engine = sync = sa.create_engine(url, connect_args=arguments)
    if told:
        sa.event.listen(sync, "connect", lambda connection, _: REGISTER[driver](connection))

    async def main():
        async with AsyncSession(engine) as session:
            await session.run_sync(work)
        await engine.dispose()

    if driver == "asyncpg":
        asyncio.run(main())
    else:
        with Session(engine) as session:
            work(session)
        engine.dispose()


drivers = pytest.mark.parametrize("driver", list(REGISTER))
told_or_not = pytest.mark.parametrize("told", [False, True])


@drivers
@told_or_not
def test_entities(table, vectors, socket, driver, told):
    rows = vectors(20)

    def work(session):
        session.add_all(Item(embedding=kind(row)) for row in rows for kind in [np.asarray])
        session.add_all([Item(embedding=Vector(rows[0])), Item(embedding=rows[0].tolist()), Item(embedding=None)])
        session.flush()
        session.expire_all()
        nearest = session.scalars(sa.select(Item).order_by(Item.embedding.cosine_distance(rows[3])).limit(5)).all()
        assert nearest[0].id == 4 and type(nearest[0].embedding) is list and near(nearest[0].embedding, rows[3])
        assert session.get(Item, 23).embedding is None
        item = session.get(Item, 1)
        item.embedding = rows[5].tolist()
        session.flush()
        session.refresh(item)
        assert near(item.embedding, rows[5])
        returned = sa.insert(Item).values(embedding=rows[1]).returning(Item.embedding)
        assert near(session.scalars(returned).one(), rows[1])

    each_engine(driver, told, socket, work)


@drivers
@told_or_not
def test_statements(table, vectors, socket, driver, told):
    rows = vectors(20)

    def work(session):
        session.execute(sa.insert(Item), [{"embedding": row} for row in rows])
        for name in ("cosine_distance", "l2_distance", "max_inner_product", "l1_distance"):
            distance = getattr(Item.embedding, name)(rows[7])
            number, least = session.execute(sa.select(Item.id, distance).order_by(distance)).first()
            assert number == 8 and isinstance(least, float)
        itself = sa.select(Item.embedding).where(Item.id == 8).scalar_subquery()
        query = sa.select(Item.id).order_by(Item.embedding.cosine_distance(itself)).limit(1)
        assert session.scalars(query).one() == 8
        assert session.scalars(sa.select(Item.id).where(Item.embedding == rows[2])).all() == [3]
        assert len(session.scalars(sa.select(Item.id).where(Item.embedding != rows[2])).all()) == 19
        assert session.scalars(sa.select(Item.id).where(Item.embedding.is_(None))).all() == []
        for aggregate, length in ((avg, None), (sum, 20)):
            mean = session.scalars(sa.select(aggregate(Item.embedding))).one()
            assert near(np.array(mean) / np.linalg.norm(mean), normalized(rows.mean(axis=0)), 0.9)
            if length:
                assert np.linalg.norm(mean) == pytest.approx(np.linalg.norm(rows.sum(axis=0)), rel=0.1)
        union = sa.union_all(sa.select(Item.embedding).where(Item.id == 1), sa.select(Item.embedding))
        assert near(session.scalars(union).first(), rows[0])
        cte = sa.select(Item.embedding).where(Item.id == 1).cte()
        assert near(session.scalars(sa.select(cte.c.embedding)).one(), rows[0])
        plain = sa.text("SELECT embedding FROM items WHERE id = 1").columns(embedding=TQVEC())
        assert type(session.scalars(plain).one()) is (list if told else Record)

    each_engine(driver, told, socket, work)


def normalized(vector):
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("output", ["floats", "record"])
def test_plain_text(table, vectors, output):
    """A statement in plain text isn't cast: what is read depends on the setting."""
    (row,) = vectors(1)
    engine = sa.create_engine(f"postgresql+psycopg:///{DATABASE}")
    with Session(engine) as session:
        session.add(Item(embedding=row))
        session.flush()
        session.execute(sa.text(f"SET tinyquant.output = {output}"))
        plain = sa.text("SELECT embedding FROM items").columns(embedding=TQVEC())
        found = session.scalars(plain).one()
    engine.dispose()
    assert near(found, row) if output == "floats" else isinstance(found, Record)


DECLARED = [
    (TQVEC(), "tqvec", "TQVEC()"),
    (TQVEC(384), "tqvec(384, 4)", "TQVEC(dim=384)"),
    (TQVEC(384, None), "tqvec(384)", "TQVEC(dim=384, bits=None)"),
    (TQVEC(384, None, rotation="haar"), "tqvec(384, haar)", "TQVEC(dim=384, bits=None, rotation='haar')"),
    (TQVEC(384, 8, residual=True), "tqvec(384, 8, residual)", "TQVEC(dim=384, bits=8, residual=True)"),
    (
        TQVEC(384, 2, True, "hadamard", normalize=True),
        "tqvec(384, 2, residual, hadamard, normalize)",
        "TQVEC(dim=384, bits=2, residual=True, rotation='hadamard', normalize=True)",
    ),
    (TQVEC(codec="o'docs"), "tqvec('o''docs')", 'TQVEC(codec="o\'docs")'),
]


@pytest.mark.parametrize(("declared", "sql", "python"), DECLARED)
def test_declarations(declared, sql, python):
    assert (declared.get_col_spec(), repr(declared)) == (sql, python)
    assert eval(python).get_col_spec() == sql


def test_pgvectors_names():
    assert tqvec.sqlalchemy.Vector is tqvec.sqlalchemy.VECTOR is TQVEC


def test_declaration_that_is_none():
    with pytest.raises(ValueError, match="2, 4 or 8 bits"):
        TQVEC(384, 3)


def test_literal_binds(vectors):
    (row,) = vectors(1)
    statement = sa.select(Item.id).order_by(Item.embedding.cosine_distance(row))
    dialect = sa.create_engine("postgresql+psycopg://").dialect
    compiled = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
    assert f"CAST('{Vector(row).to_array_text()}' AS REAL[])" in compiled


def test_statements_are_cached(table, vectors):
    engine = sa.create_engine(f"postgresql+psycopg:///{DATABASE}")
    with engine.connect() as connection:
        for row in vectors(3):
            result = connection.execute(sa.select(Item.id).order_by(Item.embedding.l2_distance(row)))
            hit = result.context.cache_hit
    engine.dispose()
    assert hit is sa.engine.default.CacheStats.CACHE_HIT
