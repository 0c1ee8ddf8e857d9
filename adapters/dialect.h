/* dialect.h - what sets one exchange apart from another, as a table of constants and functions.
 *
 * The machine (machine.h) and the feed (feed.h) are the same for every exchange: life, symbols,
 * acknowledgements, limits, heartbeat, staleness, books, reconnecting. A dialect says how texts and
 * URLs are built, what a frame means, what an error is worth, and what the exchange allows. It has
 * no state of its own but the parser, which the machine makes, one for itself, and destroys.
 *
 * A further exchange is one file beside its parsers (NAME_wire.h): NAME.c with its table
 * trp_NAME_dialect and its kind trp_NAME_feed_kind (feed.h says how), declared in NAME.h, and its
 * test, test/unit/NAME_test.c. adapters/README.md walks through it.
 *
 * Ownership: what a dialect hands to hear() is borrowed for that call. Functions are pure but for
 * the parser. Thread: the machine's owner's; the tables are constant. */
#ifndef TRP_ADAPTERS_DIALECT_H
#define TRP_ADAPTERS_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "adapters/depth_book.h"
#include "adapters/wire.h"
#include "proto/errors.h"

#define TRP_DIALECT_SYMBOL_MAX 38 /* bytes: with the venue it fits a 48-byte field */
#define TRP_DIALECT_SIDE_MAX 5000 /* levels a side, in a snapshot or in one update */

/* What can be subscribed to for a symbol, as bits; each is one subscription of the exchange's. */
enum trp_stream {
  TRP_STREAM_QUOTES = 1,
  TRP_STREAM_TRADES = 2,
  TRP_STREAM_DEPTH = 4,   /* updates of a book whose snapshot is fetched by HTTP */
  TRP_STREAM_TICKERS = 8, /* makes no event (no sizes): a sign of life of its symbol */
  TRP_STREAM_BOOK = 16    /* updates of a book whose snapshot comes in the same stream */
};
#define TRP_STREAM_COUNT 5

/* ---- what is heard -------------------------------------------------------------------------- */

enum trp_heard_kind {
  TRP_HEARD_OTHER = 0, /* well formed, and nothing we have a use for */
  TRP_HEARD_QUOTE,
  TRP_HEARD_TRADE,
  TRP_HEARD_DIFF,    /* an update of a book */
  TRP_HEARD_WHOLE,   /* a whole book: of a BOOK stream, or the body of a snapshot */
  TRP_HEARD_ALIVE,   /* data of a symbol that makes no event */
  TRP_HEARD_ACK,     /* subscriptions, or their end, acknowledged */
  TRP_HEARD_REFUSED, /* the same refused; or an error that belongs to no request */
  TRP_HEARD_PONG,
  TRP_HEARD_ENDING /* this connection will end soon: `answer.text` says why */
};

struct trp_heard {
  enum trp_heard_kind kind;
  uint32_t inexact;    /* numbers with more than 15 significant digits */
  const char *symbol;  /* as the exchange writes it; "" where it has none */
  int64_t exchange_us; /* the exchange's own time; 0 where it sends none */
  union {
    struct trp_wire_quote quote;
    struct trp_wire_trade trade;
    struct trp_wire_depth depth; /* DIFF, WHOLE */
    struct {
      uint64_t id;       /* of the request; 0 where the exchange does not say */
      const char *names; /* not NULL: it is about the subscriptions that `names` finds in this */
      int64_t code;      /* the exchange's; 0 where there is none */
      const char *text;  /* for a person; NULL is as good as "" */
    } answer;
  };
};

typedef void trp_hear_fn(void *arg, const struct trp_heard *heard);

/* ---- what is said --------------------------------------------------------------------------- */

/* A SUBSCRIBE or UNSUBSCRIBE text under construction: begin, add.., end. */
struct trp_dialect_request {
  struct trp_wire_text text; /* begun by the machine, with its buffer */
  bool subscribe;
  enum trp_stream first; /* the first subscription's */
  uint64_t id;           /* unique in the machine */
  int64_t time_s;        /* the wall clock's, seconds since 1970 */
  uint32_t depth;        /* levels of a book, of the machine's options */
};

/* What an error means for the recovery. */
enum trp_error_class {
  TRP_CLASS_TRANSIENT = 0, /* try again, with backoff */
  TRP_CLASS_RATE_LIMIT,    /* wait as told, then try again */
  TRP_CLASS_AUTH,          /* trying again does not help: keys or rights */
  TRP_CLASS_PROTOCOL,      /* the other side broke the protocol, or says that we did */
  TRP_CLASS_FATAL,         /* trying again does not help: no such symbol and the like */
  TRP_CLASS_COUNT
};

/* "transient" and so on, never NULL. */
const char *trp_error_class_text(enum trp_error_class error_class);

/* What an exchange's ids of quotes or trades are worth, for one symbol. */
enum trp_id_order {
  TRP_IDS_NONE = 0, /* it sends none, or they mean nothing */
  TRP_IDS_RISE,     /* a later one has a greater id */
  TRP_IDS_COUNT     /* the next one has the next id */
};

typedef void trp_listed_fn(void *arg, const char *symbol);

/* ---- the table ------------------------------------------------------------------------------ */

/* Everything up to `classify` must be set but what says "NULL" or "0". */
struct trp_dialect {
  const char *name;      /* "binance" */
  const char *venue;     /* ".BINANCE": "BTCUSDT.BINANCE" is the symbol's name in the house */
  const char *example;   /* a symbol as the exchange writes it, for a person: "BTCUSDT" */
  const char *ws_base;   /* where it is: "wss://stream.binance.com:9443" */
  const char *http_base; /* "https://api.binance.com" */

  uint32_t streams;          /* TRP_STREAM_*: what it knows.. */
  uint32_t streams_usual;    /* ..and what is subscribed to where nobody says otherwise */
  uint32_t streams_per_link; /* subscriptions that a connection takes */
  uint32_t symbols_usual;    /* symbols where nobody says otherwise */
  uint32_t texts_per_s;      /* that we send on a connection, at most */
  bool pongs_count;          /* our pongs count among them */
  bool closes_idle;          /* it closes connections without subscriptions: we keep none */
  uint32_t heartbeat_ms;     /* a connection without any frame for so long is dead: three of the
                                exchange's (or our) pings */
  uint32_t ping_ms;          /* send an application's ping this often; 0: it has none */

  enum trp_depth_rule rule; /* of DEPTH; BOOK is always TRP_DEPTH_EXACT */
  uint32_t snapshot_limit;  /* levels a side to ask for.. */
  uint32_t snapshot_max;    /* ..and the most it can be asked for */
  uint32_t weight_per_min;  /* of HTTP requests: half of what the address may spend */
  uint32_t limit_wait_s;    /* after a 429 without Retry-After */
  uint32_t ban_wait_s;      /* after a 418 without Retry-After */

  bool (*symbol_valid)(const char *symbol);
  /* "BTC_USDT" as "BTCUSDT", by which the house knows it. NULL: it is written so already. */
  void (*symbol_plain)(char out[TRP_DIALECT_SYMBOL_MAX + 1], const char *symbol);

  /* URLs; false where `size` is too small. */
  bool (*stream_url)(char *out, size_t size, const char *ws_base);
  bool (*snapshot_url)(char *out, size_t size, const char *http_base, const char *symbol,
                       uint32_t limit);
  uint32_t (*snapshot_weight)(uint32_t limit);

  /* Builds a request's text. add says false where this subscription must go into another text (of
   * another channel, or this one is full); the first is never declined. end: false, no room. */
  void (*request_begin)(struct trp_dialect_request *request);
  bool (*request_add)(struct trp_dialect_request *request, enum trp_stream stream,
                      const char *symbol);
  bool (*request_end)(struct trp_dialect_request *request);
  /* Is that subscription one of those that an answer's `names` are about? NULL: ids tell. */
  bool (*names)(const char *names, enum trp_stream stream, const char *symbol);
  void (*ping)(struct trp_wire_text *text, int64_t time_s); /* NULL where ping_ms is 0 */

  enum trp_err (*parser_new)(void **parser);
  void (*parser_destroy)(void **parser); /* NULL is fine */
  /* Reads a frame, text or binary, and calls `hear` for each thing in it, before it returns.
   * Errors: as the exchange's parser's; what was heard before stands. */
  enum trp_err (*parse)(void *parser, const void *bytes, size_t size, trp_hear_fn *hear, void *arg);
  /* Reads an HTTP body: one WHOLE without symbol, or REFUSED. */
  enum trp_err (*parse_snapshot)(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                                 void *arg);
  const char *(*parse_reason)(const void *parser); /* of the last error; never NULL */

  /* What the exchange's code or text means; TRP_CLASS_COUNT: nothing special, its HTTP status
   * decides. */
  enum trp_error_class (*classify)(int64_t code, const char *text);

  /* -- From here on everything may be left out. -- */

  uint32_t life_s; /* the exchange ends a connection after so long; 0: it does not */
  enum trp_id_order quote_ids, trade_ids;

  /* Polling of quotes: one request for up to poll_symbols of them; it is heard as QUOTEs with
   * symbols, of which those not asked for are passed over, or REFUSED. 0: the best levels of each
   * symbol's snapshot are its quote. */
  uint32_t poll_symbols;
  bool (*poll_url)(char *out, size_t size, const char *http_base, const char *const *symbols,
                   uint32_t count);
  uint32_t (*poll_weight)(uint32_t count);
  enum trp_err (*parse_poll)(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                             void *arg);

  /* Polling of a symbol's trades where their ids COUNT: those from `from_id` on, at most
   * trades_limit, or (0) the newest; heard as TRADEs without symbol in order, or REFUSED. NULL:
   * they are not polled. */
  bool (*trades_url)(char *out, size_t size, const char *http_base, const char *symbol,
                     uint64_t from_id);
  uint32_t trades_weight, trades_limit;
  enum trp_err (*parse_trades)(void *parser, const void *bytes, size_t size, trp_hear_fn *hear,
                               void *arg);

  /* All symbols that can be subscribed to. NULL: nobody can say, and none is refused for it. */
  bool (*listing_url)(char *out, size_t size, const char *http_base);
  uint32_t listing_weight;
  enum trp_err (*parse_listing)(void *parser, const void *bytes, size_t size, trp_listed_fn *each,
                                void *arg);
};

/* The class of an error: the exchange's code (0: none) and text ("" or NULL: none), then the HTTP
 * status (0: none). */
enum trp_error_class trp_dialect_classify(const struct trp_dialect *dialect, int64_t code,
                                          const char *text, uint16_t status);

/* The symbol's name in the house, "BTCUSDT.GATEIO"; false where it is no symbol of the exchange. */
bool trp_dialect_name(const struct trp_dialect *dialect, const char *symbol, char *out,
                      size_t size);

#endif
