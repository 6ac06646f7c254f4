-- Who may call the functions that name files of the server. Core keeps their like from PUBLIC: pg_read_binary_file and
-- pg_stat_file (as tq_corpus_* and tq_file_info), lo_import (as tq_import, tq_import_codec) and lo_export (as tq_export, tq_export_codec, and tq_convert and tq_merge, which read as well). COPY,
-- a statement, goes by roles instead: pg_read_server_files and pg_write_server_files. Here it is both. The roles have EXECUTE, so
-- that whoever may COPY may call these, with no second GRANT to remember; and the functions ask for the role once more
-- where they open a file, so that a GRANT of EXECUTE alone opens none.

REVOKE EXECUTE ON FUNCTION tq_import(regclass, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_import(regclass, text, jsonb) TO pg_read_server_files;
REVOKE EXECUTE ON FUNCTION tq_import_codec(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_import_codec(text, text, text) TO pg_read_server_files;
REVOKE EXECUTE ON FUNCTION tq_corpus_info(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_corpus_info(text) TO pg_read_server_files;
REVOKE EXECUTE ON FUNCTION tq_corpus_scan(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_corpus_scan(text) TO pg_read_server_files;
REVOKE EXECUTE ON FUNCTION tq_corpus_search(text, real[], integer, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_corpus_search(text, real[], integer, text) TO pg_read_server_files;
REVOKE EXECUTE ON FUNCTION tq_corpus_verify(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_corpus_verify(text) TO pg_read_server_files;
REVOKE EXECUTE ON FUNCTION tq_file_info(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_file_info(text) TO pg_read_server_files;

REVOKE EXECUTE ON FUNCTION tq_export(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_export(text, text, jsonb) TO pg_write_server_files;
REVOKE EXECUTE ON FUNCTION tq_export_codec(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_export_codec(text, text, text) TO pg_write_server_files;
REVOKE EXECUTE ON FUNCTION tq_convert(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_convert(text, text, jsonb) TO pg_write_server_files;
REVOKE EXECUTE ON FUNCTION tq_merge(text, text[], jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_merge(text, text[], jsonb) TO pg_write_server_files;
