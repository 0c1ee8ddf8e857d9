/* A panic unwinds to the turn's boundary, but not out of code that holds locks, and not from
 * outside a turn: there the process ends with last words. Each death is tried in a child process.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/blob.h"
#include "runtime/report.h"
#include "runtime/sim.h"
#include "runtime/troupe.h"

enum { PLAIN = TRP_USER_FIRST, HOLDING, RUNTIME };

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  if (msg->type == HOLDING) trp_no_unwind_begin();
  if (msg->type == RUNTIME) { /* one reference too few: the runtime's own invariant */
    static struct trp_blob unowned;
    trp_blob_release(&unowned);
  }
  CHECK(msg->type == TRP_NONE);
  return TRP_OK;
}

/* Runs a system whose only actor panics; true where it ended with an account. */
static bool panics_and_is_accounted_for(uint16_t how) {
  static const struct trp_kind kind = {.name = "panicker", .receive = receive};
  struct trp_system *system = NULL;
  struct trp_system_options options = {.name = "panic", .sched = TRP_SCHED_SIM, .log_fd = -1};
  if (trp_system_new(&system, &options) != TRP_OK) return false;
  if (trp_system_add(system, &(struct trp_spec){.name = "one", .kind = &kind}) != TRP_OK ||
      trp_system_start(system, NULL, 0) != TRP_OK ||
      trp_system_send(system, trp_system_whereis(system, "one"), how, NULL, 0) != TRP_OK ||
      trp_system_wait(system, TRP_NS_PER_S) != TRP_OK) {
    return false;
  }
  bool gave_up = trp_system_report(system)->verdict == TRP_VERDICT_GAVE_UP;
  trp_system_destroy(&system);
  return gave_up;
}

/* The last words of a child that does it, and how it ended. */
static int die(void (*how)(void), char *words, size_t bytes) {
  int pipes[2], status = 0;
  assert_int_equal(pipe(pipes), 0);
  pid_t child = fork();
  if (child == 0) {
    dup2(pipes[1], STDERR_FILENO);
    how();
    _exit(0);
  }
  close(pipes[1]);
  ssize_t n = read(pipes[0], words, bytes - 1);
  words[n > 0 ? n : 0] = '\0';
  close(pipes[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void panic_holding(void) { (void)panics_and_is_accounted_for(HOLDING); }
static void break_the_runtime(void) { (void)panics_and_is_accounted_for(RUNTIME); }
static void panic_outside(void) { trp_panic("nobody's turn"); }

static void a_failed_check_in_a_turn_is_that_actors_crash(void **state) {
  (void)state;
  assert_true(panics_and_is_accounted_for(PLAIN));
}

static void a_panic_under_a_no_unwind_count_ends_the_process_with_last_words(void **state) {
  (void)state;
  char words[512];
  assert_int_equal(die(panic_holding, words, sizeof words), SIGABRT);
  assert_non_null(strstr(words, "one: CHECK(msg->type == TRP_NONE) failed"));
}

static void a_broken_runtime_ends_the_process_even_inside_a_turn(void **state) {
  (void)state;
  char words[512];
  assert_int_equal(die(break_the_runtime, words, sizeof words), SIGABRT);
  assert_non_null(strstr(words, "the runtime's own ASSERT("));
}

static void a_panic_outside_a_turn_ends_the_process_with_last_words(void **state) {
  (void)state;
  char words[512];
  assert_int_equal(die(panic_outside, words, sizeof words), SIGABRT);
  assert_non_null(strstr(words, "outside: nobody's turn"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_failed_check_in_a_turn_is_that_actors_crash),
      cmocka_unit_test(a_panic_under_a_no_unwind_count_ends_the_process_with_last_words),
      cmocka_unit_test(a_broken_runtime_ends_the_process_even_inside_a_turn),
      cmocka_unit_test(a_panic_outside_a_turn_ends_the_process_with_last_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
