/* savina.h - what several of Savina's programs have in common: the little work that an actor does
 * for a message. */
#ifndef TRP_BENCH_SAVINA_H
#define TRP_BENCH_SAVINA_H

#include <math.h>

#include "runtime/troupe.h"

#define SAVINA_THETA 37.2

/* The square of a sine, which the compiler must believe to be used. */
static inline void savina_work(double theta) {
  double sine = sin(theta);
  CHECK(sine * sine > 0);
}

#endif
