#!/usr/bin/env bash
# QVEC, zTensor, Burnpack, NumPy, safetensors, GGUF, PyTorch and the files of benchmarks among accidents, as copy_to.sh,
# corpus_in_place.sh and rights.sh have corpora: written files that are cancelled, killed, failing or on a full disk;
# read ones that are cut off or rewritten; rights, memory, the client, and what is no file.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster formats 'autovacuum = off' 'max_wal_size = 4GB'
create_extension

# 60,000 rows of 64 numbers, 15 MB: too many for any buffer.
sql <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, v real[]);
INSERT INTO t
SELECT i, (SELECT array_agg((hashint8extended(j, i % 300) >> 40)::real / 8388608) FROM generate_series(1, 64) j)
FROM generate_series(1, 60000) i;
CREATE TABLE back (id bigint, v real[]);
CREATE TABLE records (id bigint, e tqvec(64, 8, residual));
ANALYZE t;
SQL
folder=$RUN/files
as_server_user mkdir "$folder"
target=$folder/target
declare -A formats=(
    [qvec]=qvec [ztensor]=ztensor [sparse]='ztensor, SPARSE true, COMPRESSION zstd' [burnpack]=burnpack
    [npy]=npy [safetensors]=safetensors [fbin]=fbin [ids]='safetensors'
)
written='qvec ztensor sparse burnpack npy safetensors fbin ids'
litter() { find "$folder" -mindepth 1 ! -name target ! -name large | wc -l; }

# ---- written ----------------------------------------------------------------------------------------------------

for name in $written; do
    format=${formats[$name]}
    ids=
    case $name in qvec | ids) ids='id, ' ;; esac
    execute "COPY (SELECT ${ids}v FROM t WHERE id <= 1000) TO '$target' WITH (FORMAT $format)"
    old=$(md5sum <"$target")
    unchanged() {
        is "$(md5sum <"$target")" "$old" "$name, $1: the old file is as it was"
        is "$(litter)" 0 "$name, $1: nothing else is left"
    }
    slow="COPY (SELECT ${ids}v FROM t WHERE id <= 20000 OR pg_sleep(0.002) IS NOT NULL)
        TO '$target' WITH (FORMAT $format)"
    underway="
        SELECT coalesce((
            SELECT tuples_processed >= 20000 AND bytes_processed > 0 AND bytes_total >= bytes_processed
            FROM pg_stat_progress_copy WHERE command = 'COPY TO'), false)"
    session cancelled "$slow"
    if wait_for "$underway"; then seen=yes; else seen=no; fi
    is $seen yes "$name: pg_stat_progress_copy counts rows and bytes"
    cancel cancelled
    wait
    like "$(cat "$RUN/cancelled.out")" 'canceling statement due to user request' "$name: a COPY TO can be cancelled"
    unchanged cancelled

    session killed "$slow"
    wait_for "$underway" || true
    kill_session killed
    execute "COPY (SELECT v FROM t WHERE id <= 10) TO '$folder/next' WITH (FORMAT $format)"
    rm -f "$folder/next"
    unchanged killed

    cluster_psql "$cluster" \
        -c "COPY (SELECT ${ids}v FROM t WHERE 1 / (id - 55000) < 2) TO '$target' WITH (FORMAT $format)" \
        >"$RUN/failing.out" 2>&1 || true
    like "$(cat "$RUN/failing.out")" 'division by zero' "$name: a query that fails half-way is its own error"
    unchanged failed

    # The client's file is the server's, and comes back.
    sql <<<"\\copy (SELECT ${ids}v FROM t WHERE id <= 1000) TO '$RUN/client' WITH (FORMAT $format)"
    is "$(md5sum <"$RUN/client")" "$old" "$name: psql's \\copy writes the same file"
    case $name in qvec) from= ;; ids) from=", TENSOR 'embedding', IDS_TENSOR 'ids'" ;; *) from=", IDS 'ordinal'" ;; esac
    execute 'TRUNCATE back'
    sql <<<"\\copy back FROM '$RUN/client' WITH (FORMAT ${format%%,*}$from)"
    is "$(value 'SELECT count(*) FROM back JOIN t USING (id)')" 1000 "$name: and reads it again"
done
no_temporary_files "no temporary file is left"
# What is read and converted below.
execute "COPY (SELECT v FROM t WHERE id <= 1000) TO '$target' WITH (FORMAT burnpack)"

if small_disk; then
    for name in $written; do
        ids=
        [ "$name" != ids ] || ids='id, '
        execute "COPY (SELECT ${ids}v FROM t WHERE id <= 1000) TO '$small/target' WITH (FORMAT ${formats[$name]})"
        old=$(md5sum <"$small/target")
        cluster_psql "$cluster" \
            -c "COPY (SELECT ${ids}v FROM t, generate_series(1, 3)) TO '$small/target' (FORMAT ${formats[$name]})" \
            >"$RUN/full.out" 2>&1 || true
        like "$(cat "$RUN/full.out")" 'No space left on device' "$name: a full disk is an error"
        is "$(md5sum <"$small/target")" "$old" "$name: and the old file is as it was"
        is "$(find "$small" -type f | wc -l)" 1 "$name: and alone"
    done
    umount "$small"
else
    echo "# SKIPPED: a full disk (a file system can't be mounted here)"
fi

# ---- read -------------------------------------------------------------------------------------------------------

large=$folder/large
# Waits in each row once 20,000 are there, until the file has been changed.
sql <<SQL
CREATE FUNCTION pace() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
    IF new.id = 20000 THEN
        PERFORM pg_sleep(0.05)
        FROM generate_series(1, 200) WHERE (pg_stat_file('$folder/changed', true)).size IS NULL;
    END IF;
    RETURN new;
END \$\$;
CREATE TRIGGER pace BEFORE INSERT ON back FOR EACH ROW EXECUTE FUNCTION pace();
CREATE TRIGGER pace BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION pace();
SQL
append() { printf x >>"$1"; }
paused="
    SELECT coalesce((
        SELECT tuples_processed BETWEEN 10000 AND 59000 AND bytes_total > 0 FROM pg_stat_progress_copy), false)"
# What is read alone is made of another file, as its own programs would.
cp "$(dirname "$0")/of_fbin.py" "$RUN/of_fbin.py"
chmod a+r "$RUN/of_fbin.py"
make_file() { as_server_user python3 "$RUN/of_fbin.py" "$1" "$large" "$large"; }
for name in qvec ztensor sparse burnpack npy safetensors fbin fvecs gguf torch; do
    format=${formats[$name]:-$name}
    format=${format%%,*}
    for change in "truncate -s 0" "truncate -s 500000" append; do
        for table in back records; do
            [ $table = back ] || [ "$change" = append ] || continue
            rm -f "$folder/changed" "$large"
            execute "COPY (SELECT v FROM t) TO '$large' (FORMAT ${formats[$name]:-fbin}); TRUNCATE back, records"
            [ -n "${formats[$name]:-}" ] || make_file "$name"
            surviving_session changed "COPY $table FROM '$large' (FORMAT $format, IDS 'ordinal')"
            changed=$!
            wait_for "$paused" || true
            $change "$large"
            as_server_user touch "$folder/changed"
            wait "$changed" || true
            what="$name into $table, $change"
            like "$(cat "$RUN/changed.out")" '58030.*large" was (truncated|modified) while it was being read' \
                "$what: an error"
            like "$(cat "$RUN/changed.out")" '42$' "$what: the session goes on"
            is "$(value "SELECT count(*) FROM $table")" 0 "$what: nothing of it is in the table"
        done
    done
done
is "$(grep -c 'terminated by signal' "$cluster/server.log")" 8 "no backend died but the eight that were killed"

# ---- memory, with a file of 256 MB ------------------------------------------------------------------------------

grown() { # SQL: how many MB the session's peak has grown, with the pages of files that it has mapped
    cluster_psql "$cluster" -At 2>&1 <<SQL
SELECT count(*) FROM t WHERE v IS NULL \g /dev/null
COPY records FROM '$target' (FORMAT burnpack, IDS 'ordinal');
SELECT (regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int AS before \gset
$1;
SELECT greatest((regexp_match(pg_read_file('/proc/self/status'), 'VmHWM:\s+(\d+)'))[1]::int - :before, 0) / 1024;
SQL
}
execute 'DROP TRIGGER pace ON back; DROP TRIGGER pace ON records; TRUNCATE records'
execute "COPY (SELECT v FROM t, generate_series(1, 17)) TO '$large' (FORMAT ztensor)"
is "$(value "SELECT bytes > 256000000 FROM tq_file_info('$large')")" t "a file of 256 MB"
whole='{"format": "safetensors", "tensors": "all"}'
for statement in "COPY records FROM '$large' (FORMAT ztensor, IDS 'ordinal')" \
    "COPY (SELECT v FROM t, generate_series(1, 17)) TO '$folder/other' (FORMAT ztensor, COMPRESSION zstd)" \
    "SELECT tq_convert('$large', '$folder/other', '{\"format\": \"burnpack\"}') \\g /dev/null" \
    "SELECT tq_convert('$large', '$folder/other', '$whole') \\g /dev/null" \
    "COPY (SELECT id, v FROM t, generate_series(1, 17)) TO '$folder/other' (FORMAT safetensors)" \
    "SELECT checksum FROM tq_file_info('$large') \\g /dev/null"; do
    mb=$(grown "$statement")
    echo "# ${statement//$RUN/…}: memory grew by $mb MB"
    name="memory stays flat: ${statement%% *} …"
    if [ "$mb" -lt 64 ]; then ok "$name"; else not_ok "$name" "$mb MB"; fi
done
rm -f "$folder/other" "$large"

# ---- rights, and what is no file --------------------------------------------------------------------------------

sql <<'SQL'
CREATE ROLE reader IN ROLE pg_read_server_files LOGIN;
CREATE ROLE writer IN ROLE pg_write_server_files LOGIN;
CREATE ROLE neither LOGIN;
CREATE ROLE copier IN ROLE pg_read_server_files, pg_write_server_files LOGIN;
GRANT ALL ON t, back TO PUBLIC;
SQL
for role in reader writer neither copier; do
    can_read=42501
    can_write=42501
    can_do_both=42501
    case $role in reader | copier) can_read=ok ;; esac
    case $role in writer | copier) can_write=ok ;; esac
    [ $role != copier ] || can_do_both=ok
    is "$(outcome $role "COPY back (v) FROM '$target' (FORMAT burnpack)")" $can_read "$role: COPY FROM"
    is "$(outcome $role "SELECT tq_file_info('$target')")" $can_read "$role: tq_file_info"
    is "$(outcome $role "COPY (SELECT v FROM t LIMIT 9) TO '$folder/$role' (FORMAT ztensor)")" $can_write \
        "$role: COPY TO"
    is "$(outcome $role "SELECT tq_convert('$target', '$folder/$role', '{\"format\": \"ztensor\"}')")" $can_do_both \
        "$role: tq_convert"
    is "$(outcome $role "SELECT tq_merge('$folder/$role', ARRAY['$target'])")" $can_do_both "$role: tq_merge"
done
as_server_user mkfifo "$folder/fifo"
for path in "$folder/fifo" /dev/zero /dev/null "$folder"; do
    for format in qvec ztensor burnpack npy npz safetensors gguf torch fvecs fbin; do
        is "$(outcome postgres "COPY back (v) FROM '$path' (FORMAT $format)")" 42809 \
            "$format: ${path##*/} is no regular file"
    done
    is "$(outcome postgres "SELECT tq_file_info('$path')")" 42809 "tq_file_info: ${path##*/} is no regular file"
done
is "$(outcome postgres 'BEGIN READ ONLY' "COPY back (v) FROM '$target' (FORMAT burnpack)")" 25006 \
    "a read-only transaction loads nothing"
is "$(outcome postgres 'BEGIN READ ONLY' \
    "COPY (SELECT v FROM t LIMIT 9) TO '$folder/read_only' (FORMAT burnpack)")" ok "but writes files, as core's does"

# ---- conversions: cancelled, failing ----------------------------------------------------------------------------

execute "COPY (SELECT v FROM t) TO '$large' (FORMAT ztensor)"
old=$(md5sum <"$target")
session cancelled "SET statement_timeout = 20; SELECT tq_convert('$large', '$target', '{\"format\": \"qvec\"}')"
wait
like "$(cat "$RUN/cancelled.out")" 'canceling statement due to statement timeout' "a conversion can be cancelled"
is "$(md5sum <"$target")" "$old" "and the old file is as it was"
is "$(find "$folder" -name '.*' | wc -l)" 0 "and no other is left"
cluster_stop "$cluster"
done_testing
