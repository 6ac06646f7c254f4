#!/usr/bin/env bash
# Rotations are built once for a database directory and shared by mapping: what is in the folder, who may clear it and
# when, ten sessions that race, damage, what a note of a check proves, parallel workers, a folder that can't be written,
# a file cut while it is mapped, permissions, a standby.
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster primary 'max_wal_senders = 4'
create_extension
sql <<'SQL'
CREATE FUNCTION probe() RETURNS text LANGUAGE sql AS $$
    SELECT md5(tq_compress(tq_normalize(array_agg(sin(i)::real ORDER BY i)), 4)::text) FROM generate_series(1, 700) i
$$;
SQL
folder=$cluster/data/pg_tinyquant
file=$folder/matrix-1-1414611798-700

# ---- built once
is "$(value 'SELECT count(*) FROM tq_rotation_cache()')" 0 "nothing is kept before it is needed"
answer=$(value 'SELECT probe()')
is "$(value "SELECT rotation, seed, dimension, bytes FROM tq_rotation_cache()")" \
    "haar|1414611798|700|$((700 * 700 * 12 + 64))" "the first use keeps the rotation"
is "$(stat -c '%a %U' "$folder" "$file")" "700 $SERVER_USER"$'\n'"600 $SERVER_USER" "for the server's user alone"
made=$(stat -c '%i %Y' "$file")
is "$(value 'SELECT probe()')" "$answer" "another session gives the same bytes"
is "$(stat -c '%i %Y' "$file")" "$made" "from the same file"
is "$(value "SELECT probe() IS NOT NULL AND pg_read_file('/proc/self/maps') LIKE '%matrix-1-1414611798-700%'")" t \
    "which it has mapped"
is "$(value "SELECT tq_dimension(tq_compress('{0.6,0.8}'))")" 2 "small rotations"
is "$(value 'SELECT count(*) FROM tq_rotation_cache()')" 1 "are not kept"

# ---- rights
cluster_psql "$cluster" -c 'CREATE ROLE somebody'
like "$(cluster_psql "$cluster" -c 'SET ROLE somebody' -c 'SELECT tq_clear_rotation_cache()' 2>&1 || true)" \
    'permission denied for function tq_clear_rotation_cache' "not everybody may clear"
is "$(value 'SELECT tq_clear_rotation_cache()')" 1 "a superuser may"
is "$(ls "$folder")" "" "and the folder is empty"

# ---- ten sessions race to build it
for i in $(seq 10); do value 'SELECT probe()' >"$RUN/race$i" & done
wait
is "$(sort -u "$RUN"/race*)" "$answer" "ten sessions that race agree"
is "$(find "$folder" -type f ! -name '*checked*' -printf '%f\n')" matrix-1-1414611798-700 \
    "and leave one file, beside the note of its check"

# ---- damage
damage() { # NAME COMMAND...
    local name=$1
    shift
    "$@"
    is "$(value 'SELECT probe()')" "$answer" "$name: right all the same"
    like "$(tail -n 5 "$cluster/server.log")" 'LOG:  matrix file .* is damaged' "$name: a line in the log"
    : >"$cluster/server.log"
    is "$(value 'SELECT probe()')" "$answer" "$name: mended"
    is "$(grep -c damaged "$cluster/server.log" || true)" 0 "$name: for good"
}
flip() { printf '\xc0' | dd of="$file" bs=1 seek="$1" conv=notrunc status=none; }
damage "a flipped entry" flip 2000007
damage "a flipped header" flip 17
damage "a cut file" truncate -s 100000 "$file"
damage "an empty file" truncate -s 0 "$file"

# ---- notes of checks: whoever finds one that is true of the file needn't check it
# noted: until there is one. A check in the tick of the file system's clock in which the file was written leaves none.
noted() {
    local i
    for ((i = 0; i < 100; i++)); do
        if [ -e "$file.checked" ]; then return 0; fi
        sleep 0.05
        execute 'SELECT probe()'
    done
    return 1
}
if noted; then ok "a check is noted"; else not_ok "a check is noted"; fi
note=$(stat -c '%i' "$file.checked")
for i in 1 2 3; do value 'SELECT probe()' >/dev/null; done
is "$(stat -c '%i' "$file.checked")" "$note" "and not done again by other sessions"
is "$(stat -c '%a %U' "$file.checked")" "600 $SERVER_USER" "notes are for the server's user alone"
damage "a flipped entry behind a note" flip 2000007
noted || not_ok "a note on the file that was built anew"
flip_unseen() { # POSITION: as damage does that leaves the time of modification as it was
    local modified
    modified=$(stat -c '%y' "$file")
    flip "$1"
    touch -d "$modified" "$file"
    [ "$(stat -c '%y' "$file")" = "$modified" ]
}
damage "a flipped entry behind a note, with the old time of modification" flip_unseen 2000007
noted || not_ok "a note on the file that was built anew"
cp -p "$file" "$RUN/restored"
printf '\xff' | dd of="$RUN/restored" bs=1 seek=2000007 conv=notrunc status=none
damage "another file under the name that the note is on" cp --remove-destination --preserve=all "$RUN/restored" "$file"
noted || not_ok "a note on the file that was built anew"
note=$(stat -c '%i' "$file.checked")
cluster_restart "$cluster"
execute 'SELECT probe()'
anew=no
[ "$(stat -c '%i' "$file.checked")" = "$note" ] || anew=yes
is "$anew" yes "a server that has started anew checks anew"

# ---- parallel workers, whose leader has not used the rotation, compute with nothing that isn't checked
sql <<'SQL'
CREATE TABLE vectors AS
SELECT i AS id, tq_normalize(array_agg(sin(i * j)::real ORDER BY j)) AS v
FROM generate_series(1, 300) i, generate_series(1, 700) j GROUP BY i;
SQL
forced=force_parallel_mode
[ "$PG_MAJOR" -lt 16 ] || forced=debug_parallel_query
parallel="SET $forced = on;
    SET parallel_leader_participation = off;
    SET min_parallel_table_scan_size = 0;
    SET parallel_setup_cost = 0;
    SET parallel_tuple_cost = 0"
compressed="
    SELECT md5(string_agg(md5(e::text), '' ORDER BY id))
    FROM (SELECT id, tq_compress(v, 8) AS e FROM vectors OFFSET 0) s"
serial=$(value "SET max_parallel_workers_per_gather = 0; $compressed")
like "$(value "$parallel; EXPLAIN (VERBOSE, COSTS OFF) $compressed")" 'Gather.*tq_compress' \
    "a plan in which workers compress"
in_workers() { # NAME: the damage is done
    : >"$cluster/server.log"
    is "$(value "$parallel; $compressed")" "$serial" "parallel workers, $1: right all the same"
    like "$(cat "$cluster/server.log")" 'LOG:  matrix file .* is damaged' "parallel workers, $1: a line in the log"
}
flip 2000007
in_workers "a flipped entry"
noted || not_ok "a note on the file that was built anew"
flip_unseen 3000007
in_workers "a flipped entry behind a note"
noted || not_ok "a note on the file that was built anew"
flip_unseen 1000007
: >"$cluster/server.log"
cluster_psql "$cluster" -c "$parallel" -c 'CREATE TABLE stored AS SELECT id, v, v::tqvec(700, 8) AS e FROM vectors'
is "$(value 'SELECT count(*) FROM stored WHERE e <> tq_compress(v, 8)')" 0 "CREATE TABLE AS stores no wrong record"
cluster_psql "$cluster" -c 'DROP TABLE vectors, stored'

# ---- cleared while others build: nobody is warned
cluster_psql "$cluster" -c 'CREATE TABLE builders (ended int)'
cluster_session "$cluster" clearing "DO \$\$ BEGIN LOOP
    PERFORM tq_clear_rotation_cache(); EXIT WHEN (SELECT count(*) FROM builders) = 3; END LOOP; END \$\$"
clearing=$!
builders=()
for i in 1 2 3; do
    cluster_session "$cluster" "builds$i" "
        SELECT count(tq_compress(tq_normalize(array_fill(1::real, ARRAY[d])), 8, true))
        FROM generate_series(150 + $i, 300, 3) d; INSERT INTO builders VALUES ($i)"
    builders+=($!)
done
wait "${builders[@]}" "$clearing"
is "$(cat "$RUN"/builds[123].out "$RUN/clearing.out" | grep -E 'WARNING|ERROR' | sort -u)" '' \
    "cleared while others build: nobody is warned"
cluster_psql "$cluster" -c 'DROP TABLE builders'
execute 'SELECT probe()'

# ---- cut while a session has it mapped
open_session
is "$(ask 'SELECT probe();')" "$answer" "a session maps it"
truncate -s 100000 "$file"
is "$(ask 'SELECT probe();')" "$answer" "cut under the session: built anew"
is "$(stat -c %s "$file")" $((700 * 700 * 12 + 64)) "and kept anew"
is "$(grep -c 'terminated by signal' "$cluster/server.log" || true)" 0 "no backend died"
close_session

# ---- many codecs in one session: their files don't take all the mappings that files to be read need
is "$(cluster_psql "$cluster" -At -v file="$cluster/few.tqcv" 2>&1 <<'SQL'
SELECT count(tq_compress(tq_normalize(array_fill(1::real, ARRAY[d])), 8, true)) FROM generate_series(129, 400) d;
COPY (SELECT '[0.6, 0.8]'::tqvec) TO :'file' (FORMAT tqcv);
SELECT records FROM tq_corpus_info(:'file');
SELECT count(*) < 100
FROM regexp_matches(pg_read_file('/proc/' || pg_backend_pid() || '/maps'), 'pg_tinyquant', 'g');
SQL
)" $'272\n1\nt' "272 rotations in a session, and a file"

# ---- a folder that can't be written. Root may write anywhere, so a file stands where the folder should be.
execute 'SELECT tq_clear_rotation_cache()'
rmdir "$folder"
as_server_user touch "$folder"
output=$(cluster_psql "$cluster" -At -c 'SELECT probe()' \
    -c "SELECT tq_dimension(tq_compress(tq_normalize(array_agg(i::real)))) FROM generate_series(1, 300) i" 2>&1)
like "$output" "$answer" "without the folder: right all the same"
is "$(grep -c WARNING <<<"$output")" 1 "with one warning a session"
rm "$folder"

# ---- permissions are those of the data directory, also of a folder from before
execute 'SELECT probe()'
noted || not_ok "a note on the file that was built anew"
is "$(stat -c '%a' "$folder" "$file" "$file.checked" | tr '\n' ' ')" '700 600 600 ' "for the server's user alone"
cluster_stop "$cluster"
chmod 750 "$cluster/data"
cluster_start "$cluster"
is "$(value 'SHOW data_directory_mode')" 0750 "a data directory that its group may read"
is "$(value 'SELECT probe()')" "$answer" "is found in order"
is "$(stat -c '%a' "$folder" "$file" "$file.checked" | tr '\n' ' ')" '750 640 640 ' \
    "and the group may read what is kept"
rm -r "$folder"
execute 'SELECT probe()'
noted || not_ok "a note on the file that was built anew"
is "$(stat -c '%a' "$folder" "$file" "$file.checked" | tr '\n' ' ')" '750 640 640 ' "and what is kept anew"
cluster_stop "$cluster"
chmod 700 "$cluster/data"
cluster_start "$cluster"

# ---- a standby builds its own
standby_of "$cluster" "$RUN/standby"
is "$(cluster_value "$RUN/standby" 'SELECT pg_is_in_recovery(), probe()')" "t|$answer" "a hot standby answers the same"
is "$(cluster_value "$RUN/standby" 'SELECT count(*) FROM tq_rotation_cache()')" 1 "and keeps its own"
cluster_stop "$RUN/standby"
cluster_stop "$cluster"
done_testing
