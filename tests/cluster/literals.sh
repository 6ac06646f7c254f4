#!/usr/bin/env bash
# Text literals: into and against a hadamard column they build no matrix; what floats become where no width is said;
# text that is refused is an error that the caller may ask to be told of (PostgreSQL 16; COPY's ON_ERROR, 17).
# shellcheck source-path=SCRIPTDIR source=helpers.bash
. "$(dirname "$0")/helpers.bash"

one_cluster literals
create_extension
sql <<'SQL'
CREATE FUNCTION literal(seed int, dimension int) RETURNS text LANGUAGE sql AS $$
    SELECT format('[%s]', array_to_string(tq_normalize(array_agg(sin(i * seed)::real ORDER BY i)), ','))
    FROM generate_series(1, dimension) i
$$;
SQL
kept() { value 'SELECT count(*) FROM tq_rotation_cache()'; }
# A statement with a literal in it, as a client sends it.
with_literal() { # STATEMENT SEED DIMENSION
    local text
    text=$(value "SELECT literal($2, $3)")
    cluster_psql "$cluster" -At <<<"${1//LITERAL/\'$text\'}"
}

# ---- a cold server and the fast rotation
for declaration in 'tqvec(4096, 4, hadamard)' 'tqvec(4096, 2, hadamard)' 'tqvec(4096, 8, residual, hadamard)' \
    'tqvec(4096)' 'tqvec'; do
    sql 2>/dev/null <<<"DROP TABLE IF EXISTS fast; CREATE TABLE fast (id int, v $declaration)"
    with_literal 'INSERT INTO fast VALUES (1, LITERAL)' 1 4096
    with_literal 'INSERT INTO fast VALUES (2, LITERAL)' 2 4096
    sql <<SQL
COPY fast FROM STDIN (DELIMITER '|');
3|$(value 'SELECT literal(3, 4096)')
\.
SQL
    is "$(with_literal 'SELECT id FROM fast ORDER BY v <=> LITERAL LIMIT 1' 2 4096)" 2 \
        "$declaration: a literal finds its row"
    is "$(with_literal 'SELECT id FROM fast WHERE v = LITERAL' 2 4096)" 2 "$declaration: and equals it"
    is "$(with_literal 'DELETE FROM fast WHERE v = LITERAL RETURNING id' 1 4096)" 1 "$declaration: also to remove it"
    is "$(kept) $(find "$cluster/data/pg_tinyquant" -mindepth 1 2>/dev/null | wc -l)" '0 0' \
        "$declaration: and no matrix was built"
done

# ---- what floats become
is "$(value "
    SELECT tq_config_hash('[0.6, 0, 0.8]') = tq_config_hash(tq_compress('{0.6, 0, 0.8}', 8, true, 'hadamard')),
        '[0.6, 0, 0.8]'::tqvec = '{0.6, 0, 0.8}'::real[]::tqvec,
        '[0.6, 0, 0.8]'::tqvec(3) = '{0.6, 0, 0.8}'::float8[]::tqvec(3),
        tq_config_hash('[0.6, 0, 0.8]'::tqvec(3, haar)) = tq_config_hash(tq_compress('{0.6, 0, 0.8}', 8, true)),
        tq_config_hash('[0.6, 0, 0.8]'::tqvec(3, 8, residual))
            = tq_config_hash(tq_compress('{0.6, 0, 0.8}', 8, true)),
        '[0.6, 0, 0.8]'::tqvec(3, 4) = tq_compress('{0.6, 0, 0.8}'),
        '[0.6, 0, 0.8]'::tqvec(3, 4, hadamard) = tq_compress('{0.6, 0, 0.8}', 4, false, 'hadamard')")" \
    't|t|t|t|t|t|t' "without a width the fast rotation, with one Haar's unless it says hadamard"
# Until 0.2.0 a literal was of Haar's rotation: such records stay where nothing is said, and stand for floats
# everywhere.
is "$(value "
    WITH old AS (SELECT tq_compress('{0.6, 0, 0.8}', 8, true) AS v)
    SELECT v::tqvec(3) = v,
        v::tqvec(3, 8, residual) = v,
        v::tqvec(3, haar) = v,
        v::tqvec(3, 4) = tq_compress('{0.6, 0, 0.8}'),
        tq_config_hash(v::tqvec(3, hadamard)) = tq_config_hash('[0.6, 0, 0.8]'),
        v::tqvec(3, 2, hadamard) = tq_compress('{0.6, 0, 0.8}', 2, false, 'hadamard')
    FROM old")" 't|t|t|t|t|t' "records of older literals"

# Files of floats and bulk compression go the same way.
cluster_psql "$cluster" -v file="$cluster/floats.zt" 2>/dev/null <<'SQL'
COPY (SELECT tq_normalize(ARRAY[i, 1, 2, 3]::real[]) FROM generate_series(1, 50) i) TO :'file' (FORMAT ztensor);
CREATE TABLE plain (e tqvec, f tqvec(4), g tqvec(4, haar), h tqvec(4, 8, residual), v real[]);
COPY plain (e) FROM :'file' (FORMAT ztensor);
COPY plain (f) FROM :'file' (FORMAT ztensor);
COPY plain (g) FROM :'file' (FORMAT ztensor);
COPY plain (h) FROM :'file' (FORMAT ztensor);
COPY plain (v) FROM :'file' (FORMAT ztensor);
CALL tq_compress_column('plain', 'v', 'e');
CREATE VIEW made AS
SELECT coalesce(e, f) AS fast, coalesce(g, h) AS haar,
    tq_config_hash(coalesce(e, f)) = tq_config_hash('[1, 0, 0, 0]') AS like_literal,
    tq_config_hash(coalesce(g, h)) = tq_config_hash(tq_compress('{1, 0, 0, 0}', 8, true)) AS like_haar
FROM plain;
SQL
is "$(value "
    SELECT string_agg(DISTINCT like_literal::text, ','), count(fast),
        string_agg(DISTINCT like_haar::text, ','), count(haar)
    FROM made")" 'true|150|true|100' "COPY of floats and tq_compress_column make what a literal becomes"

# ---- soft errors
if [ "$PG_MAJOR" -ge 16 ]; then
    longest=$(printf '1,%.0s' $(seq 16385))
    while IFS='~' read -r text type code; do
        is "$(value "
            SELECT pg_input_is_valid('$text', '$type'), sql_error_code
            FROM pg_input_error_info('$text', '$type')")" \
            "$([ -z "$code" ] && echo t || echo f)|$code" "${text:0:30} as $type"
    done <<EOF
[0.6, 0, 0.8]~tqvec(3, 4)~
[0.6, 0, 0.8]~tqvec~
[0.6, 0, 0.8]~tqvec(4, 4)~22000
[3, 4, 0]~tqvec(3, 4)~22000
[0, 0, 0]~tqvec~22000
[]~tqvec~22000
[0.6, nan]~tqvec~22000
[1e39, 0]~tqvec~22003
[1e30, 0]~tqvec~22003
[${longest%,}]~tqvec~54000
[0.6, 0~tqvec~22P02
hello~tqvec~22P02
\\xzz~tqvec~22P02
\\x01~tqvec~22P03
$(value "SELECT tq_compress('{0.6, 0, 0.8}', 2)")~tqvec(3, 4)~22000
$(value "SELECT tq_compress('{0.6, 0, 0.8}', 4)")~tqvec(3, 4)~
EOF
    is "$(value "
        SELECT message, detail IS NULL, hint LIKE '%tq_normalize(v)%tq_train_codec%'
        FROM pg_input_error_info('[3, 4, 0]', 'tqvec(3, 4)')")" \
        "the vector's norm 5.0000 is not within 55 % of 1|t|t" "with message and hint"
    # Errors of the server's stay errors.
    like "$(value "
        SET statement_timeout = 50;
        SELECT pg_input_is_valid(literal(1, 7000), 'tqvec(7000, 4)')" 2>&1 || true)" \
        'canceling statement due to statement timeout' "a cancel is no soft error"
fi
if [ "$PG_MAJOR" -ge 17 ]; then
    execute 'CREATE TABLE loaded (id int, v tqvec(3, 4))'
    options="FORMAT csv, DELIMITER ';', ON_ERROR ignore, LOG_VERBOSITY default"
    is "$(cluster_psql "$cluster" -At -c "COPY loaded FROM STDIN ($options)" \
        -c 'SELECT id FROM loaded ORDER BY id' 2>/dev/null <<'EOF'
1;[0.6, 0, 0.8]
2;[0.6, 0, 0.8
3;[3, 4, 0]
4;[0, 1]
5;\x01
6;[0, 0, 0]
7;[0, 1, 0]
EOF
)" $'1\n7' "COPY leaves out the rows whose vectors are refused"
fi
done_testing
