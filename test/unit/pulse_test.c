/* pulse_test.c - who counts for the watchdog, and when one of them does not beat. In virtual time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "actors/supervisor.h"
#include "runtime/pulse.h"
#include "runtime/sim.h"
#include "runtime/troupe.h"

enum { WORK = TRP_USER_FIRST, CRASH, LEAVE };
static const uint64_t MS = TRP_NS_PER_MS;

static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  if (msg->type == LEAVE) trp_exit(self);
  return msg->type == CRASH ? TRP_INJECTED : TRP_OK;
}

static const struct trp_kind worker = {.name = "worker", .receive = receive};

struct house {
  struct trp_system *system;
  struct trp_pulse pulse;
  char why[160];
};

static void open_house(struct house *h) {
  static const struct trp_supervisor_options supervisor = {.strategy = TRP_ONE_FOR_ONE};
  const struct trp_restart_policy slow = {
      .intensity = 100, .backoff_min_ms = 500, .backoff_max_ms = 500};
  const struct trp_spec specs[] = {
      {.name = "root", .kind = &trp_supervisor_kind, .args = &supervisor, .turn_limit_ms = 100},
      {.name = "critical",
       .kind = &worker,
       .supervisor = "root",
       .critical = true,
       .restart = slow,
       .turn_limit_ms = 100},
      {.name = "other", .kind = &worker, .supervisor = "root", .turn_limit_ms = 100},
      {.name = "passing",
       .kind = &worker,
       .supervisor = "root",
       .critical = true,
       .restart.restart = TRP_TEMPORARY}};
  struct trp_system_options options = {
      .name = "pulse", .sched = TRP_SCHED_SIM, .seed = 1, .log_fd = -1};
  assert_int_equal(trp_system_new(&h->system, &options), TRP_OK);
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    assert_int_equal(trp_system_add(h->system, &specs[i]), TRP_OK);
  }
  assert_int_equal(trp_system_start(h->system, NULL, 0), TRP_OK);
  assert_int_equal(trp_pulse_init(&h->pulse, h->system), TRP_OK);
}

static void close_house(struct house *h) {
  trp_pulse_fini(&h->pulse);
  trp_system_destroy(&h->system);
}

static struct trp_ref find(struct house *h, const char *name) {
  return trp_system_whereis(h->system, name);
}

static void tell(struct house *h, const char *name, uint16_t type) {
  assert_int_equal(trp_system_send(h->system, find(h, name), type, NULL, 0), TRP_OK);
}

/* Looks each 50 ms for so long; how many looks found everybody beating. */
static int beats(struct house *h, uint64_t ms) {
  int all = 0;
  for (uint64_t passed = 0; passed < ms; passed += 50) {
    trp_sim_run_for(h->system, 50 * MS);
    all += trp_pulse_beats(&h->pulse, h->why, sizeof h->why);
  }
  return all;
}

static void who_has_nothing_to_do_beats(void **state) {
  (void)state;
  struct house h;
  open_house(&h);
  assert_int_equal(beats(&h, 2000), 40);
  close_house(&h);
}

static void who_takes_no_turn_for_its_mail_does_not_beat_until_it_does(void **state) {
  (void)state;
  struct house h;
  open_house(&h);
  trp_sim_stall(h.system, find(&h, "critical"), 600 * MS);
  tell(&h, "critical", WORK);
  assert_in_range(beats(&h, 200), 2, 3); /* until its limit */
  assert_int_equal(beats(&h, 300), 0);
  assert_string_equal(h.why, "actor critical takes no turn although it should");
  beats(&h, 150);
  assert_int_equal(beats(&h, 500), 10);
  close_house(&h);
}

static void a_supervisor_is_critical_without_being_flagged(void **state) {
  (void)state;
  struct house h;
  open_house(&h);
  trp_sim_stall(h.system, find(&h, "root"), 600 * MS);
  tell(&h, "other", CRASH); /* the report waits for the supervisor */
  beats(&h, 300);
  assert_int_equal(beats(&h, 200), 0);
  assert_string_equal(h.why, "actor root takes no turn although it should");
  close_house(&h);
}

static void an_actor_like_any_other_does_not_count(void **state) {
  (void)state;
  struct house h;
  open_house(&h);
  trp_sim_stall(h.system, find(&h, "other"), 600 * MS);
  tell(&h, "other", WORK);
  assert_int_equal(beats(&h, 500), 10);
  close_house(&h);
}

static void who_is_down_after_a_crash_does_not_beat_until_it_is_back(void **state) {
  (void)state;
  struct house h;
  open_house(&h);
  tell(&h, "critical", CRASH); /* back at once */
  assert_int_equal(beats(&h, 100), 2);
  tell(&h, "critical", CRASH); /* after half a second */
  assert_int_equal(beats(&h, 300), 0);
  assert_string_equal(h.why, "actor critical is down after a crash");
  beats(&h, 500);
  assert_int_equal(beats(&h, 500), 10);
  close_house(&h);
}

static void an_end_in_order_is_no_fault(void **state) {
  (void)state;
  struct house h;
  open_house(&h);
  tell(&h, "passing", LEAVE);
  assert_int_equal(beats(&h, 500), 10);
  assert_true(trp_ref_is_nobody(find(&h, "passing")));
  close_house(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_has_nothing_to_do_beats),
      cmocka_unit_test(who_takes_no_turn_for_its_mail_does_not_beat_until_it_does),
      cmocka_unit_test(a_supervisor_is_critical_without_being_flagged),
      cmocka_unit_test(an_actor_like_any_other_does_not_count),
      cmocka_unit_test(who_is_down_after_a_crash_does_not_beat_until_it_is_back),
      cmocka_unit_test(an_end_in_order_is_no_fault),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
