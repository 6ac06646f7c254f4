#!/usr/bin/env bash
# Several servers: a partitioned table with partitions on two others, by postgres_fdw, set up with the very SQL of
# "Scaling out" in docs/operations.md. Searches are sorted and cut off where the rows are, and find what one server with
# all the rows finds.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"
# shellcheck source=document_blocks.bash
. "$(dirname "$0")/document_blocks.bash"

# The wheel of 18 is without foreign tables; the one of a newer release of it has them.
if [ -n "${NEWER_PG_BIN:-}" ] && [ ! -e "$("$PG_CONFIG" --sharedir)/extension/postgres_fdw.control" ]; then
    use_server "$NEWER_PG_BIN"
fi
db1=$RUN/db1
for name in db1 db2 db3; do
    cluster_create "$RUN/$name" "log_statement = 'all'"
    cluster_start "$RUN/$name"
done
if ! cluster_has "$db1" postgres_fdw; then
    echo "# SKIPPED: PostgreSQL $PG_MAJOR here is without postgres_fdw"
    for name in db1 db2 db3; do cluster_stop "$RUN/$name"; done
    done_testing
    exit
fi
run() { # SERVER, statements from stdin
    cluster_psql "$RUN/$1" >/dev/null
}
value() { cluster_value "$RUN/$1" "$2"; }
section() { document_block docs/operations.md 'Scaling out' "$@"; }
is "$(document_blocks docs/operations.md 'Scaling out')" 4 "the document's blocks"

vectors="CREATE FUNCTION unit(seed float8) RETURNS real[] LANGUAGE sql IMMUTABLE AS \$\$
    SELECT tq_normalize(array_agg((sin(i * seed) + cos(i * i + seed))::real ORDER BY i)) FROM generate_series(1, 1536) i
\$\$"
for name in db2 db3; do section 1 | run $name; done
section 2 | sed -E "s#'(db[23])\.example\.com'#'$RUN/\1'#" | run db1
run db1 <<<"$vectors"
# A server with all the rows.
run db1 <<'SQL'
CREATE TABLE one_server (id bigint PRIMARY KEY, embedding tqvec(1536, 4));
INSERT INTO one_server SELECT i, unit(i) FROM generate_series(1, 1200) i;
INSERT INTO items SELECT * FROM one_server WHERE id <= 900;
SQL
# The rest by way of a corpus.
cluster_psql "$db1" -c "SELECT tq_export('SELECT id, embedding FROM one_server WHERE id > 900', '$RUN/rest.tqcv')" \
    -c "COPY items (id, embedding) FROM '$RUN/rest.tqcv' WITH (FORMAT tqcv)" >/dev/null
is "$(value db1 'SELECT count(*), count(DISTINCT tableoid) FROM items')" '1200|3' "rows are spread over the servers"
is "$(value db1 'SELECT count(*) FROM items JOIN one_server USING (id, embedding)')" 1200 \
    "and are what they were, byte for byte"
for name in db2 db3; do
    is "$(value $name 'SELECT count(*) FROM items')" "$(value db1 "SELECT count(*) FROM items_${name#db}")" \
        "$name has its own"
done
for name in db1 db2 db3; do run $name <<<'ANALYZE'; done
section 4 | run db1

# ---- what is sent -----------------------------------------------------------------------------------------------

query=$(value db1 'SELECT unit(1000.2)')
# explain STATEMENT: its plan, with … for the vector
explain() {
    value db1 "EXPLAIN (VERBOSE, COSTS OFF) $1" |
        sed -E "s/'\{[-0-9.e,]*\}'/'{0.018, -0.022, …}'/g; s/E?'.{1,2}x[0-9a-f]{20,}'/'…'/g"
}
sent="Remote SQL: SELECT id, embedding FROM public.items"
sent+=" ORDER BY (embedding OPERATOR(public.<=>) '{0.018, -0.022, …}'::real[]) ASC NULLS LAST"
search=$(section 3)
plan=$(explain "${search//'{0.018, -0.022, …}'/$query}")
is "$(grep -cF "$sent" <<<"$plan")" 2 "ORDER BY of the partitioned table is sent to both servers"
like "$plan" 'Merge Append' "and their rows are merged"
plan=$(explain "SELECT * FROM nearest('$query', 10)")
is "$(grep -cF "$sent LIMIT 10::bigint" <<<"$plan")" 2 "nearest: ORDER BY and LIMIT are sent to both servers"
is "$(grep -c 'Async Foreign Scan' <<<"$plan")" 2 "nearest: both are asked at the same time"
# The document leaves out what tells nothing.
appended=$(sed -n '/Output:/d; /Sort Key:/d
    /->  Append/,$ { s/^ *->  Append/->  Append/; s/^ \{22\}//; p }' <<<"$plan")
is "$appended" "$(section 1 psql | tail -n +2)" \
    "nearest: the plan is the one in the document"
for metric in '<->' '<#>'; do
    plan=$(explain "SELECT id FROM items_2 ORDER BY embedding $metric '$query'::real[] LIMIT 7")
    is "$(grep -cF "${sent/<=>/$metric} LIMIT 7::bigint" <<<"$plan")" 1 "$metric: ORDER BY and LIMIT are sent"
done
where='Remote SQL: SELECT id FROM public.items WHERE '
like "$(explain "SELECT id FROM items WHERE embedding <=> '$query'::real[] < 0.9")" \
    "$where"'\(\(\(embedding OPERATOR\(public\.<=>\) '\''.*'\''::real\[\]\) < 0.9::double precision\)\)' "WHERE is sent"
like "$(explain "SELECT id FROM items_2 WHERE tq_bit_width(embedding) = 4 AND tq_norm(embedding) > 0.5")" \
    "$where"'.*tq_bit_width\(embedding\) = 4.*tq_norm\(embedding\) > 0.5' "accessors are sent"
# As pgvector's users type it.
literal=${query/\{/[}
literal=${literal/\}/]}
like "$(explain "SELECT id FROM items_2 ORDER BY embedding <=> '$literal' LIMIT 3")" \
    "OPERATOR\(public\.<=>\) '…'\) ASC NULLS LAST LIMIT 3::bigint" "a literal is sent as the record it becomes"
# A parameter, under a plan that serves all its values.
like "$(cluster_psql "$db1" -At -v query="$query" <<'SQL'
PREPARE s (real[]) AS SELECT * FROM nearest($1, 10);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE s (:'query');
SQL
)" \
    'ORDER BY \(embedding OPERATOR\(public\.<=>\) .1::real\[\]\) ASC NULLS LAST LIMIT 10::bigint' "a parameter is sent"
# Without `extensions` nothing of it may be sent.
run db1 <<<"ALTER SERVER db2 OPTIONS (DROP extensions)"
is "$(explain "SELECT id FROM items_2 ORDER BY embedding <=> '$query'::real[] LIMIT 7" | grep -c OPERATOR)" 0 \
    "without the server's option nothing is sent"
run db1 <<<"ALTER SERVER db2 OPTIONS (ADD extensions 'tinyquant')"

# What the servers were really asked.
is "$(value db1 "SELECT count(*) FROM nearest('$query', 10)")" 10 "nearest finds ten"
for name in db2 db3; do
    like "$(grep -a -A 1 'DECLARE c[0-9]* CURSOR' "$RUN/$name/server.log" | tail -n 1)" \
        'ORDER BY \(embedding OPERATOR\(public\.<=>\).* LIMIT 10::bigint' "$name was asked for its ten nearest"
done
plan=$(value db1 "
    EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT * FROM nearest('$query', 10)")
is "$(grep -cE 'Foreign Scan on .* \(actual rows=10(\.00)? loops=1\)' <<<"$plan")" 2 "and each sent ten rows"

# ---- by an index on each server ---------------------------------------------------------------------------------

index='CREATE INDEX near ON items USING tinyquant (embedding tqvec_cosine_ops)'
for name in db2 db3; do run $name <<<"$index; ANALYZE items"; done
run db1 <<<"${index/items/items_1}; ANALYZE items_1"
found=$(value db1 "SELECT string_agg(id || ' ' || distance, ',' ORDER BY distance, id) FROM nearest('$query', 10)")
is "$found" "$(value db1 "SELECT string_agg(id || ' ' || d, ',' ORDER BY d, id)
    FROM (SELECT id, embedding <=> '$query'::real[] AS d FROM one_server ORDER BY d, id LIMIT 10) s")" \
    "nearest by an index on each server: the nearest of one server"
like "$(explain "SELECT * FROM nearest('$query', 10)")" 'Index Scan using near on public.items_1' \
    "here it goes by the index"
# Its statistics are sent when the session that was asked ends.
was_asked() { [ "$(value "$1" "SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE indexrelname = 'near'")" = t ]; }
for name in db2 db3; do
    is "$(wait_until was_asked $name && echo yes)" yes "and on $name, too"
done
for name in db2 db3; do run $name <<<'DROP INDEX near'; done
run db1 <<<'DROP INDEX near'

# ---- what is found ----------------------------------------------------------------------------------------------

# equal NAME QUERY: with `items` standing for the partitioned table and then for the table on one server
equal() {
    local spread one
    spread=$(value db1 "$2")
    # shellcheck disable=SC2001 # whole words alone
    one=$(value db1 "$(sed 's/\bitems\b/one_server/g' <<<"$2")")
    is "$spread" "$one" "$1"
}
# nearest_in TABLE METRIC: the nearest, with their distances, as a statement
nearest_in() {
    echo "
        SELECT string_agg(id || ' ' || d, ',' ORDER BY d, id)
        FROM (SELECT id, embedding $2 '$query'::real[] AS d FROM $1 ORDER BY d, id LIMIT 100) s"
}
for metric in '<=>' '<->' '<#>' '<+>'; do
    equal "$metric: the nearest are those of one server, and as far, to the last bit" "$(nearest_in items "$metric")"
done
is "$(value db1 "
    SELECT string_agg(id || ' ' || distance, ',' ORDER BY distance, id) FROM nearest('$query', 100)")" \
    "$(value db1 "$(nearest_in one_server '<=>')")" "nearest: the same"
# Queries out of a table, which are another thing to a scan than a constant: their distances may differ in the last
# bits.
run db1 <<<'CREATE TABLE queries AS SELECT n, unit(n * 37.7) AS q FROM generate_series(1, 20) n'
close() { # NAME, two sub-queries with id and d for each row of queries
    is "$(value db1 "
        SELECT count(a.id), count(b.id), count(*), max(abs(a.d - b.d)) < 1e-6
        FROM (SELECT n, s.* FROM queries, LATERAL ($2) s) a
        FULL JOIN (SELECT n, s.* FROM queries, LATERAL ($3) s) b USING (n, id)")" '200|200|200|t' "$1"
}
for metric in '<=>' '<->' '<#>'; do
    close "$metric: the nearest of 20 queries" "SELECT id, embedding $metric q AS d FROM items ORDER BY d LIMIT 10" \
        "SELECT id, embedding $metric q AS d FROM one_server ORDER BY d LIMIT 10"
done
close "nearest of 20 queries" "SELECT id, distance AS d FROM nearest(q, 10)" \
    "SELECT id, embedding <=> q AS d FROM one_server ORDER BY d LIMIT 10"
equal "rows within a distance" "SELECT count(*), sum(id) FROM items WHERE embedding <=> '$query'::real[] < 0.97"
equal "a record of another server as the query" "
    SELECT string_agg(id::text, ' ') FROM (
        SELECT id FROM items ORDER BY embedding <=> (SELECT embedding FROM items WHERE id = 77), id LIMIT 10) s"
equal "the mean" "
    SELECT tq_l2_distance((SELECT embedding FROM items WHERE id = 1), avg(embedding))::numeric(8, 4) FROM items"
equal "DISTINCT, and equality" "
    SELECT count(DISTINCT embedding), count(*) FILTER (WHERE embedding = unit(5)::tqvec(1536, 4)) FROM items"
run db1 <<'SQL'
UPDATE items SET embedding = unit(id + 0.5)::tqvec(1536, 4) WHERE id % 10 = 0;
UPDATE one_server SET embedding = unit(id + 0.5)::tqvec(1536, 4) WHERE id % 10 = 0;
DELETE FROM items WHERE embedding <=> unit(3) < 0.01;
DELETE FROM one_server WHERE embedding <=> unit(3) < 0.01;
SQL
equal "after updates and deletes" "SELECT count(*), md5(string_agg(id || embedding::text, ',' ORDER BY id)) FROM items"
is "$(value db1 'SELECT count(*) < 1200 FROM items')" t "of which there were some"

# ---- registered codecs ------------------------------------------------------------------------------------------

create="SELECT tq_create_codec('trained', 1536, 2, false, 99, '{-0.04, -0.012, 0.011, 0.039}')"
hash=$(value db1 "$create")
for name in db2 db3; do run $name <<<'CREATE TABLE made (id bigint, e tqvec)'; done
run db1 <<SQL
CREATE TABLE made (id bigint, e tqvec) PARTITION BY HASH (id);
CREATE FOREIGN TABLE made_2 PARTITION OF made FOR VALUES WITH (MODULUS 2, REMAINDER 0)
    SERVER db2 OPTIONS (table_name 'made');
CREATE FOREIGN TABLE made_3 PARTITION OF made FOR VALUES WITH (MODULUS 2, REMAINDER 1)
    SERVER db3 OPTIONS (table_name 'made');
INSERT INTO made SELECT i, tq_compress(unit(i), 'trained') FROM generate_series(1, 100) i;
CREATE TABLE made_here AS TABLE made;
SQL
is "$(value db1 'SELECT count(*) FROM made')" 100 "records of a codec that only the asking server knows are stored"
search="SELECT string_agg(id::text, ' ') FROM (SELECT id FROM made ORDER BY e <=> unit(7.1), id LIMIT 5) s"
like "$(value db1 "$search" 2>&1)" \
    "ERROR: +codec with config_hash \"$hash\" is not registered.*Register it with tq_create_codec" \
    "but can't be searched there"
for name in db2 db3; do is "$(value $name "$create")" "$hash" "$name: the same codec"; done
is "$(value db1 "$search")" "$(value db1 "${search//FROM made/FROM made_here}")" \
    "and then they are searched as on one server"

# ---- columns that name a codec ----------------------------------------------------------------------------------

run db2 <<'SQL'
CREATE SCHEMA own;
CREATE TABLE own.floats AS SELECT i AS id, array_agg((sin((i + 1) * j) + 2)::real ORDER BY j) AS v
FROM generate_series(1, 100) i, generate_series(1, 48) j GROUP BY i;
SELECT tq_train_codec('of its own', 'SELECT v FROM own.floats', 4);
CREATE TABLE own.named (id int, e tqvec(48, 4, 'of its own'));
INSERT INTO own.named SELECT id, v FROM own.floats;
SQL
run db1 <<'SQL'
CREATE SCHEMA own;
IMPORT FOREIGN SCHEMA own FROM SERVER db2 INTO own;
SQL
type="
    SELECT format_type(atttypid, atttypmod)
    FROM pg_attribute WHERE attrelid = 'own.named'::regclass AND attname = 'e'"
like "$(value db1 "$type")" '^tqvec\(codec_[0-9a-f]{7}\)$' \
    "IMPORT FOREIGN SCHEMA: a column names a codec of the other server"
is "$(value db1 "$type")" "$(value db2 "$type")" "the same codec"
records="SELECT md5(string_agg(e::text, ',' ORDER BY id)), count(*) FROM own.named"
is "$(value db1 "$records")" "$(value db2 "$records")" "its records come as they are"
query=$(value db2 'SELECT v FROM own.floats WHERE id = 7')
# A condition is always sent; an order where that looks cheaper.
near="SELECT count(*) > 0, string_agg(id::text, ' ' ORDER BY id) FROM own.named WHERE e <=> '$query'::real[] < 0.02"
like "$(value db2 "$near")" '^t\|(.* )?7( |$)' "what is near a vector is found where it is"
is "$(value db1 "$near")" "$(value db2 "$near")" "and from the server that doesn't know the codec"

for name in db1 db2 db3; do cluster_stop "$RUN/$name"; done
done_testing
