/* door_test.c - the mailbox's other entrance: whoever speaks nng and MessagePack may write to it;
 * what does not fit waits outside, garbage is refused, and the door outlives its actor's crashes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <nng/nng.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "actors/supervisor.h"
#include "proto/codec.h"
#include "runtime/report.h"
#include "runtime/troupe.h"

static _Atomic uint64_t heard, last, disorder, lives, gate;

static void nap(long ms) {
  struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
  nanosleep(&t, NULL);
}

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  (void)self;
  (void)state;
  (void)args;
  lives++;
  return TRP_OK;
}

/* Ticks are numbered; 0 is fatal. Its turn waits while the gate is shut. */
static enum trp_err receive(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)self;
  (void)state;
  const struct trp_tick *tick = trp_msg_tick(msg);
  if (tick == NULL) return TRP_OK;
  for (int i = 0; i < 5000 && atomic_load(&gate) != 0; i++) nap(1);
  if (tick->sequence == 0) trp_panic("tick zero");
  if (tick->sequence < atomic_load(&last)) disorder++;
  atomic_store(&last, tick->sequence);
  heard++;
  return TRP_OK;
}

static const struct trp_kind listener = {.name = "listener", .start = start, .receive = receive};

struct world {
  struct trp_system *system;
  nng_socket push;
};

static void open_world(struct world *w, const char *listen, uint32_t capacity, const char *url) {
  heard = last = disorder = lives = gate = 0;
  struct trp_system_options options = {.name = "doors", .log_fd = -1, .budget_ms = 3000};
  assert_int_equal(trp_system_new(&w->system, &options), TRP_OK);
  struct trp_spec root = {.name = "root", .kind = &trp_supervisor_kind};
  struct trp_spec spec = {.name = "listener",
                          .kind = &listener,
                          .supervisor = "root",
                          .door = true,
                          .listen = listen,
                          .mailbox = {.capacity = capacity},
                          .restart = {.intensity = 20, .backoff_min_ms = 1, .backoff_max_ms = 1}};
  assert_int_equal(trp_system_add(w->system, &root), TRP_OK);
  assert_int_equal(trp_system_add(w->system, &spec), TRP_OK);
  assert_int_equal(trp_system_start(w->system, NULL, 0), TRP_OK);
  assert_int_equal(nng_push0_open(&w->push), 0);
  assert_int_equal(nng_socket_set_ms(w->push, NNG_OPT_SENDTIMEO, 5000), 0);
  assert_int_equal(nng_dial(w->push, url, NULL, 0), 0);
}

static const struct trp_report *stop_world(struct world *w) {
  trp_system_stop(w->system, "the test is over");
  assert_int_equal(trp_system_wait(w->system, 5 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(w->system);
  assert_true(report->balanced);
  for (int r = 0; r < TRP_RES_COUNT; r++) assert_int_equal(report->left_behind[r], 0);
  return report;
}

static void close_world(struct world *w) {
  nng_close(w->push);
  trp_system_destroy(&w->system);
}

static size_t encode(uint64_t sequence, uint8_t *out, size_t room) {
  struct trp_tick tick = {.at_ns = 1, .sequence = sequence};
  assert_int_equal(trp_encode(TRP_TICK, &tick, sizeof tick, out, &room), TRP_OK);
  return room;
}

static int push_bytes(struct world *w, const void *bytes, size_t n) {
  return nng_send(w->push, (void *)(uintptr_t)bytes, n, 0);
}

static void push_tick(struct world *w, uint64_t sequence) {
  uint8_t bytes[256];
  assert_int_equal(push_bytes(w, bytes, encode(sequence, bytes, sizeof bytes)), 0);
}

static void await_heard(uint64_t n) {
  for (int i = 0; i < 5000 && atomic_load(&heard) < n; i++) nap(1);
  assert_int_equal(heard, n);
}

static struct trp_ledger ledger(const struct trp_report *report) {
  return report->actors[1].ledger;
}

static void what_is_pushed_arrives_in_order(void **state) {
  (void)state;
  struct world w;
  open_world(&w, NULL, 0, "inproc://doors/listener");
  for (uint64_t i = 1; i <= 500; i++) push_tick(&w, i);
  await_heard(500);
  assert_int_equal(disorder, 0);
  struct trp_ledger l = ledger(stop_world(&w));
  assert_int_equal(l.offered, 500);
  assert_int_equal(l.handled, 500);
  close_world(&w);
}

static void a_batch_is_many_messages(void **state) {
  (void)state;
  struct world w;
  uint8_t batch[16384];
  size_t n = 0;
  open_world(&w, NULL, 4, "inproc://doors/listener"); /* larger than the mailbox */
  for (uint64_t i = 1; i <= 100; i++) n += encode(i, batch + n, sizeof batch - n);
  assert_int_equal(push_bytes(&w, batch, n), 0);
  await_heard(100);
  assert_int_equal(disorder, 0);
  assert_int_equal(ledger(stop_world(&w)).handled, 100);
  close_world(&w);
}

static void a_full_mailbox_holds_back_the_sender_and_loses_nothing(void **state) {
  (void)state;
  struct world w;
  open_world(&w, NULL, 4, "inproc://doors/listener");
  assert_int_equal(nng_socket_set_ms(w.push, NNG_OPT_SENDTIMEO, 50), 0);
  gate = 1;
  uint64_t sent = 0;
  uint8_t bytes[256];
  int rv = 0;
  while (rv == 0 && sent < 100) {
    size_t n = encode(sent + 1, bytes, sizeof bytes);
    rv = push_bytes(&w, bytes, n);
    sent += rv == 0;
  }
  assert_int_equal(rv, NNG_ETIMEDOUT); /* a bounded few are taken in and no more */
  assert_true(sent < 20);
  struct trp_actor_info info;
  assert_true(trp_system_actor(w.system, 1, &info));
  assert_int_equal(info.depth, 4);
  gate = 0;
  await_heard(sent);
  assert_int_equal(disorder, 0);
  assert_int_equal(ledger(stop_world(&w)).handled, sent);
  close_world(&w);
}

static void the_door_outlives_its_actors_crashes(void **state) {
  (void)state;
  struct world w;
  open_world(&w, NULL, 0, "inproc://doors/listener");
  uint64_t told = 0;
  for (uint64_t life = 1; life <= 8; life++) {
    for (int i = 0; i < 5; i++) push_tick(&w, ++told);
    await_heard(told);
    push_tick(&w, 0);
    for (int i = 0; i < 5000 && atomic_load(&lives) <= life; i++) nap(1);
    assert_int_equal(lives, life + 1);
  }
  struct trp_ledger l = ledger(stop_world(&w));
  assert_int_equal(l.handled, 40);
  assert_int_equal(l.dead[TRP_LOST_IN_HAND], 8);
  close_world(&w);
}

static void mail_between_two_lives_waits_at_the_door(void **state) {
  (void)state;
  struct world w;
  open_world(&w, NULL, 0, "inproc://doors/listener");
  push_tick(&w, 0);
  for (uint64_t i = 1; i <= 50; i++) push_tick(&w, i); /* some die in the mailbox, none is lost */
  push_tick(&w, 0);
  for (int i = 0; i < 5000 && atomic_load(&lives) < 2; i++) nap(1);
  for (uint64_t i = 51; i <= 100; i++) push_tick(&w, i);
  struct trp_actor_info info = {.depth = 1};
  for (int i = 0; i < 5000 && (info.depth > 0 || info.ledger.accepted < 102); i++) {
    nap(1);
    assert_true(trp_system_actor(w.system, 1, &info));
  }
  assert_int_equal(disorder, 0);
  struct trp_ledger l = ledger(stop_world(&w));
  assert_int_equal(l.accepted, 102);
  assert_int_equal(l.handled, heard);
  assert_int_equal(l.handled + trp_ledger_dead(&l), 102);
  close_world(&w);
}

static void garbage_is_refused_and_the_door_stays_open(void **state) {
  (void)state;
  struct world w;
  uint8_t bytes[512];
  uint64_t chance = 5;
  open_world(&w, NULL, 0, "inproc://doors/listener");
  static const uint8_t bomb[] = {0xdd, 0x10, 0x00, 0x00, 0x00};
  assert_int_equal(push_bytes(&w, bomb, sizeof bomb), 0);
  assert_int_equal(push_bytes(&w, "", 0), 0);
  for (int round = 0; round < 300; round++) {
    size_t n = encode(7, bytes, sizeof bytes);
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    if (round % 2 == 0) n = (chance >> 40) % n; /* cut short */
    if (round % 2 == 1) {
      for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(chance >> (i % 57)) ^ (uint8_t)i;
    }
    assert_int_equal(push_bytes(&w, bytes, n), 0);
  }
  push_tick(&w, 1000);
  for (int i = 0; i < 5000 && atomic_load(&last) != 1000; i++) nap(1);
  assert_int_equal(last, 1000);
  assert_int_equal(lives, 1);
  stop_world(&w);
  close_world(&w);
}

static void a_stranger_may_not_say_what_only_the_runtime_says(void **state) {
  (void)state;
  struct world w;
  uint8_t bytes[4096];
  size_t n = sizeof bytes;
  struct trp_down down = {.name = "root"};
  open_world(&w, NULL, 0, "inproc://doors/listener");
  assert_int_equal(trp_encode(TRP_DOWN, &down, sizeof down, bytes, &n), TRP_OK);
  n += encode(1, bytes + n, sizeof bytes - n); /* what follows it in the batch is heard */
  assert_int_equal(push_bytes(&w, bytes, n), 0);
  push_tick(&w, 2);
  await_heard(2);
  assert_int_equal(ledger(stop_world(&w)).accepted, 2);
  close_world(&w);
}

static void a_door_may_also_listen_on_ipc_and_is_its_owners_alone(void **state) {
  (void)state;
  struct world w;
  char folder[] = "/tmp/door-XXXXXX", path[64], url[80];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/listener", folder);
  snprintf(url, sizeof url, "ipc://%s", path);
  open_world(&w, url, 0, url);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  for (uint64_t i = 1; i <= 100; i++) push_tick(&w, i);
  await_heard(100);
  stop_world(&w);
  close_world(&w);
  assert_int_not_equal(access(path, F_OK), 0);
  assert_int_equal(rmdir(folder), 0);
}

static void a_door_that_cannot_be_opened_is_a_start_that_fails(void **state) {
  (void)state;
  struct world w;
  char failure[256] = "";
  open_world(&w, NULL, 0, "inproc://doors/listener");
  struct trp_system *twin = NULL; /* of the same name, so its door is taken */
  struct trp_system_options options = {.name = "doors", .log_fd = -1, .budget_ms = 1000};
  struct trp_spec spec = {.name = "listener", .kind = &listener, .door = true};
  assert_int_equal(trp_system_new(&twin, &options), TRP_OK);
  assert_int_equal(trp_system_add(twin, &spec), TRP_OK);
  assert_int_equal(trp_system_start(twin, failure, sizeof failure), TRP_START_FAILED);
  assert_non_null(strstr(failure, "listener"));
  trp_system_destroy(&twin);
  push_tick(&w, 1);
  await_heard(1);
  stop_world(&w);
  close_world(&w);
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_pushed_arrives_in_order),
      cmocka_unit_test(a_batch_is_many_messages),
      cmocka_unit_test(a_full_mailbox_holds_back_the_sender_and_loses_nothing),
      cmocka_unit_test(the_door_outlives_its_actors_crashes),
      cmocka_unit_test(mail_between_two_lives_waits_at_the_door),
      cmocka_unit_test(garbage_is_refused_and_the_door_stays_open),
      cmocka_unit_test(a_stranger_may_not_say_what_only_the_runtime_says),
      cmocka_unit_test(a_door_may_also_listen_on_ipc_and_is_its_owners_alone),
      cmocka_unit_test(a_door_that_cannot_be_opened_is_a_start_that_fails),
  };
  return cmocka_run_group_tests_name("doors", tests, NULL, NULL);
}
