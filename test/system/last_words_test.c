/* What a process says before it dies of a memory fault, and that it dies in every case: each death
 * is a real process, a child that runs a system of its own and has one of its actors do it. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "actors/supervisor.h"
#include "runtime/blob.h"
#include "runtime/troupe.h"
#include "test/support/process.h"

/* The sanitizers have handlers of their own for these, which would come after ours and end the
 * process in another way. */
#define OWN_HANDLERS "handle_segv=0:handle_abort=0:handle_sigbus=0:handle_sigill=0:handle_sigfpe=0"
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return OWN_HANDLERS; }
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return OWN_HANDLERS; }

enum { WORDS_MAX = 64 * 1024, WORK = TRP_USER_FIRST, FAULT };

/* ---- ways to die ---- */

static volatile uintptr_t nowhere = 16; /* volatile: the compiler must not know */

__attribute__((noinline)) static void write_nowhere(void) { *(volatile int *)nowhere = 1; }

__attribute__((noinline)) static void call_nowhere(void) {
  static void (*volatile function)(void); /* NULL */
  function();
  nowhere = 0; /* so that this is no tail call */
}

__attribute__((noinline)) static int use_up_the_stack(volatile int *before) {
  volatile int here[256] = {*before};
  if (nowhere == 0) return 0; /* never: the compiler must not know that either */
  return use_up_the_stack(here) + here[1];
}

__attribute__((noinline)) static void abort_in_the_runtime(void) {
  static struct trp_blob unowned; /* one reference too few: the runtime's own invariant */
  trp_blob_release(&unowned);
  nowhere = 0; /* so that this is no tail call */
}

static void overflow(void) {
  volatile int one = 1;
  (void)use_up_the_stack(&one);
}

static void *fault_in_a_thread(void *name) {
  (void)!trp_thread_register(name, "test");
  write_nowhere();
  return NULL;
}

static void fault_outside(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, fault_in_a_thread, "stranger");
  pthread_join(thread, NULL);
}

static void be_killed(void) { kill(getpid(), SIGSEGV); }
static void do_nothing(void) {}

/* ---- the child ---- */

struct death {
  void (*how)(void);     /* what the victim does in its turn */
  void (*leave)(void *); /* on_leave: runs first in last words */
  enum { TO_PIPE, TO_CLOSED, TO_FULL_PIPE, TO_NO_READER } standard_error;
  bool embedded; /* trp_last_words_install and no trp_system_run */
  unsigned long took_ms;
  int signal; /* how it ended; 0: by exit, -1: not at all */
  char words[WORDS_MAX];
};

static struct death *child;

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)state;
  (void)args;
  enum trp_err err = trp_send(self, trp_self_ref(self), WORK, NULL, 0);
  if (err == TRP_OK) err = trp_send(self, trp_self_ref(self), FAULT, NULL, 0);
  return err;
}

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  if (msg->type == FAULT) child->how();
  return TRP_OK;
}

static _Atomic bool go; /* on_leave has begun: the second victim's turn to fault */

static enum trp_err wait_and_fault(struct trp_self *self, void *state, const void *args) {
  (void)args;
  (void)state;
  return trp_send(self, trp_self_ref(self), FAULT, NULL, 0);
}

static enum trp_err fault_when_told(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  (void)msg;
  for (int i = 0; i < 5000 && !atomic_load_explicit(&go, memory_order_acquire); i++) process_nap(1);
  write_nowhere();
  return TRP_OK;
}

static const struct trp_kind victim = {"victim", 0, .start = start, .receive = receive};
static const struct trp_kind second = {"second", 0, .start = wait_and_fault,
                                       .receive = fault_when_told};

static int live(void) {
  static const struct trp_supervisor_options supervisor = {.strategy = TRP_ONE_FOR_ONE};
  struct trp_system_options options = {
      .name = "mortal", .log_fd = -1, .quiet_report = true, .on_leave = child->leave};
  struct trp_system *system = NULL;
  const struct trp_spec specs[] = {
      {.name = "root", .kind = &trp_supervisor_kind, .args = &supervisor},
      {.name = "second", .kind = &second, .supervisor = "root"},
      {.name = "victim", .kind = &victim, .supervisor = "root"}};
  if (trp_system_new(&system, &options) != TRP_OK) return 100;
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    if (child->leave == NULL && i == 1) continue; /* one is enough */
    if (trp_system_add(system, &specs[i]) != TRP_OK) return 101;
  }
  if (!child->embedded) return trp_system_run(system);
  if (trp_last_words_install(system) != TRP_OK || trp_last_words_install(NULL) != TRP_BUSY ||
      trp_system_start(system, NULL, 0) != TRP_OK) {
    return 102;
  }
  process_nap(500);
  trp_last_words_uninstall();
  trp_system_destroy(&system);
  return 0;
}

static void fill(int fd) {
  static const char much[4096];
  int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  while (write(fd, much, sizeof much) > 0 || write(fd, much, 1) > 0) continue;
  fcntl(fd, F_SETFL, flags);
}

__attribute__((noreturn)) static void be_the_child(struct death *d, int pipes[2]) {
  static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
  setrlimit(RLIMIT_CORE, &(struct rlimit){0});
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    signal(numbers[i], SIG_DFL); /* the test's own framework has taken them */
  }
  child = d;
  if (d->standard_error == TO_FULL_PIPE) fill(pipes[1]);
  dup2(pipes[1], STDERR_FILENO);
  close(pipes[1]);
  if (d->standard_error != TO_FULL_PIPE) close(pipes[0]);
  if (d->standard_error == TO_CLOSED) close(STDERR_FILENO);
  _exit(live());
}

static void take_words(struct death *d, int fd) {
  size_t used = 0;
  ssize_t n;
  while (used < sizeof d->words - 1 &&
         (n = read(fd, d->words + used, sizeof d->words - 1 - used)) > 0) {
    used += (size_t)n;
  }
  d->words[used] = '\0';
}

static struct death *die(const struct death *as) {
  static struct death d;
  int pipes[2], status = 0;
  d = *as;
  assert_int_equal(pipe(pipes), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) be_the_child(&d, pipes);
  unsigned long before = process_now_ms();
  close(pipes[1]);
  /* A full pipe keeps its reader, the child, which does not read. */
  if (d.standard_error == TO_PIPE) take_words(&d, pipes[0]);
  close(pipes[0]);
  struct process p = {.pid = pid};
  status = process_wait(&p, 10000 * process_slowness());
  process_end(&p);
  d.took_ms = process_now_ms() - before;
  d.signal = status > 128 ? status - 128 : status < 0 ? -1 : 0;
  return &d;
}

static void expect(const struct death *d, int number, const char *const *words) {
  if (d->signal != number) fail_msg("ended by %d, not %d: %s", d->signal, number, d->words);
  for (; *words != NULL; words++) {
    if (strstr(d->words, *words) == NULL) fail_msg("'%s' is not in: %s", *words, d->words);
  }
}

#define EXPECT(d, number, ...) expect((d), (number), (const char *const[]){__VA_ARGS__, NULL})

static unsigned count(const char *text, const char *what) {
  unsigned n = 0;
  while ((text = strstr(text, what)) != NULL) n++, text++;
  return n;
}

/* ---- the tests ---- */

static void a_write_to_nowhere_is_named_with_actor_address_stack_turns_and_account(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = write_nowhere});
  EXPECT(d, SIGSEGV, "last words: fatal signal SIGSEGV at address 0x10 in a turn of actor victim",
         "of system mortal, incarnation 1, thread id ", "troupe: stack: write_nowhere+0x",
         " < receive+0x", "program counters: 0x",
         "its last turns of 3, the one under way first: ", "USER 1025, USER 1024, start()\n",
         "mortal/root running, incarnation 1\n", "mortal/victim starting, incarnation 1\n",
         "mortal SYSTEM_STATE\n", "the account so far:", "  root running: accepted 0",
         "victim running, in a turn of USER 1025: accepted 2 = handled 1 + evicted 0 + conflated 0 "
         "+ dead 0 + pending 1; refused 0\n");
  assert_int_equal(count(d->words, "last words:"), 1);
}

static void a_call_to_nowhere_is_named(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = call_nowhere});
  EXPECT(d, SIGSEGV, "at address 0x0 in a turn of actor victim", "stack: 0x0 < call_nowhere+0x",
         " < receive+0x", " < run_actor+0x");
}

static void a_stack_that_is_used_up_still_leaves_last_words(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = overflow});
  EXPECT(d, SIGSEGV, "(its stack is used up) in a turn of actor victim",
         "troupe: stack: use_up_the_stack", "USER 1025, USER 1024", "account so far");
}

static void a_broken_invariant_of_the_runtime_says_which_and_who(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = abort_in_the_runtime});
  EXPECT(d, SIGABRT, "victim: the runtime's own ASSERT(", "fatal signal SIGABRT raised by itself",
         "abort_in_the_runtime+0x");
}

static void a_fault_outside_the_actors_names_the_thread(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = fault_outside});
  EXPECT(d, SIGSEGV, "which is no actor's, thread id", "fault_in_a_thread+0x", "system mortal is ",
         "victim running, in a turn of USER 1025");
}

static void a_fatal_signal_that_somebody_sent_ends_the_process_by_it(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = be_killed});
  EXPECT(d, SIGSEGV, "fatal signal SIGSEGV raised by itself");
}

static void an_embedder_may_have_last_words_and_give_them_back(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = write_nowhere, .embedded = true});
  EXPECT(d, SIGSEGV, "in a turn of actor victim", "account so far");
  d = die(&(struct death){.how = do_nothing, .embedded = true});
  EXPECT(d, 0, "");
  assert_string_equal(d->words, "");
}

static void let_the_second_fault(void *arg) {
  (void)arg;
  if (!atomic_exchange_explicit(&go, true, memory_order_acq_rel)) process_nap(300);
}

static void a_second_fault_meanwhile_does_not_spoil_the_words_of_the_first(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = write_nowhere, .leave = let_the_second_fault});
  EXPECT(d, SIGSEGV, "in a turn of actor victim", "account so far",
         "  second running, in a turn of USER 1025", "  victim running");
  assert_int_equal(count(d->words, "last words:"), 1);
}

static void fault_again(void *arg) {
  (void)arg;
  write_nowhere();
}

static void a_fault_inside_last_words_ends_them_at_once(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = write_nowhere, .leave = fault_again});
  EXPECT(d, SIGSEGV, "");
  assert_true(d->took_ms < 2000 * process_slowness());
}

static void abort_again(void *arg) {
  (void)arg;
  abort();
}

static void an_abort_inside_last_words_ends_them_at_once(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = write_nowhere, .leave = abort_again});
  EXPECT(d, SIGABRT, "");
  assert_true(d->took_ms < 2000 * process_slowness());
}

static void never_return(void *arg) {
  (void)arg;
  for (;;) process_nap(1000);
}

static void last_words_that_hang_are_killed(void **state) {
  (void)state;
  struct death *d = die(&(struct death){.how = write_nowhere, .leave = never_return});
  EXPECT(d, SIGKILL, "");
  assert_true(d->took_ms < 8000 * process_slowness());
}

static void last_words_need_neither_standard_error_nor_a_reader(void **state) {
  (void)state;
  void (*const hows[])(void) = {write_nowhere, abort_in_the_runtime};
  const int numbers[] = {SIGSEGV, SIGABRT};
  for (int i = 0; i < 2; i++) {
    for (int to = TO_CLOSED; to <= TO_NO_READER; to++) {
      struct death as = {.how = hows[i]};
      as.standard_error = to;
      struct death *d = die(&as);
      if (d->signal != numbers[i]) fail_msg("%d, %d: ended by %d", i, to, d->signal);
      assert_true(d->took_ms < 5000 * process_slowness());
    }
  }
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_write_to_nowhere_is_named_with_actor_address_stack_turns_and_account),
      cmocka_unit_test(a_call_to_nowhere_is_named),
      cmocka_unit_test(a_stack_that_is_used_up_still_leaves_last_words),
      cmocka_unit_test(a_broken_invariant_of_the_runtime_says_which_and_who),
      cmocka_unit_test(a_fault_outside_the_actors_names_the_thread),
      cmocka_unit_test(a_fatal_signal_that_somebody_sent_ends_the_process_by_it),
      cmocka_unit_test(an_embedder_may_have_last_words_and_give_them_back),
      cmocka_unit_test(a_second_fault_meanwhile_does_not_spoil_the_words_of_the_first),
      cmocka_unit_test(a_fault_inside_last_words_ends_them_at_once),
      cmocka_unit_test(an_abort_inside_last_words_ends_them_at_once),
      cmocka_unit_test(last_words_that_hang_are_killed),
      cmocka_unit_test(last_words_need_neither_standard_error_nor_a_reader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
