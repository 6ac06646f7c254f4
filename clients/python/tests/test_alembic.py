"""Reflection, and Alembic: it finds what differs, and nothing where nothing does."""

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from conftest import DATABASE
from test_sqlalchemy import DECLARED
from tqvec.alembic import compare_type
from tqvec.sqlalchemy import TQVEC


@pytest.fixture
def connection():
    """A connection whose transaction is rolled back."""
    engine = sa.create_engine(f"postgresql+psycopg:///{DATABASE}")
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT tq_create_codec('o''docs', 384, 8), tq_create_codec('others', 384, 4)"))
        yield connection
        connection.rollback()
    engine.dispose()


def model(declared):
    metadata = sa.MetaData()
    columns = sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("embedding", declared)
    table = sa.Table("articles", metadata, *columns)
    if isinstance(declared, TQVEC):
        ops = {"embedding": "tqvec_cosine_ops"}
        sa.Index("articles_embedding", table.c.embedding, postgresql_using="tinyquant", postgresql_ops=ops)
    return metadata


def context(connection):
    ours = {"include_name": lambda name, kind, _: kind != "table" or name == "articles"}
    return MigrationContext.configure(connection, opts=ours | {"compare_type": compare_type})


def changes(connection, metadata):
    return compare_metadata(context(connection), metadata)


@pytest.mark.parametrize("declared", [declared for declared, _, _ in DECLARED], ids=lambda d: d.get_col_spec())
def test_reflection(connection, declared):
    metadata = model(declared)
    metadata.create_all(connection)
    reflected = sa.Table("articles", sa.MetaData(), autoload_with=connection).c.embedding.type
    assert isinstance(reflected, TQVEC)
    if declared.codec is None:
        assert repr(reflected) == repr(declared)
    assert changes(connection, metadata) == []
    # What the catalogue shows can be written again.
    connection.execute(sa.text("DROP TABLE articles"))
    model(reflected).create_all(connection)
    assert changes(connection, metadata) == []


@pytest.mark.parametrize(
    ("there", "wanted"),
    [
        (TQVEC(384), TQVEC(384, 8)),
        (TQVEC(384), TQVEC(512)),
        (TQVEC(384), TQVEC(384, None)),
        (TQVEC(384), TQVEC(384, normalize=True)),
        (TQVEC(384, 8), TQVEC(codec="o'docs")),
        (TQVEC(codec="o'docs"), TQVEC(codec="others")),
        (TQVEC(codec="o'docs"), TQVEC(codec="nobody's")),
        (TQVEC(codec="o'docs"), TQVEC(codec="o'docs", normalize=True)),
        (TQVEC(384), sa.ARRAY(sa.REAL)),
        (sa.ARRAY(sa.REAL), TQVEC(384)),
    ],
)
def test_changes(connection, there, wanted):
    model(there).create_all(connection)
    found = [change[0][0] for change in changes(connection, model(wanted)) if isinstance(change, list)]
    assert found == ["modify_type"]


ENV = """
import sqlalchemy as sa
from alembic import context
from test_alembic import model
from tqvec.alembic import compare_type, render_item
from tqvec.sqlalchemy import TQVEC

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url"))
with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=model(TQVEC(384, 8, normalize=True)),
        include_name=lambda name, kind, _: kind != "table" or name == "articles",
        compare_type=compare_type,
        render_item=render_item,
        version_table="articles_version",
    )
    with context.begin_transaction():
        context.run_migrations()
"""
TEMPLATE = """
from alembic import op
import sqlalchemy as sa
${imports}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
def upgrade(): ${upgrades}
def downgrade(): ${downgrades}
"""


def test_migration(tmp_path):
    """What autogenerate writes runs, forwards and backwards, and nothing is left to be done."""
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENV)
    (tmp_path / "script.py.mako").write_text(TEMPLATE.replace(": $", ":\n    $"))
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("sqlalchemy.url", f"postgresql+psycopg:///{DATABASE}")
    written = command.revision(config, "first", autogenerate=True)
    code = (tmp_path / "versions" / f"{written.revision}_first.py").read_text()
    assert "import tqvec.sqlalchemy\n" in code and "tqvec.sqlalchemy.TQVEC(dim=384, bits=8, normalize=True)" in code
    command.upgrade(config, "head")
    try:
        command.check(config)
        with psycopg.connect() as connection:
            query = "SELECT indexdef FROM pg_indexes WHERE indexname = 'articles_embedding'"
            assert connection.execute(query).fetchone()[0].endswith("USING tinyquant (embedding tqvec_cosine_ops)")
    finally:
        command.downgrade(config, "base")


def test_the_servers_own_tables_are_not_in_the_way():
    """Alembic looks at public, and finds nothing of the extension there."""
    engine = sa.create_engine(f"postgresql+psycopg:///{DATABASE}")
    with engine.connect() as connection:
        query = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'tinyquant'"
        schema = connection.scalar(sa.text(query))
        assert [name for name in sa.inspect(connection).get_table_names(schema) if name.startswith("tq_")] == []
    engine.dispose()
