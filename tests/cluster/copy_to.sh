#!/usr/bin/env bash
# COPY TO a corpus among accidents: cancelled, terminated, killed, failing half-way, on a full disk. The old file stays
# as it was, byte for byte, and the next COPY leaves nothing else in the folder. And \copy, progress, modes, plans.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster export 'autovacuum = off' 'max_wal_size = 4GB'
create_extension

# 60,000 records of 202 bytes, too many for any buffer.
sql <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, e tqvec(256, 4));
INSERT INTO t SELECT i, tq_compress(random_vector(i % 300, 256), 4) FROM generate_series(1, 60000) i;
ANALYZE t;
SQL

folder=$RUN/files
as_server_user mkdir "$folder"
target=$folder/corpus.tqcv
value "COPY (SELECT e FROM t WHERE id <= 1000) TO '$target' WITH (FORMAT tqcv)" >/dev/null
old=$(md5sum <"$target")
is "$(stat -c %a "$target")" 644 "a new file's mode is 0644, as COPY's files have it"

litter() { find "$folder" -mindepth 1 ! -name corpus.tqcv | wc -l; }
unchanged() {
    is "$(md5sum <"$target")" "$old" "$1: the old file is as it was"
}
# Writes as fast as it can for 20,000 rows, and then slowly.
slow() {
    echo "COPY (SELECT $1 e FROM t WHERE id <= 20000 OR pg_sleep(0.002) IS NOT NULL)
        TO '$target' WITH (FORMAT tqcv)"
}
underway="
    SELECT coalesce((
        SELECT tuples_processed >= 20000 AND bytes_processed >= 20000 * 206
        FROM pg_stat_progress_copy WHERE command = 'COPY TO' AND type = 'FILE'), false)"

for ids in '' 'id,'; do
    what=${ids:+, with ids}
    session cancelled "$(slow "$ids")"
    if wait_for "$underway"; then seen=yes; else seen=no; fi
    is "$seen" yes "pg_stat_progress_copy counts rows and bytes$what"
    cancel cancelled
    wait
    like "$(cat "$RUN/cancelled.out")" 'canceling statement due to user request' "a COPY can be cancelled$what"
    unchanged "cancelled$what"
    is "$(litter)" 0 "cancelled$what: nothing else is left"

    session terminated "$(slow "$ids")"
    wait_for "$underway" || true
    terminate terminated
    wait
    like "$(cat "$RUN/terminated.out")" 'terminating connection' "its session can be terminated$what"
    unchanged "terminated$what"
    is "$(litter)" 0 "terminated$what: nothing else is left"

    session killed "$(slow "$ids")"
    wait_for "$underway" || true
    kill_session killed
    unchanged "killed$what"
    value "COPY (SELECT $ids e FROM t WHERE id <= 10) TO '$folder/next.tqcv' WITH (FORMAT tqcv)" >/dev/null
    rm -f "$folder/next.tqcv"
    is "$(litter)" 0 "the next COPY removes what the dead have left$what"
    no_temporary_files "nor is there a temporary file$what"

    cluster_psql "$cluster" \
        -c "COPY (SELECT $ids e FROM t WHERE 1 / (id - 55000) < 2) TO '$target' WITH (FORMAT tqcv)" \
        >"$RUN/failing.out" 2>&1 || true
    like "$(cat "$RUN/failing.out")" 'division by zero' "a query that fails half-way is its own error$what"
    unchanged "failed$what"
    is "$(litter)" 0 "failed$what: nothing else is left"
done

# ---- in transactions and functions ------------------------------------------------------------------------------

execute "
    BEGIN;
    SAVEPOINT s;
    COPY (SELECT e FROM t ORDER BY id LIMIT 5) TO '$folder/a.tqcv' (FORMAT tqcv);
    ROLLBACK TO s;
    COMMIT"
is "$(value "SELECT get_byte(pg_read_binary_file('$folder/a.tqcv'), 8)")" 5 \
    "a file that is written stays, whatever becomes of the transaction, as COPY's do"
sql <<SQL
CREATE FUNCTION inner_copy(i int) RETURNS int LANGUAGE plpgsql AS \$\$ BEGIN
    EXECUTE format('COPY (SELECT e FROM t WHERE id <= %s AND 1 / (id - 3) < 2)
        TO ''$folder/a.tqcv'' (FORMAT tqcv)', i);
    RETURN i;
EXCEPTION WHEN division_by_zero THEN RETURN 0;
END \$\$;
COPY (SELECT inner_copy(id), e FROM t WHERE id BETWEEN 1 AND 5 ORDER BY id) TO '$folder/b.tqcv' (FORMAT tqcv);
CREATE TABLE b (n int, e tqvec);
COPY b FROM '$folder/b.tqcv' (FORMAT tqcv);
SQL
is "$(value "
    SELECT string_agg(b.n::text, ' ' ORDER BY t.id)
    FROM b JOIN t ON t.id = b.n OR b.n = 0 AND t.id BETWEEN 3 AND 5 AND t.e = b.e")" \
    '1 2 0 0 0' "COPYs inside a COPY's query, some of which fail, leave it right"
rm -f "$folder/a.tqcv" "$folder/b.tqcv"

# ---- plans, and the client --------------------------------------------------------------------------------------

value "COPY (SELECT e FROM t ORDER BY id) TO '$folder/ordered.tqcv' (FORMAT tqcv)" >/dev/null
value "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
       COPY (SELECT id, e FROM t WHERE tq_bit_width(e) = 4) TO '$folder/parallel.tqcv' (FORMAT tqcv)" >/dev/null
value "CREATE TABLE p (id int, e tqvec); COPY p FROM '$folder/parallel.tqcv' (FORMAT tqcv)" >/dev/null
is "$(value "SELECT count(*) FROM p JOIN t USING (id, e)")" 60000 "a parallel plan's rows arrive, each with its id"
cluster_psql "$cluster" -c "\\copy (SELECT e FROM t ORDER BY id) TO '$RUN/client.tqcv' WITH (FORMAT tqcv)" >/dev/null
is "$(md5sum <"$RUN/client.tqcv")" "$(md5sum <"$folder/ordered.tqcv")" "psql's \\copy writes the same file"
no_temporary_files "no temporary file stays behind"
chmod 640 "$target"
value "COPY (SELECT e FROM t WHERE id <= 1000) TO '$target' WITH (FORMAT tqcv)" >/dev/null
is "$(stat -c %a "$target")" 640 "a file that is replaced passes on its mode"
is "$(md5sum <"$target")" "$old" "the same rows make the same file"

# ---- a full disk ------------------------------------------------------------------------------------------------

if small_disk; then
    value "COPY (SELECT e FROM t WHERE id <= 1000) TO '$small/corpus.tqcv' WITH (FORMAT tqcv)" >/dev/null
    for ids in '' 'id,'; do
        cluster_psql "$cluster" -c "COPY (SELECT $ids e FROM t) TO '$small/corpus.tqcv' (FORMAT tqcv)" \
            >"$RUN/full.out" 2>&1 || true
        like "$(cat "$RUN/full.out")" 'could not write file .*: No space left on device' \
            "a full disk is an error${ids:+, with ids}"
        is "$(md5sum <"$small/corpus.tqcv")" "$old" "and the old file is as it was"
        is "$(find "$small" -type f | wc -l)" 1 "and alone"
    done
    umount "$small"
else
    echo "# SKIPPED: a full disk (a file system can't be mounted here)"
fi

done_testing
