#!/usr/bin/env bash
# tq_compress_column and large rotations among other sessions: cancelled, killed, run twice at once, and rows that
# change meanwhile.
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "${HELPERS:?}"
use_server "${PG_BIN:?}"

cluster=$RUN/column
cluster_create "$cluster" 'autovacuum = off' 'max_wal_size = 4GB'
cluster_start "$cluster"
value() { cluster_value "$cluster" "$1"; }

value 'CREATE EXTENSION tinyquant' >/dev/null
value "CREATE TABLE t (id int PRIMARY KEY, v real[], e tqvec(256, 4));
       INSERT INTO t SELECT i, (SELECT tq_normalize(array_agg((hashint8extended(j, i) % 1000)::real)) FROM generate_series(1, 256) j)
       FROM generate_series(1, 6000) i" >/dev/null
correct="SELECT count(*) FROM t WHERE e = tq_compress(v, 4)"

# Batches take long enough to be interrupted.
value "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END \$\$;
       CREATE TRIGGER slow BEFORE UPDATE ON t EXECUTE FUNCTION wait()" >/dev/null

session() { cluster_session "$cluster" "$@"; }
wait_for() { cluster_wait "$cluster" "$1"; }

# ---- cancelled, killed, and run again ---------------------------------------------------------------------------

session cancelled "CALL tq_compress_column('t', 'v', 'e', 50)"
wait_for 'SELECT count(e) >= 200 FROM t' || true
value "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'cancelled'" >/dev/null
wait
like "$(tail -n 1 "$RUN/cancelled.out")" 'canceling statement due to user request' "a call can be cancelled"
kept=$(value 'SELECT count(e) FROM t')
is "$((kept >= 200 && kept < 6000 && kept % 50 == 0))" 1 "what was committed before stays ($kept rows, whole batches)"

session terminated "CALL tq_compress_column('t', 'v', 'e', 50)"
wait_for "SELECT count(e) >= $kept + 200 FROM t" || true
value "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'terminated'" >/dev/null
wait
like "$(grep -v NOTICE "$RUN/terminated.out")" 'terminating connection' "a call's session can be terminated"

session crashed "CALL tq_compress_column('t', 'v', 'e', 50)"
kept=$(value 'SELECT count(e) FROM t')
wait_for "SELECT count(e) >= $kept + 200 FROM t" || true
victim=$(value "SELECT pid FROM pg_stat_activity WHERE application_name = 'crashed'")
as_server_user kill -9 "$victim"
wait
# The postmaster restarts everything.
for ((i = 0; i < 200; i++)); do
    if value 'SELECT 1' >/dev/null 2>&1; then break; fi
    sleep 0.1
done
after=$(value 'SELECT count(e) FROM t')
is "$((after >= kept + 200 && after < 6000))" 1 "a crash keeps what was committed ($after rows)"

value 'ALTER TABLE t DISABLE TRIGGER slow' >/dev/null
cluster_psql "$cluster" -c "CALL tq_compress_column('t', 'v', 'e', 1000)" >"$RUN/again.out" 2>&1
like "$(tail -n 1 "$RUN/again.out")" "$((6000 - after)) rows compressed" "calling again does the rest, and no more"
is "$(value "$correct")" 6000 "all rows are compressed, and right"

# ---- two at once, and rows that change --------------------------------------------------------------------------

value 'UPDATE t SET e = NULL' >/dev/null
session first "CALL tq_compress_column('t', 'v', 'e', 100)"
session second "CALL tq_compress_column('t', 'v', 'e', 70)"
wait
done_by() { sed -nE 's/.*: ([0-9]+) rows compressed$/\1/p' "$RUN/$1.out"; }
is "$(($(done_by first) + $(done_by second)))" 6000 "two calls at once share the work"
is "$(value "$correct")" 6000 "and do each row right"

value 'UPDATE t SET e = NULL' >/dev/null
cluster_psql "$cluster" -c "CREATE TABLE other AS SELECT id, v FROM t" >/dev/null
session compressing "CALL tq_compress_column('t', 'v', 'e', 100)"
for ((i = 0; i < 20; i++)); do
    value "UPDATE t SET v = (SELECT v FROM other WHERE id = 6001 - t.id), e = NULL WHERE id % 60 = $i; DELETE FROM t WHERE id = 6000 - $i" >/dev/null
done
wait
cluster_psql "$cluster" -c "CALL tq_compress_column('t', 'v', 'e')" >/dev/null 2>&1
is "$(value "SELECT count(*) - count(e) FROM t")" 0 "with rows changing meanwhile, a second call leaves none out"
is "$(value "SELECT count(*) FROM t WHERE e IS DISTINCT FROM tq_compress(v, 4)")" 0 "no record belongs to another vector"

# ---- one thread or several, nothing is left over -----------------------------------------------------------------

threads=$(cluster_psql "$cluster" -At 2>/dev/null <<'SQL'
SET tinyquant.threads = 4;
UPDATE t SET e = NULL;
CALL tq_compress_column('t', 'v', 'e');
SELECT pg_backend_pid() AS pid \gset
\setenv BACKEND :pid
\! ls /proc/$BACKEND/task | wc -l
SQL
)
is "${threads##*$'\n'}" 1 "the threads of a call are gone when it ends"

# ---- a large rotation ------------------------------------------------------------------------------------------

# milliseconds SQL: how long a statement took, whether it failed or not
milliseconds() {
    local started
    started=$(date +%s%N)
    cluster_psql "$cluster" -c "$1" >"$RUN/timed.out" 2>&1 || true
    echo $((($(date +%s%N) - started) / 1000000))
}
large="SELECT tq_dimension(tq_compress(array_fill((1 / sqrt(8192))::real, '{8192}'), 4))"
took=$(milliseconds "SET statement_timeout = 500; $large")
like "$(cat "$RUN/timed.out")" 'canceling statement due to statement timeout' "building a large rotation can be cancelled"
echo "# cancelled $((took - 500)) ms after the timeout; building it whole takes many seconds"
is "$(value "SELECT count(*) FROM tq_rotation_cache() WHERE dimension = 8192")" 0 "and leaves no file"
is "$(find "$cluster/data/pg_tinyquant" -name '*8192*' | wc -l)" 0 "nor a part of one"
is "$(value "SELECT tq_bit_width(tq_compress('{0.6, 0.8}', 4))")" 4 "the server goes on"

done_testing
