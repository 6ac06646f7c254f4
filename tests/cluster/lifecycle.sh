#!/usr/bin/env bash
# An extension's life: created, by a superuser and by the owner of a database; upgraded from every released version;
# moved to another schema, and its schema renamed, while sessions use it; dropped; dumped and restored with all that
# depends on it.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"
# shellcheck source=fixtures.bash
. "$(dirname "$0")/fixtures.bash"

# Without the library preloaded: the first call in a session loads it.
one_cluster life "shared_preload_libraries = ''" 'max_worker_processes = 16'
extensions=$("$PG_CONFIG" --sharedir)/extension
version=$(sed -nE "s/^default_version = '(.*)'/\1/p" "$extensions/tinyquant.control")
data=$REPO/tests/pg_regress/data
files_folder

# Here the database comes first, since there are many.
value() { cluster_value "$cluster" "$2" "$1"; }
digests() { # DATABASE
    echo "$(value "$1" "$rows") $(value "$1" "$answers") $(value "$1" "$codecs")"
}
run() { # DATABASE, statements from stdin
    cluster_psql "$cluster" -d "$1" >/dev/null
}
# run_as ROLE DATABASE STATEMENT...: its last line, or its error
run_as() {
    local role=$1 database=$2 command=()
    shift 2
    for statement in "$@"; do command+=(-c "$statement"); done
    "$PG_BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -h "$cluster" -U "$role" -d "$database" "${command[@]}" 2>&1 |
        tail -n 1
}
database() { # NAME [OPTION]...
    cluster_psql "$cluster" -c "CREATE DATABASE $*"
}

# ---- upgrades ---------------------------------------------------------------------------------------------------

# Frozen scripts are not installed: a fresh installation is of the present version.
cp "$REPO"/sql/tinyquant--*.sql "$extensions/"
database fresh
run fresh <<<'CREATE EXTENSION tinyquant'
is "$(value fresh "SELECT extversion FROM pg_extension WHERE extname = 'tinyquant'")" "$version" \
    "CREATE EXTENSION: the present version"
catalogue() {
    cluster_psql "$cluster" -d "$1" -f "$REPO/tests/pg_regress/sql/14_catalogue.sql" 2>&1
    value "$1" "
        SELECT pg_get_functiondef(objid)
        FROM pg_depend JOIN pg_proc p ON p.oid = objid AND prokind <> 'a'
        WHERE classid = 'pg_proc'::regclass AND deptype = 'e'
            AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'tinyquant')
        ORDER BY objid::regprocedure::text"
}
catalogue fresh >"$RUN/fresh.catalogue"
like "$(wc -l <"$RUN/fresh.catalogue")" '^[0-9]{3,}$' "the catalogue is read"
by_files() { # DATABASE FILE STATEMENT...: the file's rows, by import and by COPY, once the statements have made room
    local database=$1 file=$2
    shift 2
    run_as postgres "$database" "$@" "SELECT tq_import('early', '$file', '{\"id_column\": \"id\"}')" \
        "COPY early FROM '$file' WITH (FORMAT tqcv)" \
        "SELECT count(*), bool_and(e = trained) FROM early JOIN items USING (id)"
}
for frozen in "$REPO"/sql/tinyquant--*.sql; do
    from=$(basename "$frozen" .sql)
    from=${from#tinyquant--}
    [[ $from != *--* ]] || continue
    old=from_${from//./_}
    database "$old"
    run "$old" <<<"CREATE EXTENSION tinyquant VERSION '$from'"
    populate "$cluster" "$old"
    # The library is replaced before anybody can say ALTER EXTENSION.
    is "$(by_files "$old" "$files/$from.tqcv" 'CREATE TABLE early (id int, e tqvec)' \
        "SELECT tq_export('SELECT id, trained FROM items', '$files/$from.tqcv')")" '800|t' \
        "$from under the present library: files"
    before=$(digests "$old")
    storage="
        SELECT string_agg(format('%s %s', attname, attstorage), ', ' ORDER BY attrelid::regclass::text, attnum)
        FROM pg_attribute WHERE atttypid = 'tqvec'::regtype AND attnum > 0"
    stored=$(value "$old" "$storage")
    is "$(run_as postgres "$old" 'ALTER EXTENSION tinyquant UPDATE' \
        "SELECT extversion FROM pg_extension WHERE extname = 'tinyquant'")" "$version" "$from: ALTER EXTENSION UPDATE"
    catalogue "$old" >"$RUN/$from.catalogue"
    is "$(diff "$RUN/$from.catalogue" "$RUN/fresh.catalogue")" '' "$from, upgraded, is what a fresh installation is"
    is "$(digests "$old")" "$before" "$from, upgraded: equal rows, answers, codecs"
    is "$(value "$old" "$storage")" "$stored" "$from, upgraded: columns are stored as they were"
    is "$(run_as postgres "$old" 'CREATE TABLE late (e tqvec)' "
        SELECT attstorage FROM pg_attribute WHERE attrelid = 'late'::regclass AND attname = 'e'")" m \
        "$from, upgraded: those of new tables stay in the row"
    is "$(run_as postgres "$old" 'ANALYZE items' "
        SELECT sum(pg_column_size(s.*)) < 2000
        FROM pg_statistic s JOIN pg_attribute a ON attrelid = starelid AND attnum = staattnum
        WHERE atttypid = 'tqvec'::regtype AND attrelid = 'items'::regclass")" t \
        "$from, upgraded: ANALYZE keeps no records"
    is "$(by_files "$old" "$files/$from.tqcv" 'TRUNCATE early')" '800|t' "$from, upgraded: files"
    # What differs from an extension as it was created would be written out.
    is "$("$PG_BIN/pg_dump" -h "$cluster" -U postgres --schema-only -t tq_catalog.tq_codec "$old" |
        grep -cE '^(GRANT|REVOKE|CREATE|ALTER)' || true)" 0 \
        "$from, upgraded: pg_dump finds nothing that a user has changed"
done
# What a tool would do that takes the schema for one of the user's.
for statement in 'DROP SCHEMA tq_catalog CASCADE' 'DROP TABLE tq_catalog.tq_codec CASCADE'; do
    like "$(value fresh "$statement" 2>&1)" 'because extension tinyquant requires it' \
        "not without the extension: $statement"
done
is "$(value fresh "
    SELECT count(*) FROM pg_extension_update_paths('tinyquant') WHERE target = '$version' AND path IS NULL")" 0 \
    "each version has a path to $version"
is "$("$PG_BIN/pg_dump" -h "$cluster" -U postgres fresh | grep -cE '^(GRANT|REVOKE|COPY)')" \
    "$(value fresh 'SELECT count(*) + 1 FROM tq_catalog.tq_codec')" \
    "a dump of a fresh installation has no rights, and the empty table"

# A script is read as of the database's encoding, whichever that is.
is "$(LC_ALL=C grep -c '[^[:print:][:space:]]' "$extensions"/tinyquant--*.sql "$extensions/tinyquant.control" |
    grep -v ':0$' || true)" '' \
    "the scripts are plain ASCII"
for encoding in latin1 euc_jp sql_ascii; do
    database "$encoding" TEMPLATE template0 ENCODING "$encoding"
    is "$(run_as postgres "$encoding" 'CREATE EXTENSION tinyquant' "SELECT tq_dimension('[1, 0]'::tqvec)")" 2 \
        "a database in $encoding"
done
# Rust has UTF-8 alone. What isn't ASCII must not come into such a database as other text, nor be a panic.
encoded() { # DATABASE STATEMENT: the first line of what comes of it
    PGCLIENTENCODING=utf8 cluster_psql "$cluster" -At -v ON_ERROR_STOP=0 -d "$1" -c "LOAD 'tinyquant'" -c "$2" 2>&1 |
        sed -n 1p
}
is "$(encoded latin1 'CREATE TABLE "té" ("é" tqvec); CREATE TABLE plain (e tqvec)')" '' "tables in LATIN1"
not_ascii="ERROR:  text that is not ASCII can't be used in a database of encoding"
while read -r statement; do
    is "$(encoded latin1 "$statement")" "$not_ascii LATIN1" "in LATIN1: ${statement//"$files"/…}"
done <<STATEMENTS
SELECT tq_create_codec('naïve', 8)
SELECT tq_compress('{1, 0}'::real[], 'naïve')
SELECT tq_drop_codec('naïve')
SELECT tq_corpus_info('$files/é.tqcv')
COPY plain TO '$files/m.tqcv' (FORMAT tqcv, METADATA '{"model": "café"}')
SELECT tq_export('SELECT e FROM plain', '$files/m.tqcv', '{"metadata": {"model": "café"}}')
SELECT tq_evaluate(\$q\$SELECT \$e\$é\$e\$\$q\$)
STATEMENTS
like "$(encoded latin1 "COPY \"té\" FROM '$files/none.tqcv' (FORMAT tqcv)")" "^$not_ascii" "in LATIN1: a column's name"
for encoding in latin1 euc_jp; do
    is "$(encoded $encoding "SELECT '[x]'::tqvec")" 'ERROR:  invalid input syntax for type tqvec: "[x]"' \
        "$encoding: our own messages can be read"
done
is "$(encoded euc_jp "SELECT tq_config_hash(set_byte(set_byte('[1, 0]'::tqvec::bytea, 1, 195), 2, 169)::tqvec)")" \
    "$not_ascii EUC_JP" "a foreign hash is no text there"

# What is named when a codec goes.
database holders
run holders <<'SQL'
CREATE EXTENSION tinyquant;
CREATE TABLE t (
    any_width tqvec,
    dimension_alone tqvec(16),
    fits tqvec(16, 4),
    other_dimension tqvec(17, 4),
    other_width tqvec(16, 2),
    with_residual tqvec(16, 4, residual)
);
SELECT tq_create_codec('mine', 16);
SQL
like "$("$PG_BIN/psql" -X -h "$cluster" -U postgres -d holders -c "SELECT tq_drop_codec('mine')" 2>&1)" \
    'may hold such records: public\.t\.any_width, public\.t\.dimension_alone, public\.t\.fits\.' \
    "tq_drop_codec names the columns whose type admits its records"

# ---- another schema, while sessions go on -----------------------------------------------------------------------

database moving
run moving <<'SQL'
CREATE SCHEMA one;
CREATE SCHEMA "Two ""2""";
CREATE EXTENSION tinyquant SCHEMA one;
ALTER DATABASE moving SET search_path = public, one, "Two ""2""", three;
SQL
populate "$cluster" moving
before=$(digests moving)
# What a session has looked up before must lead it to where things are now: `elsewhere` is another session.
export MOVE="$PG_BIN/psql -X -q -h $cluster -U postgres -d moving -c"
moves() { # what is done in between
    cluster_psql "$cluster" -d moving -At 2>&1 <<SQL
SET client_min_messages = error;
SELECT count(*) FROM (SELECT trained <=> unit(3) FROM items) s;
\! \$MOVE '$1'
SELECT tq_bit_width(tq_compress(unit(1), 'spare')) = 2;
SELECT count(*) FROM (SELECT trained <=> unit(4) FROM items) s;
SELECT tq_create_codec('late', 48, 2, false, 9) IS NOT NULL;
SELECT tq_export('SELECT trained FROM items', '$files/moved.tqcv');
CREATE TEMPORARY TABLE loaded (e tqvec);
COPY loaded FROM '$files/moved.tqcv' WITH (FORMAT tqcv);
SELECT count(*) FROM loaded WHERE e IN (SELECT trained FROM items);
INSERT INTO items (id, v) VALUES (0, unit(401)) RETURNING tq_bit_width(made);
DELETE FROM items WHERE id = 0;
CALL tq_compress_column('items', 'v', 'small');
SELECT tq_drop_codec('late');
SQL
}
want=$'400\nt\n400\nt\n400\n400\n4'
set_schema='ALTER TABLE tq_catalog.tq_codec SET SCHEMA one; ALTER EXTENSION tinyquant SET SCHEMA "Two ""2""";
    ALTER TABLE "Two ""2""".tq_codec SET SCHEMA tq_catalog'
is "$(moves "${set_schema//$'\n'/ }")" "$want" "ALTER EXTENSION SET SCHEMA beside a session"
is "$(value moving "
    SELECT string_agg(DISTINCT nspname, ',')
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE probin = 'tinyquant'")" \
    'Two "2"' "everything has moved"
# A schema's new name reaches no session by itself, and somebody else may take the old one.
rename='ALTER SCHEMA "Two ""2""" RENAME TO three;
    CREATE SCHEMA "Two ""2""";
    ALTER SCHEMA tq_catalog RENAME TO four;
    CREATE SCHEMA tq_catalog;
    CREATE TABLE tq_catalog.tq_codec (
        name text, config_hash text, dimension int, bit_width int, seed numeric, residual bool, rotation text,
        codebook real[]
    )'
is "$(moves "${rename//$'\n'/ }")" "$want" "ALTER SCHEMA RENAME beside a session, and a table of the old name"
run moving <<<'DROP SCHEMA "Two ""2""", tq_catalog CASCADE; ALTER SCHEMA four RENAME TO tq_catalog' 2>/dev/null
is "$(digests moving)" "$before" "equal rows, answers, codecs"
is "$(value moving 'SELECT count(*) FROM items WHERE made = (SELECT made FROM items WHERE id = 5)')" 1 \
    "operators and indexes"
is "$(value moving 'UPDATE tq_catalog.tq_codec SET seed = 1' 2>&1 | head -n 1)" \
    'ERROR:  registered codecs are immutable' \
    "the trigger"

# ---- dumps, in parallel and into directories --------------------------------------------------------------------

indexes="SELECT string_agg(indexdef, ';' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'items'"
for format in custom directory; do
    jobs=()
    [ $format = custom ] || jobs=(-j 4)
    "$PG_BIN/pg_dump" -h "$cluster" -U postgres -F$format "${jobs[@]}" -f "$RUN/$format.dump" moving
    database "$format"
    run "$format" <<<"ALTER DATABASE $format SET search_path = public, three"
    is "$("$PG_BIN/pg_restore" -h "$cluster" -U postgres -j 4 -d "$format" "$RUN/$format.dump" 2>&1)" '' \
        "$format: pg_restore -j 4"
    for what in rows codecs answers means; do
        is "$(value "$format" "${!what}")" "$(value moving "${!what}")" "$format: equal $what"
    done
    is "$(value "$format" "$indexes")" "$(value moving "$indexes")" "$format: equal indexes"
    is "$(value "$format" "
        SET enable_seqscan = off;
        SELECT count(*) FROM items i
        WHERE exact = i.v::tqvec(48, 8, residual) AND id = (SELECT id FROM items s WHERE s.small = i.small)
            AND id = (SELECT id FROM items m WHERE m.made = i.made)")" 400 "$format: indexes find every row"
done
is "$("$PG_BIN/pg_dump" -h "$cluster" -U postgres custom | dump_digest)" \
    "$("$PG_BIN/pg_dump" -h "$cluster" -U postgres directory | dump_digest)" "both restore to the same dump"

# Rows that can't be stored without a registered codec, and the way of docs/operations.md to restore them.
database strict
run strict <<'SQL'
CREATE EXTENSION tinyquant;
SELECT tq_create_codec('trained', 4, 4, false, 7);
CREATE TABLE items (id int, e tqvec CHECK (tq_norm(e) > 0.5), norm float8 GENERATED ALWAYS AS (tq_norm(e)) STORED);
INSERT INTO items SELECT i, tq_compress(tq_normalize(ARRAY[i, 2, 3, 4]), 'trained') FROM generate_series(1, 10) i;
SQL
database new
"$PG_BIN/pg_dump" -h "$cluster" -U postgres -Fc -f "$RUN/old.dump" strict
commands=$(sed -nE '/^  pg_restore -d new --section/,/^  ```/ s/^  (pg_restore .*)/\1/p' "$REPO/docs/operations.md")
is "$(wc -l <<<"$commands")" 4 "docs/operations.md says how to restore what needs codecs"
is "$(cd "$RUN" && PATH=$PG_BIN:$PATH PGHOST=$cluster PGUSER=postgres bash -e -c "$commands" 2>&1)" '' \
    "docs/operations.md: the commands succeed"
is "$(value new '
    SELECT count(*), bool_and(norm > 0.5), (SELECT count(*) FROM tq_catalog.tq_codec) FROM items')" '10|t|1' \
    "docs/operations.md: rows and codecs are there"

# ---- DROP EXTENSION ---------------------------------------------------------------------------------------------

refused=$(value custom 'DROP EXTENSION tinyquant' 2>&1) || true
like "$refused" 'cannot drop extension tinyquant because other objects depend on it' "DROP EXTENSION: refused"
for dependent in 'column small of table items' 'generated column|column made of table items' 'index plain_by_code' \
    'view nearest' 'materialized view means'; do
    like "$refused" "$dependent" "DROP EXTENSION names $dependent"
done
is "$(value custom "$rows")" "$(value moving "$rows")" "a refused DROP EXTENSION has no effect"
# In a session that has used all of it, and that makes it anew.
used_up=('SET client_min_messages = error' "SELECT trained <=> tq_compress(unit(1), 'trained') FROM items"
    'DROP EXTENSION tinyquant CASCADE')
is "$(run_as postgres custom "${used_up[@]}" "
    SELECT string_agg(attname, ' ' ORDER BY attnum), (SELECT count(*) FROM items)
    FROM pg_attribute WHERE attrelid = 'items'::regclass AND attnum > 0 AND NOT attisdropped")" \
    'id v|400' "DROP EXTENSION CASCADE: the columns are gone, the table and its other columns are not"
is "$(value custom "
    SELECT
        (SELECT count(*) FROM pg_class
         WHERE relname IN ('nearest', 'means', 'tq_codec', 'items_by_bytes', 'items_by_codec', 'plain_by_code')),
        (SELECT count(*) FROM pg_proc WHERE probin ~ 'tinyquant'),
        (SELECT count(*) FROM pg_type WHERE typname ~ 'tqvec')")" '0|0|0' \
    "DROP EXTENSION CASCADE: nothing of it is left"
is "$(run_as postgres directory "${used_up[@]}" 'CREATE EXTENSION tinyquant' \
    "SELECT tq_create_codec('trained', 48, 4, false, 7)" 'ALTER TABLE items ADD e tqvec(48, 4)' \
    "CALL tq_compress_column('items', 'v', 'e')" \
    "SELECT count(*), count(tq_compress(v, 'trained')) FROM items WHERE e <=> v < 0.1")" '400|400' \
    "dropped, and created again in the same session"
is "$(run_as postgres directory "SELECT tq_compress(unit(1), 'spare')")" \
    'HINT:  SELECT name, config_hash FROM tq_catalog.tq_codec lists the registered codecs.' \
    "codecs of the dropped extension are gone"
# ---- the owner of a database ------------------------------------------------------------------------------------

cluster_psql "$cluster" -c 'CREATE ROLE owner LOGIN' -c 'CREATE ROLE other LOGIN' -c 'CREATE ROLE creator LOGIN'
database owned OWNER owner
is "$(run_as other owned 'CREATE EXTENSION tinyquant' | cut -c 1-60)" \
    'HINT:  Must have CREATE privilege on current database to cre' "others may not create it"
# In a schema full of namesakes that it made beforehand: the script runs with a superuser's rights.
run owned <"$data/hijack.sql"
run owned <<<'ALTER SCHEMA hijack OWNER TO owner'
in_namesakes() { # STATEMENT...: as the owner; the last word says that none of them fails
    run_as owner owned 'SET search_path = hijack, pg_catalog' "$@" 'DROP EXTENSION tinyquant' "VALUES ('done')"
}
is "$(in_namesakes 'CREATE EXTENSION tinyquant SCHEMA hijack')" 'done' \
    "the owner of a database may, into a schema of namesakes"
is "$(in_namesakes "CREATE EXTENSION tinyquant SCHEMA hijack VERSION '0.1.0'" 'ALTER EXTENSION tinyquant UPDATE')" \
    'done' "and upgrade it there"
run_as owner owned 'CREATE EXTENSION tinyquant SCHEMA public' >/dev/null
is "$(value owned "
    SELECT extowner::regrole, relowner::regrole FROM pg_extension, pg_class
    WHERE extname = 'tinyquant' AND relname = 'tq_codec'")" \
    'owner|postgres' "the extension is the owner's, its objects are not"
is "$(value owned "
    SELECT count(*) FROM pg_proc WHERE probin = 'tinyquant' AND proowner <> 'postgres'::regrole")" 0 \
    "nor any function in C"
registers() { # ROLE DATABASE CODEC SEED
    run_as "$1" "$2" "SELECT tq_create_codec('$3', 4, 2, false, $4) IS NOT NULL"
}
is "$(registers owner owned mine 5)$(run_as owner owned "SELECT count(*) FROM (SELECT tq_drop_codec('mine')) d")" t1 \
    "the owner registers codecs"
is "$(registers other owned mine 5)" 'ERROR:  permission denied for table tq_codec' "others may not"
is "$(run_as owner owned 'GRANT INSERT ON tq_catalog.tq_codec TO other')$(registers other owned theirs 6)" t \
    "until the owner grants it"
mapfile -t on_files <<'STATEMENTS'
SELECT tq_import('tq_catalog.tq_codec', '/etc/passwd')
SELECT * FROM tq_corpus_info('/etc/passwd')
SELECT tq_corpus_scan('/etc/passwd')
SELECT tq_corpus_search('/etc/passwd', '{1}', 1)
SELECT tq_corpus_verify('/etc/passwd')
SELECT tq_export('SELECT 1', '/tmp/x')
SELECT tq_import_codec('x', '/etc/passwd', '/etc/passwd')
SELECT tq_export_codec('theirs', '/tmp/x', '/tmp/y')
SELECT tq_file_info('/etc/passwd')
SELECT tq_convert('/etc/passwd', '/tmp/x', '{"format": "qvec"}')
SELECT tq_merge('/tmp/x', '{/etc/passwd}')
STATEMENTS
mapfile -t on_objects <<'STATEMENTS'
UPDATE tq_catalog.tq_codec SET name = 'x'
TRUNCATE tq_catalog.tq_codec
ALTER TABLE tq_catalog.tq_codec DISABLE TRIGGER ALL
DROP TABLE tq_catalog.tq_codec
CREATE TRIGGER t BEFORE INSERT ON tq_catalog.tq_codec EXECUTE FUNCTION tq_codec_changed()
ALTER FUNCTION tq_version() COST 2
SELECT tq_clear_rotation_cache()
SELECT * FROM tq_rotation_cache()
STATEMENTS
no_right='^ERROR: +(permission denied for|must be owner of) |You can drop extension tinyquant instead'
no_right+='|^HINT: +Ask for membership in pg_(read|write)_server_files'
for statement in "${on_objects[@]}" "${on_files[@]}"; do
    like "$(run_as owner owned "$statement")" "$no_right" "not for the owner: $statement"
done
value owned 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO owner' >/dev/null
for statement in "${on_files[@]}"; do
    like "$(run_as owner owned "$statement" | sed 's/^HINT: *//')" \
        '^Ask for membership in pg_(read|write)_server_files' "EXECUTE alone opens no file: $statement"
done
run owned <<<'REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM owner'
# Their dump restores without a superuser; but for rights that were granted on, which pg_database_owner has granted.
run_as owner owned "CREATE TABLE t (e tqvec)" \
    "INSERT INTO t VALUES ('[1, 0]'), (tq_compress('{1,2,3,4}', 'theirs'))" >/dev/null
"$PG_BIN/pg_dump" -h "$cluster" -U owner -Fc -N hijack owned >"$RUN/owned.dump"
for restorer in owner postgres; do
    database "by_$restorer" OWNER owner
    rights=()
    [ $restorer = postgres ] || rights=(--no-privileges)
    is "$("$PG_BIN/pg_restore" -h "$cluster" -U $restorer "${rights[@]}" -d "by_$restorer" "$RUN/owned.dump" 2>&1)" '' \
        "$restorer restores the owner's dump"
    is "$(value "by_$restorer" 'SELECT count(*), bool_and(tq_norm(e) > 0) FROM t')" '2|t' \
        "$restorer restores rows and codecs"
    is "$(registers owner "by_$restorer" mine 5)" t "and the owner registers codecs there"
done
is "$(value by_postgres "SELECT has_table_privilege('other', 'tq_catalog.tq_codec', 'INSERT')")" t \
    "a superuser restores rights"
is "$(run_as owner owned 'ALTER EXTENSION tinyquant UPDATE' 'DROP EXTENSION tinyquant CASCADE' \
    'SELECT count(*) FROM t')" 2 "the owner upgrades and drops it"
# One who may create in the database, but doesn't own it.
database lent
cluster_psql "$cluster" -d lent -c 'GRANT CREATE ON DATABASE lent TO creator'
is "$(run_as creator lent 'CREATE SCHEMA s' 'CREATE EXTENSION tinyquant SCHEMA s' 'SET search_path = s' \
    "SELECT tq_norm('[0, 1]'::tqvec) > 0.9")" t "CREATE on the database is enough"
is "$(run_as creator lent 'SET search_path = s' "SELECT tq_create_codec('mine', 4, 2, false, 5)")" \
    'ERROR:  permission denied for table tq_codec' "codecs are the database owner's to grant"

cluster_stop "$cluster"
done_testing
