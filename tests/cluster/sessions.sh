#!/usr/bin/env bash
# Several sessions: a codec dropped and created anew in one reaches the caches of the others; a session without the
# preloaded library imports by function; a file truncated during COPY is that session's error and nobody else's.
# shellcheck source=../../scripts/lib.sh
. "$HELPERS"

c=$RUN/sessions$PG_MAJOR
cluster_create "$c"
cluster_start "$c"
cluster_psql "$c" -c 'CREATE EXTENSION tinyquant'

# ---- a session that stays open: commands go in by a pipe, results come out by another
coproc OTHER { "$PG_BIN/psql" -X -q -At -h "$c" -U postgres -d postgres 2>&1; }
ask() {
    local line result=
    printf '%s\n\\echo done\n' "$1" >&"${OTHER[1]}"
    while IFS= read -r -t 60 line <&"${OTHER[0]}" && [ "$line" != "done" ]; do result+=$line; done
    printf '%s' "$result"
}

cluster_psql "$c" >/dev/null <<'SQL'
SELECT tq_create_codec('c', 4, 2, false, 5, '{-3,-1,1,3}');
CREATE TABLE held AS SELECT tq_compress('{2,2,2,2}', 'c') AS v;
SQL
norm='SELECT round(tq_norm(v)::numeric, 3) FROM held;'
first=$(ask "$norm")
like "$first" '^[0-9.]+$' "another session decodes by a registered codec"
cluster_psql "$c" >/dev/null 2>&1 -c "SELECT tq_drop_codec('c')" -c "SELECT tq_create_codec('c', 4, 2, false, 5, '{-6,-2,2,6}')"
is "$(ask "$norm")" "$(awk "BEGIN { printf \"%.3f\", 2 * $first }")" "it sees the codec that was created anew under the same hash"
cluster_psql "$c" >/dev/null 2>&1 -c "SELECT tq_drop_codec('c')"
like "$(ask "$norm")" 'is not registered' "and that it is gone"
ask 'BEGIN;' >/dev/null
ask "SELECT tq_create_codec('c', 4, 2, false, 5, '{-3,-1,1,3}');" >/dev/null
is "$(ask "$norm")" "$first" "a codec of the own transaction is seen"
ask 'ROLLBACK;' >/dev/null
like "$(ask "$norm")" 'is not registered' "and gone with its rollback"

# ---- snapshots: a statement goes by the codecs of its own, and leaves nothing of them behind
create() {
    cluster_psql "$c" >/dev/null 2>&1 -c "SELECT tq_drop_codec('c')" || true
    cluster_psql "$c" >/dev/null -c "SELECT tq_create_codec('c', 4, 2, false, 5, '$1')"
}
small='{-3,-1,1,3}' large='{-6,-2,2,6}' twice=$(awk "BEGIN { printf \"%.3f\", 2 * $first }")
both="$norm SELECT count(*) FROM held WHERE v = tq_compress('{2,2,2,2}', 'c');"
create "$small"
ask 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;' >/dev/null
create "$large"
is "$(ask "$both")" "${first}1" "a transaction that began before a codec was replaced goes on with the old one"
ask 'COMMIT;' >/dev/null
is "$(ask "$both")" "${twice}0" "and the next one has the new"
ask 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;' >/dev/null
cluster_psql "$c" >/dev/null 2>&1 -c "SELECT tq_drop_codec('c')"
is "$(ask "$norm")" "$twice" "one that began before a codec was dropped has it"
ask 'COMMIT;' >/dev/null
like "$(ask "$norm")" 'is not registered' "and the next one hasn't"
create "$small"
{ sleep 0.5 && create "$large"; } &
is "$(ask "SELECT round(tq_norm(v)::numeric, 3) FROM held WHERE pg_sleep(1.5) IS NOT NULL;")" "$first" \
    "a statement that began before goes on with the old one"
wait $!
is "$(ask "$norm")" "$twice" "and the next statement has the new"

# ---- truncation while mapped: a corpus large enough that COPY takes a while, cut in the middle of it
# shellcheck disable=SC2016
cluster_psql "$c" >/dev/null <<'SQL'
CREATE TABLE target (embedding tqvec);
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM target) = 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_ls_dir(current_setting('test.dir')) f WHERE f = 'cut') THEN
        PERFORM pg_sleep(0.01);
    END IF;
    RETURN NEW;
END $$;
SQL
corpus=$c/large.tqcv
# 60,000 records of 16 dimensions at 8 bits (87 bytes each and 4 of length), written by hand from one record.
record=$(cluster_value "$c" "SELECT encode(tq_compress(tq_normalize(array_agg(i::real)), 8)::bytea, 'hex') FROM generate_series(1, 16) i")
hash=$(cluster_value "$c" "SELECT encode(tq_config_hash(tq_compress(tq_normalize(array_agg(i::real)), 8))::bytea, 'hex') FROM generate_series(1, 16) i")
python3 - "$corpus" "$record" "$hash" <<'PY'
import struct, sys
path, record, config_hash = sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
count = 60000
header = b"TQCV\x01\0\0\0" + struct.pack("<QIBBH", count, 16, 8, 0, len(config_hash)) + config_hash + struct.pack("<I", 0)
header += b"\0" * (-len(header) % 8)
with open(path, "wb") as f:
    f.write(header + (struct.pack("<I", len(record)) + record) * count)
PY
chmod a+r "$corpus"
is "$(cluster_value "$c" "SELECT tq_import('target', '$corpus')")" 60000 "the whole file loads"
cluster_psql "$c" -c 'TRUNCATE target' \
    -c "CREATE TRIGGER pace BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION slow()" >/dev/null
{
    PGOPTIONS="-c test.dir=$c" "$PG_BIN/psql" -X -At -h "$c" -U postgres -d postgres \
        -c '\set VERBOSITY verbose' -c "COPY target FROM '$corpus' (FORMAT tqcv)" -c 'SELECT 41 + 1' 2>&1
} >"$RUN/truncated.out" &
copy=$!
for _ in $(seq 200); do
    [ "$(cluster_value "$c" "SELECT count(*) FROM pg_stat_progress_copy WHERE tuples_processed > 20")" = 1 ] && break
    sleep 0.05
done
is "$(cluster_value "$c" "SELECT bytes_total > bytes_processed FROM pg_stat_progress_copy")" t "pg_stat_progress_copy knows the total"
truncate -s 100000 "$corpus"
as_server_user touch "$c/cut"
wait "$copy" || true
like "$(cat "$RUN/truncated.out")" 'truncated while it was being read' "the cut file is an error of the COPY"
like "$(cat "$RUN/truncated.out")" '42$' "the session goes on"
is "$(cluster_value "$c" 'SELECT count(*) FROM target')" 0 "nothing of it is in the table"
is "$(ask 'SELECT 1;')" 1 "the other session noticed nothing"
is "$(grep -c 'terminated by signal' "$c/server.log" || true)" 0 "no backend died"

# ---- without preloading: the hook comes with the first call
eval "exec ${OTHER[1]}>&-"
wait "$OTHER_PID" 2>/dev/null || true
sed -i "s/^shared_preload_libraries.*//" "$c/data/postgresql.conf"
cluster_restart "$c"
data=$REPO/tests/pg_regress/data/d33_b4_res.tqcv
install -m 644 "$data" "$RUN/small.tqcv"
chmod a+rx "$RUN"
cluster_psql "$c" -c 'DROP TRIGGER pace ON target'
like "$(cluster_psql "$c" -c "COPY target FROM '$RUN/small.tqcv' (FORMAT tqcv)" 2>&1 || true)" 'COPY format "tqcv" not recognized' \
    "COPY alone needs the library"
is "$(cluster_psql "$c" -At -c "SELECT tq_import('target', '$RUN/small.tqcv')" 2>/dev/null)" 17 "tq_import brings it along"
cluster_stop "$c"
done_testing
