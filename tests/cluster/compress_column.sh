#!/usr/bin/env bash
# tq_compress_column and large rotations among other sessions: cancelled, killed, run twice at once, rows that change
# meanwhile, and rows that can't be filled.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster column 'autovacuum = off' 'max_wal_size = 4GB'
create_extension
sql <<'SQL'
CREATE TABLE t (id int PRIMARY KEY, v real[], e tqvec(256, 4));
INSERT INTO t SELECT i, random_vector(i, 256) FROM generate_series(1, 6000) i;
-- Batches take long enough to be interrupted.
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_sleep(0.05);
    RETURN NULL;
END $$;
CREATE TRIGGER slow BEFORE UPDATE ON t EXECUTE FUNCTION wait();
SQL
correct="SELECT count(*) FROM t WHERE e = tq_compress(v, 4)"

# ---- cancelled, killed, and run again ---------------------------------------------------------------------------

session cancelled "CALL tq_compress_column('t', 'v', 'e', 50)"
wait_for 'SELECT count(e) >= 200 FROM t' || true
cancel cancelled
wait
like "$(tail -n 1 "$RUN/cancelled.out")" 'canceling statement due to user request' "a call can be cancelled"
kept=$(value 'SELECT count(e) FROM t')
is "$((kept >= 200 && kept < 6000 && kept % 50 == 0))" 1 "what was committed before stays ($kept rows, whole batches)"

session terminated "CALL tq_compress_column('t', 'v', 'e', 50)"
wait_for "SELECT count(e) >= $kept + 200 FROM t" || true
terminate terminated
wait
like "$(grep -v NOTICE "$RUN/terminated.out")" 'terminating connection' "a call's session can be terminated"

session crashed "CALL tq_compress_column('t', 'v', 'e', 50)"
kept=$(value 'SELECT count(e) FROM t')
wait_for "SELECT count(e) >= $kept + 200 FROM t" || true
kill_session crashed
after=$(value 'SELECT count(e) FROM t')
is "$((after >= kept + 200 && after < 6000))" 1 "a crash keeps what was committed ($after rows)"

value 'ALTER TABLE t DISABLE TRIGGER slow' >/dev/null
cluster_psql "$cluster" -c "CALL tq_compress_column('t', 'v', 'e', 1000)" >"$RUN/again.out" 2>&1
like "$(tail -n 1 "$RUN/again.out")" "$((6000 - after)) rows compressed" "calling again does the rest, and no more"
is "$(value "$correct")" 6000 "all rows are compressed, and right"

# ---- a source that becomes a column of another type -------------------------------------------------------------

for other in bytea 'text[]'; do
    execute 'DROP TABLE IF EXISTS retyped; CREATE TABLE retyped AS SELECT id, v, NULL::tqvec AS e FROM t'
    session retyped "CALL tq_compress_column('retyped', 'v', 'e', 1)"
    wait_for 'SELECT count(e) >= 20 FROM retyped' || true
    execute "ALTER TABLE retyped ALTER v TYPE $other USING NULL; UPDATE retyped SET v = CASE WHEN '$other' = 'bytea'
        THEN '\\x0102030405060708090a0b0c0d0e0f101112131415161718'::bytea::text ELSE '{a,b}' END::$other"
    wait
    like "$(cat "$RUN/retyped.out")" 'source column of "[^"]*retyped" has been given another type' \
        "a column that becomes one of type $other: no value of it is taken for numbers"
    is "$(value 'SELECT count(e) >= 20 FROM retyped')" t "what was committed before stays"
done
execute 'DROP TABLE retyped'

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
    execute "
        UPDATE t SET v = (SELECT v FROM other WHERE id = 6001 - t.id), e = NULL WHERE id % 60 = $i;
        DELETE FROM t WHERE id = 6000 - $i"
done
wait
cluster_psql "$cluster" -c "CALL tq_compress_column('t', 'v', 'e')" >/dev/null 2>&1
is "$(value "SELECT count(*) - count(e) FROM t")" 0 "with rows changing meanwhile, a second call leaves none out"
is "$(value 'SELECT count(*) FROM t WHERE e IS DISTINCT FROM tq_compress(v, 4)')" 0 \
    "no record belongs to another vector"

# ---- none is left out -------------------------------------------------------------------------------------------

# until_waiting NAME [OR]: a statement that ends when the session of that name waits for a lock, or when OR holds, or
# after a quarter of a minute.
until_waiting() {
    cat <<SQL
DO \$\$ BEGIN
    FOR i IN 1 .. 300 LOOP
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN ${2:-false}
            OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '$1' AND wait_event_type = 'Lock');
        PERFORM pg_sleep(0.05);
    END LOOP;
END \$\$;
SQL
}
# left TABLE: how many of its rows are still to be filled
left() { value "SELECT count(*) FROM $1 WHERE v IS NOT NULL AND e IS NULL"; }
# small TABLE: a thousand rows on several pages
small() {
    sql <<SQL
CREATE TABLE $1 (id int, v real[], e tqvec(8, 4), x text);
INSERT INTO $1 SELECT i, tq_normalize(array[i, 1, 2, 3, 4, 5, 6, 7]::real[]) FROM generate_series(1, 1000) i;
SQL
}

small moving
# Two sessions hold rows, so that the call meets one after the other; then one moves a row that the other held. What
# they write doesn't fit where the rows are, and each row is the last one of its batch.
gone="NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'mover')"
session holder "
    BEGIN; UPDATE moving SET x = repeat('x', 500) WHERE id IN (10, 500); $(until_waiting mover) COMMIT;
    BEGIN; UPDATE moving SET x = repeat('y', 500) WHERE id = 30; $(until_waiting mover "$gone") COMMIT"
session keeper "
    BEGIN; UPDATE moving SET x = repeat('x', 500) WHERE id = 30; $(until_waiting mover) SELECT pg_sleep(0.2); COMMIT"
wait_for "SELECT count(backend_xid) = 2 FROM pg_stat_activity WHERE application_name IN ('holder', 'keeper')" || true
session mover "CALL tq_compress_column('moving', 'v', 'e', 1)"
wait
is "$(left moving)" 0 "rows that move to the table's end while the call waits for them don't take its position along"
like "$(tail -n 1 "$RUN/mover.out")" ': 1000 rows compressed' "and each is done once"
is "$(grep -c WARNING "$RUN/mover.out" || true)" 0 "without a warning"

sql <<'SQL'
CREATE TYPE embedding AS (v real[], good bool);
CREATE FUNCTION floats(embedding) RETURNS real[] LANGUAGE sql IMMUTABLE AS
    'SELECT CASE WHEN ($1).good THEN ($1).v END';
CREATE CAST (embedding AS real[]) WITH FUNCTION floats(embedding);
CREATE TABLE nulls (id int, s embedding, e tqvec(2, 4));
INSERT INTO nulls SELECT i, row('{0.6, 0.8}'::real[], i <> 5)::embedding FROM generate_series(1, 1000) i;
SQL
cluster_psql "$cluster" -c "CALL tq_compress_column('nulls', 's', 'e', 10)" >"$RUN/nulls.out" 2>&1
is "$(value 'SELECT count(e) FROM nulls')" 999 "a cast that gives NULL for one row doesn't end the call"
is "$(grep -c WARNING "$RUN/nulls.out" || true)" 0 "and that row is not a fault"

# An index of what is to be done has an order of its own.
small indexed
value "UPDATE indexed SET e = tq_compress(v, 4) WHERE id % 100 <> 0;
       CREATE INDEX ON indexed ((-id)) WHERE e IS NULL; ANALYZE indexed" >/dev/null
cluster_psql "$cluster" -c "CALL tq_compress_column('indexed', 'v', 'e', 1)" >"$RUN/indexed.out" 2>&1
is "$(left indexed)" 0 "an index of rows without a record, in another order than theirs, leaves none out"

# kept NAME: the output of a call of that name says that 10 rows are left, and that 990 are done
kept() {
    like "$(cat "$RUN/$1.out")" 'WARNING:  10 rows of "public.kept" have a vector and still no record' \
        "$2: how many is said"
    like "$(tail -n 1 "$RUN/$1.out")" ': 990 rows compressed' "$2: the others are done"
    is "$(left kept)" 10 "$2: they are left"
}
small kept
sql <<'SQL'
CREATE FUNCTION keep_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.id % 100 <> 0 THEN RETURN NEW; END IF;
    IF TG_ARGV[0] = 'skip' THEN RETURN NULL; END IF;
    NEW.e := NULL;
    RETURN NEW;
END $$;
CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE kept SET e = NULL WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER skipping BEFORE UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION keep_back('skip');
SQL
# limited NAME [SETTING]: the call, with an end if it finds none itself
limited() {
    cluster_psql "$cluster" -c 'SET statement_timeout = 20000' -c "${2:-SET row_security = on}" \
        -c "CALL tq_compress_column('kept', 'v', 'e', 64)" >"$RUN/$1.out" 2>&1 || true
}
limited skipping
kept skipping "rows that a trigger doesn't let be written"
sql <<'SQL'
DROP TRIGGER skipping ON kept;
UPDATE kept SET e = NULL;
CREATE TRIGGER nulling BEFORE UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION keep_back('null');
SQL
limited nulling
kept nulling "rows whose record a trigger takes back"
sql <<'SQL'
DROP TRIGGER nulling ON kept;
UPDATE kept SET e = NULL;
CREATE TRIGGER undoing AFTER UPDATE ON kept FOR EACH ROW WHEN (NEW.id % 100 = 0 AND NEW.e IS NOT NULL)
    EXECUTE FUNCTION undo();
SQL
limited undoing
like "$(cat "$RUN/undoing.out")" 'WARNING:  10 rows of "public.kept"' \
    "rows whose record a trigger undoes afterwards: the call ends, and says how many"
is "$(left kept)" 10 "rows whose record a trigger undoes afterwards: the others are done"
sql <<'SQL'
DROP TRIGGER undoing ON kept;
UPDATE kept SET e = NULL;
CREATE ROLE clerk;
GRANT SELECT, UPDATE ON kept TO clerk;
ALTER TABLE kept ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kept FOR SELECT USING (true);
CREATE POLICY change ON kept FOR UPDATE USING (id % 100 <> 0);
SQL
limited policy 'SET ROLE clerk'
kept policy "rows that a policy shows and doesn't let be changed"

# ---- one thread or several, nothing is left over ----------------------------------------------------------------

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
like "$(cat "$RUN/timed.out")" 'canceling statement due to statement timeout' \
    "building a large rotation can be cancelled"
echo "# cancelled $((took - 500)) ms after the timeout; building it whole takes many seconds"
is "$(value "SELECT count(*) FROM tq_rotation_cache() WHERE dimension = 8192")" 0 "and leaves no file"
is "$(find "$cluster/data/pg_tinyquant" -name '*8192*' | wc -l)" 0 "nor a part of one"
is "$(value "SELECT tq_bit_width(tq_compress('{0.6, 0.8}', 4))")" 4 "the server goes on"

done_testing
