#!/usr/bin/env bash
# Files that mean harm: malformed ones, two thousand damaged copies of a good one in one session, pipes, devices,
# folders and links in the place of files, and files that change while COPY reads them. An error of the right class or
# a right load; never a row of a refused file, a dead session, or memory that grows. MUTANTS=20000 makes more copies.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster malformed 'shared_buffers = 16MB' 'autovacuum = off' 'log_min_messages = fatal' 'max_wal_size = 4GB'
files_folder
chmod a+rx "$RUN"
create_extension
sql <<SQL
CREATE TABLE source AS SELECT i AS id, tq_compress(random_vector(i, 15), 4) AS e FROM generate_series(1, 10000) i;
COPY (SELECT e FROM source WHERE id <= 1000 ORDER BY id) TO '$files/base' (FORMAT tqcv);
CREATE UNLOGGED TABLE t (e tqvec);
-- Whether the rows of the table are the records that the file ends with.
CREATE FUNCTION loaded(path text) RETURNS bool LANGUAGE plpgsql AS \$\$
DECLARE
    f bytea := pg_read_binary_file(path);
    n bigint;
    len int;
    body bytea;
BEGIN
    SELECT count(*), max(octet_length(e::bytea)) INTO n, len FROM t;
    IF n = 0 THEN RETURN get_byte(f, 8) | get_byte(f, 9) | get_byte(f, 10) | get_byte(f, 11) = 0; END IF;
    body := substr(f, (octet_length(f) - n * (len + 4))::int + 1);
    RETURN get_byte(body, 0) + get_byte(body, 1) * 256 = len
        AND body = (SELECT string_agg(substr(body, 1, 4) || e::bytea, ''::bytea ORDER BY ctid) FROM t);
END \$\$;
SQL

# load FILE...: COPY FROM of them, and everything else that reads them, one after the other in one session. A line for
# each: the backend, SQLSTATE of COPY FROM, rows in the table afterwards, whether these are the file's, SQLSTATEs of the
# functions, whether tq_corpus_verify has found a fault, SQLSTATE of COPY FROM with ON_ERROR ignore, whether it has
# loaded all records but those with faults, and the file. Before and after all, the backend's peak memory.
load() {
    local file memory="SELECT 'memory', substring(pg_read_file('/proc/self/status') from 'VmHWM:\\s*(\\d+) kB');"
    local query="(SELECT tq_decompress(e) FROM source LIMIT 1)"
    {
        cat <<SQL
SET client_min_messages = error;
SET work_mem = '16MB';
COPY t FROM '$files/base' (FORMAT tqcv);
SELECT 'first', loaded('$files/base');
TRUNCATE t;
$memory
SQL
        for file; do
            cat <<SQL
COPY t FROM '$file' (FORMAT tqcv);
\set copy :SQLSTATE
SELECT count(*) AS rows, count(*) > 0 AS filled,
    CASE :'copy' WHEN '00000' THEN loaded('$file')::text ELSE '-' END AS same FROM t \gset
\if :filled
TRUNCATE t;
\endif
SELECT records FROM tq_corpus_info('$file') \gset
\set info :SQLSTATE
SELECT count(*) AS records FROM tq_corpus_scan('$file') \gset
\set scan :SQLSTATE
SELECT count(*) AS records FROM tq_corpus_search('$file', $query, 10) \gset
\set search :SQLSTATE
\set faults -
SELECT count(*) > 0 AS faults FROM tq_corpus_verify('$file') \gset
\set verify :SQLSTATE
COPY t FROM '$file' (FORMAT tqcv, ON_ERROR ignore);
\set rest :SQLSTATE
\set rest_same -
SELECT CASE :'rest' WHEN '00000' THEN ((SELECT count(*) FROM t) = (SELECT records FROM tq_corpus_info('$file'))
    - (SELECT count(DISTINCT ordinal) FROM tq_corpus_verify('$file')))::text ELSE '-' END AS rest_same \gset
TRUNCATE t;
SELECT pg_backend_pid(), :'copy', :rows, :'same',
    :'info', :'scan', :'search', :'verify', :'faults', :'rest', :'rest_same', '${file##*/}';
SQL
        done
        echo "$memory"
    } >"$RUN/load.sql"
    cluster_psql "$cluster" -At -F ' ' -v ON_ERROR_STOP=0 -f "$RUN/load.sql" >"$RUN/loaded" 2>"$RUN/load.err" || true
    sed -n 's/^memory //p' "$RUN/loaded" >"$RUN/memory"
    is "$(sed -n 's/^first //p' "$RUN/loaded")" t "the sound file loads first"
    sed -i '/^memory\|^first/d' "$RUN/loaded"
}

# judge NAME COUNT: what `load` has said
judge() {
    local name=$1 first last
    is "$(awk '{ print $1 }' "$RUN/loaded" | sort | uniq -c | awk '{ print $1 }')" "$2" "$name: one backend for all $2"
    # A class 22 says what is wrong with the data, 0A what is not supported.
    is "$(awk '!($2 == "00000" && $4 == "true" || $2 ~ /^(22|0A)/ && $3 == 0)' "$RUN/loaded")" '' \
        "$name: each an error and no row, or all its records"
    # The functions look at less than COPY FROM does; a search asks for the codec (42704) and the dimension (22000) as
    # well.
    is "$(awk '$5 !~ /^(00|22)/ || $6 !~ /^(00|22)/ || $7 !~ /^(00|22)/ && $7 != "42704" || $8 != "00000" ||
               $2 == "00000" && ($5 != "00000" || $6 != "00000")' "$RUN/loaded")" '' \
        "$name: the functions have errors of their own, or none"
    is "$(awk '($2 == "00000") != ($9 == "f")' "$RUN/loaded")" '' \
        "$name: tq_corpus_verify has faults of those that don't load, and of no other"
    # A hash that text can't have hides how many records there are.
    wrong=$(awk '!($10 == "00000" && ($11 == "true" || $5 == "22P05") || $10 ~ /^(22|0A)/ && $11 == "-")' "$RUN/loaded")
    is "$wrong" '' \
        "$name: with ON_ERROR ignore, each an error, or all its records but those in which tq_corpus_verify has faults"
    is "$(awk '$2 == "00000" && $10 != "00000"' "$RUN/loaded")" '' \
        "$name: what loads, loads with ON_ERROR ignore as well"
    read -r first last < <(xargs <"$RUN/memory")
    is "$((last - first < 32 * 1024))" 1 \
        "$name: the backend's peak is $((first / 1024)) MB at first and $((last / 1024)) MB in the end"
    echo "# $name, SQLSTATEs of COPY FROM: $(awk '{ print $2 }' "$RUN/loaded" | sort | uniq -c | xargs)"
    echo "# $name, with ON_ERROR ignore: $(awk '{ print $10 }' "$RUN/loaded" | sort | uniq -c | xargs)"
    echo "# $name, of a search: $(awk '{ print $7 }' "$RUN/loaded" | sort | uniq -c | xargs)"
}

# ---- malformed files --------------------------------------------------------------------------------------------

for folder in "$REPO/tests/pg_regress/data/malformed" "$REPO/../shared/golden/dev/tqcv_malformed"; do
    if [ ! -d "$folder" ]; then
        echo "# SKIPPED: $(basename "$folder") (not here)"
        continue
    fi
    as_server_user mkdir -p "$files/malformed"
    cp -L "$folder"/*.tqcv "$files/malformed/"
    chmod -R a+rX "$files/malformed"
    load "$files"/malformed/*.tqcv
    judge "malformed files" "$(find "$files/malformed" -type f | wc -l)"
    is "$(awk '$2 == "00000" { print $NF }' "$RUN/loaded" | sort | xargs)" 'base.tqcv oddpad_ok.tqcv ok_base.tqcv' \
        "malformed files: only the good ones load"
    rm -r "$files/malformed"
done

# ---- damaged copies ---------------------------------------------------------------------------------------------

mutants=${MUTANTS:-2000}
mkdir -m 755 "$RUN/mutants"
python3 "$REPO/tests/cluster/damage_files.py" "$files/base" "$RUN/mutants" "$mutants" 20
started=$SECONDS
mapfile -t paths < <(seq -f "$RUN/mutants/%.0f" 0 $((mutants - 1)))
load "${paths[@]}"
judge "damaged copies" "$mutants"
echo "# damaged copies: $((SECONDS - started)) s"
# Among so many there are both: damage to codes, which nobody can tell, and all other.
is "$(awk '$2 == "00000" && $3 > 0 { a = 1 } $2 ~ /^22/ { b = 1 } END { print a + b }' "$RUN/loaded")" 2 \
    "damaged copies: some load, some don't"
rm -r "$RUN/mutants"

# ---- what isn't a file ------------------------------------------------------------------------------------------

# state SQL: its SQLSTATE, if it is back after five seconds
state() {
    local said
    said=$(OUTCOME_SECONDS=5 outcome postgres "$1")
    echo "${said/#ok/00000}"
}
execute "COPY (SELECT e FROM source WHERE id <= 100) TO '$files/ours' (FORMAT tqcv);
         COPY (SELECT e FROM source WHERE id <= 100) TO '$files/cores' (FORMAT binary)"
as_server_user mkfifo "$files/fifo"
as_server_user mkdir "$files/folder"
for whose in ours cores; do
    as_server_user ln -s "$whose" "$files/link.$whose"
    as_server_user ln -s "link.$whose" "$files/link2.$whose"
    as_server_user cp "$files/$whose" "$files/secret.$whose"
    as_server_user chmod 0 "$files/secret.$whose"
    as_server_user cp "$files/$whose" "$files/fixed.$whose"
    as_server_user chmod 444 "$files/fixed.$whose"
done
as_server_user ln -s nowhere "$files/dangling"
as_server_user ln -s circle "$files/circle"
socket=$cluster/.s.PGSQL.5432

# Path, SQLSTATE of ours, SQLSTATE of core's. Regular files alone are taken for corpora: they are mapped, and their
# length says what to believe of their header. Core reads on as long as there is something to read, and waits for a
# pipe.
while read -r path ours cores; do
    name=${path#"$RUN"}
    our_path=${path/WHOSE/ours}
    is "$(state "COPY t FROM '$our_path' (FORMAT tqcv)")" "$ours" "COPY FROM $name"
    for function in info scan verify; do
        is "$(state "DO \$\$ BEGIN PERFORM * FROM tq_corpus_$function('$our_path'); END \$\$")" "$ours" \
            "tq_corpus_$function $name"
    done
    [ "$cores" = - ] || is "$(state "COPY t FROM '${path/WHOSE/cores}' (FORMAT binary)")" "$cores" \
        "COPY FROM $name: core's"
done <<PATHS
$files/fifo 42809 -
/dev/null 42809 22P04
/dev/zero 42809 22P04
$files/folder 42809 42809
$files/folder/. 42809 42809
$socket 58030 -
$files/WHOSE 00000 00000
$files/link.WHOSE 00000 00000
$files/link2.WHOSE 00000 00000
$files/folder/../WHOSE 00000 00000
$files/dangling 58P01 58P01
$files/absent 58P01 58P01
$files/secret.WHOSE 42501 42501
$files/circle 58030 XX000
$files/ours/x 42809 42809
PATHS

# The same on the way out. A file that takes the place of another can't be a device's or a pipe's.
while read -r path ours cores; do
    name=${path#"$RUN"}
    is "$(state "COPY t TO '${path/WHOSE/ours}' (FORMAT tqcv, CODEC 'tqvec(15, 4)')")" "$ours" "COPY TO $name"
    [ "$cores" = - ] || is "$(state "COPY t TO '${path/WHOSE/cores}' (FORMAT binary)")" "$cores" \
        "COPY TO $name: core's"
done <<PATHS
$files/fifo 42809 -
/dev/null 42809 00000
/dev/full 42809 53100
$files/folder 42809 42809
$files/folder/ 42809 42809
$socket 42809 -
$files/link2.WHOSE 00000 00000
$files/dangling 00000 00000
$files/absent/x 58P01 58P01
$files/fixed.WHOSE 42501 42501
$files/circle 58030 XX000
$files/ours/x 42809 42809
PATHS
is "$(find "$files" -name '*.tqtmp' | wc -l)" 0 "no temporary file is left"

# ---- files that change while COPY reads them --------------------------------------------------------------------

sql <<SQL
TRUNCATE t;
CREATE FUNCTION wait_at_first() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
    IF nextval('rows_seen') = 1 THEN
        WHILE pg_stat_file('$files/changed', true) IS NULL LOOP PERFORM pg_sleep(0.01); END LOOP;
    END IF;
    RETURN NEW;
END \$\$;
CREATE SEQUENCE rows_seen;
CREATE TRIGGER wait BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION wait_at_first();
SQL
large=$files/large
# changed NAME REGEX ROWS COMMAND...: what a COPY says, and how many rows are there, if the command is run while it
# waits in its first row
changed() {
    local name=$1 regex=$2 rows=$3
    shift 3
    rm -f "$files/changed"
    sql <<SQL
TRUNCATE t;
SELECT setval('rows_seen', 1, false);
ALTER TABLE t DISABLE TRIGGER wait;
COPY (SELECT e FROM source ORDER BY id) TO '$large' (FORMAT tqcv);
ALTER TABLE t ENABLE TRIGGER wait;
SQL
    surviving_session changed "COPY t FROM '$large' (FORMAT tqcv)"
    wait_for "
        SELECT count(*) = 1 FROM pg_stat_activity
        WHERE application_name = 'changed' AND wait_event = 'PgSleep'" || true
    as_server_user "$@"
    as_server_user touch "$files/changed"
    wait $!
    like "$(cat "$RUN/changed.out")" "$regex" "a file that is $name"
    like "$(cat "$RUN/changed.out")" '42$' "a file that is $name: the session goes on"
    is "$(value 'SELECT count(*) FROM t')" "$rows" "a file that is $name: $rows rows"
}
truncated='58030.*truncated while it was being read: it had [0-9]+ bytes and now has'
changed "cut off" "$truncated 400000" 0 truncate -s 400000 "$large"
changed "emptied" "$truncated 0" 0 truncate -s 0 "$large"
changed "grown" '58030.*modified while it was being read' 0 truncate -s +1 "$large"
changed "overwritten" '58030.*modified while it was being read' 0 \
    dd if=/dev/urandom "of=$large" bs=1000 seek=100 count=1 conv=notrunc status=none
changed "rewritten" '58030.*(modified|truncated) while it was being read' 0 cp "$files/base" "$large"
# The name is another file's then; the one that is being read is as it was.
changed "replaced" 'COPY 10000' 10000 cp --remove-destination "$files/base" "$large"
changed "removed" 'COPY 10000' 10000 rm "$large"

cluster_stop "$cluster"
done_testing
