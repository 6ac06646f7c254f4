#!/usr/bin/env bash
# Logical replication of tqvec columns in binary mode, and of the codecs that their records need: from a publisher of
# this version, and from one of an older version if there is one.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"
# shellcheck source=document_blocks.bash
. "$(dirname "$0")/document_blocks.bash"
this=$PG_BIN

publisher=$RUN/publisher
subscriber=$RUN/subscriber
there() { cluster_psql "$publisher" "$@"; }
here() { cluster_psql "$subscriber" "$@"; }
# caught_up NAME: the subscriber has everything that the publisher has at this moment. By a mark that follows all else:
# positions in the log move on beyond a change that can't be applied.
marks=0
caught_up() {
    marks=$((marks + 1))
    there -c "INSERT INTO mark_codecs VALUES ($marks)" -c "INSERT INTO mark_items VALUES ($marks)"
    if cluster_wait "$subscriber" "
        SELECT EXISTS (SELECT FROM mark_codecs WHERE n = $marks) AND EXISTS (SELECT FROM mark_items WHERE n = $marks)
            AND (SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel)"; then
        ok "$1"
    else
        not_ok "$1" "$(tail -n 5 "$subscriber/server.log")"
    fi
}
declare -A question=(
    [rows]="
        SELECT md5(string_agg(format('%s %s %s %s %s',
            id, md5(small::bytea), md5(plain::bytea), md5(large::bytea), md5(trained::bytea)), ',' ORDER BY id)),
            count(*)
        FROM items"
    [answers]="
        SELECT md5(string_agg(format('%s %s %s',
            plain <=> unit(3), trained <-> unit(3), large <#> unit(5)), ',' ORDER BY id)),
            count(trained <-> unit(3))
        FROM items"
    [codecs]="SELECT md5(string_agg(t::text, ',' ORDER BY name)), count(*) FROM tq_catalog.tq_codec t"
    [named]="
        SELECT md5(string_agg(format('%s %s', md5(e::bytea), e <=> unit(3)), ',' ORDER BY id)), count(*)
        FROM named"
    [unkeyed]="SELECT md5(string_agg(format('%s %s', n, e::text), ',' ORDER BY n, e)), count(*) FROM unkeyed"
)
same() { # WHEN WHAT...
    local when=$1 what
    shift
    for what in "$@"; do same_answer "${question[$what]}" "$when: equal $what"; done
}
same_answer() { # SQL NAME
    is "$(cluster_value "$subscriber" "$1")" "$(cluster_value "$publisher" "$1")" "$2"
}

tables=$(
    cat <<'SQL'
CREATE FUNCTION unit(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT tq_normalize(array_agg(sin(i * seed)::real ORDER BY i)) FROM generate_series(1, 48) i
$$;
CREATE TABLE items (
    id int PRIMARY KEY,
    note text,
    small tqvec(48, 2, hadamard, trellis),
    plain tqvec(48, 4),
    large tqvec(48, 8, residual),
    trained tqvec
);
-- Out of line, whatever the size.
ALTER TABLE items ALTER large SET STORAGE external;
ALTER TABLE items SET (toast_tuple_target = 128);
CREATE TABLE unkeyed (n int, e tqvec);
ALTER TABLE unkeyed REPLICA IDENTITY FULL;
CREATE TABLE narrow (id int PRIMARY KEY, e tqvec(48, 4));
CREATE TABLE mark_codecs (n int PRIMARY KEY);
CREATE TABLE mark_items (n int PRIMARY KEY);
SQL
)

# subscription NAME: the statement of docs/operations.md
subscription() {
    document_block docs/operations.md Replication 2 | grep "^CREATE SUBSCRIPTION $1 " |
        sed "s#'…'#'host=$publisher user=postgres dbname=postgres'#"
}

replicate() { # NAME PUBLISHER'S-BIN
    local name=$1 old identity column
    use_server "$2"
    old=$PG_MAJOR
    cluster_create "$publisher" 'wal_level = logical' 'log_replication_commands = on' "log_statement = 'all'"
    cluster_start "$publisher"
    there -c 'CREATE EXTENSION tinyquant' -c "$tables"
    there >/dev/null <<'SQL'
SELECT tq_create_codec('trained', 48, 4, false, 7,
    (SELECT tq_train_codebook(unit(i), 4, 7) FROM generate_series(1, 100) i));
INSERT INTO items
SELECT i, 'first', unit(i)::tqvec(48, 2, hadamard, trellis), unit(i), unit(i), tq_compress(unit(i), 'trained')
FROM generate_series(1, 200) i;
INSERT INTO items (id) VALUES (0);
INSERT INTO unkeyed SELECT i % 3, unit(i % 5) FROM generate_series(3, 20) i WHERE i % 5 > 0;
CREATE TABLE named (id int PRIMARY KEY, e tqvec(48, 4, 'trained'));
INSERT INTO named SELECT i, unit(i) FROM generate_series(1, 50) i;
CREATE PUBLICATION codecs FOR TABLE tq_catalog.tq_codec, mark_codecs;
CREATE PUBLICATION items FOR TABLE items, named, unkeyed, narrow, mark_items;
SQL
    use_server "$this"
    cluster_create "$subscriber" 'max_logical_replication_workers = 8' 'max_worker_processes = 16' \
        'wal_retrieve_retry_interval = 100ms'
    cluster_start "$subscriber"
    here -c 'CREATE EXTENSION tinyquant' -c "$tables"
    # A column's codec has a name that needs no row of the table of codecs, which comes later.
    column=$(cluster_value "$publisher" "
        SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'named'::regclass AND attname = 'e'")
    like "$column" '^tqvec\(codec_[0-9a-f]{7}\)$' "$name: a column that names a codec"
    here -c "CREATE TABLE named (id int PRIMARY KEY, e $column)"
    # What the subscriber adds of its own decodes records as they arrive.
    here <<'SQL'
ALTER TABLE items ADD norm float8 GENERATED ALWAYS AS (tq_norm(trained)) STORED;
CREATE INDEX ON items (tq_norm(trained));
CREATE INDEX ON items USING hash (plain);
CREATE INDEX items_near ON items USING tinyquant (plain tqvec_cosine_ops);
CREATE INDEX narrow_near ON narrow USING tinyquant (e tqvec_l2_ops) WITH (refine = table);
ALTER TABLE narrow ALTER e TYPE tqvec(48, 8);
SQL

    # First the codecs, then what is made with them.
    here -c "$(subscription codecs)" 2>/dev/null
    cluster_wait "$subscriber" "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel" || true
    same "$name, before the rows" codecs
    here -c "$(subscription items)" 2>/dev/null
    caught_up "$name: the first copy"
    same "$name, at first" rows answers codecs unkeyed named
    is "$(cluster_value "$subscriber" 'SELECT count(norm) FROM items')" 200 \
        "$name: generated columns of the subscriber decode registered codecs"
    like "$(grep -o "START_REPLICATION SLOT \"items\".*" "$publisher/server.log")" "binary 'true'" \
        "$name: changes come in binary"
    if [ "$old" -ge 16 ]; then
        like "$(grep -E 'statement: COPY public.items .* TO STDOUT' "$publisher/server.log")" 'FORMAT binary' \
            "$name: and so did the first copy"
    fi

    there >/dev/null <<SQL
SELECT tq_create_codec('late', 48, 2, false, 18446744073709551615) IS NOT NULL;
INSERT INTO items
SELECT i, 'second', unit(i)::tqvec(48, 2, hadamard, trellis), unit(i), unit(i), tq_compress(unit(i), 'late')
FROM generate_series(201, 300) i;
UPDATE items SET note = 'a large value stays where it is' WHERE id % 3 = 0;
UPDATE items SET large = unit(id + 1), trained = NULL WHERE id % 7 = 0;
UPDATE items SET id = id + 1000 WHERE id % 11 = 0;
DELETE FROM items WHERE id % 13 = 0;
INSERT INTO named SELECT i, unit(i) FROM generate_series(51, 60) i;
UPDATE unkeyed SET n = n + 10 WHERE e = unit(2)::tqvec;
DELETE FROM unkeyed WHERE e = unit(3)::tqvec;
SELECT tq_export('SELECT id + 2000, plain FROM items WHERE id < 50', '$RUN/items.tqcv');
COPY items (id, plain) FROM '$RUN/items.tqcv' WITH (FORMAT tqcv);
SQL
    caught_up "$name: changes"
    same "$name, after changes" rows answers codecs unkeyed named
    same_answer "SELECT count(*) FROM items WHERE id > 2000" "$name: what COPY loads is replicated"

    # Codecs that others announce are found by sessions that are there already, and those that are dropped are
    # forgotten.
    cluster=$subscriber
    open_session
    is "$(ask "SELECT tq_bit_width(tq_compress(unit(1), 'late'));")" 2 "$name: a session uses a replicated codec"
    identity=$(value "SELECT config_hash FROM tq_catalog.tq_codec WHERE name = 'late'")
    there -c "SELECT tq_drop_codec('late')" >/dev/null 2>&1
    caught_up "$name: a codec is dropped"
    like "$(ask "SELECT tq_compress(unit(1), 'late');")" '^ERROR:  codec "late" does not exist' \
        "$name: and that session forgets it"
    is "$(value "SELECT count(*) FROM tq_catalog.tq_codec WHERE config_hash = '$identity'")" 0 \
        "$name: it is gone from the table"
    close_session

    # A record that doesn't fit the subscriber's column is an error that says so, and the column can be mended.
    there -c 'INSERT INTO narrow VALUES (1, unit(1))'
    if wait_until grep -q 'expected 8 bits a dimension, not 4' "$subscriber/server.log"; then said=yes; else said=no; fi
    is "$said" yes "$name: a record that doesn't fit the subscriber's column"
    here -c 'ALTER TABLE narrow ALTER e TYPE tqvec(48, 4)'
    caught_up "$name: the column mended"
    same_answer 'SELECT e::text FROM narrow' "$name: the record has come"

    is "$(value "
        SELECT i, fault FROM unnest(ARRAY['items_near', 'narrow_near']) i, tq_index_check(i::regclass, true)")" "" \
        "$name: the subscriber's indexes are sound"
    near="SELECT string_agg(d::text, ' ' ORDER BY d)
        FROM (SELECT plain <=> unit(3) AS d FROM items ORDER BY plain <=> unit(3) LIMIT 20) s"
    is "$(value "SET enable_seqscan = off; SET enable_sort = off; $near")" \
        "$(value "SET enable_indexscan = off; $near")" \
        "$name: and search as a scan does"

    here -c 'DROP SUBSCRIPTION items' -c 'DROP SUBSCRIPTION codecs' 2>/dev/null
    cluster_stop "$subscriber"
    use_server "$2"
    cluster_stop "$publisher"
    rm -rf "$publisher" "$subscriber"
}

replicate "from $PG_MAJOR to $PG_MAJOR" "$PG_BIN"
if [ -n "${OLD_PG_BIN:-}" ]; then
    replicate "from $("$OLD_PG_BIN/pg_config" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/') to $PG_MAJOR" "$OLD_PG_BIN"
else
    echo "# SKIPPED: no server older than PostgreSQL $PG_MAJOR is here to replicate from"
fi
done_testing
