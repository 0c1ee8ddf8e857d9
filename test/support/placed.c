#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/placed.h"

#include <malloc.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/supervisor.h"
#include "test/support/process.h"

#define MS TRP_NS_PER_MS
enum { PATIENCE_MS = 10000 };

/* ---- the actor, in its process ---- */

struct actor {
  uint64_t counted;
  uint64_t asked, correlation;
};

__attribute__((noinline)) static void hang(void) {
  for (volatile uint64_t i = 0; i < UINT64_MAX; i++) continue;
}

/* Meant as it is, so no sanitizer is to say so. */
__attribute__((noinline, no_sanitize("address", "undefined"))) static void fault(void) {
  static volatile int *volatile nowhere;
  *nowhere = 1;
}

static void eat(void) {
  enum { BITE = 1 << 20 };
  for (;;) {
    char *bite = malloc(BITE);
    if (bite != NULL) memset(bite, 1, BITE);
  }
}

static enum trp_err die(uint64_t how) {
  switch ((enum placed_death)how) {
    case PLACED_FAULT:
      fault();
      break;
    case PLACED_ABORT:
      abort();
    case PLACED_PANIC:
      trp_panic("on order");
    case PLACED_ERROR:
      return TRP_PROTOCOL;
    case PLACED_STATUS:
      exit(3);
    case PLACED_KILL:
      kill(getpid(), SIGKILL);
      break;
    case PLACED_LOOP:
      hang();
      break;
    case PLACED_EAT:
      eat();
  }
  return TRP_OK;
}

static enum trp_err actor_start(struct trp_self *self, void *state, const void *args_) {
  (void)state;
  const struct placed_args *args = args_;
  trp_log(self, TRP_LOG_INFO, "placed.start", "pid=%d", (int)getpid());
  enum placed_start how = args == NULL                      ? PLACED_START_WELL
                          : trp_self_incarnation(self) == 1 ? args->start
                                                            : args->later;
  if (how == PLACED_START_FAULTS) fault();
  if (how == PLACED_START_HANGS) hang();
  return how == PLACED_START_FAILS ? TRP_REFUSED : TRP_OK;
}

static enum trp_err answer_hello(struct trp_self *self, const struct actor *a,
                                 const struct trp_msg *msg) {
  struct trp_ref ref = trp_self_ref(self);
  struct placed_hello hello = {.pid = getpid(),
                               .sid = getsid(0),
                               .ref = ref.bits,
                               .incarnation = trp_self_incarnation(self),
                               .counted = a->counted,
                               .named = trp_ref_equal(trp_whereis(self, "placed"), ref)};
  (void)trp_reply(self, msg->token, PLACED_HELLO, &hello, sizeof hello);
  return TRP_OK;
}

static void tell_witness(struct trp_self *self, uint16_t type) {
  /* It may be down: that is what is told. */
  struct trp_ref witness = trp_whereis(self, "witness");
  (void)!trp_send(self, witness, PLACED_NEWS, &type, sizeof type);
}

static enum trp_err ask_witness(struct trp_self *self, struct actor *a, const struct trp_msg *msg) {
  a->asked = msg->token;
  return trp_ask(self, trp_whereis(self, "witness"), PLACED_ASK, NULL, 0, TRP_NS_PER_S,
                 &a->correlation);
}

static enum trp_err actor_receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  struct actor *a = state;
  switch (msg->type) {
    case PLACED_HELLO:
      return answer_hello(self, a, msg);
    case PLACED_DIE:
      return die(*(const uint64_t *)msg->body);
    case PLACED_COUNT:
      a->counted++;
      return trp_forward(self, trp_whereis(self, "witness"), msg);
    case PLACED_BLOCK:
      return trp_forward(self, trp_whereis(self, "witness"), msg);
    case PLACED_ASK:
      if (msg->correlation == 0) return ask_witness(self, a, msg);
      CHECK(msg->correlation == a->correlation);
      (void)trp_reply(self, a->asked, PLACED_ASK, msg->body, msg->bytes);
      return TRP_OK;
    case TRP_ASK_FAILED:
      (void)trp_reply(self, a->asked, TRP_ASK_FAILED, msg->body, msg->bytes);
      return TRP_OK;
    case PLACED_WATCH:
      return trp_watch(self, "witness", NULL);
    case PLACED_TIMER:
      return trp_timer_start(self, 5 * MS, 0, 7, NULL);
    case TRP_UP:
    case TRP_DOWN:
    case TRP_TIMER:
      tell_witness(self, msg->type);
      return TRP_OK;
    case PLACED_EXIT:
      trp_exit(self);
      return TRP_OK;
    case PLACED_STOP:
      trp_system_stop(trp_self_system(self), "the placed one asked");
      return TRP_OK;
    default:
      return TRP_OK;
  }
}

static void actor_end(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)state;
  if (reason == TRP_END_STOPPED) tell_witness(self, PLACED_EXIT);
}

static const struct trp_kind actor_kind = {.name = "placed",
                                           .state_bytes = sizeof(struct actor),
                                           .start = actor_start,
                                           .receive = actor_receive,
                                           .end = actor_end};
const struct trp_kind *const placed_kinds[] = {&actor_kind, NULL};

/* ---- the witness, here ---- */

static struct {
  _Atomic uint64_t count, sum, bytes, last, disorder;
  _Atomic uint16_t news;
} seen;

uint64_t placed_witnessed(void) { return seen.count; }
uint64_t placed_witnessed_sum(void) { return seen.sum; }
uint64_t placed_witnessed_bytes(void) { return seen.bytes; }
uint16_t placed_news(void) { return seen.news; }
bool placed_in_order(void) { return seen.disorder == 0; }

static enum trp_err witness(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  switch (msg->type) {
    case PLACED_COUNT: {
      uint64_t number = *(const uint64_t *)msg->body;
      if (number <= seen.last) seen.disorder++;
      seen.last = number;
      seen.sum += number;
      seen.count++;
      break;
    }
    case PLACED_BLOCK:
      seen.bytes += msg->bytes;
      break;
    case PLACED_NEWS:
      seen.news = *(const uint16_t *)msg->body;
      break;
    case PLACED_ASK:
      (void)trp_reply(self, msg->token, PLACED_ASK, &msg->from, sizeof msg->from);
      break;
    case PLACED_DIE:
      trp_panic("the witness, on order");
    default:
      break;
  }
  return TRP_OK;
}

static const struct trp_kind witness_kind = {.name = "witness", .receive = witness};

/* ---- the house ---- */

void placed_open(struct placed *p, const struct trp_spec *given, const struct placed_args *args) {
  memset(p, 0, sizeof *p);
  memset(&seen, 0, sizeof seen);
  const char *level = getenv("PLACED_LOG");
  const struct trp_system_options options = {
      .name = "house", .log_fd = level != NULL ? STDERR_FILENO : -1, .allow_faults = true};
  const struct trp_restart_policy patient = {
      .intensity = 100000, .backoff_min_ms = 1, .backoff_max_ms = 1, .stable_ms = 1};
  struct trp_spec spec = given != NULL ? *given : (struct trp_spec){0};
  spec.name = "placed";
  spec.kind = &actor_kind;
  spec.args = args;
  spec.args_bytes = sizeof *args;
  spec.placement = TRP_PROCESS;
  spec.supervisor = "supervisor";
  spec.restart = patient;
  assert_int_equal(TRP_OK, trp_system_new(&p->system, &options));
  const struct trp_spec supervisor = {.name = "supervisor", .kind = &trp_supervisor_kind};
  const struct trp_spec other = {.name = "witness",
                                 .kind = &witness_kind,
                                 .supervisor = "supervisor",
                                 .mailbox = {.capacity = 64, .policy = TRP_WAIT},
                                 .restart = patient};
  assert_int_equal(TRP_OK, trp_system_add(p->system, &supervisor));
  assert_int_equal(TRP_OK, trp_system_add(p->system, &other));
  assert_int_equal(TRP_OK, trp_system_add(p->system, &spec));
  assert_int_equal(TRP_OK, trp_system_edge(p->system, "placed", "witness"));
  char failure[256];
  enum trp_err err = trp_system_start(p->system, failure, sizeof failure);
  if (err != TRP_OK) fail_msg("%s", failure);
}

const struct trp_report *placed_stop(struct placed *p) {
  trp_system_stop(p->system, "the test is over");
  assert_int_equal(TRP_OK, trp_system_wait(p->system, 20 * TRP_NS_PER_S));
  const struct trp_report *report = trp_system_report(p->system);
  assert_true(report->balanced);
  for (int r = 0; r < TRP_RES_COUNT; r++) assert_int_equal(0, report->left_behind[r]);
  return report;
}

void placed_close(struct placed *p) { trp_system_destroy(&p->system); }

struct trp_ref placed_ref(struct placed *p) {
  return trp_system_whereis(p->system, "placed");
}

void placed_info(struct placed *p, struct trp_actor_info *info) {
  for (size_t i = 0; trp_system_actor(p->system, i, info); i++) {
    if (strcmp(info->name, "placed") == 0) return;
  }
  fail_msg("there is none");
}

void placed_tell(struct placed *p, uint16_t type, uint64_t number) {
  enum trp_err err = trp_system_send_wait(p->system, placed_ref(p), type, &number, sizeof number,
                                          PATIENCE_MS * MS);
  assert_int_equal(TRP_OK, err);
}

void placed_hello(struct placed *p, struct placed_hello *hello) {
  unsigned long until = process_now_ms() + PATIENCE_MS * process_slowness();
  for (;;) {
    size_t bytes = sizeof *hello;
    enum trp_err err = trp_system_ask(p->system, placed_ref(p), PLACED_HELLO, NULL, 0,
                                      PATIENCE_MS * MS, NULL, hello, &bytes);
    if (err == TRP_OK) return;
    if (process_now_ms() > until) fail_msg("no answer: %s", trp_err_text(err));
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
  }
}

void placed_await_crash(struct placed *p, struct trp_thread_crashed *crashed) {
  unsigned long until = process_now_ms() + PATIENCE_MS * process_slowness();
  struct trp_journal_entry entry;
  for (;;) {
    while (trp_system_journal_next(p->system, p->journal, &entry, crashed, sizeof *crashed)) {
      p->journal = entry.sequence;
      if (entry.type == TRP_THREAD_CRASHED && strcmp(entry.actor, "placed") == 0) return;
    }
    if (process_now_ms() > until) fail_msg("no crash");
    process_nap(1);
  }
}

void placed_await_life(struct placed *p, uint64_t incarnation) {
  unsigned long until = process_now_ms() + PATIENCE_MS * process_slowness();
  struct trp_actor_info info;
  do {
    if (process_now_ms() > until) fail_msg("life %d did not come", (int)incarnation);
    process_nap(1);
    placed_info(p, &info);
  } while (info.incarnation < incarnation || info.state != TRP_ACTOR_RUNNING);
}

/* ---- killing ---- */

/* A socket of this program that outlives every one of its processes, and somebody who asks it. */
struct socket_pair {
  nng_socket rep, req;
  char url[128];
};

static void open_pair(struct socket_pair *s) {
  snprintf(s->url, sizeof s->url, "ipc://%s", process_path("answering"));
  assert_int_equal(0, nng_rep0_open(&s->rep));
  assert_int_equal(0, nng_listen(s->rep, s->url, NULL, 0));
}

/* A new connection each time, so that the listener is asked too. */
static bool answers(struct socket_pair *s) {
  const nng_duration patience_ms = 5000;
  char text[8];
  size_t bytes = sizeof text;
  bool well = nng_req0_open(&s->req) == 0 &&
              nng_socket_set_ms(s->req, NNG_OPT_RECVTIMEO, patience_ms) == 0 &&
              nng_socket_set_ms(s->rep, NNG_OPT_RECVTIMEO, patience_ms) == 0 &&
              nng_dial(s->req, s->url, NULL, 0) == 0 &&
              nng_send(s->req, (void *)"ping", 4, 0) == 0 &&
              nng_recv(s->rep, text, &bytes, 0) == 0 && nng_send(s->rep, text, bytes, 0) == 0;
  bytes = sizeof text;
  well = well && nng_recv(s->req, text, &bytes, 0) == 0 && memcmp(text, "ping", 4) == 0;
  nng_close(s->req);
  return well;
}

static const char *last_reason(struct placed *p) {
  static struct trp_thread_crashed crashed, last;
  struct trp_journal_entry entry;
  while (trp_system_journal_next(p->system, p->journal, &entry, &crashed, sizeof crashed)) {
    p->journal = entry.sequence;
    if (entry.type == TRP_THREAD_CRASHED) last = crashed;
  }
  return last.reason;
}

/* Which moment it hits is drawn from 0 to 15 ms after the process was seen. */
static void kill_next(struct placed *p, int *last, uint32_t *chance) {
  enum { SPAN_US = 15000 };
  unsigned long until = process_now_ms() + PATIENCE_MS * process_slowness();
  struct trp_actor_info info;
  for (;;) {
    placed_info(p, &info);
    if (info.pid != 0 && info.pid != *last) break;
    if (process_now_ms() > until) {
      fail_msg("no process came: the system is %s, life %d is %s, the last of a crash: %s",
               trp_system_state(p->system), (int)info.incarnation, trp_actor_state_text(info.state),
               last_reason(p));
    }
    nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
  }
  *last = info.pid;
  *chance = *chance * 1664525u + 1013904223u;
  long ns = (long)(*chance >> 8) % (SPAN_US * process_slowness()) * 1000;
  nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
  kill(info.pid, SIGKILL); /* not reaped before its slot has seen it: a child of ours */
}

uint32_t placed_kill_at_start(struct placed *p, uint32_t n) {
  struct socket_pair sockets;
  uint32_t chance = 7, good = 0;
  int last = 0;
  open_pair(&sockets);
  for (uint32_t i = 0; i < n; i++) {
    kill_next(p, &last, &chance);
    good += answers(&sockets);
  }
  nng_close(sockets.rep);
  return good;
}

double placed_kill_and_wait(struct placed *p) {
  struct placed_hello before, after;
  struct timespec from, to;
  placed_hello(p, &before);
  clock_gettime(CLOCK_MONOTONIC, &from);
  kill(before.pid, SIGKILL);
  do {
    placed_hello(p, &after);
  } while (after.incarnation == before.incarnation);
  clock_gettime(CLOCK_MONOTONIC, &to);
  return (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
}

uint64_t placed_heap(void) { return mallinfo2().uordblks; }
