#!/usr/bin/env bash
# Dumps of a database with pgvector beside: casts, and what is made of them, come back whichever extension is there
# first.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster pgvector
if ! cluster_has "$cluster" vector; then
    echo "# SKIPPED: PostgreSQL $PG_MAJOR here is without pgvector"
    done_testing
    exit
fi

cluster_psql "$cluster" -c 'CREATE DATABASE source'
cluster_psql "$cluster" -d source <<'SQL'
CREATE EXTENSION tinyquant;
CREATE EXTENSION vector;
SELECT tq_enable_pgvector();
CREATE TABLE items (
    id int PRIMARY KEY,
    v vector(3),
    h halfvec(3),
    e tqvec(3, 4) GENERATED ALWAYS AS (v::tqvec(3, 4)) STORED
);
INSERT INTO items SELECT i, tq_normalize(ARRAY[i, 2, 3]::real[])::vector, '[1, 0, 0]' FROM generate_series(1, 50) i;
CREATE VIEW decoded AS SELECT id, e::vector(3) AS v, h::tqvec(3, 8, residual) AS h FROM items;
CREATE INDEX by_bytes ON items ((h::tqvec(3, 8)));
CREATE TABLE with_default (v vector(3), e tqvec DEFAULT '[0.6, 0.8, 0]'::vector::tqvec);
SQL
casts="
    SELECT count(*) FROM pg_cast
    WHERE 'tqvec'::regtype IN (castsource, casttarget) AND castfunc::regprocedure::text ~ 'vector|halfvec|tqvec'"
content="
    SELECT md5(string_agg(format('%s %s %s', e, d.v, d.h), ',' ORDER BY id))
    FROM items JOIN decoded d USING (id)"
before=$(cluster_value "$cluster" "$content" source)
casts_before=$(cluster_value "$cluster" "$casts" source)
"$PG_BIN/pg_dump" -h "$cluster" -U postgres source >"$RUN/dump.sql"
"$PG_BIN/pg_dump" -h "$cluster" -U postgres -Fc source >"$RUN/dump.custom"

# restored NAME EXTENSION...: both dumps into databases that have these extensions already
restored() {
    local name=$1 kind database extension
    shift
    for kind in sql custom; do
        database=${name}_$kind
        cluster_psql "$cluster" -c "CREATE DATABASE $database"
        for extension in "$@"; do
            cluster_psql "$cluster" -d "$database" -c "SET row_security = off; CREATE EXTENSION $extension"
        done
        if [ $kind = sql ]; then
            restore=("$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -f "$RUN/dump.sql")
        else
            restore=("$PG_BIN/pg_restore" -e -j 2 "$RUN/dump.custom")
        fi
        if "${restore[@]}" -h "$cluster" -U postgres -d "$database" >"$RUN/$database.log" 2>&1; then
            ok "$kind into a database with ${*:-neither}"
        else
            not_ok "$kind into a database with ${*:-neither}" "$(tail -n 5 "$RUN/$database.log")"
        fi
        is "$(cluster_value "$cluster" "$content" "$database")" "$before" "its content is the same"
        is "$(cluster_value "$cluster" "$casts" "$database")" "$casts_before" "its casts are the same"
    done
}
restored empty
restored ours tinyquant
restored theirs vector

# Where pgvector is there first, the dump's own CREATE EXTENSION makes no casts, which the dump then brings.
cluster_psql "$cluster" -d empty_sql -c 'DROP TABLE items, with_default CASCADE' >/dev/null 2>&1
like "$(cluster_psql "$cluster" -d empty_sql -c 'DROP EXTENSION vector' 2>&1)" 'cast from vector to tqvec depends on' \
    "after a restore, too, pgvector's going would break them"

done_testing
