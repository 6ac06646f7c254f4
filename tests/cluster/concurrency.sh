#!/usr/bin/env bash
# pgbench with 16 clients at once on the same tables, files and codecs: searches, inserts, updates, deletes, vacuum,
# COPY both ways, codecs that come and go. No error but serialization failures, no deadlock, every row and file right
# afterwards, and backends whose memory doesn't grow.
#
# CONCURRENCY_SECONDS says how long (12; no less).
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

seconds=${CONCURRENCY_SECONDS:-12}
clients=16
# What a backend's own memory may have grown by between a third of the time and its end: caches of the server's and the
# allocator's breathing. A leak of 200 bytes a statement shows in two minutes.
allowed_kb=1024

# The codec cache is small so that it is full before memory is measured, and is emptied and filled all the time.
one_cluster concurrency 'max_connections = 40' 'deadlock_timeout = 200ms' 'autovacuum_naptime = 1s' \
    'max_wal_size = 1GB' 'tinyquant.codec_cache = 1MB' 'tinyquant.threads = 2' "log_line_prefix = '%m [%p] %e '"
files_folder

cluster_psql "$cluster" <<'SQL'
CREATE EXTENSION tinyquant;
CREATE TABLE reference (k int PRIMARY KEY, v real[] NOT NULL, e tqvec(96, 4) NOT NULL);
INSERT INTO reference SELECT k, v, v FROM (
    SELECT k, tq_normalize(array_agg(hashint8extended(i, k)::real ORDER BY i)) AS v
    FROM generate_series(0, 511) k, generate_series(1, 96) i GROUP BY k) s;
CREATE TABLE t (id bigserial PRIMARY KEY, k int NOT NULL, e tqvec(96, 4) NOT NULL);
CREATE INDEX ON t (e);
CREATE INDEX t_near ON t USING tinyquant (e tqvec_cosine_ops);
INSERT INTO t (k, e) SELECT k, e FROM reference, generate_series(1, 4);
CREATE INDEX t_lists ON t USING tinyquant (e tqvec_l2_ops) WITH (lists = 16);
SELECT tq_create_codec('lasting', 96, 8, seed => 7) \g /dev/null
CREATE TABLE coded AS SELECT k, tq_compress(v, 'lasting') AS e FROM reference;
CREATE INDEX coded_near ON coded USING tinyquant (e tqvec_l2_ops) WITH (refine = table);
CREATE TABLE loaded (k int NOT NULL, e tqvec(96, 4) NOT NULL);
CREATE INDEX loaded_near ON loaded USING tinyquant (e tqvec_ip_ops) WITH (refine = table);
CREATE TABLE foreign_records (client int NOT NULL, e tqvec NOT NULL);
CREATE TABLE passing (client int NOT NULL, e tqvec NOT NULL);
CREATE INDEX passing_near ON passing USING tinyquant (e tqvec_l2_ops);
SELECT tq_create_codec('imported', 96, 2, seed => 8) \g /dev/null
CREATE FUNCTION drop_if_there(codec text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tq_drop_codec(codec);
EXCEPTION WHEN undefined_object THEN NULL;
END $$;
SQL
floats=$(index_of_floats t_floats t 'e::vector(96)' vector_l2_ops)
value "COPY (SELECT k, e FROM reference) TO '$files/source.tqcv' (FORMAT tqcv)"
value "COPY (SELECT tq_compress(v, 'imported') FROM reference LIMIT 100) TO '$files/imported.tqcv' (FORMAT tqcv)"
# Its name comes from its hash when a file brings it back.
hash=$(value "SELECT config_hash FROM tq_catalog.tq_codec WHERE name = 'imported'")

# ---- what clients do: NAME WEIGHT, and the script ---------------------------------------------------------------

weights=()
transaction() {
    cat >"$RUN/$1.pgbench"
    weights+=(-f "$RUN/$1.pgbench@$2")
}
transaction search 30 <<'SQL'
\set k random(0, 511)
SELECT id, e <=> (SELECT v FROM reference WHERE k = :k) AS d FROM t ORDER BY d LIMIT 10;
SQL
transaction search-other-ways 10 <<'SQL'
\set k random(0, 511)
SELECT k FROM coded ORDER BY e <-> (SELECT e FROM reference WHERE k = :k) LIMIT 5;
SELECT sum(a.e <#> b.e) FROM coded a JOIN reference b USING (k) WHERE k < 50;
SELECT avg(e), min(tq_decompress(e)) FROM t WHERE k = :k;
SQL
transaction insert 20 <<'SQL'
\set k random(0, 511)
INSERT INTO t (k, e) SELECT :k, v FROM reference WHERE k = :k;
SQL
transaction update 20 <<'SQL'
\set k random(0, 511)
\set id random(1, 3000)
UPDATE t SET k = :k, e = (SELECT e FROM reference WHERE k = :k) WHERE id = :id;
SQL
transaction delete 20 <<'SQL'
\set id random(1, 3000)
DELETE FROM t WHERE id IN (SELECT id FROM t WHERE id >= :id ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED);
SQL
transaction serializable 5 <<'SQL'
\set k random(0, 511)
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*), min(e <=> (SELECT v FROM reference WHERE k = :k)) FROM t WHERE k = :k;
UPDATE t SET k = :k, e = (SELECT e FROM reference WHERE k = :k)
    WHERE id = (SELECT min(id) FROM t WHERE k = (:k + 1) % 512);
COMMIT;
SQL
transaction vacuum 1 <<'SQL'
VACUUM (SKIP_LOCKED) t, loaded, foreign_records, passing, tq_catalog.tq_codec;
SQL
transaction load 2 <<SQL
COPY loaded FROM '$files/source.tqcv' (FORMAT tqcv) WHERE k % 4 = 1;
SELECT tq_import('loaded', '$files/source.tqcv', '{"id_column": "k"}');
DELETE FROM loaded WHERE ctid IN (SELECT ctid FROM loaded LIMIT 2000 FOR UPDATE SKIP LOCKED);
SQL
transaction export 3 <<SQL
COPY (SELECT id, e FROM t ORDER BY id) TO '$files/common.tqcv' (FORMAT tqcv);
SELECT tq_export('SELECT e FROM coded', '$files/own' || :client_id || '.tqcv');
SELECT * FROM tq_corpus_search('$files/common.tqcv', (SELECT v FROM reference WHERE k = 3), 5);
SQL
# A file's codec is registered by whoever loads it first, while others drop it.
transaction registry 4 <<SQL
SELECT count(*) FROM tq_corpus_scan('$files/imported.tqcv');
COPY foreign_records (e, client) FROM '$files/imported.tqcv' (FORMAT tqcv, IDS 'ordinal');
SELECT drop_if_there('$hash');
SELECT drop_if_there('imported');
DELETE FROM foreign_records WHERE ctid IN (SELECT ctid FROM foreign_records LIMIT 200 FOR UPDATE SKIP LOCKED);
SQL
transaction codecs 4 <<'SQL'
\set seed :client_id * 1000 + random(100, 110)
SELECT tq_create_codec('of client ' || :client_id, 96, 4, seed => :seed);
INSERT INTO passing SELECT :client_id, tq_compress(v, 'of client ' || :client_id) FROM reference LIMIT 20;
SELECT sum(e <=> (SELECT v FROM reference WHERE k = 0)) FROM passing WHERE client = :client_id;
DELETE FROM passing WHERE client = :client_id;
SELECT tq_drop_codec('of client ' || :client_id);
SQL

# ---- the run, and the memory of the backends meanwhile ----------------------------------------------------------

# `PID KB` of each client's backend: private memory, the least of a dozen samples, because it is large for a moment in a
# COPY.
memory() {
    local i pids
    pids=$(value "
        SELECT string_agg(format('/proc/%s/status', pid), ' ') FROM pg_stat_activity
        WHERE application_name = 'pgbench'")
    for ((i = 0; i < 12; i++)); do
        # shellcheck disable=SC2086 # a list
        awk '$1 == "Pid:" { pid = $2 } $1 == "RssAnon:" { print pid, $2 }' $pids 2>/dev/null || true
        sleep 0.1
    done | sort -k1,1 -k2,2n | awk '$1 != last { print; last = $1 }'
}

PGOPTIONS='-c client_min_messages=error' "$PG_BIN/pgbench" -n -M prepared -c $clients -j 2 -T "$seconds" \
    --max-tries=100 --failures-detailed --random-seed="${CONCURRENCY_SEED:-1}" \
    "${weights[@]}" -h "$cluster" -U postgres postgres >"$RUN/pgbench.out" 2>"$RUN/pgbench.err" &
pgbench=$!
sleep $((seconds / 3))
memory >"$RUN/memory.warm"
sleep $((seconds - seconds / 3 - 6))
memory >"$RUN/memory.end"
status=0
wait $pgbench || status=$?

is "$status" 0 "pgbench runs to its end"
is "$({ grep -v '^pgbench: ' "$RUN/pgbench.err" || true
        grep -i -E 'abort|error' "$RUN/pgbench.err" || true; } | head -n 5)" "" "no client gave up"
said='number of transactions actually|number of failed|number of serialization|number of deadlock'
grep -E "^($said|total number of retries|tps)" \
    "$RUN/pgbench.out" | sed 's/^/# /'
is "$(grep -E '\] [0-9A-Z]{5} (ERROR|FATAL|PANIC):' "$cluster/server.log" | grep -v ' 40001 ERROR' | head -n 5)" "" \
    "no error but serialization failures"
is "$(grep -cE 'deadlock|terminated by signal|panicked' "$cluster/server.log" || true)" 0 "no deadlock, no crash"
growth=$(join "$RUN/memory.warm" "$RUN/memory.end" | awk '{ print $3 - $2, $1, $2, $3 }' | sort -n)
echo "# private memory, kB: growth, backend, warm, end"
awk '{ print "#   " $0 }' <<<"$growth"
is "$(wc -l <<<"$growth")" $clients "the memory of all backends was measured"
is "$(awk -v allowed=$allowed_kb '$1 > allowed' <<<"$growth")" "" "and is flat"

# ---- what is left -----------------------------------------------------------------------------------------------

for table in t loaded; do
    is "$(value "SELECT count(*) FROM $table LEFT JOIN reference USING (k, e) WHERE v IS NULL")" 0 \
        "every row of $table is right"
done
is "$(value 'SET enable_seqscan = off; SELECT count(*) FROM t JOIN reference USING (e)')" \
    "$(value 'SELECT count(*) FROM t')" "the index finds every row"
for index in t_near t_lists coded_near loaded_near passing_near $floats; do
    is "$(value "SELECT * FROM tq_index_check('$index', true)")" "" "the index $index is sound"
done
# Each row by its own vector, among those as near: the index gives every one of them, and none twice.
is "$(value "
    SET enable_seqscan = off; SET enable_sort = off;
    SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE d < 1e-5)
    FROM (SELECT * FROM reference ORDER BY k LIMIT 40) r, LATERAL (
        SELECT id, t.e <=> r.e AS d FROM t ORDER BY t.e <=> r.e LIMIT (SELECT count(*) FROM t WHERE t.k = r.k)) n")" \
    "$(value "SELECT count(*), count(*), count(*) FROM t WHERE k < 40")" "and finds each row by its own vector"
is "$(value "
    SELECT string_agg(name, ' ') FROM tq_catalog.tq_codec WHERE name NOT IN ('lasting', 'imported', '$hash')")" "" \
    "no codec is left over"
is "$(value 'SELECT count(*) FROM passing')" 0 "nor a record of one"
is "$(value "
    SELECT count(*), count(fault)
    FROM pg_ls_dir('$files') file LEFT JOIN LATERAL tq_corpus_verify('$files/' || file) ON true")" \
    "$((clients + 3))|0" "all files are whole"
# A codec that a file describes is registered under its hash, which no other codec may take as its name.
execute "SELECT drop_if_there('$hash'), drop_if_there('imported')" 2>/dev/null
like "$(value "SELECT tq_create_codec('$hash', 8)" 2>&1)" "can't be the name of this codec: it means something else" \
    "a file's codec can't lose its name to another"
is "$(value "
    COPY foreign_records (e, client) FROM '$files/imported.tqcv' (FORMAT tqcv, IDS 'ordinal');
    SELECT name FROM tq_catalog.tq_codec WHERE config_hash = '$hash'" 2>&1)" "$hash" "and has it after the next import"
is "$(find "$files" -name '*.tqtmp')" "" "no unfinished file is left"
cluster_stop "$cluster"
done_testing
