#!/usr/bin/env bash
# Rotations are built once for a database directory and shared by mapping: what is in the folder, who may clear it, ten
# sessions that race, damage, a folder that can't be written, a file cut while it is mapped, a standby, parallel workers.
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
is "$(ls "$folder")" matrix-1-1414611798-700 "and leave one file"

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
flip() { printf '\xff' | dd of="$file" bs=1 seek="$1" conv=notrunc status=none; }
damage "a flipped entry" flip 2000003
damage "a flipped header" flip 17
damage "a cut file" truncate -s 100000 "$file"
damage "an empty file" truncate -s 0 "$file"

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
