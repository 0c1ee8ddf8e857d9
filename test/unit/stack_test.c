/* Stacks: one's own, of a thread that sleeps, spins or does not listen, and of one long gone. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/stack.h"
#include "runtime/symbols.h"

static const uint64_t short_ns = 20000000, long_ns = 5000000000;

struct subject {
  pthread_t thread;
  _Atomic int tid;
  _Atomic bool blocked, stop;
  void (*body)(struct subject *self);
};

__attribute__((noinline)) static void sleeps_in_a_static_function(struct subject *self) {
  while (!atomic_load(&self->stop)) nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
}

__attribute__((noinline)) static void spins_in_a_static_function(struct subject *self) {
  while (!atomic_load(&self->stop)) continue;
}

/* Blocks every signal until `blocked` is taken back. */
static void listens_to_nobody(struct subject *self) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  atomic_store(&self->tid, (int)syscall(SYS_gettid));
  while (atomic_load(&self->blocked)) sched_yield();
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  sleeps_in_a_static_function(self);
}

static void *subject_main(void *arg) {
  struct subject *self = arg;
  if (self->body != listens_to_nobody) atomic_store(&self->tid, (int)syscall(SYS_gettid));
  self->body(self);
  return NULL;
}

static int subject_start(struct subject *self, void (*body)(struct subject *self)) {
  *self = (struct subject){.body = body};
  atomic_store(&self->blocked, true);
  assert_int_equal(pthread_create(&self->thread, NULL, subject_main, self), 0);
  while (atomic_load(&self->tid) == 0) sched_yield();
  return atomic_load(&self->tid);
}

/* The question also wakes a sleeper, so it is asked once more to end it. */
static void subject_end(struct subject *self) {
  atomic_store(&self->stop, true);
  atomic_store(&self->blocked, false);
  struct trp_stack stack;
  enum trp_err err = trp_stack_of_thread(atomic_load(&self->tid), short_ns, &stack);
  (void)err;
  pthread_join(self->thread, NULL);
}

static int install(void **state) {
  (void)state;
  trp_symbols_load();
  return trp_stack_install() == TRP_OK ? 0 : -1;
}

static int uninstall(void **state) {
  (void)state;
  trp_stack_uninstall();
  return 0;
}

static const char *text_of(const struct trp_stack *stack) {
  static char text[1536];
  size_t length = trp_stack_text(stack, text, sizeof text);
  assert_int_equal(length, strlen(text));
  return text;
}

/* A thread may be asked before it has reached the place where it stays. */
static void expect_function(int tid, const char *name) {
  struct trp_stack stack;
  const char *text = "";
  for (int i = 0; i < 100 && strstr(text, name) == NULL; i++) {
    assert_int_equal(trp_stack_of_thread(tid, long_ns, &stack), TRP_OK);
    text = text_of(&stack);
  }
  if (strstr(text, name) == NULL) fail_msg("%s is not in: %s", name, text);
  if (strstr(text, "subject_main") == NULL) fail_msg("the caller is not in: %s", text);
}

static void the_stack_of_a_sleeping_thread_names_its_static_function(void **state) {
  (void)state;
  struct subject sleeper;
  int tid = subject_start(&sleeper, sleeps_in_a_static_function);
  expect_function(tid, "sleeps_in_a_static_function+0x");
  subject_end(&sleeper);
}

static void the_stack_of_a_spinning_thread_names_its_static_function(void **state) {
  (void)state;
  struct subject spinner;
  int tid = subject_start(&spinner, spins_in_a_static_function);
  expect_function(tid, "spins_in_a_static_function+0x");
  subject_end(&spinner);
}

static void a_thread_that_blocks_the_signal_is_a_timeout(void **state) {
  (void)state;
  struct subject deaf;
  struct trp_stack stack;
  int tid = subject_start(&deaf, listens_to_nobody);
  for (int i = 0; i < 3; i++) {
    memset(&stack, 0xee, sizeof stack);
    uint64_t begin_ns = trp_deadline_now_ns();
    assert_int_equal(trp_stack_of_thread(tid, short_ns, &stack), TRP_TIMEOUT);
    assert_true(trp_deadline_now_ns() - begin_ns >= short_ns);
    assert_int_equal(stack.depth, 0);
  }
  struct trp_stack before = stack;
  atomic_store(&deaf.blocked, false);
  expect_function(tid, "sleeps_in_a_static_function+0x"); /* the late answer harmed nothing */
  assert_memory_equal(&stack, &before, sizeof stack);
  subject_end(&deaf);
}

static void signals_do_not_pile_up_on_a_thread_that_blocks_them(void **state) {
  (void)state;
  struct subject deaf;
  struct trp_stack stack;
  int tid = subject_start(&deaf, listens_to_nobody);
  int before = -1, after = -1;
  for (int i = 0; i < 50; i++) {
    assert_int_equal(trp_stack_of_thread(tid, 100000, &stack), TRP_TIMEOUT);
    char line[128];
    FILE *status = fopen("/proc/self/status", "r");
    assert_non_null(status);
    while (fgets(line, sizeof line, status) != NULL) {
      if (sscanf(line, "SigQ: %d", i == 0 ? &before : &after) == 1) break;
    }
    fclose(status);
  }
  assert_true(after < before + 25); /* the user's other processes count as well */
  subject_end(&deaf);
}

static void a_signal_that_is_late_for_the_handler_ends_nobody(void **state) {
  (void)state;
  struct subject deaf;
  struct trp_stack stack;
  int tid = subject_start(&deaf, listens_to_nobody);
  assert_int_equal(trp_stack_of_thread(tid, short_ns, &stack), TRP_TIMEOUT);
  trp_stack_uninstall();
  assert_int_equal(trp_stack_of_thread(tid, short_ns, &stack), TRP_WRONG_STATE);
  atomic_store(&deaf.stop, true); /* unblocks, with the default action: to end the process */
  atomic_store(&deaf.blocked, false);
  pthread_join(deaf.thread, NULL);
  assert_int_equal(trp_stack_install(), TRP_OK);
}

/* A late signal may answer a later question just before its thread ends and can be asked no more.
 */
static void the_last_answer_of_a_thread_that_ends_blocks_nobody(void **state) {
  (void)state;
  struct subject sleeper, mortal;
  struct trp_stack stack;
  int answers = 0;
  int sleeper_tid = subject_start(&sleeper, sleeps_in_a_static_function);
  for (int i = 0; i < 200; i++) {
    int tid = subject_start(&mortal, listens_to_nobody);
    assert_int_equal(trp_stack_of_thread(tid, 1000, &stack), TRP_TIMEOUT);
    atomic_store(&mortal.stop, true);
    atomic_store(&mortal.blocked, false);
    /* Not for long: one that is asked on its very way out never answers. */
    while (trp_stack_of_thread(tid, short_ns / 4, &stack) == TRP_OK) answers++;
    pthread_join(mortal.thread, NULL);
    assert_int_equal(trp_stack_of_thread(sleeper_tid, long_ns, &stack), TRP_OK);
  }
  assert_true(answers > 0);
  subject_end(&sleeper);
}

static void install_is_counted(void **state) {
  (void)state;
  struct subject sleeper;
  int tid = subject_start(&sleeper, sleeps_in_a_static_function);
  assert_int_equal(trp_stack_install(), TRP_OK);
  trp_stack_uninstall();
  expect_function(tid, "sleeps_in_a_static_function+0x");
  subject_end(&sleeper);
}

static void the_hosts_handler(int number) { (void)number; }

static void a_signal_that_the_host_uses_is_left_alone(void **state) {
  (void)state;
  trp_stack_uninstall();
  struct sigaction action;
  for (int number = SIGRTMAX - 3; number <= SIGRTMAX - 2; number++) {
    signal(number, the_hosts_handler);
  }
  assert_int_equal(trp_stack_install(), TRP_OK);
  for (int number = SIGRTMAX - 3; number <= SIGRTMAX - 2; number++) {
    sigaction(number, NULL, &action);
    assert_ptr_equal(action.sa_handler, the_hosts_handler);
    signal(number, SIG_DFL);
  }
  struct subject sleeper;
  expect_function(subject_start(&sleeper, sleeps_in_a_static_function),
                  "sleeps_in_a_static_function+0x");
  subject_end(&sleeper);
}

static void a_thread_that_has_gone_or_never_was_is_told_apart(void **state) {
  (void)state;
  struct subject sleeper;
  struct trp_stack stack;
  int tid = subject_start(&sleeper, sleeps_in_a_static_function);
  subject_end(&sleeper);
  assert_int_equal(trp_stack_of_thread(tid, long_ns, &stack), TRP_DEAD);
  assert_int_equal(trp_stack_of_thread(0, long_ns, &stack), TRP_INVALID);
  assert_int_equal(trp_stack_of_thread(-1, long_ns, &stack), TRP_INVALID);
  assert_int_equal(trp_stack_of_thread(1 << 22, long_ns, &stack), TRP_INVALID);
}

/* ---- many askers ---- */

struct asker {
  pthread_t thread;
  const int *tids;
  uint64_t timeout_ns;
  int rounds, answers, timeouts, others;
};

static void *ask(void *arg) {
  struct asker *self = arg;
  for (int i = 0; i < self->rounds; i++) {
    struct trp_stack stack;
    enum trp_err err = trp_stack_of_thread(self->tids[i % 2], self->timeout_ns, &stack);
    self->answers += err == TRP_OK && stack.depth > 0;
    self->timeouts += err == TRP_TIMEOUT && stack.depth == 0;
    self->others += err != TRP_OK && err != TRP_TIMEOUT;
  }
  return NULL;
}

static void ask_from_four_threads(struct asker *askers, const int *tids, uint64_t timeout_ns,
                                  int rounds) {
  for (int i = 0; i < 4; i++) {
    askers[i] = (struct asker){.tids = tids, .timeout_ns = timeout_ns, .rounds = rounds};
    assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
  }
  for (int i = 0; i < 4; i++) pthread_join(askers[i].thread, NULL);
}

static void many_askers_all_get_an_answer(void **state) {
  (void)state;
  struct subject subjects[2];
  int tids[2];
  for (int i = 0; i < 2; i++) tids[i] = subject_start(&subjects[i], sleeps_in_a_static_function);
  struct asker askers[4];
  ask_from_four_threads(askers, tids, long_ns, 50);
  for (int i = 0; i < 4; i++) assert_int_equal(askers[i].answers, 50);
  for (int i = 0; i < 2; i++) subject_end(&subjects[i]);
}

/* Time-outs of about the time an answer takes: every race between the two is met. */
static void late_answers_disturb_no_later_question(void **state) {
  (void)state;
  struct subject subjects[2];
  int tids[2];
  for (int i = 0; i < 2; i++) tids[i] = subject_start(&subjects[i], sleeps_in_a_static_function);
  struct asker askers[4];
  int answers = 0, timeouts = 0;
  for (uint64_t timeout_ns = 0; timeout_ns < 200000; timeout_ns += 20000) {
    ask_from_four_threads(askers, tids, timeout_ns, 50);
    for (int i = 0; i < 4; i++) {
      answers += askers[i].answers;
      timeouts += askers[i].timeouts;
      assert_int_equal(askers[i].answers + askers[i].timeouts, 50);
    }
  }
  printf("%d answers, %d time-outs\n", answers, timeouts);
  assert_true(timeouts > 0);
  for (int i = 0; i < 2; i++) expect_function(tids[i], "sleeps_in_a_static_function+0x");
  for (int i = 0; i < 2; i++) subject_end(&subjects[i]);
}

/* ---- one's own, and the text ---- */

__attribute__((noinline)) static void inner(struct trp_stack *stack, int skip) {
  trp_stack_capture(stack, skip);
  __asm__ volatile("" ::: "memory");
}

__attribute__((noinline)) static void outer(struct trp_stack *stack, int skip) {
  inner(stack, skip);
  __asm__ volatile("" ::: "memory");
}

static void ones_own_stack_begins_with_the_caller(void **state) {
  (void)state;
  struct trp_stack stack;
  outer(&stack, 0);
  assert_ptr_equal(strstr(text_of(&stack), "inner+0x"), text_of(&stack));
  assert_non_null(strstr(text_of(&stack), " < outer+0x"));
  outer(&stack, 1);
  assert_ptr_equal(strstr(text_of(&stack), "outer+0x"), text_of(&stack));
  outer(&stack, 1000);
  assert_true(stack.depth <= TRP_STACK_DEPTH);
  assert_int_equal(trp_stack_of_thread((int)syscall(SYS_gettid), 0, &stack), TRP_OK);
  assert_non_null(strstr(text_of(&stack), "ones_own_stack_begins_with_the_caller+0x"));
}

__attribute__((noinline)) static void recurse(struct trp_stack *stack, int depth) {
  if (depth == 0) {
    trp_stack_capture(stack, 0);
  } else {
    recurse(stack, depth - 1);
  }
  __asm__ volatile("" ::: "memory");
}

static void a_deep_stack_is_cut_at_its_outer_end(void **state) {
  (void)state;
  struct trp_stack stack;
  recurse(&stack, 100);
  assert_int_equal(stack.depth, TRP_STACK_DEPTH);
  for (uint32_t i = 0; i < stack.depth; i++) {
    char name[64];
    trp_symbols_name(stack.pc[i] - 1, name, sizeof name);
    assert_non_null(strstr(name, "recurse+0x"));
  }
}

static void a_text_that_does_not_fit_says_so(void **state) {
  (void)state;
  struct trp_stack stack;
  recurse(&stack, 5);
  char whole[1536], text[1536];
  size_t length = trp_stack_text(&stack, whole, sizeof whole);
  for (size_t bytes = 1; bytes <= length; bytes++) {
    memset(text, '#', sizeof text);
    size_t cut = trp_stack_text(&stack, text, bytes);
    assert_true(cut < bytes);
    assert_int_equal(strlen(text), cut);
    assert_int_equal(text[bytes], '#');
    const char *more = strstr(text, " < ...");
    if (more != NULL) {
      assert_string_equal(more, " < ...");
      assert_memory_equal(text, whole, (size_t)(more - text) + 3);
    } else {
      assert_memory_equal(text, whole, cut); /* not even the first name fits */
    }
  }
  trp_stack_text(&stack, text, length + 1);
  assert_string_equal(text, whole);
  stack.depth = 0;
  assert_int_equal(trp_stack_text(&stack, text, sizeof text), 0);
}

static void the_kernel_tells_the_state_of_a_thread(void **state) {
  (void)state;
  struct subject sleeper;
  char text[128];
  int tid = subject_start(&sleeper, sleeps_in_a_static_function);
  for (int i = 0; i < 1000; i++) {
    assert_true(trp_stack_proc_state(tid, text, sizeof text) > 0);
    if (strncmp(text, "state=S", 7) == 0) break;
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  assert_memory_equal(text, "state=S", 7);
  subject_end(&sleeper);
  /* A joined thread may stand in the kernel's list for a moment longer. */
  for (int i = 0; i < 1000 && trp_stack_proc_state(tid, text, sizeof text) > 0; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  assert_int_equal(trp_stack_proc_state(tid, text, sizeof text), 0);
  assert_string_equal(text, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_stack_of_a_sleeping_thread_names_its_static_function),
      cmocka_unit_test(the_stack_of_a_spinning_thread_names_its_static_function),
      cmocka_unit_test(a_thread_that_blocks_the_signal_is_a_timeout),
      cmocka_unit_test(signals_do_not_pile_up_on_a_thread_that_blocks_them),
      cmocka_unit_test(a_signal_that_is_late_for_the_handler_ends_nobody),
      cmocka_unit_test(the_last_answer_of_a_thread_that_ends_blocks_nobody),
      cmocka_unit_test(install_is_counted),
      cmocka_unit_test(a_signal_that_the_host_uses_is_left_alone),
      cmocka_unit_test(a_thread_that_has_gone_or_never_was_is_told_apart),
      cmocka_unit_test(many_askers_all_get_an_answer),
      cmocka_unit_test(late_answers_disturb_no_later_question),
      cmocka_unit_test(ones_own_stack_begins_with_the_caller),
      cmocka_unit_test(a_deep_stack_is_cut_at_its_outer_end),
      cmocka_unit_test(a_text_that_does_not_fit_says_so),
      cmocka_unit_test(the_kernel_tells_the_state_of_a_thread),
  };
  return cmocka_run_group_tests(tests, install, uninstall);
}
