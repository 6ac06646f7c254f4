#!/usr/bin/env bash
# A streaming standby that compares each page it replays with the primary's (wal_consistency_checking = all), while
# clients insert, update, delete, vacuum, load corpora, fill a column, build indexes and create codecs. No page may
# differ, and in the end both servers must answer the same.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster primary 'wal_consistency_checking = all' 'max_wal_size = 128MB' 'autovacuum_naptime = 1s' \
    'wal_keep_size = 2GB' 'log_checkpoints = off'
primary=$cluster
standby=$RUN/standby
files_folder

# `reference` has what clients write, and `wide` what TOAST keeps out of line.
cluster_psql "$primary" <<'SQL'
CREATE EXTENSION tinyquant;
CREATE TABLE reference (
    k int PRIMARY KEY,
    v real[] NOT NULL,
    e tqvec(96, 4) NOT NULL,
    w tqvec(1536, 4, residual, hadamard) NOT NULL
);
INSERT INTO reference SELECT k, v[:96], tq_normalize(v[:96]), v FROM (
    SELECT k, tq_normalize(array_agg(hashint8extended(i, k)::real ORDER BY i)) AS v
    FROM generate_series(0, 255) k, generate_series(1, 1536) i GROUP BY k) s;
CREATE TABLE t (id bigint PRIMARY KEY, k int NOT NULL, e tqvec(96, 4) NOT NULL,
    record bytea GENERATED ALWAYS AS (e::bytea) STORED) WITH (fillfactor = 80);
CREATE INDEX ON t (e);
CREATE INDEX ON t USING hash (e);
CREATE INDEX ON t (record);
CREATE INDEX ON t (tq_norm(e)) WHERE k < 100;
CREATE INDEX t_near ON t USING tinyquant (e tqvec_cosine_ops);
-- Lists are made of rows that are there.
INSERT INTO t SELECT -1 - k, k, e FROM reference;
CREATE INDEX t_lists ON t USING tinyquant (e tqvec_l2_ops) WITH (lists = 16);
CREATE TABLE wide (id bigint PRIMARY KEY, e tqvec(1536, 4, residual, hadamard) NOT NULL);
ALTER TABLE wide ALTER e SET STORAGE external;
CREATE INDEX wide_near ON wide USING tinyquant (e tqvec_l2_ops) WITH (refine = table);
CREATE TABLE filled (id bigint PRIMARY KEY, v real[], e tqvec(96, 8));
CREATE TABLE parts (id bigint NOT NULL, e tqvec NOT NULL) PARTITION BY HASH (id);
CREATE TABLE part0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE UNIQUE INDEX ON parts (id, e);
CREATE INDEX ON parts USING tinyquant (e tqvec_ip_ops);
SQL

floats=$(index_of_floats t_floats t 'e::vector(96)' vector_cosine_ops)
floats+=" $(index_of_floats t_halves t 'e::halfvec(96)' halfvec_l2_ops 'WITH (bits = 4, lists = 16)')"
standby_of "$primary" "$standby"
begun=$(value 'SELECT pg_walfile_name(pg_switch_wal())')

# ---- the workload: six clients at a time ------------------------------------------------------------------------

for client in 0 1; do
    for ((n = 0; n < 25; n++)); do
        cat <<SQL
INSERT INTO t
    SELECT 2 * i + $client, k, e FROM generate_series($n * 30, $n * 30 + 29) i JOIN reference ON k = 7 * i % 256;
UPDATE t SET k = (t.k + 1) % 256, e = (SELECT e FROM reference WHERE k = (t.k + 1) % 256)
    WHERE id % 2 = $client AND id % 5 = $n % 5;
DELETE FROM t WHERE id % 2 = $client AND id % 11 = $n % 11;
SQL
    done >"$RUN/rows$client.sql"
done
for ((n = 0; n < 8; n++)); do
    cat <<SQL
INSERT INTO wide SELECT $n * 40 + i, w FROM generate_series(0, 39) i JOIN reference ON k = ($n + 3 * i) % 256;
UPDATE wide SET e = (SELECT w FROM reference WHERE k = (wide.id + $n) % 256) WHERE id % 3 = 0;
DELETE FROM wide WHERE id % 7 = $n;
BEGIN;
INSERT INTO wide SELECT -k, w FROM reference;
ROLLBACK;
SQL
done >"$RUN/wide.sql"
for ((n = 0; n < 4; n++)); do
    cat <<SQL
COPY (SELECT $n * 256 + k, e FROM reference) TO '$files/$n.tqcv' (FORMAT tqcv);
COPY parts FROM '$files/$n.tqcv' (FORMAT tqcv);
BEGIN;
CREATE TABLE frozen$n (id bigint, e tqvec(96, 4));
COPY frozen$n FROM '$files/$n.tqcv' (FORMAT tqcv, FREEZE);
COMMIT;
CREATE INDEX CONCURRENTLY ON frozen$n (e);
CREATE INDEX CONCURRENTLY frozen${n}_near ON frozen$n USING tinyquant (e tqvec_cosine_ops);
VACUUM t;
REINDEX INDEX CONCURRENTLY t_near;
SQL
done >"$RUN/files.sql"
for ((n = 0; n < 12; n++)); do
    cat <<SQL
SELECT tq_create_codec('codec $n', 96, 4, false, 100 + $n);
CREATE TABLE coded$n AS SELECT k, tq_compress(v, 'codec $n') AS e FROM reference LIMIT 50;
SQL
    [ $((n % 3)) -ne 0 ] || echo "DROP TABLE coded$n; SELECT tq_drop_codec('codec $n');"
done >"$RUN/codecs.sql"
{
    echo "INSERT INTO filled SELECT k, tq_normalize(v) FROM reference;"
    echo "CALL tq_compress_column('filled', 'v', 'e', 50);"
    for ((n = 0; n < 10; n++)); do
        echo "VACUUM t, wide, parts; SELECT pg_sleep(0.2); CHECKPOINT;"
    done
    echo "VACUUM FULL wide; REINDEX TABLE CONCURRENTLY t; CLUSTER t USING t_pkey; VACUUM FREEZE t;"
} >"$RUN/vacuum.sql"
for script in "$RUN"/*.sql; do
    cluster_psql "$primary" -f "$script" >"${script%.sql}.out" 2>"${script%.sql}.errors" &
done
wait
is "$(cat "$RUN"/*.errors | grep -vE 'NOTICE|DETAIL|HINT' | head -n 5)" "" "the workload runs without an error"

# ---- replayed without a difference ------------------------------------------------------------------------------

lsn=$(value 'SELECT pg_current_wal_insert_lsn()')
execute 'SELECT pg_switch_wal()'
replays=no
if wait_until replayed "$standby" "$lsn"; then replays=yes; fi
is "$replays" yes "the standby replays all of it"
is "$(grep -E 'inconsistent page|FATAL|PANIC|terminated by signal' "$standby/server.log" | head -n 5)" "" \
    "and finds no page that differs"
# That pages were compared at all: the primary has put them into its log.
images=$(as_server_user "$PG_BIN/pg_waldump" -b -p "$primary/data/pg_wal" "$begun" \
    "$(value "SELECT pg_walfile_name('$lsn')")" 2>/dev/null | grep -c 'for WAL verification' || true)
echo "# pages compared: $images"
is "$((images > 5000))" 1 "thousands of pages were compared"

# ---- the same answers -------------------------------------------------------------------------------------------

same() { # NAME SQL
    local answer
    answer=$(cluster_value "$primary" "$2")
    is "$(cluster_value "$standby" "$2")" "$answer" "$1"
    if [ -z "$answer" ]; then not_ok "$1: no answer at all"; fi
}
digest() { echo "SELECT count(*), md5(string_agg(r::text, ' ' ORDER BY r::text)) FROM $1 r"; }
for table in t wide filled parts frozen3 coded1 tq_catalog.tq_codec; do
    same "the rows of $table" "$(digest $table)"
done
for operator in '<->' '<#>' '<=>' '<+>'; do
    same "neighbours by $operator" "
        SELECT string_agg(id || ':' || d, ' ' ORDER BY d, id) FROM (
            SELECT id, e $operator (SELECT v FROM reference WHERE k = 5) AS d FROM t ORDER BY d, id LIMIT 20) s"
done
same "distances by a registered codec" "SELECT sum(e <-> (SELECT v FROM reference WHERE k = 5)) FROM coded1"
same "decompressed rows" "SELECT md5(string_agg(tq_decompress(e)::text, ' ' ORDER BY id)) FROM wide"
by_index="SET enable_seqscan = off; SET enable_bitmapscan = off;"
same "the B-tree on the type" "$by_index
    SELECT count(*), md5(string_agg(id::text, ' ' ORDER BY e, id)) FROM t
    WHERE e >= (SELECT e FROM t ORDER BY id LIMIT 1)"
same "the B-tree on the bytes" "$by_index
    SELECT count(*), md5(string_agg(id::text, ' ' ORDER BY record, id)) FROM t WHERE record > '\\x00'"
for index in t_near t_lists wide_near part0_e_idx part1_e_idx frozen3_near $floats; do
    is "$(cluster_value "$standby" "SELECT * FROM tq_index_check('$index', true)")" "" \
        "the index $index is sound on the standby"
done
same "neighbours by the index" "$by_index SET enable_sort = off;
    SELECT string_agg(id || ':' || d, ' ' ORDER BY d, id) FROM (
        SELECT id, e <=> (SELECT v FROM reference WHERE k = 5) AS d FROM t ORDER BY d LIMIT 20) s"
same "the hash index" "$by_index SELECT count(t.id), sum(t.id) FROM reference JOIN t USING (e)"
same "the index on the norm" "$by_index SELECT count(*), sum(id) FROM t WHERE k < 100 AND tq_norm(e) > 0.5"
is "$(cluster_value "$standby" 'SELECT pg_is_in_recovery()')" t "the standby is one still"

# ---- the standby takes over -------------------------------------------------------------------------------------

cluster_stop "$primary" immediate
cluster_value "$standby" 'SELECT pg_promote()' >/dev/null
cluster_psql "$standby" <<'SQL'
SELECT tq_create_codec('after', 96, 4, false, 999) \g /dev/null
VACUUM t;
INSERT INTO t SELECT 1000000 + k, k, e FROM reference;
SQL
is "$(cluster_value "$standby" 'SELECT count(*) FROM t JOIN reference USING (k, e) WHERE id >= 1000000')" 256 \
    "promoted, it takes writes"
is "$(cluster_value "$standby" "SELECT * FROM tq_index_check('t_near', true)")" "" "its index, too"
cluster_stop "$standby"
done_testing
