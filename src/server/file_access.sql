-- Who may call the functions that name files of the server. As COPY, a statement, they go by the roles pg_read_server_files and
-- pg_write_server_files, which they ask for before anything else, and name in the error; so everyone may call them, and a GRANT
-- of EXECUTE alone opens no file. The roles have EXECUTE of their own, so that whoever takes it from PUBLIC leaves it to those
-- who may use it, with no second GRANT to remember.

GRANT EXECUTE ON FUNCTION tq_import(regclass, text, jsonb) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_import_codec(text, text, text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_corpus_info(text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_corpus_scan(text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_corpus_search(text, real[], integer, text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_corpus_verify(text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_file_info(text) TO pg_read_server_files;

GRANT EXECUTE ON FUNCTION tq_export(text, text, jsonb) TO pg_write_server_files;
GRANT EXECUTE ON FUNCTION tq_export_codec(text, text, text) TO pg_write_server_files;
GRANT EXECUTE ON FUNCTION tq_convert(text, text, jsonb) TO pg_write_server_files;
GRANT EXECUTE ON FUNCTION tq_merge(text, text[], jsonb) TO pg_write_server_files;
