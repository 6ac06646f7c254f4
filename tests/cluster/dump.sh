#!/usr/bin/env bash
# pg_dump and restore: a database with compressed columns and registered codecs comes back with equal bytes and equal
# query results, through a plain script, a custom archive and a parallel restore; and by the manual's recipe with
# expressions that decode records of registered codecs.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster dump

cluster_psql "$cluster" <<'SQL'
CREATE DATABASE source;
\c source
CREATE SCHEMA vectors;
CREATE EXTENSION tinyquant SCHEMA vectors;
SET search_path = public, vectors;
SELECT tq_create_codec('trained', 48, 4, false, 18446744073709551615,
    (SELECT array_agg(((i - 8.3) / 3)::real ORDER BY i) FROM generate_series(1, 16) i));
CREATE FUNCTION unit(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT vectors.tq_normalize(array_agg((hashint8extended(i, seed) % 100000)::real ORDER BY i))
    FROM generate_series(1, 48) i
$$;
CREATE TABLE items (
    id int PRIMARY KEY,
    small tqvec(48, 2),
    plain tqvec(48, 4),
    exact tqvec(48, 8, residual),
    any_codec tqvec,
    hash text GENERATED ALWAYS AS (tq_config_hash(any_codec)) STORED
);
INSERT INTO items
SELECT i, unit(i)::tqvec(48, 2), unit(i)::tqvec(48, 4), unit(i)::tqvec(48, 8, residual),
       CASE i % 3 WHEN 0 THEN tq_compress(unit(i), 'trained') WHEN 1 THEN unit(i)::tqvec END
FROM generate_series(1, 300) i;
-- A column whose type names a codec: the table comes back before the codec does.
SELECT tq_train_codec('centred', 'SELECT unit(i) FROM generate_series(1, 300) i', 8) \g /dev/null
CREATE TABLE named (id int, e vectors.tqvec(48, 8, 'centred'), n vectors.tqvec(48, 4, normalize));
INSERT INTO named SELECT i, unit(i), unit(i) FROM generate_series(1, 100) i;
CREATE INDEX named_near ON named USING tinyquant (e vectors.tqvec_cosine_ops) WITH (refine = table);
CREATE INDEX ON items (exact);
CREATE INDEX items_near ON items USING tinyquant (any_codec tqvec_cosine_ops) WITH (refine = table) WHERE id > 5;
CREATE INDEX ON items (tq_dimension(any_codec));
CREATE MATERIALIZED VIEW nearest AS
    SELECT id FROM items ORDER BY any_codec <=> (SELECT plain FROM items WHERE id = 7), id LIMIT 50;
SQL

# What comes back must answer these as the source does; compare names them.
declare -A question=(
    [bytes]="
        SELECT md5(string_agg(md5(small::bytea) || md5(plain::bytea) || md5(exact::bytea)
            || coalesce(md5(any_codec::bytea), '-') || coalesce(hash, '-'), ',' ORDER BY id))
        FROM items"
    [answers]="
        SELECT md5(string_agg(format('%s %s %s', plain OPERATOR(vectors.<=>) vectors.tq_compress(unit(9)),
            exact OPERATOR(vectors.<->) unit(9), any_codec OPERATOR(vectors.<#>) unit(9)), ',' ORDER BY id))
        FROM items"
    [codecs]="SELECT md5(string_agg(t::text, ',')) FROM tq_catalog.tq_codec t"
    [columns]="
        SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 0"
    [named]="
        SELECT md5(string_agg(
                format('%s %s %s', md5(e::bytea), md5(n::bytea), e OPERATOR(vectors.<=>) unit(9)), ',' ORDER BY id))
            || (SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum)
                FROM pg_attribute WHERE attrelid = 'named'::regclass AND attnum > 0)
        FROM named"
    [made]="
        SELECT string_agg(indexrelid::regclass::text || ' ' || indisvalid, ', ' ORDER BY indexrelid::regclass::text)
        FROM pg_index JOIN pg_class ON oid = indrelid WHERE relname IN ('items', 'decoding')"
)
compare() { # NAME DATABASE WHAT...
    local name=$1 database=$2 what
    shift 2
    for what; do
        is "$(value "${question[$what]}" "$database")" "$(value "${question[$what]}" source)" "$name: equal $what"
    done
}

"$PG_BIN/pg_dump" -h "$cluster" -U postgres source >"$RUN/dump.sql"
"$PG_BIN/pg_dump" -h "$cluster" -U postgres -Fc source >"$RUN/dump.custom"
cluster_psql "$cluster" -c 'CREATE DATABASE plain' -c 'CREATE DATABASE custom'
cluster_psql "$cluster" -d plain -f "$RUN/dump.sql" >/dev/null
"$PG_BIN/pg_restore" -h "$cluster" -U postgres -j 2 -d custom "$RUN/dump.custom"

for restored in plain custom; do
    compare "$restored restore" "$restored" bytes answers codecs columns named
    is "$(value "INSERT INTO named SELECT 1000, unit(1000), unit(1000) RETURNING 1" "$restored")" 1 \
        "$restored restore: the column goes on by its codec"
    value 'DELETE FROM named WHERE id = 1000' "$restored"
    is "$(value 'SELECT count(*) FROM nearest' "$restored")" 50 "$restored restore: materialized view"
done
is "$("$PG_BIN/pg_dump" -h "$cluster" -U postgres plain | dump_digest)" "$(dump_digest <"$RUN/dump.sql")" \
    "a dump of the restored database is the same dump"

# What decodes records of a registered codec, in indexes, generated columns and constraints, comes back by the manual's
# recipe.
cluster_psql "$cluster" -d source <<'SQL'
SET search_path = public, vectors;
CREATE TABLE decoding (
    id int PRIMARY KEY,
    e tqvec CHECK (tq_norm(e) > 0),
    norm real GENERATED ALWAYS AS (tq_norm(e)) STORED
);
INSERT INTO decoding SELECT id, any_codec FROM items;
CREATE INDEX decoding_norm ON decoding (tq_norm(e));
CREATE INDEX items_norm ON items (tq_norm(any_codec));
CREATE STATISTICS decoding_norms ON tq_norm(e), id FROM decoding;
SQL
"$PG_BIN/pg_dump" -h "$cluster" -U postgres -Fc source >"$RUN/decoding.custom"
cluster_psql "$cluster" -c 'CREATE DATABASE decoding'
recipe=$(sed -n '/^  pg_restore -d new --section=pre-data/,/^  ```/p' "$REPO/docs/operations.md" | grep -v '```')
is "$(wc -l <<<"$recipe")" 4 "the manual's recipe is found"
restored_by_recipe() (
    cd "$RUN" && cp decoding.custom old.dump
    # shellcheck disable=SC2317 # called by the recipe
    pg_restore() {
        local arguments=("$@")
        [ "$1" != -d ] || arguments=(-e -h "$cluster" -U postgres -d decoding "${@:3}")
        "$PG_BIN/pg_restore" "${arguments[@]}"
    }
    eval "$recipe"
) >"$RUN/recipe.log" 2>&1
if restored_by_recipe; then
    ok "the manual's recipe restores without an error"
else
    not_ok "the manual's recipe restores without an error" "$(cat "$RUN/recipe.log")"
fi
compare "restored by the recipe" decoding bytes answers codecs made
is "$(value "
    SELECT count(norm), count(*) FILTER (WHERE norm = vectors.tq_norm(e)::real) FROM decoding" decoding)" "200|200" \
    "restored by the recipe: what was computed"
is "$(cluster_psql "$cluster" -d decoding -c 'ANALYZE' 2>&1)" '' "and ANALYZE finds the codec"
# Without the codec, ANALYZE says what to do.
cluster_psql "$cluster" -d decoding -c "SELECT vectors.tq_drop_codec('trained')" >"$RUN/dropped.log" 2>&1
like "$(cat "$RUN/dropped.log")" 'fails at what decodes them: .*index decoding_norm.*index items_norm' \
    "dropping the codec says what will fail"
like "$(cluster_psql "$cluster" -d decoding -c 'ANALYZE decoding' 2>&1 || true)" \
    'is not registered.*HINT: .* drop what decodes its records' "ANALYZE says the ways out"

# Binary COPY is the record too, and enforces the column's modifier on the way in.
cluster_psql "$cluster" -d plain <<SQL
COPY (SELECT small, plain, exact FROM items ORDER BY id) TO '$cluster/rows.bin' (FORMAT binary);
CREATE TABLE copied (small vectors.tqvec(48, 2), plain vectors.tqvec(48, 4), exact vectors.tqvec(48, 8, residual));
COPY copied FROM '$cluster/rows.bin' (FORMAT binary);
CREATE TABLE narrow (small vectors.tqvec(48, 2), plain vectors.tqvec(48, 8), exact vectors.tqvec);
SQL
exact_of() { value "SELECT md5(string_agg(exact::text, ',' ORDER BY exact)) FROM $1" plain; }
is "$(exact_of copied)" "$(exact_of items)" "binary COPY round trip"
refused=$(value "COPY narrow FROM '$cluster/rows.bin' (FORMAT binary)" plain 2>&1) || true
like "$refused" 'expected 8 bits a dimension, not 4' "binary COPY enforces the modifier"

# The extension's schema can be moved, if the table of codecs is lent to it meanwhile; columns, operators and codecs
# follow.
moved() { # SCHEMA
    value "SET search_path = public, $1;
        SELECT md5(string_agg((any_codec OPERATOR($1.<#>) tq_decompress(plain))::text, ',' ORDER BY id))
        FROM items" plain
}
before=$(moved vectors)
refused=$(value 'ALTER EXTENSION tinyquant SET SCHEMA public' plain 2>&1) || true
like "$refused" 'table tq_catalog.tq_codec is not in the extension.s schema "vectors"' \
    "ALTER EXTENSION SET SCHEMA alone: refused"
cluster_psql "$cluster" -d plain -c 'CREATE SCHEMA elsewhere' -c 'ALTER TABLE tq_catalog.tq_codec SET SCHEMA vectors' \
    -c 'ALTER EXTENSION tinyquant SET SCHEMA elsewhere' -c 'ALTER TABLE elsewhere.tq_codec SET SCHEMA tq_catalog'
is "$(moved elsewhere)" "$before" "equal answers after ALTER EXTENSION SET SCHEMA"

# A table that computes by a codec in a generated column and a constraint, dumped in plain SQL: its rows come before the
# codec, and are refused. The way of docs/operations.md has them come after it.
execute 'CREATE DATABASE old' && execute 'CREATE DATABASE new' && execute 'CREATE DATABASE in_order'
cluster_psql "$cluster" -d old >/dev/null 2>&1 <<'SQL'
CREATE EXTENSION tinyquant;
CREATE TABLE floats AS SELECT i AS id, array_agg((sin((i + 1) * j) + 2)::real ORDER BY j) AS v
FROM generate_series(1, 200) i, generate_series(1, 48) j GROUP BY i;
SELECT tq_train_codec('of its own', 'SELECT v FROM floats', 4);
CREATE TABLE computes (
    id int, v real[],
    e tqvec(48, 4, 'of its own') GENERATED ALWAYS AS (v::tqvec(48, 4, 'of its own')) STORED,
    CHECK (tq_norm(v::tqvec(48, 4, 'of its own')) > 0));
INSERT INTO computes SELECT id, v FROM floats;
SQL
computed='SELECT md5(string_agg(id || md5(e::bytea), $$,$$ ORDER BY id)) FROM computes'
mapfile -t steps < <(grep -E '^  (psql new -c|pg_dump --(data-only|exclude-table-data))' "$REPO/docs/operations.md")
is "${#steps[@]}" 3 "docs/operations.md says how such a dump is restored"
in_order=$(
    export PATH=$PG_BIN:$PATH PGHOST=$cluster PGUSER=postgres PGOPTIONS='-c client_min_messages=warning'
    for step in "${steps[@]}"; do bash -c "${step//new/in_order -q -v ON_ERROR_STOP=1}" 2>&1 >/dev/null; done
)
is "$in_order" '' "each of its steps succeeds"
is "$(value "$computed" in_order)" "$(value "$computed" old)" "and all rows are there"
like "$("$PG_BIN/pg_dump" -h "$cluster" -U postgres old | cluster_psql "$cluster" -d new -v ON_ERROR_STOP=0 2>&1)" \
    'codec "codec_[0-9a-f]+" does not exist' "without them the rows are refused, and it is said why"

cluster_stop "$cluster"
done_testing
