/* actor.h - the block of an actor: what the slot owns and what the incarnation owns.
 *
 * Blocks are type-stable: made once, never freed while the system lives, so that any thread may
 * look at any block and learn from its gate word whether its reference still means somebody.
 *
 * Who may touch what:
 *   gate, signals, lane, refusals   any thread, atomically
 *   lists under `lock`              any thread holding it; only one such lock at a time
 *   the incarnation's part          the keeper: the actor's thread; where it has none, the
 *                                   coordinator; in simulation the one thread there is
 *   state, figures                  written by the keeper, read by any thread (relaxed) */
#ifndef TRP_RUNTIME_ACTOR_H
#define TRP_RUNTIME_ACTOR_H

#include <pthread.h>
#include <setjmp.h>

#include "runtime/ask.h"
#include "runtime/bond.h"
#include "runtime/flight.h"
#include "runtime/lane.h"
#include "runtime/mailbox.h"
#include "runtime/outbox.h"
#include "runtime/stack.h"
#include "runtime/stage.h"
#include "runtime/timer.h"
#include "runtime/troupe.h"
#include "runtime/watch.h"

struct trp_door;
struct trp_process;

/* Bits of `signals`: what the actor is to look at, apart from mail and lane. */
enum {
  TRP_SIGNAL_READY = 1 << 0,   /* trp_notify */
  TRP_SIGNAL_START = 1 << 1,   /* begin a new incarnation */
  TRP_SIGNAL_PILL = 1 << 2,    /* drain, and close when released */
  TRP_SIGNAL_RELEASE = 1 << 3, /* everything upstream has closed */
  TRP_SIGNAL_CUT = 1 << 4,     /* the soft deadline: drop what is left and close */
  TRP_SIGNAL_ALONE = 1 << 5,   /* stop this actor only */
  TRP_SIGNAL_ROOM = 1 << 6,    /* a full receiver has room */
  TRP_SIGNAL_LEAVE = 1 << 7,   /* gone for good: the thread may end */
  TRP_SIGNAL_TIDY = 1 << 8     /* its ring is idle: give it back */
};

struct trp_crash {
  enum trp_crash_cause cause;
  enum trp_err error;
  int signal;
  int tid;
  uint64_t lost;
  char reason[160];
  struct trp_stack stack;
};

/* What a supervisor is told of a child: pending bits, under the child's lock. */
enum { TRP_REPORT_STARTED = 1, TRP_REPORT_CRASHED = 2, TRP_REPORT_ENDED = 4 };
/* Beside them: all that was to be done about the last end has been done, see trp_child_note_end. */
enum { TRP_REPORT_NOTED = 8 };

/* How a stop went for one actor; written by its keeper, read by the coordinator after its end. */
struct trp_farewell {
  uint64_t asked_ns, closed_ns;
  uint64_t drained, dropped;
  bool cut, crashed, cleanup_failed, killed;
};

/* The incarnation: what dies with it, and the state of its turns. The keeper's alone. */
struct trp_self {
  struct trp_actor *actor;
  uint64_t incarnation;
  void *memory;  /* the kind's state */
  uint32_t todo; /* TRP_SIGNAL_* taken and not yet acted on: a panic between does not lose them */
  uint32_t holds;
  bool in_turn;  /* a panic may unwind to the boundary, see struct trp_turning */
  bool exiting;  /* trp_exit was called */
  bool traps;    /* trp_trap_exits: who is linked dies, and that is a message */
  bool tied;     /* it was linked when its bonds closed */
  bool alone;    /* stopped by itself, not with the system */
  bool released; /* nothing upstream is open any more */
  bool end_called;
  bool admitted;   /* the mailbox is open, start is still to come */
  bool hands_full; /* no mail for now: what was taken is still under way over the link */
  struct trp_timers timers;
  struct trp_outbox outbox;
  struct trp_watch *watches;
  struct trp_ask *asks;
  uint64_t last_watch_id;
  struct trp_node *taken; /* of the lane: nodes taken out and not yet delivered */
  bool shows;             /* something on its board */
  bool data_in_hand;      /* the mailbox's oldest letter is being handled */
};

struct trp_actor {
  struct trp_mailbox mailbox;

  /* what any thread writes */
  alignas(64) _Atomic uint32_t signals;
  _Atomic uint32_t wakes; /* futex: the count of wake-ups */
  _Atomic bool dozing;    /* sleeps although mail waits: the outbox blocks it */
  struct trp_lane lane;

  /* the slot's: fixed after start-up, of a spawned actor until its end */
  struct trp_system *system;
  _Atomic(const struct trp_spec *) spec; /* see trp_spec_of */
  const void *args;
  struct trp_actor *supervisor;
  struct trp_door *door;
  struct trp_process *process; /* where the actor is placed in one; NULL: it is here */
  char *listen;
  uint32_t index;
  bool spawned;   /* made while the system ran; its slot is used again after its end */
  bool anonymous; /* and by any other: its name is the slot's */
  _Atomic bool has_children;
  char name[TRP_NAME_MAX + 1];
  struct trp_actor *name_next;
  struct trp_actor *next;  /* in the list of vacant slots, or in a queue of those that run */
  _Atomic uint32_t leases; /* a spawned actor's: its life and its report; then the slot is free */

  /* Not in the line of the signals, at which the owner looks after every message. */
  _Atomic uint64_t refused[TRP_REFUSED_COUNT];

  /* under `lock` */
  pthread_mutex_t lock;
  struct trp_watch *watchers;
  struct trp_ask *asked;       /* asks that this actor has to answer */
  struct trp_waiter *waiters;  /* for room here */
  uint64_t life;               /* the incarnation last begun */
  bool alive;                  /* an incarnation has begun and not ended */
  bool up;                     /* and its start succeeded */
  _Atomic uint8_t bonds_state; /* enum trp_bonds_state: not under the lock */
  enum trp_err last_reason;    /* of the last end */
  uint32_t report;             /* TRP_REPORT_* not yet delivered */
  struct trp_node report_node;
  struct trp_crash *crash;    /* of the last crash; NULL: there was none */
  struct trp_bond_end *bonds; /* under the lock of all bonds */

  /* the keeper's */
  alignas(64) _Atomic int state; /* enum trp_actor_state; the keeper's, but for DOWN to STARTING */
  _Atomic bool given_up;         /* its turn does not return: shown as STUCK until it does */
  _Atomic int tid;
  struct trp_self self;
  struct trp_farewell farewell;
  _Atomic uint64_t order_due_ns; /* trp_child.due_ns: its supervisor sets, the keeper clears it */
  _Atomic uint64_t stop_soft_ns; /* the coordinator's word: when this actor is cut short */
  uint64_t probe_position, probe_ns; /* under `lock`: oldest age, a mark in the mail and its time */

  /* figures: written by the keeper, read by any */
  _Atomic uint64_t turns; /* odd while in a turn */
  struct trp_flight_turns recent;
  _Atomic uint64_t debts; /* what it still owes after its last step: outbox, asks, holds */
  _Atomic uint64_t handled;
  _Atomic uint64_t dead[TRP_LOST_COUNT];
  _Atomic uint64_t restarts;
  _Atomic uint64_t down_since_ns;
  _Atomic int32_t held[TRP_RES_COUNT];

  /* the scheduler's */
  union {
    pthread_t thread;              /* of one with a thread of its own */
    _Atomic uint64_t timer_due_ns; /* of one that shares: when it is to be woken; 0: never */
    uint64_t sim_stalled_until_ns;
  };
  uint32_t timer_at; /* of one that shares: its place among the timers */
  bool has_thread;   /* attached; the coordinator's */
  bool sim_attached, sim_runnable;
  _Atomic uint32_t finished;  /* futex: it has left whatever it ran on */
  _Atomic bool thread_exited; /* its thread left by itself, inside a turn */
  _Atomic bool thread_lost;   /* the kernel does not know it any more: see bury in sched.h */
  bool buried;                /* and has been taken care of; the coordinator's */

  /* the coordinator's, in its own thread only */
  struct trp_node notice; /* tells the coordinator: look at this actor */
};

static inline struct trp_ref trp_actor_ref(const struct trp_actor *a, uint64_t incarnation) {
  return (struct trp_ref){((uint64_t)a->index + 1) << 40 |
                          (incarnation & ((UINT64_C(1) << 40) - 1))};
}
/* Defaults filled in; shared by those made alike. Any thread may read it, also that of a slot that
 * is being used again. */
static inline const struct trp_spec *trp_spec_of(const struct trp_actor *a) {
  /* acquire: pairs with the release in init and reuse. */
  return atomic_load_explicit(&a->spec, memory_order_acquire);
}
static inline uint32_t trp_ref_index(struct trp_ref r) { return (uint32_t)(r.bits >> 40) - 1; }
static inline uint64_t trp_ref_incarnation(struct trp_ref r) {
  return r.bits & ((UINT64_C(1) << 40) - 1);
}

/* The block of a reference, whatever its incarnation; NULL where there is none. Thread: any. */
struct trp_actor *trp_actor_find(struct trp_system *system, struct trp_ref ref);

/* A block that was never used. `spec` is the shared one; of `own` name (NULL: anonymous), listen
 * and args are taken. Errors: INVALID, NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_actor_init(struct trp_actor *actor, struct trp_system *system,
                                         uint32_t index, const struct trp_spec *spec,
                                         const struct trp_spec *own);
void trp_actor_fini(struct trp_actor *actor);

/* One whose last life is over, for another actor. Errors: INVALID. */
TRP_MUST_USE enum trp_err trp_actor_reuse(struct trp_actor *actor, const struct trp_spec *spec,
                                          const void *args);

static inline enum trp_actor_state trp_actor_state(const struct trp_actor *a) {
  return (enum trp_actor_state)atomic_load_explicit(&a->state, memory_order_acquire);
}

/* Thread: the keeper. */
void trp_actor_set_state(struct trp_actor *actor, enum trp_actor_state state);

/* ---- turns (turn.c) ---- */

enum trp_step {
  TRP_STEP_MORE, /* more to do at once */
  TRP_STEP_IDLE, /* nothing until a wake-up or the next timer */
  TRP_STEP_LEAVE /* gone: the thread may end */
};

/* Does what there is to do, up to a batch. Thread: the keeper. */
enum trp_step trp_actor_step(struct trp_actor *actor);

/* The same for who has set a boundary of its own and entered the actor; what unwinds to it is to be
 * given to trp_life_crash. */
enum trp_step trp_actor_step_within(struct trp_actor *actor);

/* True where the actor is marked as sleeping: from then on it is whoever wakes it that lets it run
 * again, exactly once, and that may have happened already. */
bool trp_actor_park(struct trp_actor *actor);

/* After sleeping: marked awake again, so that nobody pays for a wake-up. False where it was awake
 * already: somebody else has woken it. */
bool trp_actor_unpark(struct trp_actor *actor);

/* When it must run again even if nobody wakes it; TRP_FOREVER for never. */
uint64_t trp_actor_due_ns(struct trp_actor *actor);

/* Sets signals and wakes. Thread: any. */
void trp_actor_signal(struct trp_actor *actor, uint32_t bits);

/* Wakes it if it is parked. Thread: any. */
void trp_actor_nudge(struct trp_actor *actor);

/* Posts a control node and wakes. Thread: any. */
void trp_actor_post(struct trp_actor *actor, struct trp_node *node);

/* Hands one message to receive as one turn. Thread: the keeper. */
void trp_turn_deliver(struct trp_actor *actor, const struct trp_msg *msg);

/* A function of the kind as one turn; `what` for the flight recorder. */
void trp_turn_begin(struct trp_actor *actor, uint16_t what);
void trp_turn_end(struct trp_actor *actor);

/* What a thread has at hand while it runs actors: one a thread, not one an actor. */
struct trp_turning {
  struct trp_actor *actor;        /* whose keeper this thread is, NULL: nobody's */
  jmp_buf *boundary;              /* where a panic unwinds to */
  struct trp_letter hand;         /* an answer being handled: its blob is released after the turn */
  struct trp_stage_letters stage; /* what this turn has sent so far */
};
extern _Thread_local struct trp_turning trp_turning;

/* The actor whose keeper this thread (or simulated step) is. */
static inline struct trp_actor *trp_turn_current(void) { return trp_turning.actor; }
static inline void trp_turn_enter(struct trp_actor *actor) { trp_turning.actor = actor; }

/* ---- lives (life.c) ---- */

void trp_life_begin(struct trp_actor *actor);

/* The first half of beginning: state and mailbox, so that mail may come; start() is for the other
 * half. False without memory. Thread: who spawns, being the keeper until it runs. */
bool trp_life_admit(struct trp_actor *actor);
void trp_life_retract(struct trp_actor *actor); /* the stop came before its start */
void trp_life_end(struct trp_actor *actor, enum trp_end_reason reason, enum trp_err err);
void trp_life_crash(struct trp_actor *actor);

/* Its turn does not return, and nobody waits for it any more: STUCK, in the journal with its stack
 * (NULL: taken now, for which it may wait a moment). Thread: any but that actor's. */
void trp_life_give_up(struct trp_actor *actor, const char *stack);

/* Notes why it crashes; `stack` NULL: the caller's. */
void trp_crash_note(struct trp_actor *actor, enum trp_crash_cause cause, enum trp_err error,
                    const char *reason, const struct trp_stack *stack);

/* The cause of its last crash, 0 where there was none. Thread: the keeper. */
static inline enum trp_crash_cause trp_crash_cause(const struct trp_actor *a) {
  return a->crash != NULL ? a->crash->cause : (enum trp_crash_cause)0;
}

/* Ends the turn at once as this crash. Thread: the keeper, inside a turn. */
__attribute__((noreturn)) void trp_life_crash_now(struct trp_actor *actor,
                                                  const struct trp_crash *crash);

/* Delivers what there is to report of a child to its supervisor, in the supervisor's turn. */
void trp_life_report(struct trp_actor *supervisor, struct trp_actor *child);

/* ---- mail (mail.c) ---- */

/* Builds a letter. Errors: TOO_BIG, NO_MEMORY. */
enum trp_err trp_letter_fill(struct trp_letter *letter, uint16_t type, const void *body,
                             size_t bytes);
void trp_letter_release(struct trp_system *system, struct trp_letter *letter, enum trp_err why);
void trp_letter_open(const struct trp_letter *letter, struct trp_msg *msg);

/* Puts a letter into a mailbox, with counting, displacement and waking. */
enum trp_err trp_mail_put(struct trp_actor *to, uint64_t incarnation, bool outside,
                          struct trp_letter *letter);
void trp_mail_refused(struct trp_actor *to, enum trp_err err);

/* An open ask becomes the asker's own; and back, where it could not be sent. */
void trp_ask_mine(struct trp_self *self, struct trp_ask *ask);
void trp_ask_undo(struct trp_self *self, struct trp_ask *ask);

/* Starts the time-out of an ask. Errors: LIMIT, NO_MEMORY. */
enum trp_err trp_ask_limit(struct trp_self *self, struct trp_ask *ask, uint64_t timeout_ns);

/* Empties a closed mailbox into the account of the dead. */
void trp_mail_bury(struct trp_actor *actor, enum trp_loss why);

/* The actor whose mailbox this is. */
#define TRP_ACTOR_OF_MAILBOX(mailbox_)                                                             \
  ((struct trp_actor *)(void *)((char *)(mailbox_)-offsetof(struct trp_actor, mailbox)))

/* The child whose report this node is. */
#define TRP_CHILD_OF_NODE(node_)                                                                   \
  ((struct trp_actor *)(void *)((char *)(node_)-offsetof(struct trp_actor, report_node)))

static inline void trp_held(struct trp_actor *a, enum trp_resource what, int64_t delta) {
  /* A single writer, the keeper: see trp_count. */
  int64_t now = atomic_load_explicit(&a->held[what], memory_order_relaxed) + delta;
  atomic_store_explicit(&a->held[what], (int32_t)now, memory_order_relaxed);
}

static inline void trp_count(_Atomic uint64_t *counter, uint64_t n) {
  /* A single writer: no read-modify-write is needed, only that readers see whole values. */
  atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                        memory_order_relaxed);
}

#endif
