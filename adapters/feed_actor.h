/* feed_actor.h - the feed's inside, for its own files alone: feed.c (start, commands, timers,
 * stop), feed_link.c (the connections and the net's events), feed_out.c (what the machine and the
 * actor tell).
 *
 * A link is one stream and its life. Its connection has an `id` from dialling until its end was
 * heard of (or it was cancelled), and nothing dials another meanwhile, but for a renewal: then a
 * successor (NEXT) is dialled, and takes the place (NOW) of the one that goes on as OLD until the
 * machine releases it. There are as many links as the machine says it needs; each fails and is
 * dialled again by itself. `phase` is the feed's: it changes together with the links, in the same
 * function, and is the machine's to say while a link stands or it polls. Thread: the slot's own. */
#ifndef TRP_ADAPTERS_FEED_ACTOR_H
#define TRP_ADAPTERS_FEED_ACTOR_H

#include "actors/publisher.h"
#include "adapters/backlog.h"
#include "adapters/feed.h"

enum {
  TRP_FEED_REQUESTS_MAX = 16, /* in flight */
  TRP_FEED_WAITERS_MAX = 16,  /* disconnects that wait for the last close */
  TRP_FEED_REFRESHES_MAX = 8  /* refreshes that wait for the event engine */
};

/* A timer's tag; that of DIAL has the link's number above it. */
enum trp_feed_timer { TRP_FEED_TIMER_TICK = 1, TRP_FEED_TIMER_DIAL, TRP_FEED_TIMER_RESUME };
#define TRP_FEED_TIMER_BITS 8

enum trp_feed_role { TRP_FEED_NOW, TRP_FEED_NEXT, TRP_FEED_OLD, TRP_FEED_ROLES };

struct trp_feed_conn {
  uint64_t id;  /* the net's; 0: none */
  bool open;    /* it stands */
  bool closing; /* its close frame is out; CLOSED comes */
};

struct trp_feed_link {
  struct trp_feed_conn conns[TRP_FEED_ROLES];
  bool reconnect;      /* the machine asked for a new connection.. */
  bool renew;          /* ..for a successor first.. */
  bool release;        /* ..and for the predecessor's end */
  uint64_t renew_ns;   /* no successor is dialled before */
  uint64_t dial_timer; /* 0: none */
  struct trp_backoff backoff;
  uint64_t connects;
};

struct trp_feed_request { /* a GET in flight */
  uint64_t id;            /* the net's; 0: free */
  uint64_t ticket;        /* the machine's; 0: it is a snapshot.. */
  uint32_t link;          /* ..whose it is: with that it ends */
  char symbol[TRP_DIALECT_SYMBOL_MAX + 1];
};

/* A refresh until the event engine has heard those who subscribed before it was asked for. */
struct trp_feed_refresh {
  uint64_t correlation; /* of the question to the engine; 0: free */
  uint64_t token;
  char symbol[TRP_DIALECT_SYMBOL_MAX + 1]; /* "": all */
};

struct trp_feed {
  struct trp_self *self; /* whose turn it is: the machine's outputs need it */
  const struct trp_dialect *dialect;
  struct trp_feed_options options; /* defaults filled in */
  struct trp_net *net;
  struct trp_machine *machine;
  struct trp_publisher publisher;
  enum trp_feed_phase phase;
  char reason[128];
  bool wanted;         /* connected, or trying to be */
  bool polling;        /* the machine was told to poll */
  bool mend;           /* a link is to be closed, or renewed, on the machine's wish */
  bool resuming;       /* events wait in the net for room in the outbox */
  uint32_t last_error; /* enum trp_err of the last loss */
  struct trp_breaker breaker;
  struct trp_backlog backlog;
  uint64_t lag_ns; /* since when the outbox is full; 0: it is not */
  struct trp_feed_link links[TRP_MACHINE_LINKS_MAX];
  struct trp_feed_request requests[TRP_FEED_REQUESTS_MAX];
  uint64_t waiters[TRP_FEED_WAITERS_MAX]; /* tokens of disconnects */
  uint32_t waiter_count;
  struct trp_feed_refresh refreshes[TRP_FEED_REFRESHES_MAX];
  int64_t wall_offset_ns;
};
_Static_assert(sizeof(struct trp_feed) <= TRP_FEED_STATE_BYTES, "the kinds' state_bytes");

/* ---- feed_link.c ---- */

/* Begins to be connected: dials, or waits where the exchange asked for it. Errors: BUSY (still
 * disconnecting), and what is the actor's crash. */
TRP_MUST_USE enum trp_err trp_feed_connect(struct trp_feed *f);

/* From any state; true where it is done already, false where CLOSED is still to come. */
bool trp_feed_disconnect(struct trp_feed *f, const char *reason);

/* The wait before dialling that link is over. */
TRP_MUST_USE enum trp_err trp_feed_dial(struct trp_feed *f, uint32_t link);

/* As many links as the machine needs: dials what lacks, renews and closes what it asked to have so,
 * closes what is idle; polls no more where the stream is back. */
TRP_MUST_USE enum trp_err trp_feed_mend_links(struct trp_feed *f);

/* Takes what the net has, as far as it can be told on. */
TRP_MUST_USE enum trp_err trp_feed_take_events(struct trp_feed *f);

/* Ends every link of this incarnation at once. */
void trp_feed_cancel_all(struct trp_feed *f);

/* One hold of the stop for each connection that closes. */
void trp_feed_hold_closing(struct trp_feed *f);

bool trp_feed_any_open(const struct trp_feed *f);
bool trp_feed_any_closing(const struct trp_feed *f);

/* ---- feed_publish.c ---- */

/* Events, now or later, or newer ones instead. */
void trp_feed_put_quote(struct trp_feed *f, const struct trp_quote *quote);
void trp_feed_put_trade(struct trp_feed *f, const struct trp_trade *trade);
void trp_feed_put_book(struct trp_feed *f, const struct trp_book *book);
void trp_feed_put_gap(struct trp_feed *f, uint32_t symbol, uint64_t expected, uint64_t got);

/* Must the net wait? Does it go on, with events let go? */
bool trp_feed_is_full(struct trp_feed *f);
bool trp_feed_sheds(struct trp_feed *f);

/* Tells what waits, as far as there is room. */
void trp_feed_catch_up(struct trp_feed *f);

/* ---- feed_out.c ---- */

/* The machine's outputs. */
struct trp_machine_out trp_feed_outputs(struct trp_feed *f);

void trp_feed_fill_state(const struct trp_feed *f, struct trp_feed_state *out);

/* A change of state is an event, a journal entry and a log line. */
void trp_feed_set_phase(struct trp_feed *f, enum trp_feed_phase phase, const char *reason);

/* RESULT to who asked; nothing where nobody did. */
void trp_feed_answer(struct trp_feed *f, uint64_t token, enum trp_err status, const char *text);

/* All disconnects that waited are done. */
void trp_feed_answer_waiters(struct trp_feed *f);

#endif
