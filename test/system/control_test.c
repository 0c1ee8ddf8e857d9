/* Control end to end in one process: a real socket, a real system, and the questions of ctl.
 * Long because every question is asked of the same house. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/cli/cli.h"
#include "test/system/control_house.h"

static int open_house(void **state) {
  struct house *house = calloc(1, sizeof *house);
  house_open(house, true);
  *state = house;
  return 0;
}

static int open_strict_house(void **state) {
  struct house *house = calloc(1, sizeof *house);
  house_open(house, false);
  *state = house;
  return 0;
}

static int close_house(void **state) {
  house_close(*state);
  free(*state);
  return 0;
}

static struct trp_request ask_for(const char *verb, const char *name) {
  struct trp_request request = {.id = trp_control_client_id()};
  snprintf(request.verb, sizeof request.verb, "%s", verb);
  snprintf(request.name, sizeof request.name, "%s", name);
  return request;
}

static bool has_event(const struct trp_answer *answer, const char *event, const char *actor) {
  struct trp_value events, each;
  struct trp_walk walk;
  if (!trp_value_find(&answer->body, "events", &events)) return false;
  trp_walk_init(&walk, &events);
  while (trp_walk_next(&walk, &each)) {
    if (house_says(&each, "event", event) && house_says(&each, "actor", actor)) return true;
  }
  return false;
}

/* ---- looking --------------------------------------------------------------------------------- */

static void status_shows_the_actors_and_the_feeds(void **state) {
  struct trp_request request = ask_for("status", "");
  struct trp_answer answer;
  struct trp_value row, ledger;
  assert_int_equal(house_ask(*state, &request, &answer), TRP_OK);
  assert_true(house_says(&answer.body, "system", "house"));
  assert_true(house_says(&answer.body, "version", TRP_VERSION));
  assert_true(house_says(&answer.body, "state", "running"));
  assert_true(house_find(&answer.body, "actors", "control", &row));
  assert_true(house_says(&row, "kind", "control"));
  assert_true(house_says(&row, "state", "running"));
  assert_int_equal(trp_value_find_u64(&row, "incarnation", 0), 1);
  assert_int_equal(trp_value_find_u64(&row, "deadline_ms", 0), 2000);
  assert_true(trp_value_find(&row, "ledger", &ledger));
  assert_int_equal(ledger.count, 8);
  assert_true(house_find(&answer.body, "feeds", "feed", &row));
  assert_true(house_says(&row, "state", "LIVE"));
  assert_true(house_says(&row, "mode", "stream"));
  assert_int_equal(trp_value_find_u64(&row, "updates", 0), 77);
}

static void a_feed_that_is_stuck_is_shown_as_unknown_and_keeps_nobody_waiting(void **state) {
  struct house *house = *state;
  struct trp_request request = ask_for("status", "");
  struct trp_answer answer;
  struct trp_value row;
  assert_int_equal(house_order(house, "fault", "feed", "stall:1500"), TRP_OK);
  uint64_t began = house_now_ms();
  assert_int_equal(house_ask(house, &request, &answer), TRP_OK);
  assert_true(house_now_ms() - began < 1400);
  assert_true(house_find(&answer.body, "feeds", "feed", &row));
  assert_true(house_says(&row, "state", "UNKNOWN"));
  assert_true(house_says(&row, "error", "TIMEOUT"));
}

static void threads_shows_ours_and_the_librarys(void **state) {
  struct trp_request request = ask_for("threads", "");
  struct trp_answer answer;
  struct trp_value row;
  assert_int_equal(house_ask(*state, &request, &answer), TRP_OK);
  assert_true(house_find(&answer.body, "threads", "control", &row));
  assert_true(house_says(&row, "role", "actor"));
  assert_true(house_says(&row, "owner", "house"));
  assert_true(house_find(&answer.body, "threads", "nng:poll:epoll", &row));
  assert_true(house_says(&row, "role", "library"));
  assert_true(house_says(&row, "owner", "nng"));
}

/* ---- orders ---------------------------------------------------------------------------------- */

static void a_restart_is_answered_when_the_new_incarnation_runs(void **state) {
  struct house *house = *state;
  assert_int_equal(house_order(house, "restart", "feed", ""), TRP_OK);
  assert_int_equal(house_incarnation(house, "feed", 2), 2);
}

static void an_actor_that_was_stopped_can_be_restarted(void **state) {
  struct house *house = *state;
  assert_int_equal(house_order(house, "stop-actor", "feed", ""), TRP_OK);
  assert_int_equal(house_order(house, "send", "feed", "hello"), TRP_DEAD);
  assert_int_equal(house_order(house, "restart", "feed", ""), TRP_OK);
  assert_int_equal(house_order(house, "send", "feed", "hello"), TRP_OK);
}

static void a_feeds_command_is_answered_in_its_own_words(void **state) {
  struct trp_request request = ask_for("subscribe", "feed");
  struct trp_answer answer;
  snprintf(request.argument, sizeof request.argument, "BTCUSDT.BINANCE");
  assert_int_equal(house_ask(*state, &request, &answer), TRP_OK);
  assert_string_equal(answer.text, "subscribe BTCUSDT.BINANCE");
  assert_int_equal(house_order(*state, "connect", "feed", ""), TRP_OK);
  assert_int_equal(house_order(*state, "connect", "control", ""), TRP_INVALID);
  assert_int_equal(atomic_load(&house_heard.commands), 2);
}

static void an_unknown_actor_is_named_in_the_refusal(void **state) {
  static const char *const verbs[] = {"stop-actor", "restart", "connect", "disconnect"};
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
    struct trp_request request = ask_for(verbs[i], "bob");
    struct trp_answer answer;
    assert_int_equal(house_ask(*state, &request, &answer), TRP_NO_ACTOR);
    assert_string_equal(answer.text, "no actor \"bob\"");
  }
}

static void a_repeated_request_acts_once_and_is_answered_the_same(void **state) {
  struct trp_request request = ask_for("send", "feed");
  struct trp_answer answer;
  snprintf(request.argument, sizeof request.argument, "hello");
  for (int i = 0; i < 3; i++) assert_int_equal(house_ask(*state, &request, &answer), TRP_OK);
  assert_int_equal(house_order(*state, "connect", "feed", ""),
                   TRP_OK); /* behind it in the mailbox */
  assert_int_equal(atomic_load(&house_heard.texts), 1);
}

static void a_repetition_over_a_restart_of_control_does_not_act_again(void **state) {
  struct house *house = *state;
  struct trp_request request = ask_for("send", "feed");
  struct trp_answer answer;
  snprintf(request.argument, sizeof request.argument, "hello");
  assert_int_equal(house_ask(house, &request, &answer), TRP_OK);
  assert_int_equal(house_order(house, "restart", "control", ""), TRP_OK);
  assert_int_equal(house_incarnation(house, "control", 2), 2);
  assert_int_equal(house_ask(house, &request, &answer), TRP_OK);
  assert_int_equal(house_order(house, "connect", "feed", ""), TRP_OK);
  assert_int_equal(atomic_load(&house_heard.texts), 1);
}

static void a_fault_is_refused_where_faults_are_not_allowed(void **state) {
  struct house *house = *state;
  assert_int_equal(house_order(house, "fault", "feed", "panic"), TRP_NOT_ALLOWED);
  assert_int_equal(house_order(house, "connect", "feed", ""), TRP_OK);
  assert_int_equal(house_incarnation(house, "feed", 1), 1);
}

static void a_fault_that_nobody_can_act_out_is_refused_with_those_that_can(void **state) {
  struct trp_request request = ask_for("fault", "feed");
  struct trp_answer answer;
  snprintf(request.argument, sizeof request.argument, "stall:x");
  assert_int_equal(house_ask(*state, &request, &answer), TRP_INVALID);
  assert_non_null(strstr(answer.text, "it takes panic, exit, error and stall:MS"));
  assert_int_equal(house_order(*state, "fault", "feed", "drop"), TRP_INVALID);
  assert_int_equal(house_order(*state, "fault", "feed", "stall:1"), TRP_OK);
}

static void the_log_has_five_levels(void **state) {
  assert_int_equal(house_order(*state, "log", "", "debug"), TRP_OK);
  assert_int_equal(house_order(*state, "log", "", "none"), TRP_OK);
  assert_int_equal(house_order(*state, "log", "", "loud"), TRP_INVALID);
}

/* ---- watching -------------------------------------------------------------------------------- */

static uint64_t read_journal(struct house *house, uint64_t after, struct trp_answer *answer) {
  struct trp_request request = ask_for("watch", "");
  request.after = after;
  assert_int_equal(house_ask(house, &request, answer), TRP_OK);
  return trp_value_find_u64(&answer->body, "after", 0);
}

static void watch_waits_for_the_next_event_and_no_longer(void **state) {
  struct house *house = *state;
  struct trp_answer answer;
  struct trp_request request = ask_for("watch", "");
  request.after = read_journal(house, 0, &answer);
  assert_true(has_event(&answer, "SYSTEM_STATE", ""));
  request.wait_ms = 200;
  uint64_t began = house_now_ms();
  assert_int_equal(house_ask(house, &request, &answer), TRP_OK);
  assert_true(house_now_ms() - began >= 200);
  assert_int_equal(trp_value_find_u64(&answer.body, "after", 0), request.after);

  struct trp_fault panic = {.text = "panic"};
  struct trp_ref feed = trp_system_whereis(house->system, "feed");
  request.id = trp_control_client_id();
  request.wait_ms = 5000;
  assert_int_equal(trp_system_send(house->system, feed, TRP_FAULT, &panic, sizeof panic), TRP_OK);
  began = house_now_ms();
  assert_int_equal(house_ask(house, &request, &answer), TRP_OK);
  assert_true(house_now_ms() - began < 2000);
  assert_true(has_event(&answer, "THREAD_CRASHED", "feed"));
}

/* Some event of that name in the journal has this text for this key. */
static void expect_words(struct house *house, const char *event, const char *key,
                         const char *text) {
  struct trp_answer answer;
  struct trp_value events, each;
  struct trp_walk walk;
  (void)read_journal(house, 0, &answer);
  assert_true(trp_value_find(&answer.body, "events", &events));
  trp_walk_init(&walk, &events);
  while (trp_walk_next(&walk, &each)) {
    if (house_says(&each, "event", event) && house_says(&each, key, text)) return;
  }
  fail_msg("no %s with %s \"%s\"", event, key, text);
}

static void watch_says_in_words_what_status_says_in_words(void **state) {
  struct house *house = *state;
  assert_int_equal(house_order(house, "fault", "feed", "panic"), TRP_OK);
  assert_int_equal(house_incarnation(house, "feed", 2), 2);
  assert_int_equal(house_order(house, "send", "feed", "journal"), TRP_OK);
  assert_int_equal(house_order(house, "connect", "feed", ""), TRP_OK); /* that was handled */
  expect_words(house, "THREAD_CRASHED", "cause", "panic");
  expect_words(house, "THREAD_CRASHED", "error", "PANIC");
  expect_words(house, "FEED_STATE", "state", "LIVE");
  expect_words(house, "FEED_STATE", "mode", "stream");
  expect_words(house, "FEED_STATE", "error", "CLOSED");
  expect_words(house, "FEED_GAP", "symbol", "BTCUSDT.BINANCE");
  expect_words(house, "EVENT_GAP", "reason", "FULL");
}

struct crash_later {
  struct house *house;
  pthread_t thread;
};

static void *crash_control(void *arg) {
  struct crash_later *later = arg;
  struct trp_fault panic = {.text = "panic"};
  house_nap_ms(150);
  struct trp_ref control = trp_system_whereis(later->house->system, "control");
  (void)!trp_system_send(later->house->system, control, TRP_FAULT, &panic, sizeof panic);
  return NULL;
}

static void a_watch_goes_on_over_a_crash_of_control_itself(void **state) {
  struct crash_later later = {.house = *state};
  struct trp_answer answer;
  struct trp_request request = ask_for("watch", "");
  request.after = read_journal(later.house, 0, &answer);
  request.wait_ms = 5000;
  pthread_create(&later.thread, NULL, crash_control, &later);
  int status = house_ask(later.house, &request, &answer);
  pthread_join(later.thread, NULL);
  assert_int_equal(status, TRP_OK);
  assert_true(has_event(&answer, "THREAD_CRASHED", "control"));
}

static void an_order_in_the_hands_of_a_crashed_control_is_answered_with_an_error(void **state) {
  struct crash_later later = {.house = *state};
  struct trp_answer answer;
  struct trp_request request = ask_for("connect", "feed");
  assert_int_equal(house_order(later.house, "fault", "feed", "stall:1000"), TRP_OK);
  pthread_create(&later.thread, NULL, crash_control, &later);
  uint64_t began = house_now_ms();
  int status = house_ask(later.house, &request, &answer);
  pthread_join(later.thread, NULL);
  assert_int_equal(status, TRP_DEAD);
  assert_true(house_now_ms() - began < 900);
  assert_int_equal(house_ask(later.house, &request, &answer), TRP_DEAD); /* and stays so */
}

/* What `ctl stop control` refuses to do. */
static void take_control_down(struct trp_system *system) {
  struct trp_child_command command = {.verb = "stop", .name = "control"};
  struct trp_ref supervisor = trp_system_whereis(system, "supervisor");
  assert_int_equal(trp_system_send(system, supervisor, TRP_CHILD_COMMAND, &command, sizeof command),
                   TRP_OK);
  for (int i = 0; i < 500; i++) {
    if (trp_ref_is_nobody(trp_system_whereis(system, "control"))) return;
    house_nap_ms(2);
  }
  fail_msg("control did not stop");
}

static void control_does_not_stop_itself_alone(void **state) {
  struct trp_request request = ask_for("stop-actor", "control");
  struct trp_answer answer;
  assert_int_equal(house_ask(*state, &request, &answer), TRP_NOT_ALLOWED);
  assert_non_null(strstr(answer.text, "use 'stop' to stop the system"));
  assert_int_equal(house_incarnation(*state, "control", 1), 1);
}

static void a_stop_without_control_lets_its_clients_go(void **state) {
  struct house *house = *state;
  int fds[3];
  for (int i = 0; i < 3; i++) fds[i] = raw_greet(trp_control_ipc_path(house->ipc));
  take_control_down(house->system);
  house_nap_ms(50);
  uint64_t began = house_now_ms();
  trp_system_stop(house->system, "the test says so");
  for (int i = 0; i < 3; i++) {
    assert_true(raw_ends(fds[i], 2000));
    close(fds[i]);
  }
  assert_true(house_now_ms() - began < 500);
}

static void a_request_while_control_is_down_is_refused_by_the_edge(void **state) {
  struct house *house = *state;
  struct trp_request request = ask_for("status", "");
  struct trp_answer answer;
  take_control_down(house->system);
  uint64_t began = house_now_ms();
  assert_int_equal(house_ask(house, &request, &answer), TRP_TIMEOUT);
  assert_true(house_now_ms() - began < 2000);
}

/* ---- the command line ------------------------------------------------------------------------ */

struct said {
  int status;
  char out[16384], err[2048];
};

/* Runs `troupe ctl` with these words and keeps what it says. */
static struct said *run_ctl(const char *const *words, int count) {
  static struct said said;
  char *argv[8] = {(char *)"ctl"};
  FILE *out = stdout, *err = stderr;
  memset(&said, 0, sizeof said);
  for (int i = 0; i < count; i++) argv[i + 1] = (char *)words[i];
  stdout = fmemopen(said.out, sizeof said.out, "w");
  stderr = fmemopen(said.err, sizeof said.err, "w");
  said.status = trp_cli_ctl(count + 1, argv);
  fclose(stdout);
  fclose(stderr);
  stdout = out;
  stderr = err;
  return &said;
}

#define CTL(...)                                                                                   \
  run_ctl((const char *const[]){__VA_ARGS__},                                                      \
          (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)))

static void ctl_finds_the_socket_and_shows_a_table_or_json(void **state) {
  (void)state;
  struct said *said = CTL("status");
  assert_int_equal(said->status, 0);
  assert_non_null(strstr(said->out, "ACTOR "));
  assert_non_null(strstr(said->out, "\nfeed "));
  said = CTL("--json", "status");
  assert_int_equal(said->status, 0);
  assert_memory_equal(said->out, "{\"system\":\"house\",", 18);
  assert_non_null(strstr(said->out, ",\"process\":null}"));
  said = CTL("actors");
  assert_int_equal(said->status, 0);
  assert_non_null(strstr(said->out, "SUBSCRIPTIONS"));
  assert_non_null(strstr(said->out, "\ncontrol "));
  said = CTL("threads");
  assert_int_equal(said->status, 0);
  assert_non_null(strstr(said->out, "coordinator"));
  said = CTL("watch", "--json", "--count", "2");
  assert_int_equal(said->status, 0);
  assert_memory_equal(said->out, "{\"event\":\"SYSTEM_STATE\",\"at_ns\":", 31);
  assert_int_equal(CTL("watch", "--duration", "0.2")->status, 0);
}

static void ctl_tells_refusals_from_wrong_use(void **state) {
  (void)state;
  struct said *said = CTL("send", "bob", "hello");
  assert_int_equal(said->status, 1);
  assert_string_equal(said->err, "troupe ctl: no actor \"bob\"\n");
  assert_int_equal(CTL("send", "bob")->status, 2);
  assert_int_equal(CTL("sing")->status, 2);
  assert_int_equal(CTL("--volume", "status")->status, 2);
  assert_int_equal(CTL("watch", "--count", "none")->status, 2);
  assert_int_equal(CTL("--help")->status, 0);
  said = CTL("--socket", "/nowhere.sock", "status");
  assert_int_equal(said->status, 1);
  assert_non_null(strstr(said->err, "no troupe system is running"));
}

static void ctl_asks_which_where_several_systems_run(void **state) {
  (void)state;
  struct trp_control_ipc *other = NULL;
  assert_int_equal(trp_control_ipc_open(&other, "other", NULL, 0), TRP_OK);
  struct said *said = CTL("status");
  assert_int_equal(said->status, 1);
  assert_non_null(strstr(said->err, "/house.sock"));
  assert_non_null(strstr(said->err, "/other.sock"));
  trp_control_ipc_close(&other);
  assert_int_equal(CTL("status")->status, 0);
}

static void ctl_stops_the_system_and_hears_that_it_will(void **state) {
  struct house *house = *state;
  struct said *said = CTL("stop");
  assert_int_equal(said->status, 0);
  assert_string_equal(said->out, "stopping\n");
  assert_int_equal(trp_system_wait(house->system, 2 * TRP_NS_PER_S), TRP_OK);
  said = CTL("status");
  assert_int_equal(said->status, 1);
  assert_non_null(strstr(said->err, "no troupe system is running: looked at "));
}

/* ---- leaving --------------------------------------------------------------------------------- */

/* In a process of its own, since the account of this one looks at its descriptors. Returns how many
 * of its connections the system ended. */
static int visit(const char *path) {
  enum { VISITORS = 5 };
  int fds[VISITORS], ended = 0;
  for (int i = 0; i < 500 && (fds[0] = raw_greet(path)) < 0; i++) house_nap_ms(10);
  for (int i = 1; i < VISITORS; i++) fds[i] = i % 2 == 0 ? raw_greet(path) : raw_connect(path);
  struct trp_request watch = {.id = 1, .wait_ms = 60000, .verb = "watch"};
  watch.after = UINT32_MAX;
  (void)!raw_request(fds[0], 1, &watch);
  (void)!raw_request(fds[2], 2, &(struct trp_request){.id = 2, .verb = "status"});
  (void)!raw_read(fds[2], (char[1]){0}, 1); /* an answer: the system runs, and minds its signals */
  kill(getppid(), SIGTERM);
  for (int i = 0; i < VISITORS; i++) ended += raw_ends(fds[i], 2000);
  return ended == VISITORS ? 0 : 1;
}

/* First of all, while the process has one thread and may fork. */
static void a_stop_leaves_no_connection_and_no_socket_behind(void **state) {
  struct house house;
  struct stat st;
  char path[256], report[256];
  (void)state;
  snprintf(path, sizeof path, "%s/troupe/leaver.sock", house_folder());
  snprintf(report, sizeof report, "%s/report.json", house_folder());
  pid_t child = fork();
  if (child == 0) _exit(visit(path));
  house_build(&house, "leaver", true, report);
  assert_int_equal(trp_system_run(house.system), 0);
  assert_int_not_equal(stat(path, &st), 0);
  trp_control_ipc_close(&house.ipc);
  trp_system_destroy(&house.system);
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  unlink(report);
}

#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_stop_leaves_no_connection_and_no_socket_behind),
      IN_HOUSE(status_shows_the_actors_and_the_feeds),
      IN_HOUSE(a_feed_that_is_stuck_is_shown_as_unknown_and_keeps_nobody_waiting),
      IN_HOUSE(threads_shows_ours_and_the_librarys),
      IN_HOUSE(a_restart_is_answered_when_the_new_incarnation_runs),
      IN_HOUSE(an_actor_that_was_stopped_can_be_restarted),
      IN_HOUSE(a_feeds_command_is_answered_in_its_own_words),
      IN_HOUSE(an_unknown_actor_is_named_in_the_refusal),
      IN_HOUSE(a_repeated_request_acts_once_and_is_answered_the_same),
      IN_HOUSE(a_repetition_over_a_restart_of_control_does_not_act_again),
      cmocka_unit_test_setup_teardown(a_fault_is_refused_where_faults_are_not_allowed,
                                      open_strict_house, close_house),
      IN_HOUSE(a_fault_that_nobody_can_act_out_is_refused_with_those_that_can),
      IN_HOUSE(the_log_has_five_levels),
      IN_HOUSE(watch_waits_for_the_next_event_and_no_longer),
      IN_HOUSE(watch_says_in_words_what_status_says_in_words),
      IN_HOUSE(a_watch_goes_on_over_a_crash_of_control_itself),
      IN_HOUSE(an_order_in_the_hands_of_a_crashed_control_is_answered_with_an_error),
      IN_HOUSE(a_request_while_control_is_down_is_refused_by_the_edge),
      IN_HOUSE(control_does_not_stop_itself_alone),
      IN_HOUSE(a_stop_without_control_lets_its_clients_go),
      IN_HOUSE(ctl_finds_the_socket_and_shows_a_table_or_json),
      IN_HOUSE(ctl_tells_refusals_from_wrong_use),
      IN_HOUSE(ctl_asks_which_where_several_systems_run),
      IN_HOUSE(ctl_stops_the_system_and_hears_that_it_will),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  house_remove_folder();
  return failed;
}
