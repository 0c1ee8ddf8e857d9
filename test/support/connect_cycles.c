#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/support/connect_cycles.h"

#include <stdio.h>

enum { WARM_UP = 150, LIVE_EVERY = 50, PATIENCE_MS = 5000 };

static uint32_t cycle; /* of this rig */

static void one_cycle(bool forget) {
  rig_visitor_subscribe();
  assert_int_equal(TRP_OK, rig_command("connect", PATIENCE_MS));
  if (!rig_visitor_hears(PATIENCE_MS)) fail_msg("no quote in cycle %u", cycle);
  if (cycle++ % LIVE_EVERY == 0) assert_true(rig_until_phase(TRP_FEED_LIVE, PATIENCE_MS));
  if (!forget) rig_visitor_unsubscribe();
  assert_int_equal(TRP_OK, rig_command("disconnect", 2000));
}

void cycles_begin(void) {
  rig_begin(&(struct rig_options){.quotes_per_s = 2000, .no_consumer = true});
  cycle = 0;
  for (int i = 0; i < WARM_UP; i++) one_cycle(false);
}

struct rig_sample cycles_run(uint32_t count, uint32_t total) {
  char when[32];
  uint64_t started = rig_now_ms();
  for (uint32_t i = 0; i < count; i++) one_cycle(false);
  uint64_t took = rig_now_ms() - started;
  struct rig_sample sample = rig_sample();
  snprintf(when, sizeof when, "after %u", total);
  rig_print(when, &sample);
  if (count > 0) printf("  (%u cycles took %llu ms)\n", count, (unsigned long long)took);
  return sample;
}

void cycles_run_forgetful(void) { one_cycle(true); }

void cycles_equal(const struct rig_sample *a, const struct rig_sample *b) {
  const char *difference = rig_difference(a, b);
  if (difference != NULL) fail_msg("%s differ", difference);
}
