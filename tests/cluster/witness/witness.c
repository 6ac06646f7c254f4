/*
 * An extension that looks on, for tests: it logs each COPY and CALL that passes its utility hook, each query that the
 * executor starts, and each relation whose rights are checked, and lets all of them go on. pgaudit, auto_explain and
 * pg_stat_statements hang in the same places.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"

PG_MODULE_MAGIC;

static ProcessUtility_hook_type next_utility;
static ExecutorStart_hook_type next_start;
static ExecutorCheckPerms_hook_type next_check;

void _PG_init(void);

static void
utility(PlannedStmt *statement, const char *query, bool read_only_tree, ProcessUtilityContext context,
        ParamListInfo parameters, QueryEnvironment *environment, DestReceiver *destination,
        QueryCompletion *completion)
{
    const char *tag = CreateCommandName(statement->utilityStmt);
    bool seen = IsA(statement->utilityStmt, CopyStmt) || IsA(statement->utilityStmt, CallStmt);

    if (seen)
        elog(LOG, "witness: utility %s begins: %s", tag, query);
    if (next_utility)
        next_utility(statement, query, read_only_tree, context, parameters, environment, destination, completion);
    else
        standard_ProcessUtility(statement, query, read_only_tree, context, parameters, environment, destination,
                                completion);
    if (seen)
        elog(LOG, "witness: utility %s ends: " UINT64_FORMAT " rows", tag, completion ? completion->nprocessed : 0);
}

static void
start(QueryDesc *query, int flags)
{
    elog(LOG, "witness: query: %s", query->sourceText);
    if (next_start)
        next_start(query, flags);
    else
        standard_ExecutorStart(query, flags);
}

#if PG_VERSION_NUM >= 160000
#define CHECKED RTEPermissionInfo
static bool
check(List *tables, List *checked, bool complain)
#else
#define CHECKED RangeTblEntry
static bool
check(List *checked, bool complain)
#endif
{
    ListCell   *cell;

    foreach(cell, checked)
    {
        CHECKED    *entry = lfirst_node(CHECKED, cell);

        if (OidIsValid(entry->relid) && entry->requiredPerms != 0)
            elog(LOG, "witness: rights: %s %s", (entry->requiredPerms & ACL_INSERT) ? "INSERT" : "SELECT",
                 get_rel_name(entry->relid));
    }
#if PG_VERSION_NUM >= 160000
    return next_check ? next_check(tables, checked, complain) : true;
#else
    return next_check ? next_check(checked, complain) : true;
#endif
}

void
_PG_init(void)
{
    next_utility = ProcessUtility_hook;
    ProcessUtility_hook = utility;
    next_start = ExecutorStart_hook;
    ExecutorStart_hook = start;
    next_check = ExecutorCheckPerms_hook;
    ExecutorCheckPerms_hook = check;
}
