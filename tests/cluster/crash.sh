#!/usr/bin/env bash
# The server is killed by SIGKILL, round after round, while clients insert, update, load, export, create codecs and
# build rotations. After each recovery: what was acknowledged is there, with the bytes it must have; the codecs are
# sound; kept rotations are right; files are old or new, whole, and alone.
#
# CRASH_ROUNDS says how many rounds (4: half a minute), CRASH_SEED when the blows fall.
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

rounds=${CRASH_ROUNDS:-4}
RANDOM=${CRASH_SEED:=$$}
echo "# CRASH_ROUNDS=$rounds CRASH_SEED=$CRASH_SEED"

cluster=$RUN/crash
cluster_create "$cluster" 'max_wal_size = 64MB' 'checkpoint_timeout = 30s' 'autovacuum_naptime = 1s' \
    'log_checkpoints = off'

# Not by pg_ctl: what is killed must be a child of this shell, since not every container's first process takes away
# the dead, and a postmaster that is still listed keeps its successor from starting.
start_server() {
    local i
    # A killed process is gone from /proc before its memory is: for a moment the shared memory still has users.
    for ((i = 0; i < 50; i++)); do
        as_server_user "$PG_BIN/postgres" -D "$cluster/data" >>"$cluster/server.log" 2>&1 &
        wait_until answers_or_ended $! || break
        if accepts_connections "$cluster"; then return 0; fi
        grep -qs 'pre-existing shared memory block' <(tail -n 2 "$cluster/server.log") || break
        sleep 0.2
    done
    tail -n 30 "$cluster/server.log"
    return 1
}
answers_or_ended() { # PID
    accepts_connections "$cluster" || ! kill -0 "$1" 2>/dev/null
}
start_server
folder=$RUN/files
as_server_user mkdir "$folder"

# ---- what everything is compared with ---------------------------------------------------------------------------

# Version n of row id has the vector (7 · id + n) mod 512: whoever reads it knows its bytes.
cluster_psql "$cluster" <<'SQL'
CREATE EXTENSION tinyquant;
CREATE TABLE reference (k int PRIMARY KEY, v real[] NOT NULL, e tqvec(300, 4) NOT NULL);
INSERT INTO reference SELECT k, v, v FROM (
    SELECT k, tq_normalize(array_agg(hashint8extended(i, k)::real ORDER BY i)) AS v
    FROM generate_series(0, 511) k, generate_series(1, 300) i GROUP BY k) s;
CREATE TABLE t (id bigint PRIMARY KEY, version int NOT NULL, e tqvec(300, 4) NOT NULL);
INSERT INTO t SELECT id, 0, v FROM generate_series(1, 1000) id JOIN reference ON k = 7 * id % 512;
CREATE INDEX t_e ON t USING tinyquant (e tqvec_cosine_ops);
CREATE INDEX t_lists ON t USING tinyquant (e tqvec_l2_ops) WITH (lists = 16);
CREATE TABLE loaded (
    batch bigint NOT NULL DEFAULT current_setting('crash.batch')::bigint,
    id int NOT NULL,
    e tqvec NOT NULL
);
CREATE INDEX loaded_e ON loaded USING tinyquant (e tqvec_l2_ops) WITH (refine = table);
CREATE FUNCTION probe(codec text, dimension int) RETURNS text LANGUAGE sql RETURN
    (SELECT md5(tq_compress(tq_normalize(array_agg(sin(i)::real ORDER BY i)), codec)::text)
     FROM generate_series(1, dimension) i);
CHECKPOINT;
SQL
indexes=(t_e t_lists loaded_e)
for index in $(index_of_floats t_floats t 'e::vector(300)' vector_cosine_ops) \
    $(index_of_floats t_halves t 'e::halfvec(300)' halfvec_l2_ops 'WITH (bits = 4, lists = 8)'); do
    indexes+=("$index")
done
distances="SELECT md5(string_agg((e <=> (SELECT v FROM reference WHERE k = 0))::text, ' ' ORDER BY k)) FROM reference"
distances_before=$(value "$distances")
value "COPY (SELECT k, e FROM reference WHERE k < 300) TO '$folder/source.tqcv' (FORMAT tqcv)"

# Two versions of a file with ids and of one without, of some megabytes each.
export_to() { # FILE COLUMNS VERSION
    echo "COPY (SELECT $2 FROM reference, generate_series(1, 40) WHERE k % 2 = $3 ORDER BY k) TO '$1' (FORMAT tqcv);"
}
columns_of() { if [ "$1" = ids ]; then echo k, e; else echo e; fi; }
for file in ids plain; do
    for version in 0 1; do
        value "$(export_to "$folder/$file.tqcv" "$(columns_of $file)" $version)"
        md5sum <"$folder/$file.tqcv" >>"$RUN/$file.versions"
    done
done

# ---- the clients: psql with long scripts, which print what has been committed -----------------------------------

# script COUNT: what is read, that many times, with the round's number for NNN
script() {
    awk -v count="$1" '
        NR == 1 { text = $0; next }
        { text = text "\n" $0 }
        END { for (n = 1; n <= count; n++) { line = text; gsub("NNN", n, line); print line } }'
}
for client in 0 1; do
    script 9000 >"$RUN/insert$client.sql" <<SQL
INSERT INTO t SELECT id, 0, v
    FROM (SELECT (2 * :round + $client) * 10000::bigint + NNN) s (id) JOIN reference ON k = 7 * id % 512
    RETURNING id, version;
SQL
    script 500 >"$RUN/codec$client.sql" <<SQL
\\set name 'codec ':round'-$client-NNN'
SELECT (NNN * 331 + 550 * $client) % 1100 + 200 AS dimension \\gset
SELECT :'name', tq_create_codec(:'name', :dimension, seed => 1000 * :round + NNN);
SELECT probe(:'name', :dimension) \\g /dev/null
SQL
done
script 9000 >"$RUN/update0.sql" <<'SQL'
UPDATE t SET version = version + 1, e = (SELECT v FROM reference WHERE k = (7 * t.id + t.version + 1) % 512)
    WHERE id = 1 + NNN * 37 % 1000
    RETURNING id, version;
SQL
script 2000 >"$RUN/batch0.sql" <<SQL
SELECT :round * 10000 + NNN AS batch \\gset
SET crash.batch = :batch;
COPY loaded (id, e) FROM '$folder/source.tqcv' (FORMAT tqcv);
\\echo :batch
SQL
for file in ids plain; do
    for version in 0 1; do export_to "$folder/$file.tqcv" "$(columns_of $file)" $version; done |
        script 1000 >"$RUN/export-${file}0.sql"
done
script 1000 >"$RUN/vacuum0.sql" <<'SQL'
VACUUM t;
SELECT pg_sleep(0.05);
CHECKPOINT;
SQL
clients=(insert0 insert1 update0 batch0 codec0 codec1 export-ids0 export-plain0 vacuum0)

run_clients() { # ROUND: in the background; they end when the server does
    local client
    for client in "${clients[@]}"; do
        cluster_psql "$cluster" -At -v round="$1" -f "$RUN/$client.sql" \
            >>"$RUN/$client.acknowledged" 2>"$RUN/$client.errors" &
    done
}

# kill_server HOW: the postmaster alone, whose children notice, or all of them at one blow
kill_server() {
    local postmaster children
    postmaster=$(head -n 1 "$cluster/data/postmaster.pid")
    children=$(cat "/proc/$postmaster/task/$postmaster/children")
    # shellcheck disable=SC2086 # a list
    if [ "$1" = all ]; then
        as_server_user kill -9 "$postmaster" $children
    else
        as_server_user kill -9 "$postmaster"
    fi 2>/dev/null || true
    wait
    # shellcheck disable=SC2086 # a list
    wait_until gone $children
}
gone() { # PROCESS...
    # shellcheck disable=SC2046 # a list
    ! grep -qs . $(printf '/proc/%s/cmdline ' "$@")
}

# ---- what must hold ---------------------------------------------------------------------------------------------

# Prints what doesn't, a line each.
faults_of_tables() {
    cluster_psql "$cluster" -At 2>&1 <<SQL || true
SET client_min_messages = warning;
CREATE TEMP TABLE acknowledged (id bigint, version int);
\copy acknowledged FROM PROGRAM 'cat $RUN/insert*.acknowledged $RUN/update0.acknowledged' (DELIMITER '|')
CREATE TEMP TABLE batches (batch bigint);
\copy batches FROM '$RUN/batch0.acknowledged'
CREATE TEMP TABLE codecs (name text, config_hash text);
\copy codecs FROM PROGRAM 'cat $RUN/codec*.acknowledged' (DELIMITER '|')
SELECT * FROM (
    SELECT 'acknowledged rows lost', count(*) FROM acknowledged a LEFT JOIN t USING (id)
        WHERE t.version IS NULL OR t.version < a.version
    UNION ALL SELECT 'rows with other bytes', count(*) FROM t LEFT JOIN reference ON k = (7 * id + version) % 512
        WHERE (t.e = reference.e) IS NOT TRUE
    UNION ALL SELECT 'acknowledged batches lost', count(*) FROM batches
        WHERE NOT EXISTS (SELECT FROM loaded WHERE loaded.batch = batches.batch)
    UNION ALL SELECT 'batches in part', count(*) FROM (SELECT FROM loaded GROUP BY batch HAVING count(*) <> 300) s
    UNION ALL SELECT 'loaded rows with other bytes', count(*) FROM loaded LEFT JOIN reference ON k = id
        WHERE (loaded.e = reference.e) IS NOT TRUE
    UNION ALL SELECT 'acknowledged codecs lost', count(*) FROM codecs LEFT JOIN tq_catalog.tq_codec t USING (name)
        WHERE (t.config_hash = codecs.config_hash) IS NOT TRUE
    UNION ALL SELECT 'codecs that are wrong', count(*) FROM tq_catalog.tq_codec WHERE NOT
        tq_codec_check(name, config_hash, dimension, bit_width, seed, residual, rotation, codebook, centre)
    UNION ALL SELECT 'codecs twice', 2 * count(*) - count(DISTINCT config_hash) - count(DISTINCT name)
        FROM tq_catalog.tq_codec
    UNION ALL SELECT 'kept rotations of another size', count(*) FROM tq_rotation_cache()
        WHERE bytes <> 64 + 12 * dimension::bigint * dimension
    UNION ALL SELECT 'faults of ids.tqcv', count(*) FROM tq_corpus_verify('$folder/ids.tqcv')
    UNION ALL SELECT 'faults of plain.tqcv', count(*) FROM tq_corpus_verify('$folder/plain.tqcv')
    UNION ALL SELECT 'index ' || i || ': ' || min(fault), count(*)
        FROM unnest('{$(IFS=, && echo "${indexes[*]}")}'::text[]) i, tq_index_check(i::regclass, true) GROUP BY i
    UNION ALL SELECT 'distances', 1 WHERE ($distances) <> '$distances_before'
) faults (fault, count) WHERE count <> 0;
-- What kept rotations give, and what the same ones do that are built anew.
DROP TABLE IF EXISTS kept;
CREATE TABLE kept AS SELECT name, dimension, probe(name, dimension) AS answer
    FROM (SELECT * FROM tq_catalog.tq_codec JOIN tq_rotation_cache() USING (seed, dimension)
        ORDER BY name DESC LIMIT 2) s;
SELECT tq_clear_rotation_cache() \g /dev/null
\connect
SELECT 'wrong kept rotation of ' || name FROM kept WHERE answer <> probe(name, dimension);
SELECT 'distances by a rotation built anew' WHERE ($distances) <> '$distances_before';
TRUNCATE loaded;
SQL
}

faults_of_files() {
    local file
    for file in ids plain; do
        grep -qx "$(md5sum <"$folder/$file.tqcv")" "$RUN/$file.versions" || echo "$file.tqcv is neither version"
    done
    value "COPY (SELECT e FROM reference) TO '$folder/next.tqcv' (FORMAT tqcv)" || echo "COPY TO fails"
    rm -f "$folder/next.tqcv"
    find "$folder" -mindepth 1 ! -name source.tqcv ! -name ids.tqcv ! -name plain.tqcv -printf 'left behind: %p\n'
    # Rotations have been kept since the recovery, too.
    find "$cluster/data/pg_tinyquant" -mindepth 1 ! -name 'matrix-1-*' -printf 'left behind: %p\n'
    find "$cluster/data/base/pgsql_tmp" -type f -printf 'left behind: %p\n' 2>/dev/null
}

# shellcheck disable=SC2086 # a pattern
count() { cat "$RUN"/$1 | wc -l; }
unfinished=0
batches=0
for ((round = 1; round <= rounds; round++)); do
    run_clients "$round"
    sleep "$((RANDOM % 2)).$((100 + RANDOM % 900))"
    if ((round % 2)); then how=all; else how=postmaster; fi
    kill_server $how || not_ok "round $round: the children of the postmaster end"
    unfinished=$((unfinished + $(find "$folder" "$cluster/data/pg_tinyquant" -name '*.tqtmp' | wc -l)))
    start_server || break
    is "$(faults_of_tables)$(faults_of_files)" "" "round $round ($how killed)"
    batches=$((batches + $(count batch0.acknowledged)))
    rm -f "$RUN/batch0.acknowledged"
done
is $((round - 1)) "$rounds" "the server recovers each time"

echo "# acknowledged: $(count 'insert*.acknowledged') inserts, $(count 'update*.acknowledged') updates," \
    "$batches loads, $(count 'codec*.acknowledged') codecs; unfinished files: $unfinished"
is "$(cat "$RUN"/*.errors | grep ERROR | head -n 5)" "" "no statement failed but by the end of the server"
is "$(grep -E 'is damaged|cannot be kept|PANIC|invalid page|panicked' "$cluster/server.log" | head -n 5)" "" \
    "nor does the log tell of damage"
cluster_stop "$cluster"
done_testing
