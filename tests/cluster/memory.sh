#!/usr/bin/env bash
# Memory that runs out: every function and every COPY of ours under a falling limit is SQLSTATE 53200 or succeeds, its
# session lives, and no other notices. And errors don't capture backtraces, whatever the environment says: these take
# memory, too, and the user's attention.
#
# MEMORY_STEPS=200 takes finer steps (6 if not said; 2 on servers before 18, which test the same code), and
# MEMORY_ONLY='COPY TO' is a pattern of the statements' names.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

steps=2
[ "$PG_MAJOR" -lt 18 ] || steps=6
steps=${MEMORY_STEPS:-$steps}
cluster=$RUN/memory
# Without JIT: LLVM ends a session that runs out of memory, and statements that disable scans cost enough to be
# compiled.
cluster_create "$cluster" 'shared_buffers = 16MB' 'autovacuum = off' 'max_wal_size = 4GB' 'jit = off' \
    'max_parallel_workers_per_gather = 0' 'log_min_messages = error'
# What the standard library knows of it, all at once.
RUST_BACKTRACE=full RUST_LIB_BACKTRACE=1 cluster_start "$cluster"
files_folder
chmod a+rx "$RUN"
create_extension
# Dimensions at which rotations are kept, buffers exceed a page, and, in one row, 1,500 as in the report.
sql <<'SQL'
SELECT tq_create_codec('docs', 296, 4, false, 17);
CREATE TABLE t AS
SELECT id, v, tq_compress(v, 4) AS e
FROM (SELECT i AS id, random_vector(i, 296) AS v FROM generate_series(1, 200) i OFFSET 0) s;
ANALYZE t;
CREATE TABLE wide (v real[], e tqvec(1500, 4), f tqvec(1500, 8, residual));
INSERT INTO wide SELECT v, v, v FROM random_vector(1, 1500) v;
CREATE TABLE texts AS SELECT replace(replace(v::text, '{', '['), '}', ']') AS n, f::text AS d FROM wide;
CREATE UNLOGGED TABLE t2 (id bigint, name text, v real[], e tqvec(296, 4), f tqvec(296, 8));
CREATE UNLOGGED TABLE filled_in_part AS
    SELECT id, CASE WHEN id % 7 = 0 THEN array_fill(0::real, ARRAY[296]) ELSE v END AS v, NULL::tqvec(296, 4) AS e
    FROM t;
CREATE UNLOGGED TABLE filled AS SELECT id, v, NULL::tqvec(296, 4) AS e FROM t;
SQL
# pgvector's own columns, for which indexes are made as well.
if [ "$(value "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")" = 1 ]; then
    sql <<'SQL'
SET client_min_messages = error;
CREATE EXTENSION vector;
SELECT tq_enable_pgvector();
CREATE TABLE floats AS SELECT id, v::vector(296) AS v, v::vector(296)::halfvec(296) AS h FROM t;
SQL
fi
# Files for what reads some; those that are written are written anew.
while IFS='|' read -r name query options; do
    value "COPY ($query) TO '$files/$name' WITH ($options)" >/dev/null
done <<'END'
tqcv|SELECT e FROM t|FORMAT tqcv
ids.tqcv|SELECT id, e FROM t|FORMAT tqcv
other.ids.tqcv|SELECT id + 1000, e FROM t|FORMAT tqcv
qvec|SELECT v FROM t|FORMAT qvec
half.zt|SELECT v FROM t|FORMAT ztensor, DTYPE 'f16', COMPRESSION 'zstd'
other.half.zt|SELECT v FROM t|FORMAT ztensor, TENSOR 'other', COMPRESSION 'zstd'
sparse.zt|SELECT v FROM t|FORMAT ztensor, SPARSE true
other.sparse.zt|SELECT v FROM t|FORMAT ztensor, TENSOR 'other', SPARSE true, VERSION '1'
bpk|SELECT v FROM t|FORMAT burnpack
other.bpk|SELECT v FROM t|FORMAT burnpack, TENSOR 'other'
END
value "SELECT tq_export_codec('docs', '$files/codec.tqcb', '$files/codec.json')" >/dev/null

# As the servers' user, who may limit its own processes.
cp "$(dirname "$0")"/{memory,memory_statements,wire}.py "$RUN/"
refuse_memory() { # NAME [VARIABLE=VALUE...]
    local name=$1 counts
    shift
    as_server_user env MEMORY_ONLY="${MEMORY_ONLY:-}" MEMORY_TIMES="${MEMORY_TIMES:-}" "$@" \
        python3 "$RUN/memory.py" "$cluster/.s.PGSQL.5432" "$files" "$cluster/server.log" "$steps" \
        >"$RUN/memory.out" 2>&1 || cat "$RUN/memory.out" >&2
    counts=$(tail -n 1 "$RUN/memory.out")
    printf '# %s: %s\n' "$name" "$counts"
    is "$(grep -c '^problem' "$RUN/memory.out" || true)" 0 \
        "$name: a statement without memory is 53200, and its session and all others live" || true
    sed -n 's/^problem/# problem/p' "$RUN/memory.out" | head -n 60
    like "$counts" 'statements [0-9]+, .*errors [1-9][0-9]*, successes [1-9][0-9]*, deaths 0$' \
        "$name: no session has died"
}
refuse_memory 'falling limit'

# Each allocation, whatever its size: by a library that stands before the C library's.
if cc -O1 -shared -fPIC -o "$RUN/failing_malloc.so" "$(dirname "$0")/failing_malloc.c"; then
    cluster_stop "$cluster"
    as_server_user dd if=/dev/zero of="$RUN/failing_malloc" bs=64 count=1 status=none
    (
        export LD_PRELOAD=$RUN/failing_malloc.so FAILING_MALLOC=$RUN/failing_malloc
        cluster_start "$cluster"
    )
    refuse_memory 'each allocation' FAILING_MALLOC="$RUN/failing_malloc"
else
    echo "# SKIPPED: each allocation (needs a C compiler, cc)"
fi

# ---- backtraces -------------------------------------------------------------------------------------------------

# An error of ours, one of the server's that passes through us, and one of the server's below a statement of ours.
errors() {
    cluster_psql "$1" -v ON_ERROR_STOP=0 -v VERBOSITY=verbose -c "SELECT '[1,nan]'::tqvec" \
        -c "SELECT * FROM tq_evaluate('SELECT ARRAY[1/0]::real[]')" \
        -c "SELECT tq_export('SELECT 1 FROM nothing', '/tmp/no')" 2>&1 || true
}
for setting in 'RUST_BACKTRACE=1' 'RUST_BACKTRACE=full' 'RUST_LIB_BACKTRACE=1'; do
    cluster_stop "$cluster"
    # Also where the library is loaded by the session.
    for preload in tinyquant ''; do
        with_library "$preload"
        (export "${setting?}" && cluster_start "$cluster")
        errors "$cluster" >"$RUN/errors.out"
        is "$(grep -c '^ERROR' "$RUN/errors.out")" 3 "$setting, preloaded '$preload': three errors"
        is "$(grep -cE '^ +[0-9]+: |backtrace|^ +at ' "$RUN/errors.out" || true)" 0 \
            "$setting, preloaded '$preload': no report has a backtrace"
        [ -z "$preload" ] || cluster_stop "$cluster"
    done
done

done_testing
