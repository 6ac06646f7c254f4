-- Float matrices in files of other formats, and core's own binary COPY of the same floats as real[] and as pgvector's vector, in
-- turn. The variable `rows` names a file of (id int, v vector) in core's binary format, `folder` a folder that the server may write,
-- in which of_fbin.py (tests/cluster) makes the files of formats that aren't written here. Medians of five.

\ir timed.sql
\if :{?dims}
\else
\set dims 384
\endif
CREATE EXTENSION vector;
CREATE EXTENSION tinyquant;
CREATE TABLE given (id int, v vector(:dims));
SELECT format('COPY given FROM %L (FORMAT binary)', :'rows') \gexec
CREATE TABLE arrays AS SELECT id, v::real[] AS v FROM given ORDER BY id;
CREATE TABLE into_arrays (v real[]);
CREATE TABLE into_vector (v vector(:dims));
CREATE TABLE into_tqvec (v tqvec(:dims, 4));
-- Options of COPY TO of what is written; of the others, what of_fbin.py calls them.
CREATE TABLE formats (place int, format text, written text, made text);
INSERT INTO formats VALUES
    (1, 'ztensor', '', NULL), (2, 'ztensor', ', COMPRESSION zstd', NULL), (3, 'burnpack', '', NULL), (4, 'qvec', '', NULL),
    (5, 'npy', '', NULL), (6, 'safetensors', '', NULL), (7, 'fbin', '', NULL), (8, 'fvecs', NULL, 'fvecs'),
    (9, 'npz', NULL, 'npz'), (10, 'gguf', NULL, 'gguf'), (11, 'torch', NULL, 'torch');
VACUUM ANALYZE;
CHECKPOINT;

DO $$
DECLARE
    f record;
    dims int := (SELECT array_length(v, 1) FROM arrays LIMIT 1);
BEGIN
    EXECUTE replace('COPY (SELECT v::vector FROM arrays) TO ''%/vector.bin'' (FORMAT binary)', '%', current_setting('bench.folder'));
    FOR i IN 1..5 LOOP
        CALL time_file('COPY TO, core''s binary, and sync of the file', 1, 1,
            'COPY (SELECT v FROM arrays) TO ''%/core.bin'' (FORMAT binary); COPY (SELECT) TO PROGRAM ''sync %/core.bin''');
        FOR f IN SELECT * FROM formats WHERE written IS NOT NULL ORDER BY place LOOP
            CALL time_file(format('COPY TO, %s%s (durable, renamed)', f.format, f.written), 1 + f.place, 1,
                format('COPY (SELECT v FROM arrays) TO ''%%/%s.out'' (FORMAT %s%s)', f.place, f.format, f.written));
        END LOOP;
        CALL time_file('COPY TO, safetensors with ids (durable, renamed)', 20, 1,
            'COPY (SELECT id, v FROM arrays) TO ''%/ids.out'' (FORMAT safetensors)');
        IF i = 1 THEN
            FOR f IN SELECT * FROM formats WHERE made IS NOT NULL LOOP
                EXECUTE replace(format('COPY (SELECT) TO PROGRAM ''python3 %%/of_fbin.py %s %%/7.out %%/%s.out''', f.made, f.place),
                    '%', current_setting('bench.folder'));
            END LOOP;
        END IF;
        TRUNCATE into_arrays, into_vector;
        COMMIT;
        CALL time_file('COPY FROM, core''s binary, into real[]', 21, 21, 'COPY into_arrays FROM ''%/core.bin'' (FORMAT binary)');
        COMMIT;
        CALL time_file('COPY FROM, core''s binary, into vector', 22, 21, 'COPY into_vector FROM ''%/vector.bin'' (FORMAT binary)');
        COMMIT;
        FOR f IN SELECT * FROM formats ORDER BY place LOOP
            TRUNCATE into_arrays, into_tqvec;
            COMMIT;
            CALL time_file(format('COPY FROM, %s%s, into real[]', f.format, coalesce(f.written, '')), 22 + f.place, 21,
                format('COPY into_arrays FROM ''%%/%s.out'' (FORMAT %s)', f.place, f.format));
            COMMIT;
            CALL time_file(format('COPY FROM, %s%s, into tqvec(%s, 4)', f.format, coalesce(f.written, ''), dims), 40 + f.place, 21,
                format('COPY into_tqvec FROM ''%%/%s.out'' (FORMAT %s)', f.place, f.format));
            COMMIT;
        END LOOP;
    END LOOP;
END $$;
SELECT what, round((rows / ms * 1000)::numeric) AS "rows/s", round(times::numeric, 2) AS "times core's"
FROM timed, (SELECT count(*) AS rows FROM arrays) count ORDER BY position;
