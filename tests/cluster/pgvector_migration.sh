#!/usr/bin/env bash
# The way of docs/pgvector.md from a column of pgvector's to a compressed one, run as it is written, with others at work
# on the table.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"
# shellcheck source=document_blocks.bash
. "$(dirname "$0")/document_blocks.bash"

one_cluster migration 'autovacuum = off'
if ! cluster_has "$cluster" vector; then
    cluster_stop "$cluster"
    done_testing
    exit
fi
cp "$REPO/demo/debian-packages.tqcv" "$RUN/packages.tqcv"
chmod a+r "$RUN/packages.tqcv"
document=(docs/pgvector.md 'Moving from pgvector')
blocks=$(document_blocks "${document[@]}")
is "$blocks" 6 "the document's blocks"

# start DATABASE TYPE: the table as it is before
# The corpus is compressed itself: with their dimensions in reverse, its vectors are as far from each other, but not
# what a code can say.
start() {
    cluster_psql "$cluster" -c "CREATE DATABASE $1"
    cluster_psql "$cluster" -d "$1" <<SQL
CREATE EXTENSION vector;
CREATE EXTENSION tinyquant;
CREATE TABLE items (id bigint PRIMARY KEY, embedding $2);
INSERT INTO items
SELECT ordinal,
    tq_normalize((SELECT array_agg(x ORDER BY i DESC) FROM unnest(embedding::real[]) WITH ORDINALITY u (x, i)))::$2
FROM tq_corpus_scan('$RUN/packages.tqcv') ORDER BY ordinal;
DROP EXTENSION tinyquant;
VACUUM ANALYZE items;
SQL
}
block() { document_block "${document[@]}" "$1"; }
# printed DATABASE BLOCK: what its statements print, and what the document says that they do
printed() {
    cluster_psql "$cluster" -At -d "$1" -f <(block "$2") 2>"$RUN/notices" >"$RUN/printed" || cat "$RUN/notices"
    is "$(cat "$RUN/printed")" "$(block "$2" | sed -nE 's/.*; +-- → (.*)$/\1/p')" \
        "$1: block $2 prints what the document says"
}

start plain 'vector(384)'
for ((i = 1; i <= blocks; i++)); do
    printed plain $i
    case $i in
    2)
        # Rows that come and change before the rest is compressed, and a batch that is cancelled.
        cluster_psql "$cluster" -d plain <<'SQL'
CREATE TABLE before AS SELECT id, embedding FROM items;
INSERT INTO items SELECT 10001, embedding FROM items WHERE id = 7;
UPDATE items SET embedding = (SELECT embedding FROM items WHERE id = 8) WHERE id = 9;
DELETE FROM items WHERE id = 10001;
SQL
        is "$(value 'SELECT count(compressed) FROM items' plain)" 1 "the trigger compresses what changes"
        is "$(value "
            SELECT a.compressed = b.embedding::tqvec(384, 4) FROM items a, items b
            WHERE a.id = 9 AND b.id = 8" plain)" t "as the cast does"
        execute 'UPDATE items SET embedding = (SELECT embedding FROM before WHERE id = 9) WHERE id = 9' plain
        ;;
    3)
        like "$(cat "$RUN/notices")" '4000 rows of "public.items" compressed and committed' "in batches"
        is "$(value 'SELECT count(*) FROM items WHERE compressed = embedding::tqvec(384, 4)' plain)" 5000 \
            "every row is compressed as the cast does"
        ;;
    5)
        # As an application that knows nothing of it goes on.
        literal=$(value 'SELECT embedding FROM before WHERE id = 5' plain)
        execute "INSERT INTO items (id, embedding) VALUES (10002, '$literal')" plain
        is "$(value "
            PREPARE nearest (vector) AS SELECT id FROM items ORDER BY embedding <=> \$1, id LIMIT 2;
            EXECUTE nearest ('$literal')" plain | paste -sd ' ')" \
            '5 10002' "statements and parameters of before work after"
        execute 'DELETE FROM items WHERE id = 10002' plain
        ;;
    esac
done
is "$(value "
    SELECT count(*), count(embedding), format_type(atttypid, atttypmod)
    FROM items, pg_attribute WHERE attrelid = 'items'::regclass AND attname = 'embedding' GROUP BY 3" plain)" \
    '5000|5000|tqvec(384,4)' "what is left"

# The same way for halfvec, and with writers all the while.
start half 'halfvec(384)'
cluster_psql "$cluster" -d half -f <(block 2)
for writer in 1 2 3; do
    "$PG_BIN/pgbench" -n -h "$cluster" -U postgres -T 4 -f <(cat <<SQL
\set id random(1, 5000)
\set other random(1, 5000)
UPDATE items SET embedding = (SELECT embedding FROM items WHERE id = :other) WHERE id = :id;
SQL
    ) half >"$RUN/writer$writer" 2>&1 &
done
cluster_psql "$cluster" -d half -f <(block 3) >"$RUN/printed" 2>/dev/null
wait
is "$(grep -h 'number of failed transactions' "$RUN"/writer* | grep -vc ': 0 ' || true)" 0 \
    "writers meanwhile have no errors"
is "$(value "
    SELECT count(*), count(*) FILTER (WHERE compressed = embedding::tqvec(384, 4)) FROM items" half)" '5000|5000' \
    "and none of their rows is missed"

cluster_stop "$cluster"
done_testing
