#!/usr/bin/env bash
# Several sessions: a codec dropped and created anew in one reaches the caches of the others; a session without the
# preloaded library imports by function; a file truncated during COPY is that session's error and nobody else's.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster sessions
create_extension

# ---- a session that stays open, beside others
open_session

sql <<'SQL'
SELECT tq_create_codec('c', 4, 2, false, 5, '{-3,-1,1,3}');
CREATE TABLE held AS SELECT tq_compress('{2,2,2,2}', 'c') AS v;
SQL
norm='SELECT round(tq_norm(v)::numeric, 3) FROM held;'
first=$(ask "$norm")
like "$first" '^[0-9.]+$' "another session decodes by a registered codec"
replace_codec() { # CODEBOOK: or none
    execute "SELECT tq_drop_codec('c')" 2>/dev/null || true
    [ $# -eq 0 ] || execute "SELECT tq_create_codec('c', 4, 2, false, 5, '$1')"
}
replace_codec '{-6,-2,2,6}'
twice=$(awk "BEGIN { printf \"%.3f\", 2 * $first }")
is "$(ask "$norm")" "$twice" "it sees the codec that was created anew under the same hash"
replace_codec
like "$(ask "$norm")" 'is not registered' "and that it is gone"
ask 'BEGIN;' >/dev/null
ask "SELECT tq_create_codec('c', 4, 2, false, 5, '{-3,-1,1,3}');" >/dev/null
is "$(ask "$norm")" "$first" "a codec of the own transaction is seen"
ask 'ROLLBACK;' >/dev/null
like "$(ask "$norm")" 'is not registered' "and gone with its rollback"

# ---- snapshots: a statement goes by the codecs of its own, and leaves nothing of them behind
small='{-3,-1,1,3}' large='{-6,-2,2,6}'
both="$norm SELECT count(*) FROM held WHERE v = tq_compress('{2,2,2,2}', 'c');"
replace_codec "$small"
ask 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;' >/dev/null
replace_codec "$large"
is "$(ask "$both")" "${first}1" "a transaction that began before a codec was replaced goes on with the old one"
ask 'COMMIT;' >/dev/null
is "$(ask "$both")" "${twice}0" "and the next one has the new"
ask 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;' >/dev/null
replace_codec
is "$(ask "$norm")" "$twice" "one that began before a codec was dropped has it"
ask 'COMMIT;' >/dev/null
like "$(ask "$norm")" 'is not registered' "and the next one hasn't"
replace_codec "$small"
{ sleep 0.5 && replace_codec "$large"; } &
is "$(ask "SELECT round(tq_norm(v)::numeric, 3) FROM held WHERE pg_sleep(1.5) IS NOT NULL;")" "$first" \
    "a statement that began before goes on with the old one"
wait $!
is "$(ask "$norm")" "$twice" "and the next statement has the new"

# ---- truncation while mapped: a corpus large enough that COPY takes a while, cut in the middle of it
sql <<'SQL'
CREATE TABLE target (embedding tqvec);
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM target) = 0
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_ls_dir(current_setting('test.dir')) f WHERE f = 'cut') THEN
        PERFORM pg_sleep(0.01);
    END IF;
    RETURN NEW;
END $$;
SQL
corpus=$cluster/large.tqcv
# 60,000 records of 16 dimensions at 8 bits (87 bytes each and 4 of length), written by hand from one record.
sql <<'SQL'
CREATE TABLE one AS SELECT tq_compress(tq_normalize(array_agg(i::real)), 8) AS record FROM generate_series(1, 16) i;
SQL
record=$(value "SELECT encode(record::bytea, 'hex') FROM one")
hash=$(value "SELECT encode(tq_config_hash(record)::bytea, 'hex') FROM one")
python3 - "$corpus" "$record" "$hash" <<'PY'
import struct, sys
path, record, config_hash = sys.argv[1], bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
count = 60000
header = b"TQCV\x01\0\0\0" + struct.pack("<QIBBH", count, 16, 8, 0, len(config_hash))
header += config_hash + struct.pack("<I", 0)
header += b"\0" * (-len(header) % 8)
with open(path, "wb") as f:
    f.write(header + (struct.pack("<I", len(record)) + record) * count)
PY
chmod a+r "$corpus"
is "$(value "SELECT tq_import('target', '$corpus')")" 60000 "the whole file loads"
execute 'TRUNCATE target; CREATE TRIGGER pace BEFORE INSERT ON target FOR EACH ROW EXECUTE FUNCTION slow()'
PGOPTIONS="-c test.dir=$cluster" surviving_session truncated "COPY target FROM '$corpus' (FORMAT tqcv)"
copy=$!
wait_for 'SELECT count(*) = 1 FROM pg_stat_progress_copy WHERE tuples_processed > 20' || true
is "$(value 'SELECT bytes_total > bytes_processed FROM pg_stat_progress_copy')" t \
    "pg_stat_progress_copy knows the total"
truncate -s 100000 "$corpus"
as_server_user touch "$cluster/cut"
wait "$copy" || true
like "$(cat "$RUN/truncated.out")" 'truncated while it was being read' "the cut file is an error of the COPY"
like "$(cat "$RUN/truncated.out")" '42$' "the session goes on"
is "$(value 'SELECT count(*) FROM target')" 0 "nothing of it is in the table"
is "$(ask 'SELECT 1;')" 1 "the other session noticed nothing"
is "$(grep -c 'terminated by signal' "$cluster/server.log" || true)" 0 "no backend died"

# ---- a codec that is named in one session while another drops it
execute "SELECT tq_create_codec('raced', 4, 2, false, 6)"
ask 'BEGIN;' >/dev/null
ask "CREATE TABLE raced (e tqvec(4, 2, raced));" >/dev/null
session dropping "SELECT tq_drop_codec('raced')"
wait_for "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'dropping' AND wait_event_type = 'Lock'"
is "$(ask 'COMMIT;')" '' "a table of a codec is made while another session drops the codec"
wait_until grep -q . "$RUN/dropping.out"
like "$(cat "$RUN/dropping.out")" 'codec "raced" is named by the types of: public.raced.e' "which waits, and is refused"
execute 'DROP TABLE raced'
ask 'BEGIN;' >/dev/null
ask "SELECT tq_drop_codec('raced');" >/dev/null
session naming "CREATE TABLE raced (e tqvec(4, 2, raced))"
wait_for "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'naming' AND wait_event_type = 'Lock'"
ask 'COMMIT;' >/dev/null
wait_until grep -q . "$RUN/naming.out"
like "$(cat "$RUN/naming.out")" 'raced' "a table of a codec that is being dropped waits, and is refused"
is "$(value "SELECT to_regclass('raced') IS NULL")" t "and isn't made"

# ---- a codec that two sessions create, and one that a third deletes while it is named
ask 'BEGIN;' >/dev/null
ask "SELECT tq_create_codec('created', 4, 2, false, 7);" >/dev/null
session creating "SELECT tq_create_codec('created', 4, 2, false, 8)"
wait_for "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'creating' AND wait_event_type = 'Lock'"
ask 'COMMIT;' >/dev/null
wait_until grep -q . "$RUN/creating.out"
like "$(cat "$RUN/creating.out")" 'ERROR:  codec "created" already exists' "who comes second is told which it is"
ask 'BEGIN;' >/dev/null
ask "CREATE TABLE of_created (e tqvec(4, 2, created));" >/dev/null
session deleting "DELETE FROM tq_catalog.tq_codec WHERE name = 'created'"
wait_for "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'deleting' AND wait_event_type = 'Lock'"
ask 'COMMIT;' >/dev/null
wait_until grep -q . "$RUN/deleting.out"
like "$(cat "$RUN/deleting.out")" 'codec "created" is named by the types of: public.of_created.e' \
    "a DELETE waits for who names the codec, and is refused"
execute 'DROP TABLE of_created; DELETE FROM tq_catalog.tq_codec'
is "$(value 'SELECT count(*) FROM tq_catalog.tq_codec')" 0 "and not when nothing names it"

# ---- without preloading: the hook comes with the first call
close_session
with_library ''
cluster_restart "$cluster"
install -m 644 "$REPO/tests/pg_regress/data/d33_b4_res.tqcv" "$RUN/small.tqcv"
chmod a+rx "$RUN"
execute 'DROP TRIGGER pace ON target'
like "$(value "COPY target FROM '$RUN/small.tqcv' (FORMAT tqcv)" 2>&1 || true)" 'COPY format "tqcv" not recognized' \
    "COPY alone needs the library"
is "$(value "SELECT tq_import('target', '$RUN/small.tqcv')" 2>/dev/null)" 17 "tq_import brings it along"
cluster_stop "$cluster"
done_testing
