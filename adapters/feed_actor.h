/* feed_actor.h - the feed's inside, for its own files alone: feed.c (start, commands, timers,
 * stop), feed_link.c (the connections and the net's events), feed_out.c (what the machine and the
 * actor tell).
 *
 * A link is one stream and its life: `id` is set from dialling until its end was heard of (or it
 * was cancelled), and nothing dials it while it is set. There are as many as the machine says it
 * needs; each fails and is dialled again by itself. `phase` is the feed's: it changes together with
 * the links, in the same function, and is the machine's to say while a link stands. Thread: the
 * slot's own. */
#ifndef TRP_ADAPTERS_FEED_ACTOR_H
#define TRP_ADAPTERS_FEED_ACTOR_H

#include "actors/publisher.h"
#include "adapters/feed.h"

enum {
  TRP_FEED_REQUESTS_MAX = 8, /* snapshots in flight */
  TRP_FEED_WAITERS_MAX = 16  /* disconnects that wait for the last close */
};

/* A timer's tag; that of DIAL has the link's number above it. */
enum trp_feed_timer { TRP_FEED_TIMER_TICK = 1, TRP_FEED_TIMER_DIAL, TRP_FEED_TIMER_RESUME };
#define TRP_FEED_TIMER_BITS 8

struct trp_feed_link {
  uint64_t id;         /* the net's; 0: none */
  bool open;           /* it stands */
  bool closing;        /* its close frame is out; CLOSED comes */
  bool reconnect;      /* the machine asked for a new connection */
  uint64_t dial_timer; /* 0: none */
  struct trp_backoff backoff;
  uint64_t connects;
};

struct trp_feed_request { /* a snapshot in flight */
  uint64_t id;            /* the net's; 0: free */
  uint32_t link;          /* whose it is: with that it ends */
  char symbol[TRP_DIALECT_SYMBOL_MAX + 1];
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
  bool wanted;            /* connected, or trying to be */
  bool mend;              /* a link is to be closed on the machine's wish */
  bool resuming;          /* events wait in the net for room in the outbox */
  uint32_t last_error;    /* enum trp_err of the last loss */
  uint64_t not_before_ns; /* Retry-After: no dialling before */
  struct trp_feed_link links[TRP_MACHINE_LINKS_MAX];
  struct trp_feed_request requests[TRP_FEED_REQUESTS_MAX];
  uint64_t waiters[TRP_FEED_WAITERS_MAX]; /* tokens of disconnects */
  uint32_t waiter_count;
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

/* As many links as the machine needs: dials what lacks, closes what is idle and what it asked to
 * have closed. */
TRP_MUST_USE enum trp_err trp_feed_mend_links(struct trp_feed *f);

/* Takes what the net has, as far as it can be told on. */
TRP_MUST_USE enum trp_err trp_feed_take_events(struct trp_feed *f);

/* Ends every link of this incarnation at once. */
void trp_feed_cancel_all(struct trp_feed *f);

bool trp_feed_any_open(const struct trp_feed *f);
bool trp_feed_any_closing(const struct trp_feed *f);

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
