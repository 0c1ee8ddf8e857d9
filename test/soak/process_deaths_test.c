/* process_deaths_test.c - an actor in a process dies a thousand times, at every moment of its start
 * and while it works: the sockets of this program answer throughout, and nothing grows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "runtime/fdcount.h"
#include "test/support/feed_rig.h"
#include "test/support/placed.h"
#include "test/support/process.h"

static const struct placed_args well = {0};

static void a_thousand_deaths_in_starts_leave_the_sockets_answering(void **state) {
  (void)state;
  enum { TIMES = 1000 };
  struct placed p;
  struct placed_hello hello;
  placed_open(&p, NULL, &well);
  assert_int_equal(TIMES, placed_kill_at_start(&p, TIMES));
  placed_hello(&p, &hello);
  printf("%d kills at moments of a start: life %d answers, and so did the socket each time\n",
         TIMES, (int)hello.incarnation);
  placed_stop(&p);
  placed_close(&p);
}

struct figures {
  uint64_t heap;
  size_t descriptors, threads;
};

/* What is quiet looks the same three times in a row: a library frees a moment later, in a thread of
 * its own. */
static struct figures look(const char *when) {
  struct figures last = {0}, now;
  for (int same = 0, tries = 0; same < 3 && tries < 100; tries++) {
    process_nap(20);
    now = (struct figures){placed_heap(), trp_fd_count(), trp_task_count()};
    bool equal = now.heap == last.heap && now.descriptors == last.descriptors;
    same = equal ? same + 1 : 0;
    last = now;
  }
  printf("%s: %llu bytes of heap, %zu descriptors, %zu threads\n", when,
         (unsigned long long)last.heap, last.descriptors, last.threads);
  return last;
}

static void a_thousand_deaths_leave_what_a_hundred_leave(void **state) {
  (void)state;
  struct figures few = {0}, many;
  struct placed p;
  placed_open(&p, NULL, &well);
  for (int i = 1; i <= 1000; i++) {
    placed_kill_and_wait(&p);
    if (i == 100) few = look("after 100 deaths");
  }
  many = look("after 1,000 deaths");
  /* Not a byte for each of them: a few more or less are what somebody has in hand. */
  assert_true(many.heap < few.heap + 900 && few.heap < many.heap + 900);
  assert_int_equal(few.descriptors, many.descriptors);
  assert_int_equal(few.threads, many.threads);
  placed_stop(&p);
  placed_close(&p);
}

int main(int argc, char **argv) {
  (void)argc;
  trp_process_host(placed_kinds);
  rig_exact_heap(argv);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_thousand_deaths_in_starts_leave_the_sockets_answering),
      cmocka_unit_test(a_thousand_deaths_leave_what_a_hundred_leave),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
