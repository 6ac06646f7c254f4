-- Statements on files, timed: CALL time_file(what, position, position of what it is compared with, statement). The variable
-- `folder` names a folder that the server may write, for which % stands in statements. The view `timed` has the medians.

SET client_min_messages = warning;
SELECT set_config('bench.folder', :'folder', false) \g /dev/null
CREATE TABLE files (what text, position int, against int, ms float8);
CREATE PROCEDURE time_file(what text, place int, other int, statement text) LANGUAGE plpgsql AS $$
DECLARE started timestamptz := clock_timestamp();
BEGIN
    EXECUTE replace(statement, '%', current_setting('bench.folder'));
    INSERT INTO files VALUES (what, place, other, 1000 * extract(epoch FROM clock_timestamp() - started));
END $$;
CREATE VIEW timed AS
SELECT f.what, f.position, f.ms, other.ms / f.ms AS times
FROM (SELECT what, position, against, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS ms FROM files GROUP BY 1, 2, 3) f
JOIN (SELECT position, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS ms FROM files GROUP BY 1) other ON other.position = f.against;
