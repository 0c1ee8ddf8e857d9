/* exchange_request.h - a client's message to the embedded exchange, read once for all dialects:
 * {"method":..,"params":[..],"id":..} as Binance and MEXC have it, and
 * {"time":..,"channel":..,"event":..,"payload":[..],"id":..} as Gate.io does.
 *
 * Nothing trusts the client: texts go into fields of fixed size, what does not fit makes the
 * message bad, and a list has a bound. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_REQUEST_H
#define TRP_ADAPTERS_EXCHANGE_REQUEST_H

#include "adapters/exchange_subs.h"
#include "proto/errors.h"

#define TRP_EXCHANGE_ID_MAX 36

enum trp_exchange_param_kind {
  TRP_EXCHANGE_PARAM_TEXT,
  TRP_EXCHANGE_PARAM_TRUE,
  TRP_EXCHANGE_PARAM_FALSE,
  TRP_EXCHANGE_PARAM_OTHER /* a number, null, or a text that is too long for a name */
};

struct trp_exchange_param {
  enum trp_exchange_param_kind kind;
  char text[TRP_EXCHANGE_NAME_MAX + 1];
};

struct trp_exchange_request {
  char method[32];                  /* "method"; not too long, but cut */
  char channel[64];                 /* "channel" */
  char event[32];                   /* "event" */
  char id[TRP_EXCHANGE_ID_MAX + 3]; /* as it goes into the answer, quotes included; "" for none */
  bool has_method, has_time;
  bool bad_id;
  bool bad_params; /* the list is no list of plain values, or too long */
  uint64_t time_s;
  struct trp_exchange_param *params; /* of "params" or "payload" */
  uint32_t count, capacity;
  size_t size; /* of the whole text */
};

/* Reads a message; the caller frees it with fini in any case. Errors: MALFORMED, TRUNCATED,
 * TOO_BIG. */
TRP_MUST_USE enum trp_err trp_exchange_request_read(struct trp_exchange_request *request,
                                                    const void *bytes, size_t size);
void trp_exchange_request_fini(struct trp_exchange_request *request);

/* The id as it goes into an answer; "null" where there is none. */
const char *trp_exchange_request_id(const struct trp_exchange_request *request);

/* Letters, digits, '_', '.' and '-': what may go back into JSON as it is. */
bool trp_exchange_plain(char c);

/* A name: letters of whatever language, but nothing that JSON would escape. */
bool trp_exchange_name_valid(const char *name);

#endif
