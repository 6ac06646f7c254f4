#!/usr/bin/env bash
# tq_train_codebook is interrupted while it trains, and refused memory: an error each time, and the session goes on.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

# A gigabyte of addresses for each process, of which a server as small as this one takes a fraction.
limited() {
    ulimit -v 1048576
    one_cluster "$@"
}
cluster=$RUN/train
(limited train 'shared_buffers = 16MB' 'autovacuum = off')
create_extension

# in_one_session SQL: prints for each statement its result, or its SQLSTATE and message
in_one_session() {
    cluster_psql "$cluster" -At -v ON_ERROR_STOP=0 -v VERBOSITY=verbose 2>&1 <<<"$1" | sed '/^LOCATION:/d'
}

# rows COUNT: so many vectors of the largest dimension, 64 kB each
rows() { echo "SELECT array_fill(random()::real, ARRAY[16384]) AS v FROM generate_series(1, $1)"; }

# trained NAME METHOD COUNT PATTERN: the session that is refused so many vectors trains on a few
trained() {
    local lines
    mapfile -t lines < <(in_one_session "
        SELECT pg_backend_pid();
        SELECT cardinality(tq_train_codebook(v, 2, 5, '$2', $3, 'hadamard')) FROM ($(rows "$3")) s;
        SELECT cardinality(tq_train_codebook(v, 2, 5, '$2', 20, 'hadamard')) FROM ($(rows 20)) s;
        SELECT pg_backend_pid();")
    like "${lines[1]:-}" "$4" "$1: memory is refused"
    is "${lines[2]:-}" 4 "$1: less of it is enough"
    is "${lines[3]:-}" "${lines[0]:-}" "$1: in the same session"
}

trained 'reading' quantile 16000 '53200: cannot allocate memory for [0-9]+ vectors of the sample'
trained 'quantiles' quantile 8000 '53200: cannot allocate 524288000 bytes to train a codebook'
trained 'lloyd' lloyd 8000 '53200: cannot allocate 524288000 bytes to train a codebook'

# As a window grows by a row it is trained on again: minutes of training, and hardly anything else.
for method in quantile lloyd; do
    mapfile -t lines < <(in_one_session "
        SELECT pg_backend_pid();
        SET statement_timeout = '3s';
        SELECT sum(cardinality(c)) FROM (
            SELECT tq_train_codebook(v, 8, 5, '$method', 2000, 'hadamard')
                OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS c
            FROM (SELECT array_agg(random()::real) AS v FROM generate_series(1, 16384)) s, generate_series(1, 2000)) t;
        RESET statement_timeout;
        SELECT pg_backend_pid();")
    like "${lines[1]:-}" '57014: canceling statement due to statement timeout' "$method: a timeout ends it"
    is "${lines[2]:-}" "${lines[0]:-}" "$method: the session goes on"
done
done_testing
