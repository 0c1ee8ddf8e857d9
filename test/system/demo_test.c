/* The demo as its user sees it: a process that is started, broken, looked at through ctl, and
 * stopped. Every wait has a bound; times are loose, because machines are noisy.
 *
 * Long because every story begins and ends with the same demo, its ctl and its watch. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "test/support/process.h"

enum { PATIENCE_MS = 10000 };

struct demo {
  struct process process, watch;
  char name[48], socket[160];
  char report[160];
};

static unsigned patience(void) { return PATIENCE_MS * process_slowness(); }

static int ctl(struct demo *d, const char **out, const char *a, const char *b, const char *c) {
  const char *args[] = {"ctl", "--socket", d->socket, "--json", a, b, c, NULL};
  return process_run(args, out);
}

enum { FEEDS = 3 };
static const char *const feeds[FEEDS] = {"binance", "gateio", "mexc"};
static const char *const exchanges[FEEDS] = {"exchange", "exchange_gateio", "exchange_mexc"};

/* What status says of a feed, from its name on; NULL where it is not there. */
static const char *feed_status(struct demo *d, const char *feed) {
  const char *out;
  char wanted[64];
  snprintf(wanted, sizeof wanted, "{\"name\":\"%s\",\"state\"", feed);
  const char *list = ctl(d, &out, "status", NULL, NULL) == 0 ? strstr(out, "\"feeds\":") : NULL;
  return list != NULL ? strstr(list, wanted) : NULL;
}

static bool is_in_state(struct demo *d, const char *feed, const char *state) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\"state\":\"%s\"", state);
  const char *at = feed_status(d, feed), *end = at != NULL ? strchr(at, '}') : NULL;
  const char *found = at != NULL ? strstr(at, wanted) : NULL;
  return found != NULL && end != NULL && found < end;
}

static void wait_state(struct demo *d, const char *feed, const char *state) {
  unsigned long until = process_now_ms() + patience();
  while (!is_in_state(d, feed, state)) {
    if (process_now_ms() > until) fail_msg("%s is not %s", feed, state);
    process_nap(50);
  }
}

static bool is_live(struct demo *d) {
  for (int i = 0; i < FEEDS; i++)
    if (!is_in_state(d, feeds[i], "LIVE")) return false;
  return true;
}

static void wait_live(struct demo *d) {
  unsigned long until = process_now_ms() + patience();
  while (!is_live(d)) {
    if (process_now_ms() > until) fail_msg("no live feed: %s", process_read(d->process.err));
    process_nap(50);
  }
}

static unsigned long updates(struct demo *d, const char *feed) {
  const char *at = feed_status(d, feed);
  if (at != NULL) at = strstr(at, "\"updates\":");
  return at == NULL ? 0 : strtoul(at + 10, NULL, 10);
}

/* Every feed flows. */
static void wait_updates(struct demo *d) {
  for (int i = 0; i < FEEDS; i++) {
    unsigned long first = updates(d, feeds[i]), until = process_now_ms() + patience();
    while (updates(d, feeds[i]) <= first) {
      if (process_now_ms() > until) fail_msg("%s does not flow", feeds[i]);
      process_nap(50);
    }
  }
}

/* Its own name, so that tests and a developer's demo do not meet. */
static void name_demo(struct demo *d, unsigned number) {
  char socket[100];
  snprintf(d->name, sizeof d->name, "test-%d-%u", (int)getpid(), number);
  snprintf(socket, sizeof socket, "troupe/%s.sock", d->name);
  snprintf(d->socket, sizeof d->socket, "%s", process_path(socket));
}

static void start_demo(struct demo *d, const char *budget) {
  static unsigned count;
  char name[64], report[200];
  memset(d, 0, sizeof *d);
  d->process.err_fd = d->watch.err_fd = -1;
  snprintf(name, sizeof name, "%u.json", ++count);
  snprintf(d->report, sizeof d->report, "%s", process_path(name));
  snprintf(report, sizeof report, "json:%s", d->report);
  name_demo(d, count);
  const char *args[] = {"demo",          "--allow-faults", "--name",     d->name,
                        "--report",      report,           "--duration", "120",
                        "--stop-budget", budget,           NULL};
  process_start(&d->process, args);
}

static void start_watch(struct demo *d) {
  const char *args[] = {"ctl", "--socket", d->socket, "--json", "watch", NULL};
  process_start(&d->watch, args);
}

static int stop_demo(struct demo *d, unsigned *took_ms) {
  unsigned long before = process_now_ms();
  kill(d->process.pid, SIGTERM);
  int status = process_wait(&d->process, patience());
  *took_ms = (unsigned)(process_now_ms() - before);
  return status;
}

/* A line of the watch that holds all three. */
static bool watch_has(struct demo *d, const char *event, const char *actor, const char *more) {
  char *text = strdup(process_read(d->watch.out)), *save = NULL;
  char wanted_event[64], wanted_actor[64];
  snprintf(wanted_event, sizeof wanted_event, "\"event\":\"%s\"", event);
  snprintf(wanted_actor, sizeof wanted_actor, "\"actor\":\"%s\"", actor);
  bool found = false;
  for (char *l = strtok_r(text, "\n", &save); l != NULL && !found;
       l = strtok_r(NULL, "\n", &save)) {
    found = strstr(l, wanted_event) != NULL && strstr(l, wanted_actor) != NULL &&
            strstr(l, more) != NULL;
  }
  free(text);
  return found;
}

static void expect_watch(struct demo *d, const char *event, const char *actor, const char *more) {
  unsigned long until = process_now_ms() + patience();
  while (!watch_has(d, event, actor, more)) {
    if (process_now_ms() > until) {
      fail_msg("watch never showed %s of %s with '%s':\n%s", event, actor, more,
               process_read(d->watch.out));
    }
    process_nap(30);
  }
}

static void expect_clean(struct demo *d) {
  const char *report = process_read(d->report);
  assert_non_null(strstr(report, "\"balanced\":true"));
  assert_non_null(strstr(report, "\"verdict\":\"clean\""));
  assert_null(strstr(report, "abandoned"));
}

/* ---- the tests ---- */

static void a_demo_without_a_terminal_ends_by_itself_and_clean(void **state) {
  (void)state;
  static const char *const names[] = {"supervisor", "event_engine",    "thread_monitor", "control",
                                      "exchange",   "consumer",        "binance",        "gateio",
                                      "mexc",       "exchange_gateio", "exchange_mexc"};
  struct process p = {.err_fd = -1};
  const char *path = process_path("own.json");
  char report[200], wanted[100];
  snprintf(report, sizeof report, "json:%s", path);
  const char *args[] = {"demo", "--duration", "2", "--report", report, "--name", "own", NULL};
  process_start(&p, args);
  int status = process_wait(&p, patience());
  const char *out = process_read(p.out);
  if (status != 0) fail_msg("status %d: %s", status, out);
  assert_non_null(strstr(out, "BTCUSDT.BINANCE"));
  assert_non_null(strstr(out, "BTCUSDT.GATEIO"));
  assert_non_null(strstr(out, "BTCUSDT.MEXC"));
  for (int i = 0; i < FEEDS; i++) {
    snprintf(wanted, sizeof wanted, "  %s: 1 connections; closed 1 properly, 0 improperly; 0 cut\n",
             exchanges[i]);
    if (strstr(out, wanted) == NULL) fail_msg("no '%s' in: %s", wanted, out);
  }
  const char *json = process_read(path);
  assert_non_null(strstr(json, "\"verdict\":\"clean\""));
  assert_non_null(strstr(json, "\"balanced\":true"));
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(wanted, sizeof wanted, "\"name\":\"%s\",\"verdict\":\"clean\"", names[i]);
    assert_non_null(strstr(json, wanted));
  }
}

/* Runs it for a moment; what it wrote. */
static const char *run_briefly(const char *option, const char *value) {
  struct process p = {.err_fd = -1};
  const char *args[] = {"demo", "--duration", "1.5", "--name", "brief", option, value, NULL};
  process_start(&p, args);
  int status = process_wait(&p, patience());
  const char *out = process_read(p.out);
  if (status != 0) fail_msg("status %d: %s", status, out);
  return out;
}

static void each_exchange_has_its_demo_alone(void **state) {
  (void)state;
  static const char *const venues[FEEDS] = {".BINANCE", ".GATEIO", ".MEXC"};
  for (int i = 0; i < FEEDS; i++) {
    const char *out = run_briefly("--exchange", feeds[i]);
    for (int j = 0; j < FEEDS; j++) {
      assert_int_equal(i == j, strstr(out, venues[j]) != NULL);
    }
    assert_non_null(strstr(out, "  exchange: 1 connections; closed 1 properly, 0 improperly"));
    assert_null(strstr(out, "exchange_"));
  }
}

static void some_exchanges_may_be_chosen(void **state) {
  (void)state;
  const char *out = run_briefly("--exchange", "mexc,gateio,mexc");
  assert_non_null(strstr(out, "BTCUSDT.MEXC"));
  assert_non_null(strstr(out, "BTCUSDT.GATEIO"));
  assert_null(strstr(out, ".BINANCE"));
  assert_non_null(strstr(out, "  exchange: 1 connections"));
  assert_non_null(strstr(out, "  exchange_gateio: 1 connections"));
  assert_null(strstr(out, "exchange_mexc"));
}

static void json_is_an_object_a_line_to_the_end(void **state) {
  (void)state;
  char *out = strdup(run_briefly("--json", NULL)), *save = NULL;
  assert_non_null(strstr(out, "\"symbol\":\"ETHUSDT.MEXC\",\"bid\":"));
  assert_non_null(strstr(out, "\"verdict\":\"clean\""));
  assert_non_null(strstr(out,
                         "{\"exchange\":\"exchange_mexc\",\"connections\":1,"
                         "\"closed_properly\":1,\"closed_improperly\":0,\"cut\":0}"));
  for (char *l = strtok_r(out, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
    if (l[0] != '{' || l[strlen(l) - 1] != '}') fail_msg("no object: %s", l);
  }
  free(out);
}

static void each_feed_is_commanded_by_itself(void **state) {
  (void)state;
  struct demo d;
  const char *out;
  unsigned took;
  start_demo(&d, "10");
  wait_live(&d);
  for (int i = 0; i < FEEDS; i++) {
    assert_int_equal(ctl(&d, &out, "disconnect", feeds[i], NULL), 0);
    wait_state(&d, feeds[i], "STOPPED");
    for (int j = 0; j < FEEDS; j++)
      if (j != i) assert_true(is_in_state(&d, feeds[j], "LIVE"));
    assert_int_equal(ctl(&d, &out, "connect", feeds[i], NULL), 0);
    wait_state(&d, feeds[i], "LIVE");
    assert_int_equal(ctl(&d, &out, "fault", exchanges[i], "refuse:800"), 0);
    assert_int_equal(ctl(&d, &out, "fault", exchanges[i], "drop"), 0);
    wait_state(&d, feeds[i], "BACKOFF");
    wait_live(&d);
  }
  wait_updates(&d);
  assert_int_equal(stop_demo(&d, &took), 0);
  expect_clean(&d);
}

static void each_actor_panics_and_comes_back(void **state) {
  (void)state;
  static const char *const names[] = {
      "consumer",      "binance",         "gateio",  "mexc",           "exchange",
      "exchange_mexc", "exchange_gateio", "control", "thread_monitor", "event_engine"};
  struct demo d;
  const char *out;
  unsigned took;
  start_demo(&d, "10");
  wait_live(&d);
  start_watch(&d);
  expect_watch(&d, "FEED_STATE", "binance", "\"state\"");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    assert_int_equal(ctl(&d, &out, "fault", names[i], "panic"), 0);
    expect_watch(&d, "THREAD_CRASHED", names[i], "injected_panic");
    expect_watch(&d, "ACTOR_RESTARTED", names[i], "\"incarnation\":2");
    wait_live(&d);
    wait_updates(&d);
  }
  expect_watch(&d, "RESTORED", "consumer", "\"subscriptions\"");
  expect_watch(&d, "EVENT_GAP", "binance", "\"lost\"");
  assert_int_equal(stop_demo(&d, &took), 0);
  assert_true(took < 1000 * process_slowness());
  expect_clean(&d);
  assert_int_equal(process_wait(&d.watch, patience()), 0);
}

static void a_panic_of_the_root_is_a_stop_with_an_account(void **state) {
  (void)state;
  struct demo d;
  const char *out;
  start_demo(&d, "10");
  wait_live(&d);
  assert_int_equal(ctl(&d, &out, "fault", "supervisor", "panic"), 0);
  assert_int_equal(process_wait(&d.process, patience()), 6);
  const char *report = process_read(d.report);
  assert_non_null(strstr(report, "\"verdict\":\"gave up\""));
  assert_non_null(strstr(report, "\"name\":\"supervisor\",\"verdict\":\"crashed\""));
  assert_non_null(strstr(report, "\"balanced\":true"));
}

static void a_stall_is_seen_with_its_stack_while_the_rest_goes_on(void **state) {
  (void)state;
  struct demo d;
  const char *out;
  unsigned took;
  start_demo(&d, "10");
  wait_live(&d);
  start_watch(&d);
  assert_int_equal(ctl(&d, &out, "fault", "consumer", "stall:5000"), 0);
  expect_watch(&d, "ACTOR_STALLED", "consumer", "injected_stall");
  wait_updates(&d);
  process_nap(3500);
  assert_int_equal(stop_demo(&d, &took), 0);
  expect_clean(&d);
  process_end(&d.watch);
}

static void ctl_stop_stops_cleanly_within_a_second(void **state) {
  (void)state;
  struct demo d;
  const char *out;
  start_demo(&d, "10");
  wait_live(&d);
  unsigned long before = process_now_ms();
  assert_int_equal(ctl(&d, &out, "stop", NULL, NULL), 0);
  assert_int_equal(process_wait(&d.process, patience()), 0);
  assert_true(process_now_ms() - before < 1000 * process_slowness());
  expect_clean(&d);
}

static void a_signal_while_starting_unwinds_cleanly(void **state) {
  (void)state;
  for (unsigned ms = 0; ms < 60; ms += 4) {
    struct demo d;
    unsigned took;
    start_demo(&d, "10");
    /* Its first act; before it there is no program yet, only a loader. */
    assert_true(process_wait_signals_held(&d.process, patience()));
    process_nap(ms);
    int status = stop_demo(&d, &took);
    if (status != 0) {
      fail_msg("after %u ms: status %d: %s", ms, status, process_read(d.process.err));
    }
    assert_true(took < 1000 * process_slowness());
    expect_clean(&d);
  }
}

/* What the terminal has been sent by the time the demo has ended. */
static const char *terminal_text(int master, struct process *p) {
  static char text[1 << 18];
  size_t used = 0;
  unsigned long until = process_now_ms() + patience();
  while (process_now_ms() < until && used < sizeof text - 1) {
    ssize_t n = read(master, text + used, sizeof text - 1 - used);
    if (n > 0) used += (size_t)n;
    if (n > 0) continue;
    if (p->pid == 0) break;
    if (process_wait(p, 20) >= 0) p->pid = 0;
  }
  text[used] = '\0';
  return text;
}

static void on_a_terminal_the_account_stands_after_the_table_has_gone(void **state) {
  (void)state;
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
  assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
  struct process p = {.err_fd = -1, .terminal = ptsname(master)};
  const char *args[] = {"demo", "--duration", "1.5", "--name", "terminal", NULL};
  process_start(&p, args);
  const char *text = terminal_text(master, &p);
  process_end(&p);
  close(master);
  assert_non_null(strstr(text, "BTCUSDT.GATEIO"));
  assert_non_null(strstr(text, "BTCUSDT.MEXC"));
  const char *table = strstr(text, "BTCUSDT.BINANCE"), *back = strstr(text, "\033[?1049l");
  const char *account = strstr(text, "stopped: clean");
  assert_non_null(strstr(text, "\033[?1049h"));
  assert_true(table != NULL && back != NULL && account != NULL);
  assert_true(table < back && back < account);
}

static void a_stop_needs_neither_a_reader_nor_room_for_the_report(void **state) {
  (void)state;
  int pipes[2];
  unsigned took;
  assert_int_equal(pipe(pipes), 0);
  struct demo d = {.process.err_fd = pipes[1]};
  name_demo(&d, 1000);
  const char *args[] = {"demo",           "--name",     d.name, "--report",
                        "json:/dev/full", "--duration", "60",   NULL};
  process_start(&d.process, args);
  close(pipes[1]);
  wait_live(&d);
  close(pipes[0]); /* from now on every write to standard error fails */
  assert_int_equal(stop_demo(&d, &took), 0);
  assert_true(took < 1000 * process_slowness());
}

static void an_actor_that_never_returns_is_abandoned_and_named(void **state) {
  (void)state;
  struct demo d;
  const char *out;
  unsigned took;
  start_demo(&d, "2");
  wait_live(&d);
  assert_int_equal(ctl(&d, &out, "fault", "consumer", "stall:600000"), 0);
  process_nap(300);
  assert_int_equal(stop_demo(&d, &took), 1);
  assert_in_range(took, 1000, 4000 * process_slowness());
  const char *line = strstr(process_read(d.process.err), "stop.abandoned");
  assert_non_null(line);
  assert_non_null(strstr(line, "injected_stall"));
  const char *report = process_read(d.report);
  assert_non_null(strstr(report, "\"verdict\":\"abandoned\""));
  assert_non_null(strstr(report, "\"name\":\"consumer\",\"verdict\":\"abandoned\""));
  assert_non_null(strstr(report, "\"name\":\"binance\",\"verdict\":\"clean\""));
  assert_non_null(strstr(report, "\"name\":\"event_engine\",\"verdict\":\"clean\""));
  assert_int_equal(access(d.socket, F_OK), -1); /* it cleaned up behind itself all the same */
}

/* A signal, and what it did, seen before the next: two that meet are one. */
static void signal_and_await(struct demo *d, const char *words) {
  kill(d->process.pid, SIGTERM);
  if (!process_wait_text(d->process.err, words, patience())) {
    fail_msg("no '%s' in: %s", words, process_read(d->process.err));
  }
}

static void a_third_signal_leaves_at_once(void **state) {
  (void)state;
  struct demo d;
  const char *out;
  unsigned took;
  start_demo(&d, "60");
  wait_live(&d);
  assert_int_equal(ctl(&d, &out, "fault", "consumer", "stall:600000"), 0);
  process_nap(300);
  signal_and_await(&d, "state=stopping");
  signal_and_await(&d, "stop.now");
  assert_int_equal(stop_demo(&d, &took), 1);
  assert_true(took < 2000 * process_slowness());
  assert_non_null(strstr(process_read(d.process.err), "third signal: leaving at once"));
  assert_int_equal(access(d.socket, F_OK), -1);
  assert_int_equal(access(d.report, F_OK), -1); /* without an account, as it says */
}

static void wrong_use_is_told_with_status_2(void **state) {
  (void)state;
  const char *const wrong[][4] = {{"demo", "--duration", "x", NULL},
                                  {"demo", "--report", "xml:f", NULL},
                                  {"demo", "--nonsense", NULL},
                                  {"demo", "--exchange", "binance,nasdaq", NULL},
                                  {"nonsense", NULL},
                                  {"ctl", "nonsense", NULL},
                                  {"decode", "nonsense", "f", NULL}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(process_run(wrong[i], NULL), 2);
  }
}

/* ---- the monitor's view ---- */

/* The thread sanitizer begins a thread of its own with the first that the program begins. */
static unsigned strangers(void) {
  const char *mode = getenv("TRP_MODE");
  return mode != NULL && strcmp(mode, "thread") == 0;
}

static unsigned count_in(const char *text, const char *words) {
  unsigned count = 0;
  for (; (text = strstr(text, words)) != NULL; text++) count++;
  return count;
}

static void every_thread_of_the_demo_is_known_and_nothing_is_without_an_owner(void **state) {
  (void)state;
  struct demo d;
  const char *out;
  unsigned took;
  start_demo(&d, "10");
  wait_live(&d);
  assert_int_equal(ctl(&d, &out, "threads", NULL, NULL), 0);
  assert_int_equal(count_in(out, "\"role\":\"unknown\""), strangers());
  assert_non_null(strstr(out, "\"role\":\"library\",\"owner\":\"nng\""));
  assert_int_equal(ctl(&d, &out, "status", NULL, NULL), 0);
  assert_non_null(strstr(out, strangers() > 0 ? "\"unknown_threads\":1" : "\"unknown_threads\":0"));
  assert_non_null(strstr(out,
                         "\"orphans\":{\"timers\":0,\"asks\":0,\"subscriptions\":0,"
                         "\"monitors\":0,\"others\":0}"));
  assert_int_equal(ctl(&d, &out, "actors", NULL, NULL), 0);
  assert_non_null(strstr(out, "\"name\":\"binance\""));
  assert_int_equal(stop_demo(&d, &took), 0);
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  setenv("XDG_RUNTIME_DIR", process_folder(), 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_demo_without_a_terminal_ends_by_itself_and_clean),
      cmocka_unit_test(each_exchange_has_its_demo_alone),
      cmocka_unit_test(some_exchanges_may_be_chosen),
      cmocka_unit_test(json_is_an_object_a_line_to_the_end),
      cmocka_unit_test(each_feed_is_commanded_by_itself),
      cmocka_unit_test(each_actor_panics_and_comes_back),
      cmocka_unit_test(a_panic_of_the_root_is_a_stop_with_an_account),
      cmocka_unit_test(a_stall_is_seen_with_its_stack_while_the_rest_goes_on),
      cmocka_unit_test(ctl_stop_stops_cleanly_within_a_second),
      cmocka_unit_test(a_signal_while_starting_unwinds_cleanly),
      cmocka_unit_test(on_a_terminal_the_account_stands_after_the_table_has_gone),
      cmocka_unit_test(a_stop_needs_neither_a_reader_nor_room_for_the_report),
      cmocka_unit_test(an_actor_that_never_returns_is_abandoned_and_named),
      cmocka_unit_test(a_third_signal_leaves_at_once),
      cmocka_unit_test(wrong_use_is_told_with_status_2),
      cmocka_unit_test(every_thread_of_the_demo_is_known_and_nothing_is_without_an_owner),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
