#!/usr/bin/env bash
# From an older PostgreSQL to this one: by pg_upgrade, with files copied and with files linked, and by dumps that this
# one's pg_dump takes from the old server. Tables, indexes and codecs are what they were, also where the extension is
# itself of an older version, and is upgraded afterwards.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"
# shellcheck source=fixtures.bash
. "$(dirname "$0")/fixtures.bash"
if [ -z "${OLD_PG_BIN:-}" ]; then
    echo "# SKIPPED: no server older than PostgreSQL $PG_MAJOR is here"
    done_testing
    exit
fi
new_bin=$PG_BIN
version=$(sed -nE "s/^default_version = '(.*)'/\1/p" "$("$PG_CONFIG" --sharedir)/extension/tinyquant.control")
as_server_user mkdir "$RUN/work" "$RUN/files"

# Locale, encoding and checksums must be the old one's, and version 18 is the first to have checksums without being
# asked.
create() { # DIR SETTING...
    local dir=$1 checksums=()
    shift
    # Not `grep -q`, which leaves at the first match: initdb, still writing, would then end by a signal, and the
    # pipeline fail.
    if "$PG_BIN/initdb" --help | grep -- --no-data-checksums >/dev/null; then checksums=(--no-data-checksums); fi
    as_server_user mkdir -p -m 700 "$dir"
    as_server_user "$PG_BIN/initdb" -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync \
        "${checksums[@]}" >"$dir/initdb.log" 2>&1
    echo "$PG_BIN" >"$dir/bin-dir"
    printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$dir'" "timezone = 'UTC'" "fsync = off" "$@" \
        >>"$dir/data/postgresql.conf"
}

# ---- the old server ---------------------------------------------------------------------------------------------

use_server "$OLD_PG_BIN"
old_major=$PG_MAJOR
preload="shared_preload_libraries = 'tinyquant'"
old=$RUN/old
create "$old" "$preload"
# Databases of the present version, and of each that was.
declare -A released
for frozen in "$REPO"/sql/tinyquant--*.sql; do
    from=$(basename "$frozen" .sql)
    from=${from#tinyquant--}
    if [[ $from == *--* ]] || [ "$from" = "$version" ]; then continue; fi
    cp "$frozen" "$("$PG_CONFIG" --sharedir)/extension/"
    released[of_${from//./_}]=$from
done
mapfile -t former < <(printf '%s\n' "${!released[@]}" | sort)
is "$([ ${#former[@]} -ge 2 ] && echo some)" some "versions that were released: ${released[*]}"
databases=(present moved "${former[@]}")
cluster_start "$old"
cluster_psql "$old" <<'SQL'
CREATE ROLE owner LOGIN;
CREATE ROLE maker;
CREATE DATABASE present OWNER owner;
CREATE DATABASE moved;
ALTER DATABASE moved SET search_path = public, "a schema";
SQL
# In one database the extension is the database owner's.
"$PG_BIN/psql" -X -q -h "$old" -U owner -d present -c 'CREATE EXTENSION tinyquant' \
    -c 'GRANT INSERT ON tq_catalog.tq_codec TO maker WITH GRANT OPTION'
cluster_psql "$old" -d present -c 'GRANT EXECUTE ON FUNCTION tq_rotation_cache() TO owner'
cluster_psql "$old" -d moved -c 'CREATE SCHEMA "a schema"' -c 'CREATE EXTENSION tinyquant SCHEMA "a schema"'
for database in "${former[@]}"; do
    cluster_psql "$old" -c "CREATE DATABASE $database"
    cluster_psql "$old" -d "$database" -c "CREATE EXTENSION tinyquant VERSION '${released[$database]}'"
done
declare -A digest index
for database in "${databases[@]}"; do
    populate "$old" "$database"
    # Out of line, and partitioned.
    cluster_psql "$old" -d "$database" <<'SQL'
CREATE TABLE large (id int, e tqvec(1536, 4, residual), f tqvec(1536, 2, hadamard)) PARTITION BY RANGE (id);
CREATE TABLE large_1 PARTITION OF large FOR VALUES FROM (0) TO (10);
CREATE TABLE large_2 PARTITION OF large FOR VALUES FROM (10) TO (20);
ALTER TABLE large ALTER e SET STORAGE external;
INSERT INTO large SELECT i, v, v FROM generate_series(0, 19) i,
    LATERAL (SELECT tq_normalize(array_agg(sin((i + 1) * j)::real ORDER BY j)) AS v FROM generate_series(1, 1536) j) s;
SQL
    digest[$database]=$(digests_of "$old" "$database")
    index[$database]=$(indexed "$old" "$database")
done
large="
    SELECT md5(string_agg(id || md5(e::bytea) || md5(f::bytea) || tq_norm(e) || (e <-> f), ',' ORDER BY id))
    FROM large"
want_large=$(cluster_value "$old" "$large" present)
large_near="CREATE INDEX large_near ON large USING tinyquant (f tqvec_cosine_ops) WITH (refine = table)"
cluster_value "$old" "$large_near" present
near="SELECT i, fault FROM unnest(ARRAY['large_1_f_idx', 'large_2_f_idx']) i, tq_index_check(i::regclass, true)"
# Columns that name a codec.
cluster_psql "$old" -d present >/dev/null <<'SQL'
CREATE TABLE floats AS SELECT i AS id, array_agg((sin((i + 1) * j) + 2)::real ORDER BY j) AS v
FROM generate_series(1, 100) i, generate_series(1, 48) j GROUP BY i;
SELECT tq_train_codec('of its own', 'SELECT v FROM floats', 4);
CREATE TABLE named (id int, e tqvec(48, 4, 'of its own'), n tqvec(48, 8, normalize));
INSERT INTO named SELECT id, v, v FROM floats;
SQL
named="
    SELECT md5(string_agg(format('%s %s %s %s', id, md5(e::bytea), md5(n::bytea), e <=> v), ',' ORDER BY id)),
        (SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = 'named'::regclass AND attnum > 0)
    FROM named JOIN floats USING (id)"
add_named='INSERT INTO named SELECT 1000, v, v FROM floats LIMIT 1 RETURNING id'
want_named=$(cluster_value "$old" "$named" present)
# Programs read floats there; what is copied, constants of the schema included, is records.
cluster_psql "$old" -c "ALTER DATABASE present SET tinyquant.output = 'floats'"
constant=$(cluster_value "$old" 'SELECT e::bytea FROM named WHERE id = 7' present)
cluster_psql "$old" -d present -c "CREATE TABLE constants (id int, e tqvec DEFAULT '$constant')"
add_constant='INSERT INTO constants (id) VALUES (1) RETURNING e::bytea'
like "$(cluster_value "$old" 'SELECT e FROM named WHERE id = 7' present)" '^\[[-0-9.e,]+\]$' "programs read floats"
like "$want_named" '^[0-9a-f]{32}\|integer tqvec\(codec_[0-9a-f]{7}\) tqvec\(48,8,normalize\)$' \
    "columns name a codec"
digest[present]=$(digests_of "$old" present)
want_used=$(used "$old" present)
like "$want_used" '^420\|1640'$'\n''t'$'\n''420'$'\n''420\|built-in$' "PostgreSQL $old_major: the database is usable"
# Newer servers give an owner more rights.
rights="
    SELECT string_agg(format('%s %s %s %s', grantor::regrole, grantee::regrole, privilege_type, is_grantable), ','
        ORDER BY grantee::regrole::text, privilege_type)
    FROM pg_class, aclexplode(relacl) WHERE relname = 'tq_codec' AND grantee <> relowner"
want_rights=$(cluster_value "$old" "$rights" present)

# Minor releases since November 2026 mark columns in pg_attribute.attoptions for a protection of row types' values. A
# pg_dump from before takes the mark for an option and writes it down, and a server from before refuses it, whatever the
# column. A cluster from before has no marks, and neither has this one then.
if ! grep -q pg_attver "$new_bin/pg_dump"; then
    for database in "${databases[@]}"; do
        cluster_psql "$old" -d "$database" <<'SQL'
SET allow_system_table_mods = on;
UPDATE pg_attribute
SET attoptions = nullif(ARRAY(SELECT o FROM unnest(attoptions) o WHERE o !~ '^pg_attver='), '{}')
WHERE attoptions IS NOT NULL;
SQL
    done
fi

extension_version_in() { # CLUSTER DATABASE
    cluster_value "$1" "SELECT extversion FROM pg_extension WHERE extname = 'tinyquant'" "$2"
}
check() { # CLUSTER NAME [VERSION]: which all databases have, if not those that they had
    local cluster=$1 name=$2 database
    for database in "${databases[@]}"; do
        is "$(digests_of "$cluster" "$database")" "${digest[$database]}" "$name, $database: equal rows, codecs, answers"
        is "$(indexed "$cluster" "$database")" "${index[$database]}" \
            "$name, $database: equal indexes, which find every row"
        is "$(cluster_value "$cluster" "$large" "$database")" "$want_large" "$name, $database: large records"
        if [ "$database" = present ]; then
            is "$(cluster_value "$cluster" "$near" present)" "" "$name, $database: the indexes are sound"
            is "$(cluster_value "$cluster" "$named" present)" "$want_named" "$name, $database: columns name their codec"
            is "$(cluster_value "$cluster" "$add_named" present)" 1000 \
                "$name, $database: and floats become records of it"
            is "$(cluster_value "$cluster" "$add_constant" present)" "$constant" \
                "$name, $database: a default is the record that it was, where programs read floats"
            like "$(cluster_value "$cluster" 'SELECT e FROM named WHERE id = 7' present)" '^\[[-0-9.e,]+\]$' \
                "$name, $database: as they do here"
        fi
    done
    for database in "${former[@]}"; do
        # A dump says CREATE EXTENSION and no version, so the new server's comes.
        is "$(extension_version_in "$cluster" "$database")" "${3:-${released[$database]}}" \
            "$name, $database: the extension's version"
        cluster_psql "$cluster" -d "$database" -c 'ALTER EXTENSION tinyquant UPDATE'
        is "$(extension_version_in "$cluster" "$database")" "$version" \
            "$name, $database: ALTER EXTENSION UPDATE afterwards"
    done
    for database in "${databases[@]}"; do
        is "$(used "$cluster" "$database")" "$want_used" "$name, $database: new rows, updates, codecs and files"
        is "$(digests_of "$cluster" "$database")" "${digest[$database]}" \
            "$name, $database: and what was there is as it was"
    done
    is "$(cluster_value "$cluster" "$rights" present)" "$want_rights" "$name: rights to the table of codecs"
    is "$(cluster_value "$cluster" "
        SELECT has_function_privilege('owner', 'tq_rotation_cache()', 'EXECUTE'),
            has_function_privilege('maker', 'tq_rotation_cache()', 'EXECUTE')" present)" 't|f' \
        "$name: rights to functions"
}

# ---- dumps ------------------------------------------------------------------------------------------------------

use_server "$new_bin"
restored=$RUN/restored
create "$restored" "$preload"
cluster_start "$restored"
"$PG_BIN/pg_dumpall" -h "$old" -U postgres --globals-only | grep -v 'ROLE postgres' >"$RUN/globals.sql"
cluster_psql "$restored" -f "$RUN/globals.sql"
restore() { # DATABASE ARGUMENT...
    local database=$1
    shift
    "$PG_BIN/pg_dump" -h "$old" -U postgres -Fd -j 4 -f "$RUN/$database.dump" "$database"
    is "$("$PG_BIN/pg_restore" -h "$restored" -U postgres -j 4 "$@" "$RUN/$database.dump" 2>&1)" '' \
        "pg_dump from PostgreSQL $old_major, pg_restore -j 4 into $PG_MAJOR: $database"
}
restore present --create -d postgres
restore moved --create -d postgres
# A dump of a version before 0.3.0 brings its codecs to a table that isn't there any more: the way of
# docs/operations.md.
mapfile -t steps < <(sed -nE 's/^  ((CREATE TABLE|INSERT INTO|DROP TABLE) .*public\.tq_codec.*;)$/\1/p' \
    "$REPO/docs/operations.md")
is "${#steps[@]}" 3 "docs/operations.md says how a dump of a former version is restored"
for database in "${former[@]}"; do
    cluster_psql "$restored" -c "CREATE DATABASE $database"
    cluster_psql "$restored" -d "$database" -c 'CREATE EXTENSION tinyquant' -c "${steps[0]}"
    restore "$database" -d "$database"
    cluster_psql "$restored" -d "$database" -c "${steps[1]}" -c "${steps[2]}"
done
check "$restored" "dump" "$version"
cluster_stop "$restored"
use_server "$OLD_PG_BIN"
cluster_stop "$old"

# ---- pg_upgrade -------------------------------------------------------------------------------------------------

# Linking comes last: the old cluster can't be started after it.
for mode in copy link; do
    use_server "$new_bin"
    new=$RUN/$mode
    create "$new" "$preload"
    arguments=(-b "$OLD_PG_BIN" -B "$new_bin" -d "$old/data" -D "$new/data" -s "$RUN/work" -U postgres -j 2)
    [ $mode = copy ] || arguments+=(--link)
    upgrade() { # ARGUMENT...: from a folder that pg_upgrade may write to
        as_server_user env -C "$RUN/work" "$PG_BIN/pg_upgrade" "${arguments[@]}" "$@" >"$RUN/upgrade.log" 2>&1
    }
    if upgrade --check && upgrade; then
        ok "pg_upgrade from $old_major to $PG_MAJOR, $mode"
    else
        not_ok "pg_upgrade from $old_major to $PG_MAJOR, $mode" "$(tail -n 30 "$RUN/upgrade.log")"
        break
    fi
    cluster_start "$new"
    # The new data directory has none of the kept rotations; a first use makes them again.
    is "$(cluster_value "$new" 'SELECT count(*) FROM tq_rotation_cache()' present)" 0 "$mode: no rotations at first"
    check "$new" "$mode"
    is "$(cluster_value "$new" 'SELECT count(*) > 0 FROM tq_rotation_cache()' present)" t \
        "$mode: rotations are kept again"
    cluster_stop "$new"
done

done_testing
