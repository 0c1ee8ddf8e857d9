/* quiet_loop.h - an I/O loop that serves nothing: it sleeps until it is woken or its time has come,
 * and counts. For tests of who sleeps in loops.
 *
 * Thread: open and close: the test's, the rest as trp_loop says. */
#ifndef TRP_TEST_SUPPORT_QUIET_LOOP_H
#define TRP_TEST_SUPPORT_QUIET_LOOP_H

#include <stdatomic.h>

#include "runtime/troupe.h"

struct quiet_loop {
  struct trp_loop loop; /* first */
  int wake_fd;
  _Atomic uint64_t runs, wakes;
  _Atomic int tid;                   /* who ran it last */
  void (*_Atomic served)(void *arg); /* what it does in each run, from the inside; NULL */
  void *arg;
};

void quiet_loop_open(struct quiet_loop *loop);
void quiet_loop_close(struct quiet_loop *loop);

#endif
