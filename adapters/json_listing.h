/* json_listing.h - the symbols of an exchange, out of the body that lists them.
 *
 * Exchanges describe each symbol with some kilobytes of filters and rights; what is wanted here is
 * its name. Thread: any. */
#ifndef TRP_ADAPTERS_JSON_LISTING_H
#define TRP_ADAPTERS_JSON_LISTING_H

#include <stddef.h>

#include "proto/errors.h"

/* Calls `each` with every text at `path` ("symbols[].symbol", "[].id"). `*reason` gets a few words
 * on any error. Errors: as trp_json_walk; MALFORMED too where there is none. */
TRP_MUST_USE enum trp_err trp_json_listing(const void *bytes, size_t size, const char *path,
                                           void (*each)(void *arg, const char *symbol), void *arg,
                                           const char **reason);

#endif
