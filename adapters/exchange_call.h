/* exchange_call.h - one REST call to the embedded exchange, and what all dialects do alike with it:
 * parameters, symbols, limits, refusals.
 *
 * A dialect has a table of routes; how it words a refusal is a function of its own, so that what
 * reads a parameter need not know the dialect. Thread: one at a time. */
#ifndef TRP_ADAPTERS_EXCHANGE_CALL_H
#define TRP_ADAPTERS_EXCHANGE_CALL_H

#include "adapters/exchange_market.h"
#include "adapters/exchange_meter.h"
#include "adapters/exchange_text.h"

struct trp_exchange_response {
  uint16_t status;
  char extra[256]; /* header lines */
};

enum trp_exchange_problem {
  TRP_EXCHANGE_NO_ROUTE = 1,
  TRP_EXCHANGE_MISSING,     /* a parameter that is needed */
  TRP_EXCHANGE_ILLEGAL,     /* a parameter's text */
  TRP_EXCHANGE_RANGE,       /* a parameter's value */
  TRP_EXCHANGE_UNKNOWN,     /* a symbol that is not listed */
  TRP_EXCHANGE_CROWDED,     /* more symbols than an answer has room for */
  TRP_EXCHANGE_LATE,        /* a time stamp outside of its window */
  TRP_EXCHANGE_UNSIGNED,    /* what needs a key that nobody has here */
  TRP_EXCHANGE_TOO_MANY,    /* 429 */
  TRP_EXCHANGE_BANNED,      /* 418 */
  TRP_EXCHANGE_BROKEN,      /* 500 */
  TRP_EXCHANGE_UNAVAILABLE, /* 503: it is stopping */
};

struct trp_exchange_call {
  const struct trp_exchange_market *market;
  struct trp_exchange_meter *meter; /* of who calls */
  const char *method;
  const char *path;  /* with the query */
  const char *query; /* "" for none */
  uint64_t wall_ms;
  uint32_t retry_after_s; /* TOO_MANY and BANNED */
  uint32_t limit_max;     /* for their words */
  struct trp_exchange_response *response;
  struct trp_exchange_text *body;

  /* The dialect's: makes the answer a refusal; `what` names the parameter or the value. */
  void (*refuse)(struct trp_exchange_call *call, enum trp_exchange_problem problem,
                 const char *what);
  bool underscore;   /* symbols are BTC_USDT */
  const char *legal; /* which characters a symbol has beside A-Z and 0-9 */
};

struct trp_exchange_route {
  const char *path; /* behind the dialect's base */
  void (*run)(struct trp_exchange_call *call);
  uint32_t weight, weight_all; /* weight_all: without symbol= */
  bool any;                    /* any method, not only GET */
};

/* Fills in method, path and query, and an answer of 200 without text. */
void trp_exchange_call_begin(struct trp_exchange_call *call, const char *method, const char *path,
                             uint64_t now_ns);

/* A GET of one of the routes; NULL where it is none, which is refused. */
const struct trp_exchange_route *trp_exchange_call_route(struct trp_exchange_call *call,
                                                         const char *base,
                                                         const struct trp_exchange_route *routes,
                                                         uint32_t count);

/* Charges the caller's meter; over the limit the call is refused, and false. */
bool trp_exchange_call_charge(struct trp_exchange_call *call,
                              const struct trp_exchange_budget *budget, uint32_t counter,
                              uint32_t units);

/* A header line more; one that finds no room is left out. */
__attribute__((format(printf, 2, 3))) void trp_exchange_call_header(struct trp_exchange_call *call,
                                                                    const char *format, ...);

/* ,"key":"1.00000000" */
void trp_exchange_call_pair(struct trp_exchange_call *call, const char *key, int64_t value);

/* ---- parameters ---- */

/* Copies the value of a parameter; false where it is absent. One that is malformed or too long is
 * cut there, and is then hardly a valid value of anything. */
bool trp_exchange_call_parameter(const struct trp_exchange_call *call, const char *name, char *out,
                                 size_t size);

/* A number between `min` and `max`, `usual` where it is absent; what is larger becomes `max` unless
 * `strict`. False: the call is refused. */
bool trp_exchange_call_number(struct trp_exchange_call *call, const char *name, uint32_t usual,
                              uint32_t max, bool strict, uint32_t *out);

/* Any number, 0 too; `*given` says whether there is one. False: the call is refused. */
bool trp_exchange_call_id(struct trp_exchange_call *call, const char *name, bool *given,
                          uint64_t *out);

/* Answers a call that needs a signature, which nobody has here: its time stamp (milliseconds, in
 * the query) is checked first. */
void trp_exchange_call_signed(struct trp_exchange_call *call);

/* ---- symbols ---- */

/* A symbol in either kind of market. */
struct trp_exchange_listed {
  char name[40]; /* as the dialect writes it */
  char base[24], quote[16];
  int64_t tick, step;
  uint32_t index; /* in the walk or the recording */
};

uint32_t trp_exchange_listed_count(const struct trp_exchange_market *market);
void trp_exchange_listed_at(const struct trp_exchange_market *market, uint32_t index,
                            bool underscore, struct trp_exchange_listed *out);
bool trp_exchange_listed_find(const struct trp_exchange_market *market, const char *name,
                              bool underscore, struct trp_exchange_listed *out);

/* The symbol that a parameter names; false: the call is refused. */
bool trp_exchange_call_symbol(struct trp_exchange_call *call, const char *parameter,
                              struct trp_exchange_listed *out);

/* Bid, its size, ask, its size of a recorded snapshot; zeros where there is none. */
void trp_exchange_recorded_best(const struct trp_exchange_market *market, const char *symbol,
                                char text[4][32]);

/* Numbers of symbols. */
struct trp_exchange_choice {
  uint32_t count;
  bool single; /* named by the parameter for one alone */
  uint16_t index[TRP_REPLAY_SYMBOLS_MAX];
};

/* `one`=X, `many`=["X","Y"] or X,Y (NULL: there is no such parameter), or none of them: all.
 * False: the call is refused. */
bool trp_exchange_call_choose(struct trp_exchange_call *call, const char *one, const char *many,
                              struct trp_exchange_choice *out);

#endif
