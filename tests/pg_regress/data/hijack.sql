-- A schema `hijack` with a namesake of everything in pg_catalog and of everything of the extension, if it is there: functions,
-- operators, types, relations. Each raises an error when it is used, and is found before the real one where `hijack` comes first
-- in a search path: what runs there without an error has not let the path decide.
SET search_path = pg_catalog, pg_temp;
CREATE SCHEMA hijack;
-- What always fails, whatever its arguments: "cannot accept a value of type any".
CREATE FUNCTION hijack.refuse() RETURNS boolean LANGUAGE internal AS 'any_in';
DO $$
DECLARE
    extension CONSTANT oid := (SELECT extnamespace FROM pg_extension WHERE extname = 'tinyquant');
    made record;
BEGIN
    FOR made IN
        SELECT format('CREATE %s hijack.%I(%s) %s LANGUAGE internal AS ''any_in''',
                      CASE prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, proname,
                      CASE prokind WHEN 'a' THEN oidvectortypes(proargtypes) ELSE pg_get_function_arguments(oid) END,
                      'RETURNS ' || pg_get_function_result(oid)) AS statement
        FROM pg_proc
        WHERE NOT 'internal'::regtype = ANY (proargtypes) AND NOT 'cstring'::regtype = ANY (proargtypes) -- SQL has no such values
          AND pronamespace IN ('pg_catalog'::regnamespace, extension)
        UNION ALL
        SELECT format('CREATE FUNCTION hijack.%1$I(%2$s) RETURNS %3$s LANGUAGE internal AS ''any_in'';
                       CREATE OPERATOR hijack.%4$s (FUNCTION = hijack.%1$I, %5$s RIGHTARG = %6$s)',
                      'operator_' || o.oid, concat_ws(', ', nullif(oprleft, 0)::regtype, oprright::regtype), oprresult::regtype,
                      oprname, 'LEFTARG = ' || nullif(oprleft, 0)::regtype || ',', oprright::regtype)
        FROM pg_operator o WHERE oprnamespace IN ('pg_catalog'::regnamespace, extension) AND oprcode <> 0
    LOOP
        EXECUTE made.statement;
    END LOOP;
    FOR made IN
        SELECT format('CREATE DOMAIN hijack.%I AS %s CHECK (hijack.refuse())', typname, oid::regtype) AS statement
        FROM pg_type t WHERE typnamespace IN ('pg_catalog'::regnamespace, extension) AND typtype IN ('b', 'r') AND typcategory <> 'A'
        UNION ALL
        SELECT format('CREATE VIEW hijack.%I AS SELECT hijack.refuse()', relname)
        FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
           OR relnamespace = to_regnamespace('tq_catalog') AND relname = 'tq_codec'
    LOOP
        EXECUTE made.statement;
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA hijack TO PUBLIC;
RESET search_path;
