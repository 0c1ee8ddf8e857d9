/* placed.h - a house with one actor in a process of its own, which dies on order in every way there
 * is, and a witness beside it that it sends to.
 *
 * The orders come as messages from the test; what the process is and sees it tells in its answers.
 * Include after cmocka's headers: the functions assert. */
#ifndef TRP_TEST_SUPPORT_PLACED_H
#define TRP_TEST_SUPPORT_PLACED_H

#include <stdbool.h>

#include "runtime/report.h"
#include "runtime/troupe.h"

enum {
  PLACED_HELLO = TRP_USER_FIRST, /* an ask: answered with struct placed_hello */
  PLACED_DIE,                    /* uint64_t: enum placed_death */
  PLACED_COUNT,                  /* uint64_t: is counted, and sent on to the witness */
  PLACED_BLOCK,                  /* a large body, sent on to the witness */
  PLACED_ASK,                    /* an ask that it asks the witness */
  PLACED_WATCH,                  /* watch the witness, and tell it what was heard */
  PLACED_TIMER,                  /* tell the witness after a while */
  PLACED_EXIT,                   /* trp_exit */
  PLACED_STOP,                   /* ask for the stop of all */
  PLACED_NEWS                    /* to the witness: uint16_t, the type that was heard */
};

enum placed_death {
  PLACED_FAULT, /* a null pointer */
  PLACED_ABORT,
  PLACED_PANIC,
  PLACED_ERROR,
  PLACED_STATUS, /* exit(3) */
  PLACED_KILL,   /* what the kernel does to it where memory is out */
  PLACED_LOOP,   /* never returns */
  PLACED_EAT     /* memory, until the kernel ends it */
};

enum placed_start {
  PLACED_START_WELL,
  PLACED_START_FAILS,
  PLACED_START_FAULTS,
  PLACED_START_HANGS
};

struct placed_args {
  enum placed_start start; /* of the first life */
  enum placed_start later; /* of the others */
};

struct placed_hello {
  int pid, sid;
  uint64_t ref, incarnation, counted;
  bool named; /* it knows itself by its name */
};

struct placed {
  struct trp_system *system;
  uint64_t journal; /* read so far */
};

/* A house whose slot is called "placed", its door open; `spec` may be NULL, its name, kind, args,
 * placement and supervisor are set here. Starts it. */
void placed_open(struct placed *p, const struct trp_spec *spec, const struct placed_args *args);
const struct trp_report *placed_stop(struct placed *p);
void placed_close(struct placed *p);

struct trp_ref placed_ref(struct placed *p);
void placed_info(struct placed *p, struct trp_actor_info *info);
void placed_tell(struct placed *p, uint16_t type, uint64_t number);
/* Asks until a living one answers, at most 10 s. */
void placed_hello(struct placed *p, struct placed_hello *hello);
/* The next crash in the journal; waits at most 10 s. */
void placed_await_crash(struct placed *p, struct trp_thread_crashed *crashed);
/* Until the n-th life is up. */
void placed_await_life(struct placed *p, uint64_t incarnation);

/* What the witness got: numbers, their sum, bytes; and the last news. */
uint64_t placed_witnessed(void), placed_witnessed_sum(void), placed_witnessed_bytes(void);
uint16_t placed_news(void);
bool placed_in_order(void);

/* Kills the process at n moments of its start, from its spawning to some time after it is up, while
 * a socket of this program is asked each time. How many of the sockets answered. */
uint32_t placed_kill_at_start(struct placed *p, uint32_t n);

/* Milliseconds from SIGKILL to the first answer of the next life. */
double placed_kill_and_wait(struct placed *p);

/* The kinds, for main; and a child that main may be (see placed_test_main). */
extern const struct trp_kind *const placed_kinds[];

/* Live bytes of the heap of this program. */
uint64_t placed_heap(void);

#endif
