/* troupe.h - the one header that an actor's author needs.
 *
 * A program is a graph of actors in a system. An actor is a kind (a table of functions), a private
 * state, a mailbox and a name; its functions are called in turns, one at a time, never two at once.
 * A turn never blocks: to wait, start a timer or ask, and the rest arrives as a message.
 *
 * Who owns what: the system owns actors, mailboxes and the state's memory; the author owns what
 * start() acquired and gives it back in end(). Messages are copied in; a received message and its
 * body are borrowed for the turn. Timers, asks, monitors and watches belong to the incarnation and
 * end with it by themselves.
 *
 * Which thread: functions that take `struct trp_self *` are for that actor's own turn only
 * ("Thread: owner."). Functions that take `struct trp_system *` are for everyone ("Thread: any.")
 * unless they say otherwise. Times are in nanoseconds of the system's clock unless named _ms.
 *
 * Long because it is the one header: a reader finds all of an actor's world in one place. */
#ifndef TRP_RUNTIME_TROUPE_H
#define TRP_RUNTIME_TROUPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"
#include "proto/messages.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TRP_VERSION "0.1.0"
#define TRP_NAME_MAX 47         /* bytes of an actor's name, of [a-z0-9_.-] */
#define TRP_INLINE_BYTES 48     /* a body up to this lies inline in its slot: no allocation */
#define TRP_BODY_MAX (1u << 20) /* bytes of the largest body */
#define TRP_NS_PER_MS 1000000ull
#define TRP_NS_PER_S 1000000000ull
#define TRP_FOREVER UINT64_MAX /* no deadline of one's own; stop's deadline still holds */

struct trp_system;
struct trp_self; /* the incarnation whose turn it is */

/* ---- references ------------------------------------------------------------------------- */

/* Names one incarnation of one actor: 24 bits of index, 40 bits of incarnation. Plain value; may be
 * kept and compared for ever: mail to a dead incarnation is refused, never misdelivered. */
struct trp_ref {
  uint64_t bits;
};

#define TRP_NOBODY ((struct trp_ref){0})

static inline bool trp_ref_equal(struct trp_ref a, struct trp_ref b) { return a.bits == b.bits; }
static inline bool trp_ref_is_nobody(struct trp_ref r) { return r.bits == 0; }

/* ---- messages --------------------------------------------------------------------------- */

/* A message in hand, borrowed for the turn. */
struct trp_msg {
  uint16_t type;        /* enum trp_type, or the user's own from TRP_USER_FIRST */
  uint32_t bytes;       /* of the body */
  const void *body;     /* NULL where bytes is 0; aligned for any type */
  struct trp_ref from;  /* the sender, TRP_NOBODY from outside the system */
  uint64_t token;       /* nonzero: an ask; answer it with trp_reply (now or later) */
  uint64_t correlation; /* nonzero: the answer to the ask that returned this number */
  const void *shared;   /* the runtime's own: lets trp_forward share a large body */
};

/* Typed look at a body: NULL where type or size differ. const struct trp_quote *q =
 * trp_msg_quote(msg); one such function for each entry of messages.def. */
#define MESSAGE(NAME, name, number)                                                                \
  static inline const struct trp_##name *trp_msg_##name(const struct trp_msg *msg) {               \
    return msg->type == TRP_##NAME && msg->bytes >= sizeof(struct trp_##name)                      \
               ? (const struct trp_##name *)msg->body                                              \
               : NULL;                                                                             \
  }
#define U64(field)
#define U32(field)
#define U16(field)
#define U8(field)
#define I64(field)
#define I32(field)
#define F64(field)
#define TEXT(field, size)
#define LEVELS(field)
#define END(NAME, name)
#include "proto/messages.def"
#include "proto/undef.h"

/* ---- kinds ------------------------------------------------------------------------------ */

enum trp_end_reason {
  TRP_END_STOPPED, /* the pill, and everything drained */
  TRP_END_EXITED,  /* trp_exit */
  TRP_END_CRASHED  /* panic, error, failed CHECK, thread exit */
};

/* An actor's business card. Every function may be NULL but receive. All run in the actor's turns
 * (end included); all may send, none may block. An error returned by start, receive or ready is a
 * crash. `state` is zeroed memory of state_bytes, new for each incarnation. */
struct trp_kind {
  const char *name;
  size_t state_bytes;
  /* Acquire what the incarnation needs. TRP_OK: it runs. `args` as in the spec. */
  enum trp_err (*start)(struct trp_self *self, void *state, const void *args);
  /* One message, data or control. */
  enum trp_err (*receive)(struct trp_self *self, void *state, const struct trp_msg *msg);
  /* trp_notify was called since the last turn, or the slot's loop has news. */
  enum trp_err (*ready)(struct trp_self *self, void *state);
  /* The pill: produce nothing of your own from now on (timers are cancelled already). Mail that is
   * there or still comes from upstream is handled as before. To close something that takes time
   * (a close handshake), take trp_stop_hold and give it back with trp_stop_release. */
  void (*stop)(struct trp_self *self, void *state);
  /* Last turn: release what start acquired. Called exactly once for each start that was called,
   * after a crash too, also after a start that failed. */
  void (*end)(struct trp_self *self, void *state, enum trp_end_reason reason);
  bool own_stall;    /* receive acts out FAULT "stall:MS" itself */
  bool never_pooled; /* must be able to act when others are stuck: supervisors and the like */
};

/* ---- specs ------------------------------------------------------------------------------ */

enum trp_policy {
  TRP_REJECT,      /* full: the sender is told TRP_FULL and keeps its message */
  TRP_WAIT,        /* full: an actor's message waits in its outbox; outside: trp_system_send_wait */
  TRP_DROP_OLDEST, /* full: the oldest is evicted and counted */
  TRP_CONFLATE     /* the newest message of a key replaces the waiting one and is counted */
};

/* The key under which messages conflate; 0: this message never conflates. Pure. */
typedef uint64_t trp_key_fn(uint16_t type, const void *body, size_t bytes);

struct trp_mailbox_options {
  uint32_t capacity; /* messages, rounded up to a power of two, 2..131072; 0: 1024 */
  enum trp_policy policy;
  trp_key_fn *key; /* for TRP_CONFLATE */
};

enum trp_restart {
  TRP_PERMANENT, /* always restarted */
  TRP_TRANSIENT, /* restarted after a crash only */
  TRP_TEMPORARY  /* never restarted */
};

/* Zero fields mean the default named beside them. */
struct trp_restart_policy {
  enum trp_restart restart;
  uint32_t intensity;      /* crashes allowed in the window: 5 */
  uint32_t window_ms;      /* 60,000 */
  uint32_t backoff_min_ms; /* the second restart in a row waits so long: 50; the first is at once */
  uint32_t backoff_max_ms; /* 5,000 */
  uint32_t stable_ms;      /* up so long and the backoff is forgotten: 10,000 */
};

/* What an actor's thread sleeps in instead of a futex: an I/O loop that belongs to the slot and
 * survives restarts. run and wake never touch the actor; callbacks below run only fill buffers and
 * set flags, and tell the runtime with trp_notify. */
struct trp_loop_thread;
struct trp_loop {
  /* Serve I/O until `until_ns` (0: poll once), or until wake. Thread: the slot's. */
  void (*run)(struct trp_loop *loop, uint64_t until_ns);
  /* Make run return soon; also when called before run. Thread: any. */
  void (*wake)(struct trp_loop *loop);
  struct trp_loop_thread *thread; /* the runtime's own: who serves it for many, see TRP_IO */
};

/* Where an actor runs: configuration, not code. */
enum trp_placement {
  TRP_THREAD, /* a thread of its own */
  TRP_POOL,   /* on the system's workers, with others; never a supervisor, monitor or control */
  TRP_IO,     /* on its loop's thread, with the others that name the same loop. It costs that one
                 turn that takes long holds them all up, and one that never returns takes them all
                 with it; never a supervisor, monitor or control */
  /* In a process of its own, the same program spawned anew: see "processes" below. Under the
   * simulated scheduler as TRP_THREAD. */
  TRP_PROCESS
};

struct trp_spec {
  const char *name;            /* copied */
  const struct trp_kind *kind; /* borrowed for the system's life */
  const void *args;            /* borrowed for the system's life: given to start on each restart */
  size_t args_bytes;           /* of args: for TRP_PROCESS, which gives start a copy of them */
  struct trp_mailbox_options mailbox;
  enum trp_placement placement;
  struct trp_loop *loop;  /* NULL: sleep on a futex. Of one actor alone, but for TRP_IO, which needs
                             one that is its system's; borrowed for the system's life */
  const char *supervisor; /* name of an actor added before, that is not temporary itself;
                             NULL: a root, whose death is a stop */
  struct trp_restart_policy restart;
  uint32_t start_timeout_ms; /* the handshake's deadline: 5,000 */
  uint32_t budget_ms;        /* own time to stop: 2,000 */
  uint32_t turn_limit_ms;    /* a turn longer than this is a stall: 2,000 */
  uint32_t outbox_max;       /* messages that may wait for room elsewhere: 256 */
  bool door;                 /* listen on inproc://<system>/<name> */
  const char *listen;        /* also on this ipc:// or tcp:// url; needs door; copied */
  bool critical; /* while it is stuck or down, a service manager's watchdog gets no pings;
                    roots and whoever supervises are so in any case */
};

/* ---- processes --------------------------------------------------------------------------

 * An actor with spec.placement TRP_PROCESS runs in a process of its own and survives nothing less
 * for it: a memory fault, an abort, a kill from outside and a turn that never returns (killed after
 * its limit) are each THREAD_CRASHED, and a restart. At the stop's hard deadline it is killed.
 *
 * It is the same program spawned anew, so its main must say early what it can host. The author's
 * code is the same, with these limits: args are bytes that are copied (no pointers in them), and so
 * are messages; there is no spec.loop; it supervises nobody, and links itself to nobody (others may
 * link to it, and its slot dies with them); trp_send, trp_monitor, trp_watch
 * and trp_edge_add say TRP_OK for what is on its way, and a refusal is counted at the receiver
 * alone; a full link is TRP_OUTBOX_FULL; of the functions that take a system, it has those that
 * look at its own actor, trp_system_whereis, trp_system_stop and trp_notify. Its log lines, its
 * journal entries, and what it sends come from the slot, in its name. */

/* The first act of a main whose system places actors in processes. In a process that was spawned
 * for one, which has been told so, it runs that actor and does not return; elsewhere it returns at
 * once. `kinds` ends with NULL and is borrowed for the program's life: it names every kind that may
 * be placed so. Thread: the main thread, before there is another. */
void trp_process_host(const struct trp_kind *const *kinds);

/* ---- the system ------------------------------------------------------------------------- */

struct trp_env;

enum trp_sched_kind {
  TRP_SCHED_THREADS, /* real threads, real time */
  TRP_SCHED_SIM      /* one thread, virtual time, an order drawn from the seed: see sim.h */
};

struct trp_system_options {
  const char *name; /* copied; part of the doors' addresses */
  enum trp_sched_kind sched;
  uint64_t seed;           /* of chance; for TRP_SCHED_SIM the whole execution */
  uint32_t budget_ms;      /* stop's deadline for the system: 15,000 */
  uint32_t outer_limit_ms; /* the operator's own kill time-out; budget is capped 2 s below it */
  bool strict_budget;      /* a start whose stop would not fit (trp_system_check) is refused */
  uint32_t actors_max;     /* 4,096; up to 1,048,576 */
  uint32_t workers;        /* of the pool, made with its first actor: one a core; at most 256 */
  bool no_spin;            /* who has nothing to do sleeps at once instead of looking around */
  bool allow_faults;       /* FAULT messages are acted out */
  int log_level;           /* enum trp_log_level; 0: info */
  int log_fd;              /* where log lines go; 0: standard error; -1: nowhere */
  const char *report_json; /* trp_system_run writes the report there too; copied */
  bool quiet_report;       /* trp_system_run prints no table */
  /* trp_system_run calls it before it prints the table: give the terminal back; NULL. */
  void (*before_report)(void *arg);
  void *before_report_arg;
  /* ... and this one before it leaves by _exit, and with the last words of a fatal signal: unlink
   * what must go. Async-signal-safe; NULL. */
  void (*on_leave)(void *arg);
  void *on_leave_arg;
};

/* A system without actors. *out is the caller's, to be given to trp_system_destroy.
 * Errors: INVALID, NO_MEMORY, SYSTEM. Thread: any. */
TRP_MUST_USE enum trp_err trp_system_new(struct trp_system **out,
                                         const struct trp_system_options *options);

/* Adds an actor to the graph before start; start order is the order of adding, consumers first.
 * Errors: INVALID, EXISTS, LIMIT, NO_ACTOR (the supervisor), WRONG_STATE. Thread: start-up. */
TRP_MUST_USE enum trp_err trp_system_add(struct trp_system *system, const struct trp_spec *spec);

/* Starts an actor while the system runs (or starts): anonymous where its name is NULL, TRP_POOL,
 * TRP_TEMPORARY, TRP_REJECT or TRP_WAIT, no door. `*ref` (which may be NULL) may be sent to at
 * once; start() comes with its first step. What it leaves behind is freed at its end, and its slot
 * serves the next; a name keeps its slot. Its supervisor (spec's, else the first actor added) is
 * told of nothing but a crash. Errors: INVALID, EXISTS, LIMIT, NO_ACTOR (the supervisor),
 * WRONG_STATE (not started), STOPPED, NO_MEMORY. Thread: any. */
TRP_MUST_USE enum trp_err trp_system_spawn(struct trp_system *system, const struct trp_spec *spec,
                                           struct trp_ref *ref);

/* Declares that `from` sends data to `to`: stopping follows the edges. Repeated edges count once.
 * Errors: NO_ACTOR, WRONG_STATE, LIMIT. Thread: start-up. */
TRP_MUST_USE enum trp_err trp_system_edge(struct trp_system *system, const char *from,
                                          const char *to);

/* Fills in what is not set yet (is 0): budget_ms from TRP_STOP_BUDGET_MS, outer_limit_ms from
 * TRP_OUTER_LIMIT_MS. A value that is no number of milliseconds is an error, and `why` gets a
 * sentence that names it. The library reads no such variable of itself. Errors: INVALID. Thread:
 * start-up. */
TRP_MUST_USE enum trp_err trp_options_from_environment(struct trp_system_options *options,
                                                       char *why, size_t why_bytes);

/* Whether the stop fits: the longest path of budgets along the declared edges into the system's,
 * and the budget that was asked for into the outer limit. `sentence` names the path, its sum and
 * the limit in any case. start does the same: what does not fit is a warning in the log, or with
 * strict_budget a refusal. Errors: LIMIT (it does not fit), NO_MEMORY. Thread: start-up. */
TRP_MUST_USE enum trp_err trp_system_check(struct trp_system *system, char *sentence,
                                           size_t sentence_bytes);

/* Starts every actor by a handshake with a deadline and waits for the last. On failure what had
 * started is unwound in reverse, and `failure` (which may be NULL) gets a sentence naming the
 * actor. Errors: START_FAILED, TIMEOUT, STOPPED (a stop came first), LIMIT (strict_budget). Thread:
 * outside. */
TRP_MUST_USE enum trp_err trp_system_start(struct trp_system *system, char *failure,
                                           size_t failure_bytes);

/* Asks for the stop of the whole system and returns at once; idempotent, latched, also while
 * starting and from inside a turn. Thread: any. */
void trp_system_stop(struct trp_system *system, const char *reason);

/* As stop, but nothing is drained: what waits is dropped and counted. Thread: any. */
void trp_system_stop_now(struct trp_system *system, const char *reason);

/* Waits until the system has stopped, at most until `timeout_ns` from now.
 * Errors: TIMEOUT. Thread: outside. */
TRP_MUST_USE enum trp_err trp_system_wait(struct trp_system *system, uint64_t timeout_ns);

/* Stops if need be, waits within the budget, frees, and nulls *system. With an abandoned actor what
 * it may still touch is leaked on purpose. NULL and half-built are fine. Thread: outside. */
void trp_system_destroy(struct trp_system **system);

/* A system that is stopped and destroyed when its scope ends, by return, break or goto (in C++ also
 * by an exception); not by exit or longjmp:
 *     TRP_SCOPED_SYSTEM system = NULL;
 * Thread: the one of the scope, which is outside. */
#define TRP_SCOPED_SYSTEM __attribute__((cleanup(trp_system_destroy))) struct trp_system *

/* Runs a program whose main is the system: installs SIGINT and SIGTERM (first: stop, second: skip
 * draining, third: leave), last words for fatal signals, starts, waits, writes the report, and
 * returns the exit status; with an abandoned actor it leaves with _exit(1) itself. Under a service
 * manager ($NOTIFY_SOCKET, systemd's Type=notify) it tells of ready, stopping, state and watchdog.
 * Thread: the main thread, once a process. */
int trp_system_run(struct trp_system *system);

/* Last words for a program that does not call trp_system_run: handlers for SIGSEGV, SIGBUS, SIGILL,
 * SIGFPE and SIGABRT that name the actor, its stack, the last events and the account so far on
 * standard error, within a second, and then let the signal do what it did before. `system` is whose
 * account is given when a thread that is no actor's faults; NULL: none. Threads that enter the
 * register (trp_thread_register) have a stack of their own for it. Errors: BUSY (installed
 * already). Thread: start-up, before the system starts. */
TRP_MUST_USE enum trp_err trp_last_words_install(struct trp_system *system);

/* Before the system is destroyed. Thread: the one that installed. */
void trp_last_words_uninstall(void);

/* The first act of a main that will call trp_system_run: from here on SIGINT and SIGTERM wait for
 * it, also in threads that libraries start before, so that an early one is a clean stop and no
 * death. Thread: the main thread, before there is another. */
void trp_run_hold_signals(void);

/* The system's clock (virtual in simulation). Thread: any. */
uint64_t trp_system_now_ns(struct trp_system *system);

/* The reference of a name's living incarnation, TRP_NOBODY where there is none. Thread: any. */
struct trp_ref trp_system_whereis(struct trp_system *system, const char *name);

/* Sends from outside. FULL is told, never waited for. Errors: FULL, STOPPED, DEAD, NO_ACTOR,
 * TOO_BIG, NO_MEMORY. The message is copied; on error the caller simply still has it. Thread: any.
 */
TRP_MUST_USE enum trp_err trp_system_send(struct trp_system *system, struct trp_ref to,
                                          uint16_t type, const void *body, size_t bytes);

/* As send, but waits for room up to `timeout_ns`. Errors: also TIMEOUT. Thread: outside. */
TRP_MUST_USE enum trp_err trp_system_send_wait(struct trp_system *system, struct trp_ref to,
                                               uint16_t type, const void *body, size_t bytes,
                                               uint64_t timeout_ns);

/* Asks from outside and waits for the answer, whose body is copied into `answer` (at most
 * *answer_bytes; gets the real size). Errors: as send, TIMEOUT, DEAD, TOO_BIG. Thread: outside. */
TRP_MUST_USE enum trp_err trp_system_ask(struct trp_system *system, struct trp_ref to,
                                         uint16_t type, const void *body, size_t bytes,
                                         uint64_t timeout_ns, uint16_t *answer_type, void *answer,
                                         size_t *answer_bytes);

/* Gives the actor of that slot a turn in `ready`. Async: safe from any library's callback.
 * Works on the slot: whichever incarnation lives gets it. Thread: any. */
void trp_notify(struct trp_system *system, struct trp_ref slot);

/* ---- inside a turn ---------------------------------------------------------------------- */

struct trp_system *trp_self_system(struct trp_self *self);
struct trp_ref trp_self_ref(struct trp_self *self);
const char *trp_self_name(struct trp_self *self);
uint64_t trp_self_incarnation(struct trp_self *self);
bool trp_self_stopping(struct trp_self *self);

/* The system's clock. One read a call: take it once a turn where it is hot. Thread: owner. */
uint64_t trp_now_ns(struct trp_self *self);

/* A number from the system's chance, the same for the same seed in simulation. Thread: owner. */
uint64_t trp_random(struct trp_self *self);

struct trp_ref trp_whereis(struct trp_self *self, const char *name);

/* Sends a copy. Under TRP_WAIT a full mailbox is no error: the message waits in this actor's
 * outbox, and no data turn comes until it has gone (to oneself it is FULL: waiting would be for
 * ever; two full actors that wait for each other wait until stop's soft deadline). Errors: FULL,
 * STOPPED, DEAD, NO_ACTOR, TOO_BIG, NO_MEMORY, OUTBOX_FULL; each counted at the receiver. Thread:
 * owner. */
TRP_MUST_USE enum trp_err trp_send(struct trp_self *self, struct trp_ref to, uint16_t type,
                                   const void *body, size_t bytes);

/* Sends the message in hand on to another, as it is: a large body is shared, not copied. An ask
 * goes on as a plain message. Errors as trp_send. Thread: owner, within the turn that got it. */
TRP_MUST_USE enum trp_err trp_forward(struct trp_self *self, struct trp_ref to,
                                      const struct trp_msg *msg);

/* Makes a message of one's own that trp_forward sends to several: a large body is copied once, and
 * they share it. To be given back with trp_share_end, in the same turn. Errors: INVALID, TOO_BIG,
 * NO_MEMORY. Thread: owner. */
TRP_MUST_USE enum trp_err trp_share_begin(struct trp_msg *msg, uint16_t type, const void *body,
                                          size_t bytes);
void trp_share_end(struct trp_msg *msg);

/* How many of this actor's messages wait in its outbox for room elsewhere. What produces without
 * being told to (a socket's reader) produces no more while it is not 0. Thread: owner. */
uint32_t trp_outbox_depth(const struct trp_self *self);

/* Asks: the answer comes as a message with this correlation, or ASK_FAILED with it when
 * `timeout_ns` passed, the other side died, or the asker is stopping and has waited for a quarter
 * of its time. Errors: as send, LIMIT. Thread: owner. */
TRP_MUST_USE enum trp_err trp_ask(struct trp_self *self, struct trp_ref to, uint16_t type,
                                  const void *body, size_t bytes, uint64_t timeout_ns,
                                  uint64_t *correlation);

/* Gives up waiting for an answer; none will come. Unknown correlations are ignored. Thread: owner.
 */
void trp_ask_cancel(struct trp_self *self, uint64_t correlation);

/* Answers msg->token, in this turn or later (keep the token). Each token is answered once; an
 * answer that comes too late is dropped. Errors: DEAD (nobody waits any more: no reason to crash,
 * so do not return it from a turn), TOO_BIG. Thread: owner of any actor (tokens may be passed on).
 */
enum trp_err trp_reply(struct trp_self *self, uint64_t token, uint16_t type, const void *body,
                       size_t bytes);

/* A TIMER message with `tag` after `delay_ns`, and then every `period_ns` (0: once). Periods that
 * were missed are not made up. Errors: LIMIT, NO_MEMORY. Thread: owner. */
TRP_MUST_USE enum trp_err trp_timer_start(struct trp_self *self, uint64_t delay_ns,
                                          uint64_t period_ns, uint64_t tag, uint64_t *id);

/* After it returns the timer's message does not come any more, even if it was due. Unknown ids are
 * ignored. Thread: owner. */
void trp_timer_cancel(struct trp_self *self, uint64_t id);

/* DOWN when that incarnation ends (at once if it already has; its reason is DEAD where a later one
 * has lived since). Errors: NO_ACTOR, NO_MEMORY. Thread: owner. */
TRP_MUST_USE enum trp_err trp_monitor(struct trp_self *self, struct trp_ref who, uint64_t *id);

/* Follows a name over restarts: UP for the living incarnation (at once, and for each later one) and
 * DOWN for each that ends; a life so short that it came and went between two looks is not told.
 * Errors: NO_ACTOR (no such slot), NO_MEMORY. Thread: owner. */
TRP_MUST_USE enum trp_err trp_watch(struct trp_self *self, const char *name, uint64_t *id);

/* Ends a monitor or a watch: nothing more comes of it. Thread: owner. */
void trp_demonitor(struct trp_self *self, uint64_t id);

/* Ties this incarnation and that one: when either crashes, the other crashes with it (cause LINK),
 * at its next turn and through its control lane; when either ends without a crash, the link is
 * gone and nobody is hurt. One that is dead already counts as crashed. Twice is once, to oneself
 * nothing; an actor that is stopping drains in peace. Errors: NO_ACTOR, NO_MEMORY. Thread: owner.
 */
TRP_MUST_USE enum trp_err trp_link(struct trp_self *self, struct trp_ref who);

/* Unties them: nothing more comes of it, to either. Thread: owner. */
void trp_unlink(struct trp_self *self, struct trp_ref who);

/* From now on the end of who is linked to this incarnation, a quiet one too, is a message and no
 * crash: DOWN, with monitor 0. Thread: owner. */
void trp_trap_exits(struct trp_self *self, bool trap);

/* Declares an edge from one actor to another while running (a subscription is an edge), or takes it
 * back; counted, so each add needs its remove. Edges of an actor that ends go by themselves.
 * Errors: NO_ACTOR (an end that is dead too), LIMIT. Thread: owner. */
enum trp_err trp_edge_add(struct trp_self *self, struct trp_ref from, struct trp_ref to);
void trp_edge_remove(struct trp_self *self, struct trp_ref from, struct trp_ref to);

/* ---- boards: what an actor shows to whoever looks, without a message ---- */

#define TRP_BOARD_MAX (64u << 20) /* bytes that an actor may show */

/* Shows a copy of these bytes in place of what was shown before. It goes with the incarnation. Who
 * hears of it by a message that was sent afterwards sees it. Errors: TOO_BIG, NO_MEMORY. Thread:
 * owner. */
TRP_MUST_USE enum trp_err trp_board_show(struct trp_self *self, const void *bytes, size_t size);

struct trp_board;

/* A look at what an incarnation shows. The bytes stay as they are until the view is closed, also
 * where others are shown by then. Plain value; all zero: of nobody. */
struct trp_view {
  struct trp_ref who;
  const void *body; /* NULL: it shows nothing, or has ended; aligned for any type */
  size_t bytes;
  struct trp_board *board; /* the runtime's own, as what follows */
  void *sheet;
  uint64_t version;
};

/* Begins to look: at nothing yet, and old. False where there is no such slot, or no memory; then it
 * stays so. Thread: owner. */
bool trp_view_open(struct trp_self *self, struct trp_view *view, struct trp_ref who);

/* Whether something else is shown by now; costs a load. Thread: owner. */
bool trp_view_is_old(const struct trp_view *view);

/* What the same one shows now, beside the old view, which is still to be closed. Thread: owner. */
void trp_view_renew(const struct trp_view *old, struct trp_view *view);

/* Gives it back; it is all zero then. Also from end(). Thread: owner. */
void trp_view_close(struct trp_view *view);

/* As trp_system_spawn; its supervisor is spec's, else the caller's own (a root's: the caller, if it
 * is not pooled itself). Thread: owner. */
TRP_MUST_USE enum trp_err trp_spawn(struct trp_self *self, const struct trp_spec *spec,
                                    struct trp_ref *ref);

/* Ends this actor normally after this turn; mail left is dead. Thread: owner. */
void trp_exit(struct trp_self *self);

/* Between hold and release the stopping actor is kept from closing (up to its deadline). Counted.
 * Thread: owner. */
void trp_stop_hold(struct trp_self *self);
void trp_stop_release(struct trp_self *self);

/* The absolute time by which a stopping actor is cut short; TRP_FOREVER while not stopping. */
uint64_t trp_stop_deadline_ns(struct trp_self *self);

/* ---- supervision: for supervisors ---------------------------------------------------------- */

enum trp_crash_cause {
  TRP_CAUSE_ERROR = 1, /* a handler returned an error */
  TRP_CAUSE_PANIC,     /* trp_panic or a failed CHECK in a turn */
  TRP_CAUSE_EXIT,      /* the thread exited, or the process */
  TRP_CAUSE_SIGNAL,    /* a fatal signal ended its process */
  TRP_CAUSE_START,     /* start failed or stayed silent */
  TRP_CAUSE_STUCK,     /* a turn that did not return within its limit: its process was killed */
  TRP_CAUSE_LINK       /* who it was linked to died */
};

enum trp_actor_state {
  TRP_ACTOR_NEW,
  TRP_ACTOR_STARTING,
  TRP_ACTOR_RUNNING,
  TRP_ACTOR_DRAINING, /* has had the pill */
  TRP_ACTOR_DOWN,     /* crashed or stopped alone; may be restarted */
  TRP_ACTOR_STUCK,    /* its turn never returned: abandoned */
  TRP_ACTOR_GONE
};

const char *trp_actor_state_text(enum trp_actor_state state);

/* A child, as its supervisor sees it. */
struct trp_child {
  struct trp_ref ref;               /* the last incarnation */
  const char *name;                 /* borrowed for the system's life */
  struct trp_restart_policy policy; /* defaults filled in */
  uint64_t restarts;
  uint32_t start_timeout_ms;
  enum trp_actor_state state; /* STARTING from the order to restart on */
  bool end_noted;             /* trp_child_note_end was told of the end of `ref` */
  uint64_t due_ns; /* by when what its supervisor told it should be done; 0: nothing is under way */
};

/* The i-th child of this supervisor in the order of adding; false past the last. Thread: owner. */
bool trp_child_at(struct trp_self *self, size_t i, struct trp_child *out);

/* The same of one child, named by any reference to its slot; false where it is none of this
 * supervisor's. One that is past due_ns is stuck: its turn does not return. Thread: owner. */
bool trp_child_look(struct trp_self *self, struct trp_ref child, struct trp_child *out);

/* Keeps in the child's slot, where this supervisor's next incarnation finds it, that all that was
 * to be done about the end of that life has been done. Thread: owner. */
void trp_child_note_end(struct trp_self *self, struct trp_ref life);

/* Starts a new incarnation in the slot of a child that is down; its outcome comes as CHILD_STARTED
 * or THREAD_CRASHED, and should within its time to start. Errors: NO_ACTOR (not a child),
 * WRONG_STATE (not down), STOPPED. Thread: owner. */
TRP_MUST_USE enum trp_err trp_child_restart(struct trp_self *self, struct trp_ref child);

/* The pill for one child alone: its admission closes to all at once; it drains and ends, which
 * comes as CHILD_ENDED, and should within its budget and one turn's limit. Told again, it has no
 * longer. Errors: NO_ACTOR, WRONG_STATE (not running), STOPPED (all stop). Thread: owner. */
TRP_MUST_USE enum trp_err trp_child_stop(struct trp_self *self, struct trp_ref child);

/* Nobody waits for this child any more: its turn does not return. It is shown as STUCK until it
 * moves, and the journal has its stack. May wait a moment for the stack. Errors: NO_ACTOR. Thread:
 * owner. */
enum trp_err trp_child_give_up(struct trp_self *self, struct trp_ref child);

/* ---- failing ------------------------------------------------------------------------------ */

/* This actor cannot go on: unwinds to the turn's boundary and becomes THREAD_CRASHED with the
 * stack. printf-like. Only from the actor's own code inside a turn; elsewhere it ends the process
 * with last words. Does not return. */
__attribute__((noreturn, format(printf, 1, 2))) void trp_panic(const char *format, ...);

__attribute__((noreturn)) void trp_check_failed(const char *expression, const char *file, int line);

/* A programmer's assumption, always on. In an actor's own code inside a turn a failure is that
 * actor's crash; in runtime or library code it ends the program with last words. */
#define CHECK(e) ((e) ? (void)0 : trp_check_failed(#e, __FILE__, __LINE__))

/* Around library code that must not be unwound out of (locks held): a panic between them ends the
 * process. Counted. Thread: owner. */
void trp_no_unwind_begin(void);
void trp_no_unwind_end(void);

/* ---- accounts ----------------------------------------------------------------------------- */

/* What an actor holds outside memory, for the report's left_behind. */
enum trp_resource {
  TRP_RES_THREAD,
  TRP_RES_DESCRIPTOR,
  TRP_RES_SOCKET,
  TRP_RES_TIMER,
  TRP_RES_ASK,
  TRP_RES_SUBSCRIPTION,
  TRP_RES_PROCESS,
  TRP_RES_COUNT
};

/* Tells the account that this actor took (+n) or gave back (-n) something. Timers and asks are
 * counted by the runtime itself; a subscription is counted by who keeps it, one for each edge from
 * there (trp_edge_add). Thread: owner. */
void trp_account(struct trp_self *self, enum trp_resource what, int64_t delta);

/* ---- logging ------------------------------------------------------------------------------ */

enum trp_log_level { TRP_LOG_DEBUG = 1, TRP_LOG_INFO, TRP_LOG_WARN, TRP_LOG_ERROR, TRP_LOG_NONE };

/* One line: time, level, actor, a stable dotted event name, then key=value pairs. Never blocks;
 * lines that find no room are counted and the count is logged. printf-like. Thread: owner. */
__attribute__((format(printf, 4, 5))) void trp_log(struct trp_self *self, enum trp_log_level level,
                                                   const char *event, const char *format, ...);

/* The same from outside a turn; `who` stands for the actor's name. Thread: any. */
__attribute__((format(printf, 5, 6))) void trp_system_log(struct trp_system *system,
                                                          const char *who, enum trp_log_level level,
                                                          const char *event, const char *format,
                                                          ...);

void trp_system_log_level(struct trp_system *system, enum trp_log_level level);

/* ---- the journal: lifecycle events that outlive any actor ---------------------------------- */

/* Appends a message to the system's bounded journal, from which ctl watch and last words read.
 * Thread: owner. */
void trp_journal(struct trp_self *self, uint16_t type, const void *body, size_t bytes);

struct trp_journal_entry {
  uint64_t sequence; /* from 1, without holes; what was overwritten shows as a jump */
  uint64_t at_ns;
  uint16_t type;
  uint32_t bytes;
  char actor[TRP_NAME_MAX + 1];
};

/* The first entry with a sequence above `after`; body copied up to `body_max` bytes. False where
 * there is none yet. Thread: any. */
bool trp_system_journal_next(struct trp_system *system, uint64_t after,
                             struct trp_journal_entry *entry, void *body, size_t body_max);

/* ---- statistics --------------------------------------------------------------------------- */

/* Why mail was not accepted. */
enum trp_refusal {
  TRP_REFUSED_FULL,
  TRP_REFUSED_STOPPED,
  TRP_REFUSED_DEAD,
  TRP_REFUSED_OUTBOX,
  TRP_REFUSED_COUNT
};

/* Why accepted mail was never handled. */
enum trp_loss {
  TRP_LOST_CRASH,    /* waited when the incarnation died */
  TRP_LOST_IN_HAND,  /* was in hand at the crash */
  TRP_LOST_DEADLINE, /* cut short by stop */
  TRP_LOST_EXIT,     /* waited when the actor ended by itself */
  TRP_LOST_LINK,     /* with its process, which died without having acknowledged it */
  TRP_LOST_COUNT
};

/* An account over all incarnations of a name. It balances when
 * offered = accepted + refused and accepted = handled + evicted + conflated + dead + pending. */
struct trp_ledger {
  uint64_t offered;
  uint64_t accepted;
  uint64_t refused[TRP_REFUSED_COUNT];
  uint64_t handled;
  uint64_t evicted;
  uint64_t conflated;
  uint64_t dead[TRP_LOST_COUNT];
  uint64_t pending;
};

uint64_t trp_ledger_refused(const struct trp_ledger *ledger);
uint64_t trp_ledger_dead(const struct trp_ledger *ledger);
bool trp_ledger_balances(const struct trp_ledger *ledger);

struct trp_actor_info {
  struct trp_ref ref;
  char name[TRP_NAME_MAX + 1];
  char kind[TRP_NAME_MAX + 1];
  const char *placement; /* "thread", "pool", "io", "process" */
  enum trp_actor_state state;
  int tid; /* 0 where no thread */
  int pid; /* of the process that it is placed in; 0 where there is none */
  uint64_t incarnation;
  uint64_t restarts;
  uint64_t depth;
  uint64_t depth_max;
  uint64_t oldest_ns; /* sampled: how long at least the oldest mail has waited */
  uint64_t turns;     /* changes with each turn; odd while in one */
  uint32_t turn_limit_ms;
  uint32_t budget_ms;
  int64_t held[TRP_RES_COUNT];
  struct trp_ledger ledger;
};

size_t trp_system_actor_count(struct trp_system *system);

/* A snapshot of the i-th slot; each figure is true, together they are only nearly so. False past
 * the last. Thread: any. */
bool trp_system_actor(struct trp_system *system, size_t i, struct trp_actor_info *out);

const char *trp_system_name(struct trp_system *system);
const char *trp_system_state(struct trp_system *system); /* "running" ... */
uint64_t trp_system_uptime_ns(struct trp_system *system);

/* The stack of an actor's thread as text, captured on that thread with a bounded wait for its
 * answer, else its state from /proc. `out` is always terminated. Thread: any but that one. */
void trp_system_stack(struct trp_system *system, struct trp_ref who, char *out, size_t bytes);

/* ---- threads ------------------------------------------------------------------------------ */

/* Every thread of the process may be on the register; foreign ones do it by these. `name` and
 * `role` are copied. beat says "alive"; a foreign thread that ends without deregistering is a
 * death that the monitor reports. Thread: the one that registers. */
enum trp_err trp_thread_register(const char *name, const char *role);
void trp_thread_beat(void);
void trp_thread_deregister(void);

struct trp_thread_info {
  char name[TRP_NAME_MAX + 1];
  char role[24];
  char owner[TRP_NAME_MAX + 1]; /* the actor or system, "" for foreign ones */
  int tid;
  bool foreign;
  bool ended;          /* ended without deregistering */
  bool vanished;       /* and without a word: the kernel does not know it any more */
  uint64_t started_ns; /* CLOCK_MONOTONIC */
  uint64_t beat_ns;    /* the last beat or turn seen */
  uint64_t cpu_ns;
};

/* The i-th registered thread; false past the last. Thread: any. */
bool trp_thread_at(size_t i, struct trp_thread_info *out);

#ifdef __cplusplus
}
#endif
#endif
