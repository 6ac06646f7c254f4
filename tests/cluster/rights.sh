#!/usr/bin/env bash
# Who may COPY corpora, and where: roles for files of the server, rights to columns, row security, the right to register
# codecs, transactions that only read, functions and triggers. Core's own COPY does the same beside it, and the outcomes
# must be equal wherever ours mirrors it.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster rights
files_folder
create_extension
sql <<SQL
CREATE TABLE t (id int, e tqvec);
INSERT INTO t SELECT i, tq_compress(tq_normalize(ARRAY[1, i, i * i, 1]::real[]), 4) FROM generate_series(1, 20) i;
CREATE TABLE back (id int, e tqvec);
COPY (SELECT id, e FROM t ORDER BY id) TO '$files/ours' (FORMAT tqcv);
COPY (SELECT id, e FROM t ORDER BY id) TO '$files/cores' (FORMAT binary);
COPY (SELECT e FROM t ORDER BY id) TO '$files/ours.e' (FORMAT tqcv);
COPY (SELECT e FROM t ORDER BY id) TO '$files/cores.e' (FORMAT binary);
SELECT tq_export_codec('tqvec(4, 4)', '$files/tqcb', '$files/json');
CREATE ROLE reader LOGIN IN ROLE pg_read_server_files;
CREATE ROLE writer LOGIN IN ROLE pg_write_server_files;
CREATE ROLE neither LOGIN;
GRANT ALL ON t, back TO reader, writer, neither;
SQL
# alike WANT NAME ROLE SQL...: the outcome of the statements for the role; and of core's COPY, into which they turn by
# taking its file and its format
alike() {
    local want=$1 name=$2 role=$3
    shift 3
    is "$(outcome "$role" "$@")" "$want" "$name"
    set -- "${@//$files\/ours/$files/cores}"
    set -- "${@//$files\/written/$files/written_by_core}"
    is "$(outcome "$role" "${@//FORMAT tqcv/FORMAT binary}")" "$want" "$name: as core's"
}

# ---- files of the server ----------------------------------------------------------------------------------------

query="ARRAY[1, 0, 0, 0]::real[]"
while IFS='|' read -r kind statement; do
    read -r kind <<<"$kind"
    for role in postgres reader writer neither; do
        case $role$kind in postgres* | readerread | writerwrite) want=ok ;; *) want=42501 ;; esac
        is "$(outcome "$role" "$statement")" "$want" "$role: ${statement//$RUN/…}"
    done
done <<MATRIX
read  | COPY back FROM '$files/ours' (FORMAT tqcv)
read  | COPY back FROM '$files/cores' (FORMAT binary)
read  | SELECT tq_import('back', '$files/ours', '{"id_column": "id"}')
read  | SELECT * FROM tq_corpus_info('$files/ours')
read  | SELECT * FROM tq_corpus_scan('$files/ours')
read  | SELECT * FROM tq_corpus_search('$files/ours', $query, 3)
read  | SELECT * FROM tq_corpus_verify('$files/ours')
write | COPY t TO '$files/written' (FORMAT tqcv)
write | COPY (SELECT e FROM t) TO '$files/written' (FORMAT tqcv)
write | COPY t TO '$files/written_by_core' (FORMAT binary)
write | SELECT tq_export('SELECT e FROM t', '$files/written')
write | SELECT tq_export_codec('tqvec(4, 4)', '$files/written.tqcb', '$files/written.json')
MATRIX
is "$(value 'SELECT count(*) FROM back')" $((3 * 2 * 20)) "what was refused has left no row"
# The right is looked at before the file: who may not read learns nothing about what is there.
for statement in "COPY back (e) FROM '/no/such/file' (FORMAT tqcv)" "SELECT tq_import('back', '/no/such/file')" \
    "SELECT * FROM tq_corpus_info('/no/such/file')" "SELECT * FROM tq_corpus_scan('/no/such/file')" \
    "SELECT * FROM tq_corpus_search('/no/such/file', $query, 3)" "SELECT * FROM tq_corpus_verify('/no/such/file')"; do
    is "$(outcome neither "$statement") $(outcome reader "$statement")" '42501 58P01' \
        "a file that isn't there: $statement"
done
# A client's files are its own.
"$PG_BIN/psql" -X -q -h "$cluster" -U neither -d postgres -c 'COPY t TO STDOUT (FORMAT tqcv)' >"$RUN/client.tqcv"
is "$(head -c 4 "$RUN/client.tqcv")$(outcome neither "\\copy back FROM '$RUN/client.tqcv' (FORMAT tqcv)")" TQCVok \
    "STDIN and STDOUT ask for neither"
# The current user counts: of SET ROLE, and of a function with its owner's rights.
is "$(outcome postgres 'SET ROLE neither' "COPY back FROM '$files/ours' (FORMAT tqcv)")" 42501 \
    "SET ROLE gives rights up"
sql <<SQL
CREATE FUNCTION load() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    AS \$\$ BEGIN COPY back FROM '$files/ours' (FORMAT tqcv); END \$\$;
ALTER FUNCTION load OWNER TO reader;
CREATE FUNCTION save() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    AS \$\$ BEGIN COPY t TO '$files/written' (FORMAT tqcv); END \$\$;
ALTER FUNCTION save OWNER TO writer;
SQL
is "$(outcome neither 'SELECT load()' 'SELECT save()')" ok "a function with its owner's rights lends them"

while read -r statement; do
    is "$(outcome postgres "$statement")" 42602 "a relative path: $statement"
done <<RELATIVE
COPY back FROM 'ours' (FORMAT tqcv)
COPY t TO 'written' (FORMAT tqcv)
COPY t TO '../written' (FORMAT tqcv)
SELECT tq_import('back', './ours')
SELECT tq_export('SELECT e FROM t', 'written')
SELECT * FROM tq_corpus_info('ours')
SELECT * FROM tq_corpus_scan('ours')
SELECT * FROM tq_corpus_search('ours', $query, 3)
SELECT * FROM tq_corpus_verify('ours')
SELECT * FROM tq_corpus_info('')
RELATIVE
is "$(outcome postgres "COPY t TO 'written' (FORMAT binary)")" 42602 "a relative path: as core's"

# ---- rights to columns ------------------------------------------------------------------------------------------

value 'CREATE ROLE columns LOGIN IN ROLE pg_read_server_files, pg_write_server_files' >/dev/null
alike 42501 "no right to the table, FROM" columns "COPY back (e) FROM '$files/ours.e' (FORMAT tqcv)"
alike 42501 "no right to the table, TO" columns "COPY t (e) TO '$files/written' (FORMAT tqcv)"
value 'GRANT INSERT (e), SELECT (id) ON back TO columns; GRANT SELECT (e), INSERT (id) ON t TO columns' >/dev/null
alike ok "INSERT on the column" columns "COPY back (e) FROM '$files/ours.e' (FORMAT tqcv)"
alike 42501 "INSERT on one column of two" columns "COPY back (id, e) FROM '$files/ours' (FORMAT tqcv)"
alike ok "WHERE on a column with SELECT" columns "COPY back (e) FROM '$files/ours.e' (FORMAT tqcv) WHERE id IS NULL"
alike 42501 "WHERE on a column without SELECT" columns \
    "COPY back (e) FROM '$files/ours.e' (FORMAT tqcv) WHERE e IS NOT NULL"
alike ok "SELECT on the column" columns "COPY t (e) TO '$files/written' (FORMAT tqcv)"
alike 42501 "SELECT on one column of two" columns "COPY t TO '$files/written' (FORMAT tqcv)"
alike 42501 "a query's WHERE on a column without SELECT" columns \
    "COPY (SELECT e FROM t WHERE id > 0) TO '$files/written' (FORMAT tqcv)"
is "$(outcome columns "SELECT tq_import('back', '$files/ours.e')" \
    "SELECT tq_export('SELECT e FROM t', '$files/written')")" ok \
    "tq_import and tq_export ask for the same columns"
is "$(outcome columns "SELECT tq_import('back', '$files/ours', '{\"id_column\": \"id\"}')")" 42501 \
    "and for no fewer, in"
is "$(outcome columns "SELECT tq_export('SELECT id, e FROM t', '$files/written')")" 42501 "and for no fewer, out"

# ---- row security -----------------------------------------------------------------------------------------------

sql <<'SQL'
CREATE TABLE guarded (id int, e tqvec);
INSERT INTO guarded SELECT id, e FROM t;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON guarded USING (id <= 3) WITH CHECK (true);
GRANT ALL ON guarded TO columns;
CREATE ROLE above LOGIN BYPASSRLS IN ROLE columns;
SQL
alike 0A000 "row security, FROM" columns "COPY guarded FROM '$files/ours' (FORMAT tqcv)"
alike ok "row security, TO" columns "COPY guarded TO '$files/written' (FORMAT tqcv)"
records() { value "SELECT records FROM tq_corpus_info('$files/written')"; }
is "$(records)" 3 "row security, TO: the rows of the policy"
is "$(outcome columns "SELECT tq_export('SELECT e FROM guarded', '$files/written')") $(records)" 'ok 3' \
    "row security: tq_export"
alike 42501 "row_security = off, TO" columns 'SET row_security = off' "COPY guarded TO '$files/written' (FORMAT tqcv)"
alike 42501 "row_security = off, FROM" columns 'SET row_security = off' "COPY guarded FROM '$files/ours' (FORMAT tqcv)"
alike ok "BYPASSRLS, TO" above "COPY guarded TO '$files/written' (FORMAT tqcv)"
is "$(records)" 20 "BYPASSRLS, TO: all rows"
alike ok "BYPASSRLS, FROM" above 'BEGIN' "COPY guarded FROM '$files/ours' (FORMAT tqcv)" 'ROLLBACK'
is "$(value 'SELECT count(*) FROM guarded')" 20 "row security, FROM: no row came in"

# ---- the right to register the codec that a file describes ------------------------------------------------------

sql 2>/dev/null <<SQL
SELECT tq_create_codec('mine', 4, 2, false, 5, '{-3,-1,1,3}');
COPY (SELECT tq_compress(ARRAY[1, i, 2, 1]::real[], 'mine') FROM generate_series(1, 7) i)
    TO '$files/described' (FORMAT tqcv);
SELECT tq_drop_codec('mine');
TRUNCATE back;
SQL
load="COPY back (e) FROM '$files/described' (FORMAT tqcv)"
said=$("$PG_BIN/psql" -X -h "$cluster" -U reader -d postgres -v VERBOSITY=default -c "$load" 2>&1)
like "$said" 'NOTICE:  codec with config_hash .* is not registered' "without INSERT on tq_codec: a notice"
like "$said" 'HINT:  The file describes it; to register it, load it once as a role with INSERT on tq_codec.*COPY 7' \
    "what would help, and the rows"
is "$(value 'SELECT count(*) FROM back')$(value 'SELECT count(*) FROM tq_catalog.tq_codec')" 70 \
    "the rows load, the codec does not"
value 'GRANT INSERT ON tq_catalog.tq_codec TO reader' >/dev/null
is "$("$PG_BIN/psql" -X -h "$cluster" -U reader -d postgres -c "$load" 2>&1)" 'COPY 7' "with INSERT on tq_codec: none"
is "$(value 'SELECT count(*) FROM back')$(value 'SELECT count(*) FROM tq_catalog.tq_codec')" 141 \
    "rows and codec are there"
value 'SELECT tq_drop_codec(name) FROM tq_catalog.tq_codec' >/dev/null 2>&1
# Two sessions that have never seen the codec load the file at once.
cluster_session "$cluster" first "BEGIN; $load; SELECT pg_sleep(1); COMMIT"
wait_for "
    SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'first' AND wait_event = 'PgSleep'" || true
is "$(outcome postgres "$load")" ok "two sessions register the same codec"
wait
is "$(value 'SELECT count(*) FROM back')$(value 'SELECT count(*) FROM tq_catalog.tq_codec')" 281 \
    "rows of both, and one codec"

# ---- transactions that only read --------------------------------------------------------------------------------

value 'SELECT tq_drop_codec(name) FROM tq_catalog.tq_codec; TRUNCATE back' >/dev/null 2>&1
for begin in 'BEGIN READ ONLY' 'SET default_transaction_read_only = on'; do
    alike 25006 "$begin, FROM" postgres "$begin" "COPY back FROM '$files/ours' (FORMAT tqcv)"
    alike ok "$begin, TO" postgres "$begin" "COPY t TO '$files/written' (FORMAT tqcv)"
    alike ok "$begin, FROM into a temporary table" postgres 'CREATE TEMPORARY TABLE own (id int, e tqvec)' "$begin" \
        "COPY own FROM '$files/ours' (FORMAT tqcv)"
    is "$(outcome postgres "$begin" "SELECT tq_import('back', '$files/ours.e')")" 25006 "$begin, tq_import"
    is "$(outcome postgres "$begin" "SELECT tq_export('SELECT e FROM t', '$files/written')")" ok "$begin, tq_export"
    is "$(outcome postgres "$begin" "SELECT count(*) FROM tq_corpus_scan('$files/ours')" \
        "SELECT * FROM tq_corpus_search('$files/ours', $query, 3)" \
        "SELECT * FROM tq_corpus_verify('$files/ours')")" ok "$begin, reading in place"
    is "$(outcome postgres 'CREATE TEMPORARY TABLE own (e tqvec)' "$begin" \
        "COPY own FROM '$files/described' (FORMAT tqcv)")" ok \
        "$begin, FROM a file with an unknown codec into a temporary table"
done
is "$(value 'SELECT count(*) FROM back')$(value 'SELECT count(*) FROM tq_catalog.tq_codec')" 00 \
    "nothing was written"

# Training, which may take minutes, isn't begun for nothing. The query would fail.
train="SELECT tq_train_codec('never', 'SELECT (1 / (random() * 0)::int)::text')"
is "$(outcome reader "$train")" 22012 "who may register codecs may train one"
is "$(outcome reader 'BEGIN READ ONLY' "$train")" 25006 "but not in a transaction that only reads"
value 'REVOKE INSERT ON tq_catalog.tq_codec FROM reader' >/dev/null
is "$(outcome reader "$train")" 42501 "and nobody else: before the query is run"

# ---- functions --------------------------------------------------------------------------------------------------

alike ok "inside DO" postgres "DO \$\$ DECLARE n bigint; BEGIN
        COPY back FROM '$files/ours' (FORMAT tqcv); GET DIAGNOSTICS n = ROW_COUNT; ASSERT n = 20, n;
        COPY back TO '$files/written' (FORMAT tqcv); GET DIAGNOSTICS n = ROW_COUNT; ASSERT n >= 20, n; END \$\$"
for volatility in VOLATILE STABLE; do
    want=ok
    [ $volatility = VOLATILE ] || want=0A000
    for copy in "COPY back FROM '$files/ours' (FORMAT tqcv)" "COPY back TO '$files/written' (FORMAT tqcv)"; do
        alike "$want" "inside a $volatility function: ${copy//$RUN/…}" postgres \
            "CREATE OR REPLACE FUNCTION f() RETURNS void LANGUAGE plpgsql $volatility
                AS \$\$ BEGIN $copy; END \$\$" 'SELECT f()'
    done
done
alike 0A000 "STDIN inside a function" postgres "DO \$\$ BEGIN COPY back FROM STDIN (FORMAT tqcv); END \$\$"
alike 0A000 "STDOUT inside a function" postgres "DO \$\$ BEGIN COPY back TO STDOUT (FORMAT tqcv); END \$\$"
is "$(outcome postgres "DO \$\$ BEGIN
        BEGIN COPY back (e) FROM '$files/cores' (FORMAT tqcv); EXCEPTION WHEN bad_copy_file_format THEN NULL; END;
        COPY back FROM '$files/ours' (FORMAT tqcv); END \$\$")" ok "an error that is trapped harms nothing"

# ---- triggers: COPYs inside a COPY, some of which fail in the middle --------------------------------------------

# Each row does an inner COPY; every third of these fails after ten rows, and is trapped.
sql <<SQL
TRUNCATE back;
CREATE TABLE outer_rows (id int PRIMARY KEY, e tqvec, inner_rows int);
CREATE TABLE inner_rows (id int CHECK (id <> 11 OR current_setting('test.fail') = 'no'), e tqvec);
CREATE FUNCTION inner_from(n int) RETURNS int LANGUAGE plpgsql AS \$\$
DECLARE r bigint;
BEGIN
    PERFORM set_config('test.fail', CASE WHEN n % 3 = 0 THEN 'yes' ELSE 'no' END, true);
    COPY inner_rows FROM '$files/ours' (FORMAT tqcv);
    GET DIAGNOSTICS r = ROW_COUNT;
    RETURN r;
EXCEPTION WHEN check_violation THEN RETURN -1;
END \$\$;
CREATE FUNCTION inner_to(n int) RETURNS int LANGUAGE plpgsql AS \$\$
DECLARE r bigint;
BEGIN
    EXECUTE format('COPY (SELECT id, e FROM t WHERE 1 / CASE WHEN id = 11 AND %s %% 3 = 0 THEN 0 ELSE 1 END = 1)
                    TO ''$files/inner'' (FORMAT tqcv)', n);
    GET DIAGNOSTICS r = ROW_COUNT;
    RETURN r;
EXCEPTION WHEN division_by_zero THEN RETURN -1;
END \$\$;
CREATE FUNCTION nest() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
    EXECUTE format('SELECT %I(\$1)', TG_ARGV[0]) INTO NEW.inner_rows USING NEW.id;
    RETURN NEW;
END \$\$;
SQL
for inner in from to; do
    sql 2>/dev/null <<SQL
TRUNCATE outer_rows, inner_rows;
DROP TRIGGER IF EXISTS nest ON outer_rows;
CREATE TRIGGER nest BEFORE INSERT ON outer_rows FOR EACH ROW EXECUTE FUNCTION nest('inner_$inner');
SQL
    is "$(outcome postgres "COPY outer_rows (id, e) FROM '$files/ours' (FORMAT tqcv)")" ok \
        "COPY ${inner^^} in a trigger of COPY FROM"
    is "$(value "
        SELECT count(*), count(*) FILTER (WHERE o.e = t.e),
            count(*) FILTER (WHERE inner_rows = CASE WHEN id % 3 = 0 THEN -1 ELSE 20 END)
        FROM outer_rows o JOIN t USING (id)")" '20|20|20' "COPY ${inner^^} in a trigger of COPY FROM: both are right"
    is "$(outcome postgres "
        COPY (SELECT id * 1000 + inner_$inner(id), e FROM t ORDER BY id) TO '$files/written' (FORMAT tqcv)")" ok \
        "COPY ${inner^^} in the query of COPY TO"
    execute "TRUNCATE back; COPY back FROM '$files/written' (FORMAT tqcv)"
    is "$(value "
        SELECT count(*), count(*) FILTER (WHERE back.e = t.e)
        FROM back JOIN t ON back.id = t.id * 1000 + CASE WHEN t.id % 3 = 0 THEN -1 ELSE 20 END")" '20|20' \
        "COPY ${inner^^} in the query of COPY TO: both are right"
    if [ $inner = from ]; then
        is "$(value 'SELECT count(*) FROM inner_rows')" $((2 * 14 * 20)) "an inner COPY that failed has left no row"
    fi
done
# The same from the client, and the inner error not trapped: the outer COPY ends with it, and the next is right.
is "$(outcome postgres 'TRUNCATE outer_rows' "\\copy outer_rows (id, e) FROM '$RUN/client.tqcv' (FORMAT tqcv)")" ok \
    "a COPY in a trigger of COPY FROM STDIN"
is "$(value 'SELECT count(*) FROM outer_rows')" 20 "a COPY in a trigger of COPY FROM STDIN: all rows"
sql <<SQL
CREATE OR REPLACE FUNCTION inner_to(n int) RETURNS int LANGUAGE plpgsql AS \$\$ BEGIN
    COPY (SELECT e FROM t WHERE 1 / (id - 11) < 2) TO '$files/inner' (FORMAT tqcv);
    RETURN 1;
END \$\$;
SQL
is "$(outcome postgres 'TRUNCATE outer_rows' "COPY outer_rows (id, e) FROM '$files/ours' (FORMAT tqcv)")" 22012 \
    "an inner error that is not trapped"
is "$(value "SELECT count(*) FROM outer_rows")" 0 "an inner error that is not trapped: no row is left"
is "$(find "$files" -name '.*' -type f | wc -l)" 0 "nor a file"

cluster_stop "$cluster"
done_testing
