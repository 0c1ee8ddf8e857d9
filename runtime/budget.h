/* budget.h - does the stop fit: the longest path of the graph into the system's budget, and that
 * into the limit that the operator names.
 *
 * A path's sum is what plan.h makes of it: each actor's own budget and a quarter of it as grace.
 * Where it is longer than the system's budget, the stop still ends in time, but everybody on it
 * gets less than was asked for: so it is said at the start, or the start is refused
 * (strict_budget). Only declared edges are known then; subscriptions made while running are looked
 * at by the stop.
 *
 * The outer limit is when somebody else kills the process: a container's or a service manager's
 * stop time-out. The budget ends two seconds before it (of a limit under four seconds: at its
 * half), for the account to be written. Thread: start-up. */
#ifndef TRP_RUNTIME_BUDGET_H
#define TRP_RUNTIME_BUDGET_H

#include "runtime/system.h"

/* What an outer limit leaves of a budget. */
uint32_t trp_budget_within(uint32_t budget_ms, uint32_t outer_limit_ms);

/* The check at the start: says in the log what does not fit. Errors: LIMIT (strict_budget; the
 * sentence is the failure of the start), NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_budget_check_start(struct trp_system *system);

#endif
