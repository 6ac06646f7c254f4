#!/usr/bin/env bash
# tinyquant.output = floats, said for the role and for the database: programs read floats, and whoever copies values has
# records all the same. pg_dump in each of its ways, pg_dumpall, logical replication in text, postgres_fdw. (pg_upgrade
# has its part in upgrade.sh.)
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster floats 'wal_level = logical' 'wal_retrieve_retry_interval = 100ms'
sql <<'SQL'
CREATE DATABASE source;
CREATE ROLE app LOGIN SUPERUSER;
ALTER ROLE app SET tinyquant.output = 'floats';
ALTER DATABASE source SET tinyquant.output = 'floats';
\c source
CREATE EXTENSION tinyquant;
CREATE FUNCTION unit(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT tq_normalize(array_agg(sin(i * seed)::real ORDER BY i)) FROM generate_series(1, 48) i
$$;
SELECT tq_create_codec('trained', 48, 4, false, 7);
CREATE TABLE items (
    id int PRIMARY KEY, plain tqvec(48, 2), exact tqvec(48, 8, residual), trained tqvec, several tqvec[]
);
INSERT INTO items
SELECT i, unit(i), unit(i), tq_compress(unit(i), 'trained'), ARRAY[unit(i)::tqvec(48, 4)]
FROM generate_series(1, 100) i;
-- Constants that are in the schema itself.
SELECT format('CREATE TABLE constants (id int, e tqvec DEFAULT %L, CHECK (e <> %L))',
    plain::bytea::text, trained::bytea::text)
FROM items WHERE id = 3 \gexec
SELECT format('CREATE VIEW near AS SELECT id, e <=> %L::tqvec AS distance FROM constants', plain::bytea::text)
FROM items WHERE id = 4 \gexec
CREATE INDEX ON items (id) WHERE plain <> '[1]';
SQL
export PGHOST=$cluster
as_app() { "$PG_BIN/psql" -X -q -At -U app "$@"; }
bytes="
    SELECT md5(string_agg(md5(plain::bytea) || md5(exact::bytea) || md5(trained::bytea) || md5(several[1]::bytea), ','
        ORDER BY id)) FROM items"
schema="
    INSERT INTO constants (id) VALUES (1);
    SELECT md5(string_agg(md5(e::bytea) || distance, ',')) FROM constants JOIN near USING (id)"
want=$(value "$bytes" source)
want_schema=$(value "BEGIN; $schema; ROLLBACK" source)

for user in app postgres; do
    like "$("$PG_BIN/psql" -X -At -U $user source -c 'SELECT plain FROM items WHERE id = 1')" '^\[-?[0-9.e,-]+\]$' \
        "$user reads floats"
done
like "$(as_app source -c 'COPY (SELECT plain FROM items WHERE id = 1) TO STDOUT')" '^\[-?[0-9.e,-]+\]$' \
    "and copies them, where COPY is asked for"

# ---- dumps

restored() { # NAME DATABASE
    is "$(value "$bytes" "$2")" "$want" "$1: the records are the same"
    is "$(value "BEGIN; $schema; ROLLBACK" "$2")" "$want_schema" "$1: so are constants of defaults and views"
}
for ways in '' --inserts '--column-inserts --rows-per-insert=7' --extra-float-digits=0 \
    '--enable-row-security --inserts' \
    '-Fc' '-Fd -j 2'; do
    name="pg_dump $ways"
    database="restored$((number = ${number:-0} + 1))"
    read -ra arguments <<<"$ways"
    "$PG_BIN/pg_dump" -U app "${arguments[@]}" -f "$RUN/$database.dump" source
    value "CREATE DATABASE $database" >/dev/null
    case $ways in
    -F*) "$PG_BIN/pg_restore" -U app -j 2 -d "$database" "$RUN/$database.dump" ;;
    *) as_app -v ON_ERROR_STOP=1 -f "$RUN/$database.dump" "$database" >/dev/null ;;
    esac
    restored "$name" "$database"
done
"$PG_BIN/pg_dumpall" -U app | sed 's/\bsource\b/from_all/g' >"$RUN/all.sql"
as_app -f "$RUN/all.sql" postgres >/dev/null 2>&1 || true
restored pg_dumpall from_all
is "$(as_app from_all -c "SELECT left(plain::text, 1) FROM items WHERE id = 1")" '[' \
    "pg_dumpall: the settings came along"

# ---- logical replication, in text

value 'CREATE DATABASE subscriber' >/dev/null
"$PG_BIN/pg_dump" -U app --schema-only source | as_app subscriber
value 'CREATE PUBLICATION all_of_it FOR TABLE items' source >/dev/null
value "SELECT pg_create_logical_replication_slot('all_of_it', 'pgoutput')" source >/dev/null
value "CREATE SUBSCRIPTION all_of_it CONNECTION 'host=$cluster user=app dbname=source' PUBLICATION all_of_it
    WITH (create_slot = false, slot_name = all_of_it)" subscriber >/dev/null
replicated() { # NAME
    same() { [ "$(value "$bytes" subscriber)" = "$(value "$bytes" source)" ]; }
    wait_until same || true
    is "$(value "$bytes" subscriber)" "$(value "$bytes" source)" "logical replication: $1"
}
replicated "the first copy"
value "UPDATE items SET plain = exact::real[]::tqvec(48, 2), exact = unit(id + 1000) WHERE id <= 50" source >/dev/null
replicated "changes"
want=$(value "$bytes" source)
value 'ALTER SUBSCRIPTION all_of_it DISABLE; ALTER SUBSCRIPTION all_of_it SET (slot_name = NONE)' subscriber >/dev/null
value 'DROP SUBSCRIPTION all_of_it' subscriber >/dev/null

# ---- foreign tables

if cluster_has "$cluster" postgres_fdw; then
    value 'CREATE DATABASE asking' >/dev/null
    value "ALTER DATABASE asking SET tinyquant.output = 'floats'" >/dev/null
    as_app asking >/dev/null <<SQL
CREATE EXTENSION tinyquant;
CREATE EXTENSION postgres_fdw;
CREATE SERVER source FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host '$cluster', dbname 'source', extensions 'tinyquant');
CREATE USER MAPPING FOR PUBLIC SERVER source OPTIONS (user 'app');
IMPORT FOREIGN SCHEMA public LIMIT TO (items) FROM SERVER source INTO public;
SQL
    is "$(value "$bytes" asking)" "$want" "postgres_fdw fetches the same records"
    is "$(as_app asking -c "
        SELECT count(*) FROM items WHERE exact = (SELECT exact FROM items WHERE id = 7)")" 1 \
        "postgres_fdw: and finds them"
    record=$(value "SELECT exact::bytea::text FROM items WHERE id = 7" source)
    is "$(as_app asking -c "SELECT id FROM items WHERE exact = '$record'::tqvec")" 7 \
        "postgres_fdw sends constants as records"
    as_app asking -c "UPDATE items SET exact = (SELECT exact FROM items WHERE id = 8) WHERE id = 9"
    is "$(value "SELECT count(DISTINCT exact::bytea) FROM items WHERE id IN (8, 9)" source)" 1 \
        "postgres_fdw writes records"
else
    echo "# SKIPPED: no postgres_fdw is here"
fi

cluster_stop "$cluster"
done_testing
