-- Files: corpora by COPY beside core's own binary COPY of the same records, in turn. The table t_vector_plain (id int, v vector) is
-- there, and the variable `folder` names one that the server may write; see scripts/bench. Medians of five.

\ir timed.sql
SELECT format('CREATE TABLE records AS SELECT id, v::real[]::tqvec(%s, 4) AS e FROM t_vector_plain', vector_dims(v))
FROM t_vector_plain LIMIT 1 \gexec
CREATE TABLE as_bytes AS SELECT e::bytea AS e FROM records;
CREATE TABLE into_tqvec (e tqvec);
CREATE TABLE into_bytes (e bytea);
ALTER TABLE into_bytes ALTER e SET STORAGE external;
CREATE TABLE into_vector (LIKE t_vector_plain);
VACUUM ANALYZE;
CHECKPOINT;

DO $$
BEGIN
    FOR i IN 1..5 LOOP
        CALL time_file('COPY TO, core''s binary, and sync of the file', 1, 1,
            'COPY (SELECT e FROM as_bytes) TO ''%/core.bin'' (FORMAT binary); COPY (SELECT) TO PROGRAM ''sync %/core.bin''');
        CALL time_file('COPY TO, corpus (durable, renamed)', 2, 1, 'COPY (SELECT e FROM records) TO ''%/corpus.tqcv'' (FORMAT tqcv)');
        CALL time_file('COPY TO, corpus with ids', 3, 1, 'COPY (SELECT id, e FROM records) TO ''%/ids.tqcv'' (FORMAT tqcv)');
        TRUNCATE into_bytes, into_tqvec, into_vector;
        COMMIT;
        CALL time_file('COPY FROM, core''s binary', 4, 4, 'COPY into_bytes FROM ''%/core.bin'' (FORMAT binary)');
        COMMIT;
        CALL time_file('COPY FROM, corpus', 5, 4, 'COPY into_tqvec FROM ''%/corpus.tqcv'' (FORMAT tqcv)');
        COMMIT;
        IF i = 1 THEN
            EXECUTE replace('COPY t_vector_plain TO ''%/vector.bin'' (FORMAT binary)', '%', current_setting('bench.folder'));
        END IF;
        CALL time_file('COPY FROM, binary, into pgvector''s vector', 6, 4, 'COPY into_vector FROM ''%/vector.bin'' (FORMAT binary)');
        COMMIT;
    END LOOP;
END $$;
SELECT what, round((rows / ms * 1000)::numeric) AS "rows/s", round(times::numeric, 2) AS "times core's"
FROM timed, (SELECT count(*) AS rows FROM records) count ORDER BY position;
