-- What the extension puts into a database, in full: whoever reviews it before installing it can read it here, and a change of it
-- shows. tests/cluster/lifecycle.sh runs this file, too: an upgraded extension must give the same lists as a fresh one.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;

CREATE TEMPORARY VIEW member AS
    SELECT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
      AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'tinyquant')
      -- Array and row types come with what they are of.
      AND NOT EXISTS (SELECT FROM pg_type WHERE classid = 'pg_type'::regclass AND oid = objid AND (typcategory = 'A' OR typrelid <> 0));
-- Who else than the owner may: rights that are nobody's but the owner's are 'owner', those of all 'PUBLIC'.
CREATE FUNCTION pg_temp.others(acl aclitem[], owner oid) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(format('%s %s', who, rights), ', ' ORDER BY who), 'owner')
    FROM (SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS who,
                 string_agg(privilege_type || CASE WHEN is_grantable THEN '*' ELSE '' END, ' ' ORDER BY privilege_type) AS rights
          FROM aclexplode(acl) WHERE grantee <> owner GROUP BY grantee) r
$$;
CREATE TEMPORARY VIEW function AS
    SELECT p.*, p.oid::regprocedure::text AS signature, l.lanname,
           CASE provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
           CASE proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel
    FROM pg_proc p JOIN member ON classid = 'pg_proc'::regclass AND objid = p.oid JOIN pg_language l ON l.oid = prolang;

-- How many of what
SELECT classid::regclass, count(*) FROM member GROUP BY 1 ORDER BY 1::text COLLATE "C";

-- Functions and procedures: result | strict | volatility | parallel | cost, rows | language, leakproof, security | who may execute
SELECT signature, CASE prokind WHEN 'p' THEN 'procedure' ELSE pg_get_function_result(oid) END,
       CASE WHEN proisstrict THEN 'strict' ELSE 'called on null' END, volatility, parallel,
       concat_ws(', ', 'cost ' || procost, 'rows ' || nullif(prorows, 0)),
       concat_ws(', ', lanname, CASE WHEN proleakproof THEN 'leakproof' END, CASE WHEN prosecdef THEN 'SECURITY DEFINER' END,
                 array_to_string(proconfig, ' ')),
       pg_temp.others(coalesce(proacl, acldefault('f', proowner)), proowner)
FROM function WHERE prokind <> 'a' ORDER BY signature COLLATE "C";

-- Arguments with names and defaults
SELECT proname, pg_get_function_arguments(oid) FROM function WHERE proargnames IS NOT NULL ORDER BY signature COLLATE "C";

-- What core's functions stand behind functions of ours
SELECT signature, prosrc FROM function WHERE lanname = 'internal' AND prokind <> 'a' ORDER BY signature COLLATE "C";

-- What the planner asks about functions of ours
SELECT signature, prosupport FROM function WHERE prosupport <> 0::oid ORDER BY signature COLLATE "C";

-- Aggregates
SELECT signature, parallel, pg_get_function_result(f.oid), aggtransfn::oid::regprocedure, aggtranstype::regtype, aggtransspace, aggcombinefn, aggserialfn,
       aggdeserialfn, aggfinalfn, aggfinalmodify, pg_temp.others(coalesce(proacl, acldefault('f', proowner)), proowner)
FROM function f JOIN pg_aggregate a ON a.aggfnoid = f.oid ORDER BY signature COLLATE "C";

-- The type
SELECT t.oid::regtype, typlen, typbyval, typcategory, typispreferred, typalign, typstorage, typcollation, typdelim, typinput, typoutput,
       typreceive, typsend, typmodin, typmodout, typanalyze, typsubscript, typarray::regtype,
       pg_temp.others(coalesce(typacl, acldefault('T', typowner)), typowner)
FROM pg_type t JOIN member ON classid = 'pg_type'::regclass AND objid = t.oid ORDER BY t.oid::regtype::text COLLATE "C";

-- Casts
SELECT format('%s to %s', castsource::regtype, casttarget::regtype) COLLATE "C",
       CASE castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit' END,
       CASE castmethod WHEN 'b' THEN 'binary coercible' ELSE castfunc::regprocedure::text END
FROM pg_cast JOIN member ON classid = 'pg_cast'::regclass AND objid = pg_cast.oid ORDER BY 1;

-- Operators: function | commutator | negator | selectivity | merges, hashes
SELECT o.oid::regoperator, oprcode::oid::regprocedure, oprcom::regoperator, nullif(oprnegate, 0)::regoperator, nullif(oprrest, 0::oid)::regproc,
       nullif(oprjoin, 0::oid)::regproc, concat_ws(' ', CASE WHEN oprcanmerge THEN 'merges' END, CASE WHEN oprcanhash THEN 'hashes' END)
FROM pg_operator o JOIN member ON classid = 'pg_operator'::regclass AND objid = o.oid
ORDER BY o.oid::regoperator::text COLLATE "C";

-- Access methods
SELECT amname, amtype, amhandler FROM pg_am a JOIN member ON classid = 'pg_am'::regclass AND objid = a.oid;

-- Operator classes, their operators and functions
SELECT amname, opcname, opcintype::regtype, CASE WHEN opcdefault THEN 'default' END,
       (SELECT string_agg(format('%s %s', amopstrategy, amopopr::regoperator), ', ' ORDER BY amopstrategy, amopopr::regoperator::text COLLATE "C")
        FROM pg_amop WHERE amopfamily = opcfamily),
       (SELECT string_agg(format('%s %s', amprocnum, amproc::regprocedure), ', ' ORDER BY amprocnum) FROM pg_amproc WHERE amprocfamily = opcfamily)
FROM pg_opclass c JOIN member ON classid = 'pg_opclass'::regclass AND objid = c.oid JOIN pg_am a ON a.oid = opcmethod
ORDER BY opcname COLLATE "C";

-- The table: columns, constraints, triggers, rights; what pg_dump takes of it
SELECT attname, format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END, pg_get_expr(adbin, adrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = 'tq_catalog.tq_codec'::regclass AND attnum > 0 ORDER BY attnum;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'tq_catalog.tq_codec'::regclass AND contype <> 'n' ORDER BY conname COLLATE "C";
SELECT tgenabled, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'tq_catalog.tq_codec'::regclass ORDER BY tgname COLLATE "C";
SELECT relkind, relrowsecurity, pg_temp.others(relacl, relowner), extconfig = ARRAY[c.oid], extcondition, extrelocatable
FROM pg_class c, pg_extension WHERE c.oid = 'tq_catalog.tq_codec'::regclass AND extname = 'tinyquant';

-- Rights as the installation leaves them: pg_dump takes others for changes of a user's
SELECT format('%s: %s', pg_describe_object(i.classoid, i.objoid, i.objsubid),
              pg_temp.others(initprivs, coalesce((SELECT proowner FROM pg_proc WHERE oid = objoid),
                                                 (SELECT relowner FROM pg_class WHERE oid = objoid),
                                                 (SELECT nspowner FROM pg_namespace WHERE oid = objoid)))) COLLATE "C"
FROM pg_init_privs i JOIN member ON (classid, objid) = (classoid, objoid) ORDER BY 1;

-- Comments
SELECT format('%s: %s', pg_describe_object(classid, objid, objsubid), description) COLLATE "C"
FROM pg_description JOIN member ON (classid, objid) = (classoid, objoid) ORDER BY 1;
SELECT format('%s: %s', tgname, obj_description(oid, 'pg_trigger')) FROM pg_trigger
WHERE tgrelid = 'tq_catalog.tq_codec'::regclass ORDER BY tgname COLLATE "C";

-- None of these: objects without a comment
SELECT pg_describe_object(classid, objid, 0) COLLATE "C" FROM member
WHERE obj_description(objid, classid::regclass::text::name) IS NULL ORDER BY 1;
SELECT attname FROM pg_attribute
WHERE attrelid = 'tq_catalog.tq_codec'::regclass AND attnum > 0 AND col_description(attrelid, attnum) IS NULL;
-- operator classes that their access method refuses
SELECT opcname FROM pg_opclass c JOIN member ON classid = 'pg_opclass'::regclass AND objid = c.oid WHERE NOT amvalidate(c.oid);
-- operators whose function isn't immutable, strict and parallel safe, or whose partner doesn't point back
SELECT o.oid::regoperator FROM pg_operator o JOIN member ON classid = 'pg_operator'::regclass AND objid = o.oid
JOIN pg_proc p ON p.oid = oprcode LEFT JOIN pg_operator c ON c.oid = o.oprcom LEFT JOIN pg_operator n ON n.oid = o.oprnegate
WHERE provolatile <> 'i' OR NOT proisstrict OR proparallel <> 's' OR c.oprcom <> o.oid OR n.oprnegate <> o.oid;
-- functions with the rights of their owner; leakproof functions of our own code
SELECT signature FROM function WHERE prosecdef OR proleakproof AND lanname <> 'internal';
-- functions whose PARALLEL SAFE is worth less than what they call: aggregates and casts
SELECT f.signature FROM function f JOIN pg_aggregate a ON a.aggfnoid = f.oid
JOIN function g ON g.oid IN (aggtransfn, aggcombinefn, aggserialfn, aggdeserialfn, aggfinalfn) WHERE f.parallel = 'safe' AND g.parallel <> 'safe';
-- functions that stand for the whole server and that everybody may execute; functions that name files, which ask for a role (21_manners.sql
-- calls them all), and that neither role may execute by itself
SELECT signature FROM function WHERE proname LIKE '%rotation_cache%' AND has_function_privilege('public', oid, 'EXECUTE');
SELECT signature FROM function
WHERE proargnames && ARRAY['path', 'codebook_path', 'json_path', 'source', 'target', 'sources']
  AND proname <> 'tq_compress_column' -- whose source and target are columns
  AND NOT EXISTS (SELECT FROM pg_proc p, aclexplode(p.proacl) WHERE p.oid = function.oid AND grantee::regrole::text ~ '^pg_(read|write)_server_files$');
-- functions that write, or lock, and call themselves anything but volatile
SELECT signature FROM function
WHERE proname ~ '^tq_(create|drop|import|export|convert|merge|clear|enable|run|compress_column)' AND (volatility <> 'volatile' OR parallel <> 'unsafe');
-- functions for the server alone that SQL could call
SELECT signature FROM function WHERE proname ~ '_(accumulate|combine|deserialize|recv|sortsupport|sum|avg|finish)$|_serialize$' AND NOT 'internal'::regtype = ANY (proargtypes);
DROP VIEW function, member;
\pset format aligned
\pset tuples_only off
