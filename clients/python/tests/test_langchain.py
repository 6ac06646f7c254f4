"""LangChain's stores on a column of tqvec: what is told is the column's type, and the setting by which it is read."""

import hashlib

import numpy as np
import psycopg
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.indexes import DistanceStrategy
from langchain_postgres.vectorstores import PGVector

from conftest import DATABASE, DIMENSIONS

TEXTS = [f"text {number}" for number in range(30)]


class Hashed(Embeddings):
    """A text's vector follows from the text alone; texts that differ are far apart."""

    def embed_query(self, text):
        digest = hashlib.sha256(text.encode()).digest()
        vector = np.random.default_rng(list(digest)).normal(size=DIMENSIONS)
        return (vector / np.linalg.norm(vector)).tolist()

    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("strategy", list(DistanceStrategy))
def test_store(pgvector_there, driver, strategy):
    engine = PGEngine.from_connection_string(f"postgresql+{driver}:///{DATABASE}")
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS documents")
        engine.init_vectorstore_table("documents", DIMENSIONS)
        connection.execute("ALTER TABLE documents ALTER embedding TYPE tqvec(64, 4)")
        opclass = {"<=>": "tqvec_cosine_ops", "<->": "tqvec_l2_ops", "<#>": "tqvec_ip_ops"}[strategy.operator]
        connection.execute(f"CREATE INDEX ON documents USING tinyquant (embedding {opclass})")
    try:
        store = PGVectorStore.create_sync(engine, Hashed(), "documents", distance_strategy=strategy)
        ids = store.add_texts(TEXTS, metadatas=[{"even": number % 2 == 0} for number in range(30)])
        assert len(ids) == 30
        assert [found.page_content for found in store.similarity_search("text 7", k=1)] == ["text 7"]
        ((found, distance),) = store.similarity_search_with_score("text 9", k=1)
        nearest = {"<=>": (0, 0.05), "<->": (0, 0.3), "<#>": (0.85, 1.1)}[strategy.operator]
        assert found.page_content == "text 9" and nearest[0] <= distance <= nearest[1]
        several = store.max_marginal_relevance_search("text 11", k=3, fetch_k=10)
        assert len(several) == 3 and "text 11" in [found.page_content for found in several]
        again = store.add_documents([Document("text 7 again", id=ids[7])])
        assert again == [ids[7]] and store.similarity_search("text 7 again", k=1)[0].id == ids[7]
        store.delete(ids[:5])
        assert len(store.similarity_search("text 20", k=30)) == 25
        assert [found.page_content for found in store.get_by_ids([ids[8]])] == ["text 8"]
    finally:
        engine.drop_table("documents")
        engine._run_as_sync(engine.close())


def test_older_store(pgvector_there):
    """PGVector, which makes its tables itself."""
    store = PGVector(Hashed(), connection=f"postgresql+psycopg:///{DATABASE}", embedding_length=DIMENSIONS)
    pgvector_there.execute("ALTER TABLE langchain_pg_embedding ALTER embedding TYPE tqvec(64, 4)")
    try:
        store.add_texts(TEXTS, metadatas=[{"even": number % 2 == 0} for number in range(30)])
        ((found, distance),) = store.similarity_search_with_score("text 9", k=1)
        assert found.page_content == "text 9" and 0 <= distance < 0.05
        (even,) = store.similarity_search("text 9", k=1, filter={"even": {"$eq": True}})
        assert even.metadata == {"even": True}
        assert len(store.max_marginal_relevance_search("text 11", k=3, fetch_k=10)) == 3
    finally:
        store.drop_tables()
