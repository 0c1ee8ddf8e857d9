/* symbols.h - the names of functions, static ones too, for stacks.
 *
 * The table is read once, at start, from the ELF files of the program (.symtab: dladdr knows no
 * static function) and of each library loaded by then (.dynsym where stripped). Afterwards it never
 * changes, so a look-up takes no lock and no memory and is async-signal-safe: last words may name
 * functions. A file that is damaged costs names, never a bad access: every offset is checked
 * against the file's size before anything is read or allocated. */
#ifndef TRP_RUNTIME_SYMBOLS_H
#define TRP_RUNTIME_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

/* Reads the process's table; the second call and all later ones do nothing. Without it, or without
 * memory, names are "module+0x...". Thread: any. */
void trp_symbols_load(void);

/* Writes "function+0x1f", else "module+0x...", else "0x...", for the instruction at pc (for a
 * return address ask for pc - 1: the call may be the function's last instruction). Always
 * terminated, cut where it does not fit; returns the length written. Async-signal-safe. Thread:
 * any. */
size_t trp_symbols_name(uintptr_t pc, char *out, size_t bytes);

/* How many functions the process's table knows. Thread: any. */
size_t trp_symbols_count(void);

/* A table of one's own (the process's is made of the same). */
struct trp_symbol_table;

/* Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_symbol_table_new(struct trp_symbol_table **out);

/* Adds the functions of an ELF file loaded at `bias`; what was read before an error stays.
 * Errors: MALFORMED, LIMIT, NO_MEMORY, SYSTEM. Thread: owner. */
TRP_MUST_USE enum trp_err trp_symbol_table_read(struct trp_symbol_table *table, int fd,
                                                uintptr_t bias);

/* To be called after the last read and before the first find. Thread: owner. */
void trp_symbol_table_sort(struct trp_symbol_table *table);

/* The function that covers pc and its start; NULL where there is none. Thread: any, after sort. */
const char *trp_symbol_table_find(const struct trp_symbol_table *table, uintptr_t pc,
                                  uintptr_t *start);

size_t trp_symbol_table_count(const struct trp_symbol_table *table);
void trp_symbol_table_destroy(struct trp_symbol_table **table);

#endif
