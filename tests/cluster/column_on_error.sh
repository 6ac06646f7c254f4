#!/usr/bin/env bash
# tq_compress_column over rows that can't be compressed, among other sessions: what they see of it, cancelled and called
# again, with rows that are locked or mended meanwhile, two calls at once. And COPY's ON_ERROR: what is seen of it, and
# what a client's COPY gets.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster rejects 'autovacuum = off'
create_extension
sql <<'SQL'
-- Every tenth row is zero.
CREATE TABLE t (id int PRIMARY KEY, v real[], e tqvec(64, 4));
INSERT INTO t SELECT i, CASE WHEN i % 10 = 0 THEN array_fill(0::real, '{64}') ELSE random_vector(i, 64) END
FROM generate_series(1, 4000) i;
-- Batches take long enough to be seen. What the trigger rolls back, and the COPY in it, are commands of their own.
CREATE TABLE copied (x int);
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep(0.05);
    BEGIN
        PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
        COPY copied TO '/dev/null';
    END;
    RETURN NULL;
END $$;
CREATE TRIGGER slow BEFORE UPDATE ON t EXECUTE FUNCTION wait();
CREATE ROLE reader LOGIN;
CREATE ROLE watcher LOGIN IN ROLE pg_read_all_stats;
CREATE DATABASE other;
SQL
cluster_value "$cluster" 'CREATE EXTENSION tinyquant' other
good="SELECT count(*) FROM t WHERE e = tq_compress(CASE WHEN id % 10 = 0 THEN NULL ELSE v END, 4)"
progress='FROM tq_compress_progress()'

# ---- what is seen of it -----------------------------------------------------------------------------------------

is "$(value "SELECT count(*) $progress")" 0 "nothing is seen while nothing runs"
session seen "CALL tq_compress_column('t', 'v', 'e', 50, on_error => 'ignore')"
wait_for "SELECT rows_done >= 500 $progress" || true
# shown COMMAND...: what it prints, once that is something: while the trigger runs commands of its own, there is nothing
# to be seen for a moment
shown() {
    local got=
    for _ in {1..100}; do
        got=$("$@")
        [ -z "$got" ] || [ "$got" = 0 ] || break
    done
    echo "$got"
}
like "$(shown value "SELECT datname, relid::regclass, source_column, target_column, rows_total $progress")" \
    '^postgres\|t\|v\|e\|[0-9]+$' "another session sees table and columns"
is "$(shown value "SELECT rows_done + rows_skipped >= 500 AND rows_total >= rows_done
    AND rows_skipped BETWEEN rows_done / 9 - 50 AND rows_done / 9 + 50
    AND batches BETWEEN (rows_done + rows_skipped) / 50 - 2 AND (rows_done + rows_skipped) / 50 + 1 AND started < now()
    AND pid = (SELECT pid FROM pg_stat_activity WHERE application_name = 'seen') $progress")" t \
    "and how many rows are done, and were skipped"
first=$(shown value "SELECT rows_done $progress")
wait_for "SELECT rows_done > $first $progress" || true
is "$(shown value "SELECT rows_done > $first $progress")" t "which grow"
as_role() { "$PG_BIN/psql" -X -q -At -h "$cluster" -d postgres -U "$1" -c "$2"; }
is "$(shown as_role watcher "SELECT count(*) $progress")" 1 "a member of pg_read_all_stats sees it"
is "$(as_role reader "SELECT count(*) $progress")" 0 "others don't"
is "$(shown value "SELECT datname, source_column IS NULL, rows_done > 0 $progress" other)" 'postgres|t|t' \
    "another database has numbers and no names"
is "$(shown value "SELECT relid::regclass, command IS NULL, type IS NULL, tuples_processed > 0
    FROM pg_stat_progress_copy WHERE relid = 't'::regclass")" 't|t|t|t' \
    "pg_stat_progress_copy has its rows, and calls it nothing"

# ---- cancelled, and called again --------------------------------------------------------------------------------

cancel seen
wait
like "$(tail -n 1 "$RUN/seen.out")" 'canceling statement due to user request' "a call that skips rows can be cancelled"
is "$(value "SELECT count(*) $progress")" 0 "an error ends what is seen"
kept=$(value 'SELECT count(e) FROM t')
is "$((kept > 0 && kept < 3600))" 1 "what was committed stays ($kept rows)"
value 'ALTER TABLE t DISABLE TRIGGER slow' >/dev/null
# run NAME ARGUMENTS: the call, with an end if it finds none itself
run() {
    cluster_psql "$cluster" -c 'SET statement_timeout = 20000' -c "CALL tq_compress_column('t', 'v', 'e', $2)" \
        >"$RUN/$1.out" 2>&1 || true
}
run again "500, on_error => 'ignore'"
like "$(cat "$RUN/again.out")" 'NOTICE:  400 rows were skipped due to data type incompatibility' \
    "called again, it counts all that it skips"
like "$(tail -n 1 "$RUN/again.out")" ": $((3600 - kept)) rows compressed" "and does the rest"
is "$(value "$good")" 3600 "rightly"
run third "500, on_error => 'ignore'"
like "$(tail -n 1 "$RUN/third.out")" ': 0 rows compressed' "a call that finds such rows alone ends"
is "$(value "SELECT count(*) $progress")" 0 "nothing is seen of it afterwards"
run stops 500
like "$(cat "$RUN/stops.out")" 'ERROR:  row at ctid \([0-9]+,[0-9]+\) of "public.t": the vector is zero' \
    "without on_error, the first of them is an error"

# ---- rows that are locked, or mended meanwhile --------------------------------------------------------------------

value 'UPDATE t SET e = NULL' >/dev/null
# Two rows that the first pass leaves out: one becomes good, the other bad.
session holder "BEGIN; UPDATE t SET v = random_vector(10, 64) WHERE id = 10;
    UPDATE t SET v = array_fill(0::real, '{64}') WHERE id = 11; SELECT pg_sleep(1); COMMIT"
wait_for "SELECT count(backend_xid) = 1 FROM pg_stat_activity
    WHERE application_name = 'holder' AND wait_event = 'PgSleep'" || true
run waiting "500, on_error => 'ignore'"
wait
like "$(cat "$RUN/waiting.out")" 'NOTICE:  400 rows were skipped' \
    "what is locked is waited for, and looked at as it is then"
is "$(grep -c WARNING "$RUN/waiting.out" || true)" 0 "and nothing is said to be left"
is "$(value 'SELECT string_agg(id::text, NULL) FILTER (WHERE e IS NULL) FROM t WHERE id IN (10, 11)')" 11 \
    "it does the one and skips the other"

value 'UPDATE t SET e = NULL' >/dev/null
session first "CALL tq_compress_column('t', 'v', 'e', 30, on_error => 'ignore')"
session second "CALL tq_compress_column('t', 'v', 'e', 70, on_error => 'ignore')"
wait
done_by() { sed -nE 's/.*: ([0-9]+) rows compressed$/\1/p' "$RUN/$1.out"; }
is "$(($(done_by first) + $(done_by second)))" 3600 "two calls at once share the work"
like "$(cat "$RUN/first.out")" '400 rows were skipped' "and both know of all that can't be done (the first)"
like "$(cat "$RUN/second.out")" '400 rows were skipped' "and both know of all that can't be done (the second)"
is "$(grep -c WARNING "$RUN/first.out" "$RUN/second.out" | grep -vc ':0' || true)" 0 "without a warning"

# ---- a trigger that keeps rows as they were, beside rows that can't be done ---------------------------------------

sql <<'SQL'
UPDATE t SET e = NULL;
CREATE FUNCTION keep_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.id % 100 <> 1 THEN RETURN NEW; END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER keeping BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep_back();
SQL
run kept "64, on_error => 'ignore'"
like "$(cat "$RUN/kept.out")" 'WARNING:  40 rows of "public.t" have a vector and still no record' \
    "rows that a trigger keeps back are told from those that can't be compressed"
like "$(cat "$RUN/kept.out")" '400 rows were skipped' "which are counted by themselves"
value 'DROP TRIGGER keeping ON t' >/dev/null

# ---- COPY -------------------------------------------------------------------------------------------------------

files_folder
sql <<SQL
COPY (SELECT v FROM t ORDER BY id) TO '$files/t.bpk' WITH (FORMAT burnpack);
CREATE TABLE loaded (id int, e tqvec(64, 4));
CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
    IF NEW.id = 3001 THEN PERFORM pg_sleep(30); END IF;
    RETURN NEW;
END \$\$;
CREATE TRIGGER pausing BEFORE INSERT ON loaded FOR EACH ROW EXECUTE FUNCTION pause();
SQL
if [ "$PG_MAJOR" -ge 17 ]; then
    session loading "COPY loaded FROM '$files/t.bpk' WITH (FORMAT burnpack, IDS 'ordinal', ON_ERROR ignore)"
    wait_for "SELECT tuples_processed > 2000 FROM pg_stat_progress_copy" || true
    is "$(value 'SELECT tuples_skipped > 0, tuples_skipped <= 400 FROM pg_stat_progress_copy')" 't|t' \
        "pg_stat_progress_copy counts what a COPY skips"
    cancel loading
    wait
fi
value 'DROP TRIGGER pausing ON loaded' >/dev/null
"$PG_BIN/psql" -X -q -h "$cluster" -U postgres -d postgres \
    -c "COPY loaded FROM STDIN WITH (FORMAT burnpack, IDS 'ordinal', ON_ERROR ignore)" \
    <"$files/t.bpk" >"$RUN/client.out" 2>&1
like "$(cat "$RUN/client.out")" 'NOTICE:  400 rows were skipped due to data type incompatibility' \
    "a COPY from the client has the same options"
is "$(value 'SELECT count(*) FROM loaded JOIN t USING (id)
    WHERE loaded.e = tq_compress(CASE WHEN id = 11 OR id % 10 = 0 AND id <> 10 THEN NULL ELSE v END, 4)')" 3600 \
    "and loads the others, each with its number"

done_testing
