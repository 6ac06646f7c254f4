#!/usr/bin/env bash
# pg_dump and restore: a database with compressed columns and registered codecs comes back with equal bytes and equal
# query results, through a plain script, a custom archive and a parallel restore; and by the manual's recipe with expressions
# that decode records of registered codecs.
# shellcheck source=../../scripts/lib.sh
. "$HELPERS"

c=$RUN/dump$PG_MAJOR
cluster_create "$c"
cluster_start "$c"

cluster_psql "$c" <<'SQL'
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
CREATE INDEX ON items (exact);
CREATE INDEX ON items (tq_dimension(any_codec));
CREATE MATERIALIZED VIEW nearest AS
    SELECT id FROM items ORDER BY any_codec <=> (SELECT plain FROM items WHERE id = 7), id LIMIT 50;
SQL

bytes="SELECT md5(string_agg(md5(small::bytea) || md5(plain::bytea) || md5(exact::bytea) || coalesce(md5(any_codec::bytea), '-') || coalesce(hash, '-'), ',' ORDER BY id)) FROM items"
answers="SELECT md5(string_agg(format('%s %s %s', plain OPERATOR(vectors.<=>) vectors.tq_compress(unit(9)), exact OPERATOR(vectors.<->) unit(9), any_codec OPERATOR(vectors.<#>) unit(9)), ',' ORDER BY id)) FROM items"
codecs="SELECT md5(string_agg(t::text, ',')) FROM vectors.tq_codec t"
columns="SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 0"

"$PG_BIN/pg_dump" -h "$c" -U postgres source >"$RUN/dump.sql"
"$PG_BIN/pg_dump" -h "$c" -U postgres -Fc source >"$RUN/dump.custom"
cluster_psql "$c" -c 'CREATE DATABASE plain' -c 'CREATE DATABASE custom'
cluster_psql "$c" -d plain -f "$RUN/dump.sql" >/dev/null
"$PG_BIN/pg_restore" -h "$c" -U postgres -j 2 -d custom "$RUN/dump.custom"

for restored in plain custom; do
    for what in bytes answers codecs columns; do
        is "$(cluster_value "$c" "${!what}" "$restored")" "$(cluster_value "$c" "${!what}" source)" \
            "$restored restore: equal $what"
    done
    is "$(cluster_value "$c" 'SELECT count(*) FROM nearest' "$restored")" 50 "$restored restore: materialized view"
done
is "$("$PG_BIN/pg_dump" -h "$c" -U postgres plain | grep -v -e '^\\' | md5sum)" \
    "$(grep -v -e '^\\' "$RUN/dump.sql" | md5sum)" "a dump of the restored database is the same dump"

# What decodes records of a registered codec, in indexes, generated columns and constraints, comes back by the manual's recipe.
cluster_psql "$c" -d source -c "SET search_path = public, vectors" -c "CREATE TABLE decoding (id int PRIMARY KEY, e tqvec CHECK (tq_norm(e) > 0),
        norm real GENERATED ALWAYS AS (tq_norm(e)) STORED)" -c "INSERT INTO decoding SELECT id, any_codec FROM items" \
    -c "CREATE INDEX decoding_norm ON decoding (tq_norm(e))" -c "CREATE INDEX items_norm ON items (tq_norm(any_codec))" \
    -c "CREATE STATISTICS decoding_norms ON tq_norm(e), id FROM decoding"
"$PG_BIN/pg_dump" -h "$c" -U postgres -Fc source >"$RUN/decoding.custom"
cluster_psql "$c" -c 'CREATE DATABASE decoding'
recipe=$(sed -n '/^  pg_restore -d new --section=pre-data/,/^  ```/p' "$REPO/docs/operations.md" | grep -v '```')
is "$(wc -l <<<"$recipe")" 4 "the manual's recipe is found"
(
    cd "$RUN" && cp decoding.custom old.dump
    pg_restore() {
        local arguments=("$@")
        [ "$1" != -d ] || arguments=(-e -h "$c" -U postgres -d decoding "${@:3}")
        "$PG_BIN/pg_restore" "${arguments[@]}"
    }
    eval "$recipe"
) >"$RUN/recipe.log" 2>&1 && ok "the manual's recipe restores without an error" || not_ok "the manual's recipe restores without an error" "$(cat "$RUN/recipe.log")"
made="SELECT string_agg(indexrelid::regclass::text || ' ' || indisvalid, ', ' ORDER BY indexrelid::regclass::text) FROM pg_index JOIN pg_class ON oid = indrelid WHERE relname IN ('items', 'decoding')"
for what in bytes answers codecs made; do
    is "$(cluster_value "$c" "${!what}" decoding)" "$(cluster_value "$c" "${!what}" source)" "restored by the recipe: equal $what"
done
is "$(cluster_value "$c" "SELECT count(norm), count(*) FILTER (WHERE norm = vectors.tq_norm(e)::real) FROM decoding" decoding)" "200|200" \
    "restored by the recipe: what was computed"
is "$(cluster_psql "$c" -d decoding -c 'ANALYZE' 2>&1)" '' "and ANALYZE finds the codec"
# Without the codec, ANALYZE says what to do.
cluster_psql "$c" -d decoding -c "SELECT vectors.tq_drop_codec('trained')" >"$RUN/dropped.log" 2>&1
like "$(cat "$RUN/dropped.log")" 'fails at what decodes them: .*index decoding_norm.*index items_norm' "dropping the codec says what will fail"
like "$(cluster_psql "$c" -d decoding -c 'ANALYZE decoding' 2>&1 || true)" 'is not registered.*HINT: .* drop what decodes its records' "ANALYZE says the ways out"

# Binary COPY is the record too, and enforces the column's modifier on the way in.
cluster_psql "$c" -d plain -c "COPY (SELECT small, plain, exact FROM items ORDER BY id) TO '$c/rows.bin' (FORMAT binary)" \
    -c 'CREATE TABLE copied (small vectors.tqvec(48, 2), plain vectors.tqvec(48, 4), exact vectors.tqvec(48, 8, residual))' \
    -c "COPY copied FROM '$c/rows.bin' (FORMAT binary)"
is "$(cluster_value "$c" 'SELECT md5(string_agg(exact::text, $$,$$ ORDER BY exact)) FROM copied' plain)" \
    "$(cluster_value "$c" 'SELECT md5(string_agg(exact::text, $$,$$ ORDER BY exact)) FROM items' plain)" "binary COPY round trip"
refused=$(cluster_psql "$c" -d plain -c 'CREATE TABLE narrow (small vectors.tqvec(48, 2), plain vectors.tqvec(48, 8), exact vectors.tqvec)' \
    -c "COPY narrow FROM '$c/rows.bin' (FORMAT binary)" 2>&1) || true
like "$refused" 'expected 8 bits a dimension, not 4' "binary COPY enforces the modifier"

# The extension's schema can be moved; columns, operators and registered codecs follow.
moved="SELECT md5(string_agg((any_codec OPERATOR(%s.<#>) tq_decompress(plain))::text, ',' ORDER BY id)) FROM items"
before=$(cluster_value "$c" "SET search_path = public, vectors; ${moved//%s/vectors}" plain)
cluster_psql "$c" -d plain -c 'CREATE SCHEMA elsewhere' -c 'ALTER EXTENSION tinyquant SET SCHEMA elsewhere'
is "$(cluster_value "$c" "SET search_path = public, elsewhere; ${moved//%s/elsewhere}" plain)" "$before" \
    "equal answers after ALTER EXTENSION SET SCHEMA"

cluster_stop "$c"
done_testing
