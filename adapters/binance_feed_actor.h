/* binance_feed_actor.h - the Binance feed's inside, for its own files alone:
 * binance_feed.c (the kind: start, commands, timers, stop), binance_feed_link.c (the connection and
 * the net's events), binance_feed_out.c (what the machine and the actor tell).
 *
 * One stream at a time: `link` is set from dialling until its end was heard of (or it was
 * cancelled), and nothing dials while it is set. `phase` changes together with it, in the same
 * function. Thread: the slot's own. */
#ifndef TRP_ADAPTERS_BINANCE_FEED_ACTOR_H
#define TRP_ADAPTERS_BINANCE_FEED_ACTOR_H

#include "actors/publisher.h"
#include "adapters/binance_feed.h"

enum {
  TRP_FEED_REQUESTS_MAX = 8, /* snapshots in flight */
  TRP_FEED_WAITERS_MAX = 16  /* disconnects that wait for the one close */
};

enum trp_feed_timer { TRP_FEED_TIMER_TICK = 1, TRP_FEED_TIMER_DIAL, TRP_FEED_TIMER_RESUME };

struct trp_feed_request { /* a snapshot in flight */
  uint64_t link;          /* 0: free */
  char symbol[TRP_BINANCE_SYMBOL_MAX + 1];
};

struct trp_feed {
  struct trp_self *self;                   /* whose turn it is: the machine's outputs need it */
  struct trp_binance_feed_options options; /* defaults filled in */
  struct trp_net *net;
  struct trp_binance *binance;
  struct trp_backoff backoff;
  struct trp_publisher publisher;
  enum trp_feed_phase phase;
  char reason[128];
  uint64_t link;          /* the stream's; 0: none */
  bool open;              /* it stands */
  bool closing;           /* its close frame is out; CLOSED comes */
  bool wanted;            /* connected, or trying to be */
  bool reconnect;         /* the machine asked for a new connection */
  bool resuming;          /* events wait in the net for room in the outbox */
  uint32_t last_error;    /* enum trp_err of the last loss */
  uint64_t dial_timer;    /* 0: none */
  uint64_t not_before_ns; /* Retry-After: no dialling before */
  struct trp_feed_request requests[TRP_FEED_REQUESTS_MAX];
  uint64_t waiters[TRP_FEED_WAITERS_MAX]; /* tokens of disconnects */
  uint32_t waiter_count;
  uint64_t connects;
  int64_t wall_offset_ns;
};

/* ---- binance_feed_link.c ---- */

/* Begins to be connected: dials, or waits where the exchange asked for it. Errors: BUSY (still
 * disconnecting), and what is the actor's crash. */
TRP_MUST_USE enum trp_err trp_feed_connect(struct trp_feed *f);

/* From any state; true where it is done already, false where CLOSED is still to come. */
bool trp_feed_disconnect(struct trp_feed *f, const char *reason);

/* The wait before dialling is over. */
TRP_MUST_USE enum trp_err trp_feed_dial(struct trp_feed *f);

/* Takes what the net has, as far as it can be told on. */
TRP_MUST_USE enum trp_err trp_feed_take_events(struct trp_feed *f);

/* Closes the stream where the machine asked for another one. */
void trp_feed_obey_machine(struct trp_feed *f);

/* Ends every link of this incarnation at once. */
void trp_feed_cancel_all(struct trp_feed *f);

/* ---- binance_feed_out.c ---- */

/* The machine's outputs. */
struct trp_binance_out trp_feed_outputs(struct trp_feed *f);

void trp_feed_fill_state(const struct trp_feed *f, struct trp_feed_state *out);

/* A change of state is an event, a journal entry and a log line. */
void trp_feed_set_phase(struct trp_feed *f, enum trp_feed_phase phase, const char *reason);

/* RESULT to who asked; nothing where nobody did. */
void trp_feed_answer(struct trp_feed *f, uint64_t token, enum trp_err status, const char *text);

/* All disconnects that waited are done. */
void trp_feed_answer_waiters(struct trp_feed *f);

#endif
