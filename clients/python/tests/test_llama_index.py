"""LlamaIndex's store on a column of tqvec, synchronous and not: the table is changed once it is there."""

import asyncio

import numpy as np
import pytest
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.vector_stores.postgres import PGVectorStore

from conftest import DATABASE, DIMENSIONS


@pytest.fixture
def store(pgvector_there):
    made = PGVectorStore(
        connection_string=f"postgresql+psycopg2:///{DATABASE}",
        async_connection_string=f"postgresql+asyncpg:///{DATABASE}",
        table_name="notes",
        embed_dim=DIMENSIONS,
        initialization_fail_on_error=True,
    )
    made._initialize()
    pgvector_there.execute("ALTER TABLE data_notes ALTER embedding TYPE tqvec(64, 4)")
    pgvector_there.execute("CREATE INDEX ON data_notes USING tinyquant (embedding tqvec_cosine_ops)")
    yield made
    asyncio.run(made.close())
    pgvector_there.execute("DROP TABLE data_notes")


def nodes(rows):
    return [
        TextNode(
            id_=f"node {number}",
            text=f"text {number}",
            embedding=row.tolist(),
            metadata={"even": number % 2},
            relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document {number // 10}")},
        )
        for number, row in enumerate(rows)
    ]


def close(found, row):
    return float(np.asarray(found) @ row) > 0.9


def test_store(store, vectors):
    rows = vectors(30)
    assert store.add(nodes(rows)) == [f"node {number}" for number in range(30)]
    result = store.query(VectorStoreQuery(query_embedding=rows[7].tolist(), similarity_top_k=3))
    assert result.ids[0] == "node 7" and 0.95 < result.similarities[0] <= 1.001
    filters = MetadataFilters(filters=[MetadataFilter(key="even", value=1)])
    result = store.query(VectorStoreQuery(query_embedding=rows[8].tolist(), similarity_top_k=30, filters=filters))
    assert len(result.ids) == 15 and "node 8" not in result.ids
    mmr = VectorStoreQuery(query_embedding=rows[7].tolist(), similarity_top_k=3, mode=VectorStoreQueryMode.MMR)
    assert store.query(mmr).ids[0] == "node 7"
    (node,) = store.get_nodes(node_ids=["node 3"])
    assert close(node.embedding, rows[3])
    store.delete("document 0")
    assert len(store.get_nodes(filters=filters)) == 10
    store.clear()
    assert store.query(VectorStoreQuery(query_embedding=rows[7].tolist(), similarity_top_k=3)).ids == []


def test_asynchronously(store, vectors):
    rows = vectors(30)

    async def main():
        await store.async_add(nodes(rows))
        result = await store.aquery(VectorStoreQuery(query_embedding=rows[7].tolist(), similarity_top_k=3))
        assert result.ids[0] == "node 7"
        mmr = VectorStoreQuery(query_embedding=rows[7].tolist(), similarity_top_k=3, mode=VectorStoreQueryMode.MMR)
        assert (await store.aquery(mmr)).ids[0] == "node 7"
        (node,) = await store.aget_nodes(node_ids=["node 3"])
        assert close(node.embedding, rows[3])
        await store.close()

    asyncio.run(main())
