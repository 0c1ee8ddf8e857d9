/* symbol_table.h - the process's table of symbols: "BTCUSDT.BINANCE" and its small number.
 *
 * Append-only: a number, once given, means the same name until the process ends, so that 48-byte
 * quotes carry four bytes instead of a name, over restarts and between systems of one process.
 * Numbers start at 1; 0 is "no symbol" (and in a subscription "every symbol"). They are this
 * process's own: never stored, never sent to another process.
 *
 * Synchronisation: one mutex, held for a hash look-up. Names are never moved nor changed, so a
 * returned name is valid for ever. Thread: any. */
#ifndef TRP_ACTORS_SYMBOL_TABLE_H
#define TRP_ACTORS_SYMBOL_TABLE_H

#include <stdint.h>

#define TRP_SYMBOLS_MAX 65536
#define TRP_SYMBOL_NAME_MAX 47 /* bytes */

/* The number of a name, a new one where it has none. 0: the name is empty or too long, or the table
 * is full. */
uint32_t trp_symbol_intern(const char *name);

/* The number of a name, 0 where it has none. */
uint32_t trp_symbol_find(const char *name);

/* The name of a number, "?" where it is nobody's; never NULL. */
const char *trp_symbol_name(uint32_t number);

/* How many there are: numbers run from 1 to this. */
uint32_t trp_symbol_count(void);

#endif
