#!/usr/bin/env bash
# Rotations are built once for a database directory and shared by mapping: what is in the folder, who may clear it and when, ten
# sessions that race, damage, what a note of a check proves, parallel workers, a folder that can't be written, a file cut while it
# is mapped, permissions, a standby.
# shellcheck source=../../scripts/lib.sh
. "$HELPERS"

c=$RUN/primary
cluster_create "$c" 'max_wal_senders = 4'
echo 'host replication all all trust' >>"$c/data/pg_hba.conf"
cluster_start "$c"
cluster_psql "$c" -c 'CREATE EXTENSION tinyquant' \
    -c "CREATE FUNCTION probe() RETURNS text LANGUAGE sql AS 'SELECT md5(tq_compress(tq_normalize(array_agg(sin(i)::real ORDER BY i)), 4)::text) FROM generate_series(1, 700) i'"
folder=$c/data/pg_tinyquant
file=$folder/matrix-1-1414611798-700

# ---- built once
is "$(cluster_value "$c" 'SELECT count(*) FROM tq_rotation_cache()')" 0 "nothing is kept before it is needed"
answer=$(cluster_value "$c" 'SELECT probe()')
is "$(cluster_value "$c" "SELECT rotation, seed, dimension, bytes FROM tq_rotation_cache()")" \
    "haar|1414611798|700|$((700 * 700 * 8 + 64))" "the first use keeps the rotation"
is "$(stat -c '%a %U' "$folder" "$file")" "$(printf '700 %s\n600 %s' "$SERVER_USER" "$SERVER_USER")" "for the server's user alone"
made=$(stat -c '%i %Y' "$file")
is "$(cluster_value "$c" 'SELECT probe()')" "$answer" "another session gives the same bytes"
is "$(stat -c '%i %Y' "$file")" "$made" "from the same file"
pid=$(cluster_value "$c" "SELECT probe() IS NOT NULL AND pg_read_file('/proc/self/maps') LIKE '%matrix-1-1414611798-700%'")
is "$pid" t "which it has mapped"
is "$(cluster_value "$c" "SELECT tq_dimension(tq_compress('{0.6,0.8}'))")" 2 "small rotations"
is "$(cluster_value "$c" 'SELECT count(*) FROM tq_rotation_cache()')" 1 "are not kept"

# ---- rights
cluster_psql "$c" -c 'CREATE ROLE somebody'
like "$(cluster_psql "$c" -c 'SET ROLE somebody' -c 'SELECT tq_clear_rotation_cache()' 2>&1 || true)" \
    'permission denied for function tq_clear_rotation_cache' "not everybody may clear"
is "$(cluster_value "$c" 'SELECT tq_clear_rotation_cache()')" 1 "a superuser may"
is "$(ls "$folder")" "" "and the folder is empty"

# ---- ten sessions race to build it
for i in $(seq 10); do cluster_value "$c" 'SELECT probe()' >"$RUN/race$i" & done
wait
is "$(sort -u "$RUN"/race*)" "$answer" "ten sessions that race agree"
is "$(ls "$folder" | grep -v checked)" matrix-1-1414611798-700 "and leave one file, beside the note of its check"

# ---- damage
damage() { # NAME COMMAND...
    local name=$1
    shift
    "$@"
    is "$(cluster_value "$c" 'SELECT probe()')" "$answer" "$name: right all the same"
    like "$(tail -n 5 "$c/server.log")" 'LOG:  matrix file .* is damaged' "$name: a line in the log"
    : >"$c/server.log"
    is "$(cluster_value "$c" 'SELECT probe()')" "$answer" "$name: mended"
    is "$(grep -c damaged "$c/server.log" || true)" 0 "$name: for good"
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
        cluster_value "$c" 'SELECT probe()' >/dev/null
    done
    return 1
}
noted && ok "a check is noted" || not_ok "a check is noted"
note=$(stat -c '%i' "$file.checked")
for i in 1 2 3; do cluster_value "$c" 'SELECT probe()' >/dev/null; done
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
cluster_restart "$c"
cluster_value "$c" 'SELECT probe()' >/dev/null
[ "$(stat -c '%i' "$file.checked")" != "$note" ] && ok "a server that has started anew checks anew" || not_ok "a server that has started anew checks anew"

# ---- parallel workers, whose leader has not used the rotation, compute with nothing that isn't checked
cluster_psql "$c" -c "CREATE TABLE vectors AS SELECT i AS id, tq_normalize(array_agg(sin(i * j)::real ORDER BY j)) AS v
                      FROM generate_series(1, 300) i, generate_series(1, 700) j GROUP BY i"
parallel="SET $([ "$PG_MAJOR" -ge 16 ] && echo debug_parallel_query || echo force_parallel_mode) = on; SET parallel_leader_participation = off;
    SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0"
compressed="SELECT md5(string_agg(md5(e::text), '' ORDER BY id)) FROM (SELECT id, tq_compress(v, 8) AS e FROM vectors OFFSET 0) s"
serial=$(cluster_value "$c" "SET max_parallel_workers_per_gather = 0; $compressed")
like "$(cluster_value "$c" "$parallel; EXPLAIN (VERBOSE, COSTS OFF) $compressed")" 'Gather.*tq_compress' "a plan in which workers compress"
in_workers() { # NAME: the damage is done
    : >"$c/server.log"
    is "$(cluster_value "$c" "$parallel; $compressed")" "$serial" "parallel workers, $1: right all the same"
    like "$(cat "$c/server.log")" 'LOG:  matrix file .* is damaged' "parallel workers, $1: a line in the log"
}
flip 2000007
in_workers "a flipped entry"
noted || not_ok "a note on the file that was built anew"
flip_unseen 3000007
in_workers "a flipped entry behind a note"
noted || not_ok "a note on the file that was built anew"
flip_unseen 1000007
: >"$c/server.log"
cluster_psql "$c" -c "$parallel" -c 'CREATE TABLE stored AS SELECT id, v, v::tqvec(700, 8) AS e FROM vectors'
is "$(cluster_value "$c" 'SELECT count(*) FROM stored WHERE e <> tq_compress(v, 8)')" 0 "CREATE TABLE AS stores no wrong record"
cluster_psql "$c" -c 'DROP TABLE vectors, stored'

# ---- cleared while others build: nobody is warned
cluster_psql "$c" -c 'CREATE TABLE builders (ended int)'
cluster_session "$c" clearing "DO \$\$ BEGIN LOOP
    PERFORM tq_clear_rotation_cache(); EXIT WHEN (SELECT count(*) FROM builders) = 3; END LOOP; END \$\$"
clearing=$!
builders=()
for i in 1 2 3; do
    cluster_session "$c" "builds$i" "SELECT count(tq_compress(tq_normalize(array_fill(1::real, ARRAY[d])), 8, true))
        FROM generate_series(150 + $i, 300, 3) d; INSERT INTO builders VALUES ($i)"
    builders+=($!)
done
wait "${builders[@]}" "$clearing"
is "$(cat "$RUN"/builds[123].out "$RUN/clearing.out" | grep -E 'WARNING|ERROR' | sort -u)" '' "cleared while others build: nobody is warned"
cluster_psql "$c" -c 'DROP TABLE builders'
cluster_value "$c" 'SELECT probe()' >/dev/null

# ---- cut while a session has it mapped
coproc OTHER { "$PG_BIN/psql" -X -q -At -h "$c" -U postgres -d postgres 2>&1; }
ask() {
    local line result=
    printf '%s\n\\echo done\n' "$1" >&"${OTHER[1]}"
    while IFS= read -r -t 60 line <&"${OTHER[0]}" && [ "$line" != "done" ]; do result+=$line; done
    printf '%s' "$result"
}
is "$(ask 'SELECT probe();')" "$answer" "a session maps it"
truncate -s 100000 "$file"
is "$(ask 'SELECT probe();')" "$answer" "cut under the session: built anew"
is "$(stat -c %s "$file")" $((700 * 700 * 8 + 64)) "and kept anew"
is "$(grep -c 'terminated by signal' "$c/server.log" || true)" 0 "no backend died"
eval "exec ${OTHER[1]}>&-"
wait "$OTHER_PID" 2>/dev/null || true

# ---- many codecs in one session: their files don't take all the mappings that files to be read need
is "$(cluster_psql "$c" -At -c "SELECT count(tq_compress(tq_normalize(array_fill(1::real, ARRAY[d])), 8, true)) FROM generate_series(129, 400) d" \
    -c "COPY (SELECT '[0.6, 0.8]'::tqvec) TO '$c/few.tqcv' (FORMAT tqcv)" -c "SELECT records FROM tq_corpus_info('$c/few.tqcv')" \
    -c "SELECT count(*) < 100 FROM regexp_matches(pg_read_file('/proc/' || pg_backend_pid() || '/maps'), 'pg_tinyquant', 'g')" 2>&1)" \
    $'272\n1\nt' "272 rotations in a session, and a file"

# ---- a folder that can't be written. Root may write anywhere, so a file stands where the folder should be.
cluster_value "$c" 'SELECT tq_clear_rotation_cache()' >/dev/null
rmdir "$folder"
as_server_user touch "$folder"
output=$(cluster_psql "$c" -At -c 'SELECT probe()' -c "SELECT tq_dimension(tq_compress(tq_normalize(array_agg(i::real)))) FROM generate_series(1, 300) i" 2>&1)
like "$output" "$answer" "without the folder: right all the same"
is "$(grep -c WARNING <<<"$output")" 1 "with one warning a session"
rm "$folder"

# ---- permissions are those of the data directory, also of a folder from before
cluster_value "$c" 'SELECT probe()' >/dev/null
noted || not_ok "a note on the file that was built anew"
is "$(stat -c '%a' "$folder" "$file" "$file.checked" | tr '\n' ' ')" '700 600 600 ' "for the server's user alone"
cluster_stop "$c"
chmod 750 "$c/data"
cluster_start "$c"
is "$(cluster_value "$c" 'SHOW data_directory_mode')" 0750 "a data directory that its group may read"
is "$(cluster_value "$c" 'SELECT probe()')" "$answer" "is found in order"
is "$(stat -c '%a' "$folder" "$file" "$file.checked" | tr '\n' ' ')" '750 640 640 ' "and the group may read what is kept"
rm -r "$folder"
cluster_value "$c" 'SELECT probe()' >/dev/null
noted || not_ok "a note on the file that was built anew"
is "$(stat -c '%a' "$folder" "$file" "$file.checked" | tr '\n' ' ')" '750 640 640 ' "and what is kept anew"
cluster_stop "$c"
chmod 700 "$c/data"
cluster_start "$c"

# ---- a standby builds its own
as_server_user mkdir -m 700 "$RUN/standby"
as_server_user "$PG_BIN/pg_basebackup" -h "$c" -U postgres -D "$RUN/standby/data" -R -c fast
echo "$PG_BIN" >"$RUN/standby/bin-dir"
sed -i "s#^unix_socket_directories.*#unix_socket_directories = '$RUN/standby'#" "$RUN/standby/data/postgresql.conf"
cluster_start "$RUN/standby"
is "$(cluster_value "$RUN/standby" 'SELECT pg_is_in_recovery(), probe()')" "t|$answer" "a hot standby answers the same"
is "$(cluster_value "$RUN/standby" 'SELECT count(*) FROM tq_rotation_cache()')" 1 "and keeps its own"
cluster_stop "$RUN/standby"
cluster_stop "$c"
done_testing
