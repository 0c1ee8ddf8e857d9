/* Every thread of the process has a name, a role and an owner: a whole house with nng's doors and
 * control socket, libwebsockets, c-ares, an executor's workers and the log's writer, compared with
 * the kernel's list. A thread that starts in a way nobody knows makes this test fail. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/control.h"
#include "actors/event_engine.h"
#include "actors/executor.h"
#include "actors/rate_limiter.h"
#include "actors/supervisor.h"
#include "actors/thread_monitor.h"
#include "adapters/binance.h"
#include "adapters/control_ipc.h"
#include "adapters/exchange.h"
#include "adapters/net_lws.h"
#include "runtime/fdcount.h"
#include "runtime/thread.h"

enum { STRANGERS_MAX = 256, LOOKS = 200 };

#if defined(__SANITIZE_THREAD__)
enum { SANITIZERS_OWN = 1 }; /* it looks after itself in a thread that bears the program's name */
#else
enum { SANITIZERS_OWN = 0 };
#endif

static struct {
  struct trp_system *system;
  struct trp_net *exchange_net, *feed_net;
  struct trp_exchange_stats stats;
  struct trp_exchange_options exchange;
  struct trp_feed_options feed;
  struct trp_rate_limiter_options limiter;
  struct trp_control_options control;
  struct trp_control_ipc *ipc;
  char ws_base[64], http_base[64];
} house;

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL); }

static void open_edges(void) {
  static const char *const symbols[] = {"BTCUSDT"}, *const feeds[] = {"binance"};
  char why[256] = "", name[32];
  assert_int_equal(TRP_OK, trp_net_lws_new(&house.exchange_net, NULL));
  assert_int_equal(TRP_OK, trp_net_lws_new(&house.feed_net, NULL));
  house.exchange = (struct trp_exchange_options){.net = house.exchange_net, .stats = &house.stats};
  assert_int_equal(TRP_OK, trp_exchange_listen(&house.exchange));
  /* Names, so that they are looked up. */
  snprintf(house.ws_base, sizeof house.ws_base, "ws://localhost:%u", house.stats.port);
  snprintf(house.http_base, sizeof house.http_base, "http://localhost:%u", house.stats.port);
  house.feed = (struct trp_feed_options){.net = house.feed_net,
                                         .ws_base = house.ws_base,
                                         .http_base = house.http_base,
                                         .symbols = symbols,
                                         .symbol_count = 1};
  snprintf(name, sizeof name, "known-%d", (int)getpid());
  enum trp_err err = trp_control_ipc_open(&house.ipc, name, why, sizeof why);
  assert_string_equal("", why);
  assert_int_equal(TRP_OK, err);
  house.control = (struct trp_control_options){.edge = trp_control_ipc_edge(house.ipc),
                                               .supervisor = "supervisor",
                                               .monitor = "thread_monitor",
                                               .feeds = feeds,
                                               .feed_count = 1};
  house.limiter = (struct trp_rate_limiter_options){.rate = 10};
}

static int open_house(void **state) {
  (void)state;
  open_edges();
  const struct trp_spec specs[] = {
      {.name = "supervisor", .kind = &trp_supervisor_kind, .door = true},
      {.name = "event_engine", .kind = &trp_event_engine_kind, .door = true},
      {.name = "thread_monitor", .kind = &trp_thread_monitor_kind, .door = true},
      {.name = "control", .kind = &trp_control_kind, .args = &house.control, .door = true},
      {.name = "executor", .kind = &trp_executor_kind},
      {.name = "limiter", .kind = &trp_rate_limiter_kind, .args = &house.limiter},
      {.name = "exchange",
       .kind = &trp_exchange_kind,
       .args = &house.exchange,
       .loop = &house.exchange_net->loop},
      {.name = "binance",
       .kind = &trp_binance_feed_kind,
       .args = &house.feed,
       .loop = &house.feed_net->loop,
       .door = true}};
  const struct trp_system_options options = {.name = "known", .log_level = TRP_LOG_NONE};
  assert_int_equal(TRP_OK, trp_system_new(&house.system, &options));
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
    struct trp_spec spec = specs[i];
    if (i > 0) spec.supervisor = "supervisor";
    assert_int_equal(TRP_OK, trp_system_add(house.system, &spec));
  }
  return trp_system_start(house.system, NULL, 0) == TRP_OK ? 0 : -1;
}

static int close_house(void **state) {
  (void)state;
  trp_system_stop(house.system, "the test is over");
  assert_int_equal(TRP_OK, trp_system_wait(house.system, 20 * TRP_NS_PER_S));
  trp_control_ipc_close(&house.ipc);
  trp_system_destroy(&house.system);
  trp_net_destroy(&house.feed_net);
  trp_net_destroy(&house.exchange_net);
  return 0;
}

/* How many the kernel has that are neither on the register nor known by name; the last one's name.
 */
static size_t unknown(char name[TRP_THREAD_COMM_BYTES]) {
  static struct trp_thread_stranger strangers[STRANGERS_MAX];
  size_t count = trp_thread_unknown(strangers, STRANGERS_MAX), found = 0;
  assert_in_range(count, 1, STRANGERS_MAX);
  for (size_t i = 0; i < count; i++) {
    if (strcmp(strangers[i].role, "unknown") == 0) {
      memcpy(name, strangers[i].comm, TRP_THREAD_COMM_BYTES);
      found++;
    } else {
      assert_string_not_equal("", strangers[i].owner);
    }
  }
  return found;
}

/* A thread that is just starting has its creator's name for a moment, so one look may be too early.
 */
static size_t settled_unknown(char name[TRP_THREAD_COMM_BYTES], size_t wanted) {
  size_t found = unknown(name);
  for (int i = 0; i < LOOKS && found != wanted; i++) {
    nap();
    found = unknown(name);
  }
  return found;
}

static bool on_register(const char *name, const char *role) {
  struct trp_thread_info info;
  for (size_t i = 0; trp_thread_at(i, &info); i++) {
    if (strcmp(info.name, name) == 0 && strcmp(info.role, role) == 0) return info.owner[0] != '\0';
  }
  return false;
}

static void until_live(void) {
  struct trp_feed_query query = {0};
  struct trp_feed_state state = {0};
  for (int i = 0; i < 2 * LOOKS && state.updates == 0; i++) {
    uint16_t type = 0;
    size_t size = sizeof state;
    nap();
    (void)!trp_system_ask(house.system, trp_system_whereis(house.system, "binance"), TRP_FEED_QUERY,
                          &query, sizeof query, TRP_NS_PER_S, &type, &state, &size);
  }
  assert_true(state.updates > 0); /* a name was looked up, and a socket streams */
}

static void every_thread_of_a_whole_house_has_a_name_a_role_and_an_owner(void **state) {
  (void)state;
  char name[TRP_THREAD_COMM_BYTES] = "";
  until_live();
  size_t found = settled_unknown(name, SANITIZERS_OWN);
  if (found != SANITIZERS_OWN) fail_msg("%zu unknown, one of them \"%s\"", found, name);
  static const char *const parts[][2] = {{"log", "log"},          {"coordinator", "coordinator"},
                                         {"supervisor", "actor"}, {"executor-1", "worker"},
                                         {"binance", "actor"},    {"control", "actor"}};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (!on_register(parts[i][0], parts[i][1])) fail_msg("no %s", parts[i][0]);
  }
}

static void *linger(void *arg) {
  sem_wait(arg);
  return NULL;
}

static void one_thread_that_nobody_knows_is_seen(void **state) {
  (void)state;
  char name[TRP_THREAD_COMM_BYTES] = "";
  pthread_t thread;
  sem_t leave;
  sem_init(&leave, 0, 0);
  assert_int_equal(SANITIZERS_OWN, settled_unknown(name, SANITIZERS_OWN));
  assert_int_equal(0, pthread_create(&thread, NULL, linger, &leave));
  pthread_setname_np(thread, "who-is-this");
  assert_int_equal(SANITIZERS_OWN + 1, settled_unknown(name, SANITIZERS_OWN + 1));
  assert_string_equal("who-is-this", name);
  sem_post(&leave);
  pthread_join(thread, NULL);
  sem_destroy(&leave);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_thread_of_a_whole_house_has_a_name_a_role_and_an_owner,
                                      open_house, close_house),
      cmocka_unit_test_setup_teardown(one_thread_that_nobody_knows_is_seen, open_house,
                                      close_house),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
