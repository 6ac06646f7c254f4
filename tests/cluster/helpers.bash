# shellcheck shell=bash source-path=SCRIPTDIR
# What several cluster tests do, on top of scripts/lib.sh, which it sources. The first thing that a test sources; the
# server is that of $PG_BIN then.
#
#   one_cluster NAME [SETTING...]     makes and starts $RUN/NAME; it is $cluster, which these speak to:
#     value SQL [DATABASE]            the bare result
#     execute SQL [DATABASE]          nothing is printed but errors
#     sql                             statements from standard input
#     outcome ROLE SQL...             ok, or the SQLSTATE of the first statement that fails; $OUTCOME_SECONDS at most
#     session NAME SQL; wait_for SQL  cluster_session and cluster_wait
#     surviving_session NAME SQL      likewise, verbosely, and `SELECT 41 + 1` afterwards, which shows that it goes on
#     cancel NAME; terminate NAME     the session of that name; kill_session NAME by SIGKILL
#     create_extension                with random_vector(seed, dimension), which has norm 1
#     no_temporary_files NAME         a test that the server has none left
#   files_folder                      $files, a folder that the server writes to
#   small_disk                        $small, a file system of 2 MB; to be unmounted; fails where there can't be one
#   with_library LIBRARIES            $cluster's shared_preload_libraries, which take effect at its next start
#   dump_digest                       of a dump in SQL on standard input, without psql's commands, which have a nonce
#   wait_until COMMAND...             until it succeeds, a minute at most
#   standby_of PRIMARY STANDBY        a streaming standby, started
#   wait_for_replay PRIMARY STANDBY   until the standby has replayed all that the primary has written
#   replayed STANDBY LSN              whether it has come so far
#   is_active NAME                    whether a statement of that session runs
#   open_session; ask SQL; close_session    one session that stays open, and the answer to statements in it
# shellcheck source=../../scripts/lib.sh
. "${HELPERS:?}"
use_server "${PG_BIN:?}"
# The tree is not always ours to write to.
export PYTHONDONTWRITEBYTECODE=1

one_cluster() {
    cluster=$RUN/$1
    shift
    cluster_create "$cluster" "$@"
    cluster_start "$cluster"
}

value() { cluster_value "$cluster" "$@"; }
execute() { cluster_value "$cluster" "$@" >/dev/null; }
sql() { cluster_psql "$cluster" >/dev/null; }
# index_of_floats NAME TABLE EXPRESSION CLASS [WITH]: an index over a column of pgvector's as an expression, if the
# server has pgvector; prints its name, or nothing.
index_of_floats() {
    [ "$(value "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")" = 1 ] || return 0
    execute "SET client_min_messages = error; CREATE EXTENSION IF NOT EXISTS vector; SELECT tq_enable_pgvector();
        CREATE INDEX $1 ON $2 USING tinyquant (($3) $4) ${5:-}"
    echo "$1"
}
outcome() {
    local role=$1 statement out arguments=(-c 'SET client_min_messages = error')
    shift
    for statement; do arguments+=(-c "$statement"); done
    out=$(timeout "${OUTCOME_SECONDS:-300}" "$PG_BIN/psql" -X -q -At -h "$cluster" -U "$role" -d postgres \
        -v ON_ERROR_STOP=1 -v VERBOSITY=sqlstate "${arguments[@]}" 2>&1 >/dev/null) || [ $? -ne 124 ] || out='no answer'
    case $out in '') echo ok ;; *ERROR*) sed -n 's/^.*ERROR:  //p' <<<"$out" ;; *) echo "$out" ;; esac
}
session() { cluster_session "$cluster" "$@"; }
surviving_session() {
    PGAPPNAME=$1 cluster_psql "$cluster" -At -v QUIET=off -v ON_ERROR_STOP=0 -v VERBOSITY=verbose \
        -c "$2" -c 'SELECT 41 + 1' >"$RUN/$1.out" 2>&1 &
}
wait_for() { cluster_wait "$cluster" "$1"; }

cancel() { execute "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = '$1'"; }
terminate() { execute "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$1'"; }
# The postmaster restarts everything.
kill_session() {
    as_server_user kill -9 "$(value "SELECT pid FROM pg_stat_activity WHERE application_name = '$1'")"
    wait
    wait_until accepts_connections "$cluster" || true
}
is_active() {
    [ "$(value "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$1' AND state = 'active'")" = 1 ]
}
accepts_connections() { cluster_value "$1" 'SELECT 1' >/dev/null 2>&1; }

create_extension() {
    sql <<'SQL'
CREATE EXTENSION tinyquant;
CREATE FUNCTION random_vector(seed bigint, dimension int) RETURNS real[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT tq_normalize(array_agg((hashint8extended(i, seed) % 1000)::real ORDER BY i))
    FROM generate_series(1, dimension) i
$$;
SQL
}

no_temporary_files() {
    is "$(find "$cluster/data/base/pgsql_tmp" -type f 2>/dev/null | wc -l)" 0 "$1"
}

files_folder() {
    files=$RUN/files
    as_server_user mkdir "$files"
}

small_disk() {
    small=$RUN/small
    as_server_user mkdir "$small"
    [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=2m,mode=777 tmpfs "$small" 2>/dev/null
}

with_library() {
    sed -i '/^shared_preload_libraries/d' "$cluster/data/postgresql.conf"
    echo "shared_preload_libraries = '$1'" >>"$cluster/data/postgresql.conf"
}

dump_digest() { grep -v '^[\]' | md5sum; }

wait_until() {
    local i
    for ((i = 0; i < 1200; i++)); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    return 1
}

standby_of() {
    as_server_user mkdir -m 700 "$2"
    as_server_user "$PG_BIN/pg_basebackup" -h "$1" -U postgres -D "$2/data" -R -c fast
    echo "$PG_BIN" >"$2/bin-dir"
    sed -i "s#^unix_socket_directories.*#unix_socket_directories = '$2'#" "$2/data/postgresql.conf"
    cluster_start "$2"
}

wait_for_replay() {
    local lsn
    lsn=$(cluster_value "$1" 'SELECT pg_current_wal_insert_lsn()')
    wait_until replayed "$2" "$lsn"
}

replayed() { [ "$(cluster_value "$1" "SELECT pg_last_wal_replay_lsn() >= '$2'" 2>&1)" = t ]; }

# Statements go in by a pipe, results come out by another.
open_session() {
    coproc OPEN { cluster_psql "$cluster" -At -v ON_ERROR_STOP=0 2>&1; }
}
ask() {
    local line result=
    printf '%s\n\\echo done\n' "$1" >&"${OPEN[1]}"
    while IFS= read -r -t 60 line <&"${OPEN[0]}" && [ "$line" != "done" ]; do result+=$line; done
    printf '%s' "$result"
}
close_session() {
    local pid=$OPEN_PID
    eval "exec ${OPEN[1]}>&-"
    wait "$pid" 2>/dev/null || true
}
