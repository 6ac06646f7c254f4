#!/usr/bin/env bash
# tq_evaluate is interrupted: while it reads, while it searches, while it measures; and the limit of its sample.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster evaluate 'autovacuum = off' 'max_wal_size = 4GB'
create_extension
# Work for many seconds.
sql <<'SQL'
CREATE TABLE part AS
SELECT i, ARRAY(SELECT (hashint8extended(j, i) % 1000 + 0.5)::real FROM generate_series(1, 512) j) AS v
FROM generate_series(1, 1000) i;
CREATE TABLE t AS SELECT p.v FROM part p, generate_series(1, 60);
SQL
says() { grep -q "$2" "$RUN/$1.out"; }

# cancelled_after NAME NOTICE DESCRIPTION QUERY QUERIES: cancelled once it has said so, or simply runs
cancelled_after() {
    session "$1" "SELECT * FROM tq_evaluate('$4', queries => $5)"
    if [ -n "$2" ]; then wait_until says "$1" "$2" || true; else wait_until is_active "$1" || true; fi
    is "$(value "
        SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
        WHERE application_name = '$1' AND state = 'active'")" 1 "$3: it is still at work"
    wait
    like "$(tail -n 1 "$RUN/$1.out")" 'canceling statement due to user request' "$3: cancelled"
}

cancelled_after reading '' 'while it reads' 'SELECT v FROM t WHERE pg_sleep(0.01) IS NOT NULL' 100
cancelled_after searching 'evaluating 60000 vectors of 512 dimensions, 2000 of them' 'while it searches' \
    'SELECT v FROM t' 2000
cancelled_after measuring '2 bits a dimension: evaluated' 'while it measures' 'SELECT v FROM t' 200

session timeout "SET statement_timeout = '2s'; SELECT * FROM tq_evaluate('SELECT v FROM t', queries => 2000)"
wait
like "$(tail -n 1 "$RUN/timeout.out")" 'canceling statement due to statement timeout' "statement_timeout ends it"

# One vector more than a gigabyte holds.
session large "SELECT * FROM tq_evaluate('SELECT array_fill(1::real, ARRAY[16384]) FROM generate_series(1, 16385)')"
wait
like "$(cat "$RUN/large.out")" 'the sample has more than 1024 MB of vectors' "a sample has a limit"
like "$(cat "$RUN/large.out")" 'LIMIT .* TABLESAMPLE' "and a hint says how to keep it"

is "$(value "SELECT count(recall) FROM tq_evaluate('SELECT v FROM t TABLESAMPLE system (1) REPEATABLE (1)')")" 27 \
    "a part of the table is evaluated"
done_testing
