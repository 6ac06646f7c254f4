#!/usr/bin/env bash
# QVEC, zTensor and Burnpack among accidents, as copy_to.sh, corpus_in_place.sh and rights.sh have corpora: written files that are
# cancelled, killed, failing or on a full disk; read ones that are cut off or rewritten; rights, memory, the client, and
# what is no file.
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib.sh
. "${HELPERS:?}"
use_server "${PG_BIN:?}"

cluster=$RUN/formats
cluster_create "$cluster" 'autovacuum = off' 'max_wal_size = 4GB'
cluster_start "$cluster"
value() { cluster_value "$cluster" "$1"; }
session() { cluster_session "$cluster" "$@"; }
wait_for() { cluster_wait "$cluster" "$1"; }

value 'CREATE EXTENSION tinyquant' >/dev/null
# 60,000 rows of 64 numbers, 15 MB: too many for any buffer.
value "CREATE TABLE t (id int PRIMARY KEY, v real[]);
       INSERT INTO t SELECT i, (SELECT array_agg((hashint8extended(j, i % 300) >> 40)::real / 8388608) FROM generate_series(1, 64) j)
       FROM generate_series(1, 60000) i;
       CREATE TABLE back (id bigint, v real[]);
       CREATE TABLE records (id bigint, e tqvec(64, 8, residual));
       ANALYZE t" >/dev/null
folder=$RUN/files
as_server_user mkdir "$folder"
target=$folder/target
declare -A formats=([qvec]=qvec [ztensor]=ztensor [sparse]='ztensor, SPARSE true, COMPRESSION zstd' [burnpack]=burnpack)
litter() { find "$folder" -mindepth 1 ! -name target ! -name large | wc -l; }

# ---- written -----------------------------------------------------------------------------------------------------------

for name in qvec ztensor sparse burnpack; do
    format=${formats[$name]}
    ids=
    [ $name != qvec ] || ids='id, '
    value "COPY (SELECT ${ids}v FROM t WHERE id <= 1000) TO '$target' WITH (FORMAT $format)" >/dev/null
    old=$(md5sum <"$target")
    unchanged() {
        is "$(md5sum <"$target")" "$old" "$name, $1: the old file is as it was"
        is "$(litter)" 0 "$name, $1: nothing else is left"
    }
    slow="COPY (SELECT ${ids}v FROM t WHERE id <= 20000 OR pg_sleep(0.002) IS NOT NULL) TO '$target' WITH (FORMAT $format)"
    underway="SELECT coalesce((SELECT tuples_processed >= 20000 AND bytes_processed > 0 AND bytes_total >= bytes_processed
              FROM pg_stat_progress_copy WHERE command = 'COPY TO'), false)"
    session cancelled "$slow"
    if wait_for "$underway"; then seen=yes; else seen=no; fi
    is $seen yes "$name: pg_stat_progress_copy counts rows and bytes"
    value "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'cancelled'" >/dev/null
    wait
    like "$(cat "$RUN/cancelled.out")" 'canceling statement due to user request' "$name: a COPY TO can be cancelled"
    unchanged cancelled

    session killed "$slow"
    wait_for "$underway" || true
    as_server_user kill -9 "$(value "SELECT pid FROM pg_stat_activity WHERE application_name = 'killed'")"
    wait
    for ((i = 0; i < 200; i++)); do
        if value 'SELECT 1' >/dev/null 2>&1; then break; fi
        sleep 0.1
    done
    value "COPY (SELECT v FROM t WHERE id <= 10) TO '$folder/next' WITH (FORMAT $format)" >/dev/null
    rm -f "$folder/next"
    unchanged killed

    cluster_psql "$cluster" -c "COPY (SELECT ${ids}v FROM t WHERE 1 / (id - 55000) < 2) TO '$target' WITH (FORMAT $format)" \
        >"$RUN/failing.out" 2>&1 || true
    like "$(cat "$RUN/failing.out")" 'division by zero' "$name: a query that fails half-way is its own error"
    unchanged failed

    # The client's file is the server's, and comes back.
    cluster_psql "$cluster" -c "\\copy (SELECT ${ids}v FROM t WHERE id <= 1000) TO '$RUN/client' WITH (FORMAT $format)" >/dev/null
    is "$(md5sum <"$RUN/client")" "$old" "$name: psql's \\copy writes the same file"
    ordinal=${ids:+x}
    value 'TRUNCATE back' >/dev/null
    cluster_psql "$cluster" -c "\\copy back FROM '$RUN/client' WITH (FORMAT ${format%%,*}${ordinal:-, IDS 'ordinal'})" >/dev/null 2>&1 ||
        cluster_psql "$cluster" -c "\\copy back FROM '$RUN/client' WITH (FORMAT ${format%%,*})" >/dev/null
    is "$(value 'SELECT count(*) FROM back JOIN t USING (id)')" 1000 "$name: and reads it again"
done
is "$(find "$cluster/data/base/pgsql_tmp" -type f 2>/dev/null | wc -l)" 0 "no temporary file is left"

small=$RUN/small
as_server_user mkdir "$small"
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=2m,mode=777 tmpfs "$small" 2>/dev/null; then
    for name in qvec ztensor sparse burnpack; do
        value "COPY (SELECT v FROM t WHERE id <= 1000) TO '$small/target' WITH (FORMAT ${formats[$name]})" >/dev/null
        old=$(md5sum <"$small/target")
        cluster_psql "$cluster" -c "COPY (SELECT v FROM t, generate_series(1, 3)) TO '$small/target' (FORMAT ${formats[$name]})" >"$RUN/full.out" 2>&1 || true
        like "$(cat "$RUN/full.out")" 'No space left on device' "$name: a full disk is an error"
        is "$(md5sum <"$small/target")" "$old" "$name: and the old file is as it was"
        is "$(find "$small" -type f | wc -l)" 1 "$name: and alone"
    done
    umount "$small"
else
    echo "# SKIPPED: a full disk (a file system can't be mounted here)"
fi

# ---- read ----------------------------------------------------------------------------------------------------------------

large=$folder/large
# Waits in each row once 20,000 are there, until the file has been changed.
value "CREATE FUNCTION pace() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
           IF new.id = 20000 THEN PERFORM pg_sleep(0.05) FROM generate_series(1, 200) WHERE (pg_stat_file('$folder/changed', true)).size IS NULL; END IF;
           RETURN new; END \$\$;
       CREATE TRIGGER pace BEFORE INSERT ON back FOR EACH ROW EXECUTE FUNCTION pace();
       CREATE TRIGGER pace BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION pace()" >/dev/null
for name in qvec ztensor sparse burnpack; do
    format=${formats[$name]%%,*}
    for change in "truncate -s 0 '$large'" "truncate -s 500000 '$large'" "printf x >>'$large'"; do
        for table in back records; do
            [ $table = back ] || [ "${change%% *}" = printf ] || continue
            rm -f "$folder/changed" "$large"
            value "COPY (SELECT v FROM t) TO '$large' (FORMAT ${formats[$name]}); TRUNCATE back, records" >/dev/null
            PGAPPNAME=changed "$PG_BIN/psql" -X -At -h "$cluster" -U postgres -d postgres -v VERBOSITY=verbose \
                -c "COPY $table FROM '$large' (FORMAT $format, IDS 'ordinal')" -c 'SELECT 41 + 1' >"$RUN/changed.out" 2>&1 &
            changed=$!
            wait_for "SELECT coalesce((SELECT tuples_processed BETWEEN 10000 AND 59000 AND bytes_total > 0 FROM pg_stat_progress_copy), false)" || true
            eval "$change"
            as_server_user touch "$folder/changed"
            wait "$changed" || true
            like "$(cat "$RUN/changed.out")" '58030.*large" was (truncated|modified) while it was being read' "$name into $table, ${change%% *}: an error"
            like "$(cat "$RUN/changed.out")" '42$' "$name into $table, ${change%% *}: the session goes on"
            is "$(value "SELECT count(*) FROM $table")" 0 "$name into $table, ${change%% *}: nothing of it is in the table"
        done
    done
done
is "$(grep -c 'terminated by signal' "$cluster/server.log")" 4 "no backend died but the four that were killed"

# ---- memory, with a file of 256 MB --------------------------------------------------------------------------------------

grown() { # SQL: how many MB the session's peak has grown, with the pages of files that it has mapped
    cluster_psql "$cluster" -At 2>&1 <<SQL
SELECT count(*) FROM t WHERE v IS NULL \g /dev/null
COPY records FROM '$target' (FORMAT burnpack, IDS 'ordinal');
SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int AS before \gset
$1;
SELECT greatest((regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int - :before, 0) / 1024;
SQL
}
value "DROP TRIGGER pace ON back; DROP TRIGGER pace ON records; TRUNCATE records" >/dev/null
value "COPY (SELECT v FROM t, generate_series(1, 17)) TO '$large' (FORMAT ztensor)" >/dev/null
is "$(value "SELECT bytes > 256000000 FROM tq_file_info('$large')")" t "a file of 256 MB"
for statement in "COPY records FROM '$large' (FORMAT ztensor, IDS 'ordinal')" \
    "COPY (SELECT v FROM t, generate_series(1, 17)) TO '$folder/other' (FORMAT ztensor, COMPRESSION zstd)" \
    "SELECT tq_convert('$large', '$folder/other', '{\"format\": \"burnpack\"}') \\g /dev/null" \
    "SELECT checksum FROM tq_file_info('$large') \\g /dev/null"; do
    mb=$(grown "$statement")
    echo "# ${statement//$RUN/…}: memory grew by $mb MB"
    if [ "$mb" -lt 64 ]; then ok "memory stays flat: ${statement%% *} …"; else not_ok "memory stays flat: ${statement%% *} …" "$mb MB"; fi
done
rm -f "$folder/other" "$large"

# ---- rights, and what is no file -----------------------------------------------------------------------------------------

value "CREATE ROLE reader IN ROLE pg_read_server_files LOGIN; CREATE ROLE writer IN ROLE pg_write_server_files LOGIN; CREATE ROLE neither LOGIN;
       CREATE ROLE copier IN ROLE pg_read_server_files, pg_write_server_files LOGIN;
       GRANT ALL ON t, back TO PUBLIC" >/dev/null
outcome() { # ROLE SQL: ok or the SQLSTATE
    local said
    if said=$("$PG_BIN/psql" -X -q -At -h "$cluster" -U "$1" -d postgres -v ON_ERROR_STOP=1 -v VERBOSITY=sqlstate -c "$2" 2>&1); then
        echo ok
    else
        sed -nE 's/^ERROR:  ([0-9A-Z]{5}).*/\1/p' <<<"$said"
    fi
}
for role in reader writer neither copier; do
    can_read=42501
    can_write=42501
    can_do_both=42501
    case $role in reader | copier) can_read=ok ;; esac
    case $role in writer | copier) can_write=ok ;; esac
    [ $role != copier ] || can_do_both=ok
    is "$(outcome $role "COPY back (v) FROM '$target' (FORMAT burnpack)")" $can_read "$role: COPY FROM"
    is "$(outcome $role "SELECT tq_file_info('$target')")" $can_read "$role: tq_file_info"
    is "$(outcome $role "COPY (SELECT v FROM t LIMIT 9) TO '$folder/$role' (FORMAT ztensor)")" $can_write "$role: COPY TO"
    is "$(outcome $role "SELECT tq_convert('$target', '$folder/$role', '{\"format\": \"ztensor\"}')")" $can_do_both "$role: tq_convert"
    is "$(outcome $role "SELECT tq_merge('$folder/$role', ARRAY['$target'])")" $can_do_both "$role: tq_merge"
done
as_server_user mkfifo "$folder/fifo"
for path in "$folder/fifo" /dev/zero /dev/null "$folder"; do
    for format in qvec ztensor burnpack; do
        is "$(outcome postgres "COPY back (v) FROM '$path' (FORMAT $format)")" 42809 "$format: ${path##*/} is no regular file"
    done
    is "$(outcome postgres "SELECT tq_file_info('$path')")" 42809 "tq_file_info: ${path##*/} is no regular file"
done
is "$(outcome postgres "BEGIN READ ONLY; COPY back (v) FROM '$target' (FORMAT burnpack)")" 25006 "a read-only transaction loads nothing"
is "$(outcome postgres "BEGIN READ ONLY; COPY (SELECT v FROM t LIMIT 9) TO '$folder/read_only' (FORMAT burnpack)")" ok "but writes files, as core's does"

# ---- conversions: cancelled, failing -------------------------------------------------------------------------------------

value "COPY (SELECT v FROM t) TO '$large' (FORMAT ztensor)" >/dev/null
old=$(md5sum <"$target")
session cancelled "SET statement_timeout = 20; SELECT tq_convert('$large', '$target', '{\"format\": \"qvec\"}')"
wait
like "$(cat "$RUN/cancelled.out")" 'canceling statement due to statement timeout' "a conversion can be cancelled"
is "$(md5sum <"$target")" "$old" "and the old file is as it was"
is "$(find "$folder" -name '.*' | wc -l)" 0 "and no other is left"
cluster_stop "$cluster"
done_testing
