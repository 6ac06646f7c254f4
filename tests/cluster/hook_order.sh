#!/usr/bin/env bash
# Hooks of other extensions, loaded before this one and after it: all see every COPY, ours and PostgreSQL's own.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"
witness=$RUN/witness.so
# A copied server may have left its headers where it came from.
cluster=$RUN/hooks
headers=$("$PG_CONFIG" --includedir-server)
[ -f "$headers/postgres.h" ] || headers=$("$(server_bin "$PG_MAJOR")/pg_config" --includedir-server)
cc -O1 -fPIC -shared -I"$headers" -o "$witness" "$REPO/tests/cluster/witness/witness.c"
chmod 755 "$witness"
cluster_create "$cluster"
with_statements=
if [ -f "$("$PG_CONFIG" --pkglibdir)/pg_stat_statements.so" ]; then with_statements=yes; fi

preload() { # LIBRARIES IN THEIR ORDER
    with_library "$1"
    if [ -f "$cluster/data/postmaster.pid" ]; then cluster_stop "$cluster"; fi
    cluster_start "$cluster"
}

# What the witness wrote about a session's statements.
seen() {
    sed -n 's/.*LOG:  witness: //p' <(tail -n +"$mark" "$cluster/server.log")
}
watch() { mark=$(($(wc -l <"$cluster/server.log") + 1)); }

preload tinyquant
create_extension
sql <<'SQL'
CREATE TABLE t (id bigint, e tqvec(8, 4));
INSERT INTO t SELECT i, tq_normalize(ARRAY[i, 1, 2, 3, 4, 5, 6, 7]::real[]) FROM generate_series(1, 100) i;
CREATE TABLE back (LIKE t);
CREATE TABLE plain (a int);
-- For a COPY within a COPY.
CREATE FUNCTION nested() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        EXECUTE format('COPY inner_table (e) FROM %L WITH (FORMAT tqcv)', TG_ARGV[0]);
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    RETURN NEW;
END $$;
SQL
if [ -n "$with_statements" ]; then execute 'CREATE EXTENSION pg_stat_statements'; fi
# said STATEMENT: its command tag
said() { cluster_psql "$cluster" -c '\set QUIET off' -c "$1" 2>&1 | tail -1; }
# failing STATEMENT...: what they say, in one line
failing() {
    local statements=()
    for statement; do statements+=(-c "$statement"); done
    cluster_psql "$cluster" -v ON_ERROR_STOP=0 -v VERBOSITY=verbose "${statements[@]}" 2>&1 |
        tr '\n' ' ' || true
}

for order in before after; do
    case $order in
    before) libraries="$witness${with_statements:+,pg_stat_statements},tinyquant" utility=CALL ;;
    after) libraries="tinyquant,$witness${with_statements:+,pg_stat_statements}" utility=COPY ;;
    esac
    preload "$libraries"
    value 'TRUNCATE back, plain' >/dev/null
    if [ -n "$with_statements" ]; then value 'SELECT pg_stat_statements_reset()' >/dev/null; fi

    watch
    to="COPY (SELECT id, e FROM t ORDER BY id) TO '$RUN/$order.tqcv' WITH (FORMAT tqcv)"
    is "$(said "$to")" "COPY 100" "$order: COPY TO says how many rows it wrote"
    like "$(seen)" "utility $utility begins: COPY \(SELECT" "$order: a utility hook sees COPY TO begin"
    like "$(seen)" "utility $utility ends: 100 rows" "$order: and end, with its rows"
    like "$(seen)" "query: COPY \(SELECT" "$order: an executor hook sees its query"
    like "$(seen)" "rights: SELECT t" "$order: a hook on rights sees its table"

    watch
    from="COPY back (id, e) FROM '$RUN/$order.tqcv' WITH (FORMAT tqcv)"
    is "$(said "$from")" "COPY 100" "$order: COPY FROM says how many rows it read"
    like "$(seen)" "utility $utility begins: COPY back" "$order: a utility hook sees COPY FROM begin"
    like "$(seen)" "utility $utility ends: 100 rows" "$order: and end, with its rows"
    like "$(seen)" "rights: INSERT back" "$order: a hook on rights sees its table"
    is "$(value 'SELECT count(*) FROM back JOIN t USING (id) WHERE back.e = t.e')" 100 "$order: the rows are right"

    watch
    value "COPY plain FROM PROGRAM 'seq 7'" >/dev/null
    value "COPY plain TO '/dev/null' WITH (FORMAT csv)" >/dev/null
    like "$(seen)" "utility COPY begins: COPY plain FROM.*utility COPY ends: 7 rows" \
        "$order: PostgreSQL's own COPY passes untouched"
    is "$(value 'SELECT count(*) FROM plain')" 7 "$order: and works"

    # A COPY within a COPY: the inner one fails and is trapped, or succeeds.
    cluster_psql "$cluster" -v good="$RUN/$order.tqcv" -v bad="$RUN/no-such-file" >/dev/null 2>&1 <<'SQL'
DROP TABLE IF EXISTS inner_table, outer_table;
CREATE TABLE inner_table (e tqvec);
CREATE TABLE outer_table (id bigint, e tqvec);
CREATE TRIGGER fails BEFORE INSERT ON outer_table FOR EACH ROW WHEN (NEW.id = 50) EXECUTE FUNCTION nested(:'bad');
CREATE TRIGGER works BEFORE INSERT ON outer_table FOR EACH ROW WHEN (NEW.id = 60) EXECUTE FUNCTION nested(:'good');
SQL
    value "COPY outer_table (id, e) FROM '$RUN/$order.tqcv' WITH (FORMAT tqcv)" >/dev/null
    is "$(value 'SELECT count(*) FROM outer_table o JOIN t USING (id) WHERE o.e = t.e')" 100 \
        "$order: a COPY in a trigger leaves the outer one right"
    is "$(value 'SELECT count(*) FROM inner_table')" 100 "$order: and is right itself"
    execute "DO \$\$ BEGIN COPY t (id, e) TO '$RUN/in-do.tqcv' WITH (FORMAT tqcv); END \$\$"
    is "$(value "SELECT records FROM tq_corpus_info('$RUN/in-do.tqcv')")" 100 "$order: a COPY in a DO block works"

    like "$(failing 'CALL tq_run_copy()')" "55000.*called by COPY alone" "$order: its procedure can't be called by hand"
    refused=$(failing "COPY back (e) FROM '$RUN/nothing' WITH (FORMAT tqcv)" 'CALL tq_run_copy()')
    like "$refused" "58P01" "$order: an error passes through the hooks"
    like "$refused" "58P01.*55000" "$order: and leaves no COPY behind to be called"
    if [ -n "$with_statements" ]; then
        counted() { # CONDITION
            value "SELECT string_agg(format('%s %s', calls, rows), ', ' ORDER BY rows)
                FROM pg_stat_statements WHERE $1"
        }
        is "$(counted "query LIKE 'COPY (SELECT%tqcv%' AND toplevel")" "1 100" \
            "$order: pg_stat_statements counts COPY TO and its rows"
        is "$(counted "query LIKE 'COPY back%tqcv%$order%' OR query LIKE 'COPY back%$order.tqcv%'")" "1 100" \
            "$order: and COPY FROM"
    else
        printf '# pg_stat_statements is not with this server\n'
    fi
done

# Errors come out as PostgreSQL made them: with their place in the statement, their context and what they concern,
# whether other hooks are behind ours or not.
for libraries in tinyquant "$witness,tinyquant"; do
    preload "$libraries"
    name=${libraries##*/}
    sql 2>/dev/null <<'SQL'
DROP TABLE IF EXISTS keyed;
CREATE TABLE keyed (id bigint CONSTRAINT only_once UNIQUE, e tqvec);
INSERT INTO keyed VALUES (42, NULL);
SQL
    like "$(failing "COPY keyed (id, e) FROM '$RUN/before.tqcv' WITH (FORMAT tqcv)")" \
        '23505.*CONTEXT: .*COPY keyed, line 42.*TABLE NAME: .*keyed.*CONSTRAINT NAME: .*only_once' \
        "$name: a violated constraint is named, and the row"
    like "$(failing "COPY (SELECT nothing, e FROM t) TO '$RUN/x.tqcv' WITH (FORMAT tqcv)")" \
        '42703.*LINE 1: COPY .SELECT nothing' "$name: a mistake in the query is pointed at"
    like "$(failing "COPY keyed (id, e) FROM '$RUN/before.tqcv' WITH (FORMAT tqcv) WHERE nothing > 1")" \
        '42703.*LINE 1: .*WHERE nothing' "$name: and one in a condition"
    like "$(failing "DO \$\$ BEGIN COPY keyed (id, e) FROM '$RUN/before.tqcv' WITH (FORMAT tqcv); END \$\$")" \
        'CONTEXT: .*COPY keyed, line 42.*PL/pgSQL function inline_code_block line 1' \
        "$name: contexts are all there"
    like "$(failing "COPY keyed FROM '/dev/null' WITH (FORMAT tqvc)")" \
        'LINE 1: .*HINT: .*Formats of tinyquant are tqcv|HINT: .*Formats of tinyquant are tqcv.*LINE 1' \
        "$name: a format that nobody knows is pointed at, with a hint"
    like "$(failing "PREPARE again AS INSERT INTO keyed VALUES (42); EXECUTE again")" \
        'CONSTRAINT NAME: .*only_once' "$name: errors of other statements are left alone"
    is "$(value 'SELECT count(*) FROM keyed')" 1 "$name: nothing of these is in the table"
done

# auto_explain hangs in the executor, and shows the plan of a COPY's query.
if [ -f "$("$PG_CONFIG" --pkglibdir)/auto_explain.so" ]; then
    for libraries in auto_explain,tinyquant tinyquant,auto_explain; do
        preload "$libraries"
        value "ALTER SYSTEM SET auto_explain.log_min_duration = 0" >/dev/null
        value "SELECT pg_reload_conf()" >/dev/null
        mark=$(($(wc -l <"$cluster/server.log") + 1))
        value "COPY (SELECT e FROM t ORDER BY id) TO '$RUN/plan.tqcv' WITH (FORMAT tqcv)" >/dev/null
        like "$(tail -n +"$mark" "$cluster/server.log")" "COPY \(SELECT.*Seq Scan on t" \
            "$libraries: the plan of a COPY TO is explained"
    done
else
    printf '# auto_explain is not with this server\n'
fi

# In a database without the extension, with other hooks around.
value 'CREATE DATABASE bare' >/dev/null
preload "$witness,tinyquant"
like "$(cluster_psql "$cluster" -d bare -v VERBOSITY=verbose -c 'CREATE TABLE t (a int)' \
    -c "COPY t FROM '$RUN/before.tqcv' WITH (FORMAT tqcv)" 2>&1)" \
    "42804|42P10|42704" "without the extension, COPY says what is wrong"

cluster_stop "$cluster"
done_testing
