/* system_suite_account.c - what the system says of itself: the report as JSON, the journal, the
 * snapshot of an actor. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test/conformance/system_suite.h"

struct state {
  struct world *w;
};

static enum trp_err start(struct trp_self *self, void *state, const void *args) {
  memcpy(state, &args, sizeof args);
  trp_account(self, TRP_RES_SUBSCRIPTION, 2);
  return TRP_OK;
}

static enum trp_err obey(struct trp_self *self, void *state, const struct trp_msg *msg) {
  (void)state;
  (void)msg;
  struct trp_operator text = {.text = "hello"};
  trp_journal(self, TRP_OPERATOR, &text, sizeof text);
  return TRP_OK;
}

static void give_back(struct trp_self *self, void *state, enum trp_end_reason reason) {
  (void)reason;
  struct world *w = ((struct state *)state)->w;
  trp_account(self, TRP_RES_SUBSCRIPTION, w->number[0] != 0 ? -1 : -2);
}

static const struct trp_kind holder = {.name = "holder",
                                       .state_bytes = sizeof(struct state),
                                       .start = start,
                                       .receive = obey,
                                       .end = give_back};

/* ---- a strict reader of JSON: the grammar of RFC 8259, without keeping anything ---- */

static const char *value(const char *p);

static const char *blank(const char *p) { return p == NULL ? NULL : p + strspn(p, " \t\r\n"); }

static const char *text(const char *p) {
  if (*p++ != '"') return NULL;
  for (; *p != '"'; p++) {
    if ((unsigned char)*p < 0x20) return NULL;
    if (*p == '\\' && strchr("\"\\/bfnrtu", *++p) == NULL) return NULL;
  }
  return p + 1;
}

static const char *number(const char *p) {
  size_t digits = strspn(p, "-+.eE0123456789");
  return digits == 0 ? NULL : p + digits;
}

static const char *list(const char *p, char close, bool keys) {
  p = blank(p + 1);
  if (*p == close) return p + 1;
  for (;;) {
    if (keys) {
      p = blank(text(blank(p)));
      if (p == NULL || *p++ != ':') return NULL;
    }
    p = blank(value(blank(p)));
    if (p == NULL) return NULL;
    if (*p == close) return p + 1;
    if (*p++ != ',') return NULL;
  }
}

static const char *value(const char *p) {
  switch (*p) {
    case '{':
      return list(p, '}', true);
    case '[':
      return list(p, ']', false);
    case '"':
      return text(p);
    case 't':
      return strncmp(p, "true", 4) == 0 ? p + 4 : NULL;
    case 'f':
      return strncmp(p, "false", 5) == 0 ? p + 5 : NULL;
    case 'n':
      return strncmp(p, "null", 4) == 0 ? p + 4 : NULL;
    default:
      return number(p);
  }
}

static size_t print(const struct trp_report *report, char *out, size_t bytes,
                    enum trp_err (*how)(const struct trp_report *, int, uint64_t)) {
  FILE *file = tmpfile();
  assert_non_null(file);
  assert_int_equal(how(report, fileno(file), TRP_NS_PER_S), TRP_OK);
  rewind(file);
  size_t n = fread(out, 1, bytes - 1, file);
  out[n] = '\0';
  fclose(file);
  return n;
}

static void the_report_can_be_read(void **state) {
  static char out[65536];
  static struct world w;
  world_open_with(&w, state,
                  &(struct trp_system_options){.budget_ms = 3000, .outer_limit_ms = 4500});
  world_add_parent(&w, &(struct trp_spec){.name = "root", .kind = &holder});
  world_add(&w, &(struct trp_spec){.name = "other", .kind = &holder, .supervisor = "root"});
  world_start(&w);
  world_tell(&w, "other", 1);
  trp_system_stop(w.system, "a \"quoted\" reason\n");
  const struct trp_report *report = world_wait(&w);
  assert_int_equal(report->budget_ns, 2500 * MS); /* 2 s before the operator's limit */
  size_t n = print(report, out, sizeof out, trp_report_json);
  assert_ptr_equal(blank(value(out)), out + n);
  static const char *const parts[] = {
      "\"verdict\":\"clean\"", "\"balanced\":true",   "\"handled\":1",      "\"left_behind\":{",
      "\"threads\":0",         "\"subscriptions\":0", "\"name\":\"other\"", "\"drained\":"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    if (strstr(out, parts[i]) == NULL) fail_msg("no %s in %s", parts[i], out);
  }
  print(report, out, sizeof out, trp_report_table);
  assert_non_null(strstr(out, "left behind: nothing"));
  assert_non_null(strstr(out, "balanced"));
  world_close(&w);
}

static void what_is_not_given_back_is_left_behind(void **state) {
  static struct world w;
  world_open(&w, state);
  w.number[0] = 1; /* one of two subscriptions is forgotten */
  world_add(&w, &(struct trp_spec){.name = "careless", .kind = &holder});
  world_start(&w);
  assert_int_equal(world_actor(&w, "careless").held[TRP_RES_SUBSCRIPTION], 2);
  trp_system_stop(w.system, "now");
  assert_int_equal(trp_system_wait(w.system, 5 * TRP_NS_PER_S), TRP_OK);
  const struct trp_report *report = trp_system_report(w.system);
  assert_int_equal(report->left_behind[TRP_RES_SUBSCRIPTION], 1);
  assert_int_equal(report->verdict, TRP_VERDICT_LEFT_BEHIND);
  assert_int_equal(trp_verdict_status(report->verdict), 4);
  world_close(&w);
}

static void the_journal_keeps_the_stages_the_deaths_and_what_actors_say(void **state) {
  static struct world w;
  world_open_with(&w, state, &(struct trp_system_options){.budget_ms = 1000, .allow_faults = true});
  world_add(&w, &(struct trp_spec){.name = "root", .kind = &world_idle_kind});
  world_add(&w, &(struct trp_spec){.name = "mortal", .kind = &holder, .supervisor = "root"});
  world_start(&w);
  world_tell(&w, "mortal", 1);
  struct trp_fault fault = {.text = "panic"};
  assert_int_equal(
      trp_system_send(w.system, world_find(&w, "mortal"), TRP_FAULT, &fault, sizeof fault), TRP_OK);
  while (world_actor(&w, "mortal").state != TRP_ACTOR_DOWN) world_pass(&w, 1);
  w.number[0] = 0;
  trp_system_stop(w.system, "now");
  world_wait(&w);
  struct trp_journal_entry entry = {.sequence = 0};
  unsigned char body[4096];
  while (trp_system_journal_next(w.system, entry.sequence, &entry, body, sizeof body)) {
    if (entry.type == TRP_SYSTEM_STATE) {
      world_say(&w, "<%s>", ((struct trp_system_state *)(void *)body)->state);
    }
    if (entry.type == TRP_OPERATOR) world_say(&w, "<%s says>", entry.actor);
    if (entry.type == TRP_THREAD_CRASHED) {
      world_say(&w, "<%s: %s>", entry.actor, ((struct trp_thread_crashed *)(void *)body)->reason);
    }
  }
  assert_string_equal(w.diary,
                      "<starting><running><mortal says><mortal: ordered by the operator>"
                      "<stopping><stopped>");
  world_close(&w);
}

static void faults_are_acted_out_only_where_they_are_allowed(void **state) {
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "safe", .kind = &holder});
  world_start(&w);
  struct trp_fault fault = {.text = "panic"};
  struct trp_ref to = world_find(&w, "safe");
  assert_int_equal(trp_system_send(w.system, to, TRP_FAULT, &fault, sizeof fault), TRP_OK);
  assert_int_equal(world_stop(&w)->verdict, TRP_VERDICT_CLEAN);
  world_close(&w);
}

static void a_snapshot_tells_how_deep_and_how_old_the_mail_is(void **state) {
  static const struct trp_kind slow = {.name = "slow",
                                       .state_bytes = sizeof(struct state),
                                       .start = start,
                                       .receive = obey,
                                       .ready = world_ready,
                                       .end = give_back};
  static struct world w;
  world_open(&w, state);
  world_add(&w, &(struct trp_spec){.name = "slow", .kind = &slow});
  world_start(&w);
  world_freeze(&w, "slow");
  for (uint64_t i = 0; i < 7; i++) world_tell(&w, "slow", i);
  assert_int_equal(world_actor(&w, "slow").depth, 7);
  world_pass(&w, 30);
  assert_true(world_actor(&w, "slow").oldest_ns >= 25 * MS);
  world_thaw(&w, "slow");
  while (world_actor(&w, "slow").depth > 0) world_pass(&w, 1);
  assert_int_equal(world_actor(&w, "slow").depth_max, 7);
  assert_int_equal(world_actor(&w, "slow").oldest_ns, 0);
  world_stop(&w);
  world_close(&w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_report_can_be_read),
    cmocka_unit_test(what_is_not_given_back_is_left_behind),
    cmocka_unit_test(the_journal_keeps_the_stages_the_deaths_and_what_actors_say),
    cmocka_unit_test(faults_are_acted_out_only_where_they_are_allowed),
    cmocka_unit_test(a_snapshot_tells_how_deep_and_how_old_the_mail_is),
};
SUITE(suite_account, "account", tests);
