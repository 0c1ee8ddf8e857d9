/* The built harness: one small question, asked of our program and of a peer that this test makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "test/support/process.h"

enum { PATIENCE_MS = 60000 };

static char harness[512], out[160], peers[160];

/* It lies in the folder bench beside the program under test. */
static int find_harness(void **state) {
  (void)state;
  const char *troupe = process_troupe(), *slash = strrchr(troupe, '/');
  snprintf(harness, sizeof harness, "%.*s/bench/harness", (int)(slash - troupe), troupe);
  snprintf(out, sizeof out, "%s", process_path("out"));
  snprintf(peers, sizeof peers, "%s", process_path("peers"));
  return mkdir(peers, 0700);
}

static void write_peer(const char *name, const char *script) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", peers, name);
  assert_int_equal(mkdir(path, 0700), 0);
  snprintf(path, sizeof path, "%s/%s/build", peers, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(script, file);
  fclose(file);
  assert_int_equal(chmod(path, 0700), 0);
}

/* Runs it to its end; what it printed is in *said. */
static int run(struct process *p, const char *const *args) {
  *p = (struct process){.program = harness};
  process_start(p, args);
  int status = process_wait(p, PATIENCE_MS * process_slowness());
  process_end(p);
  return status;
}

static void expect(const char *text, const char *part) {
  if (strstr(text, part) == NULL) fail_msg("no '%s' in: %s", part, text);
}

static const char *result(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", out, name);
  return process_read(path);
}

static void one_question_is_measured_told_and_drawn(void **state) {
  (void)state;
  write_peer("snail",
             "#!/bin/sh\n"
             "mkdir -p \"$1\" && cat >\"$1/count\" <<'END' && chmod +x \"$1/count\"\n"
             "#!/bin/sh\n"
             "[ \"$1 $2\" = 'messages=2000 payload=48' ] || exit 2\n"
             "echo '{\"metric\":\"messages\",\"unit\":\"msg/s\",\"value\":10}'\n"
             "END\n");
  write_peer("absent", "#!/bin/sh\necho 'needs some-package'\nexit 3\n");
  struct process p;
  assert_int_equal(
      run(&p, (const char *[]){"--bench", "count", "--rounds", "1", "--set", "messages=2000",
                               "--peers-from", peers, "--out", out, NULL}),
      0);
  const char *said = process_read(p.out);
  expect(said, "snail");
  expect(said, "promised 5x the best peer: kept");
  expect(said, "absent: not measured: needs some-package");
  const char *json = result("results.json");
  expect(json,
         "\"system\":\"troupe\",\"bench\":\"count\",\"metric\":\"messages\",\"unit\":\"msg/s\"");
  expect(json, "\"metric\":\"one_by_one\"");
  expect(json, "\"system\":\"snail\",\"bench\":\"count\"");
  expect(json, "\"median\":10,\"min\":10,\"max\":10,\"runs\":1");
  expect(json, "\"params\":\"messages=2000 payload=48\"");
  expect(json, "\"kernel\":\"Linux ");
  expect(json, "\"best_peer\":\"snail\"");
  const char *svg = result("results.svg");
  expect(svg, "<svg xmlns=");
  expect(svg, ">snail</text>");
  expect(svg, "</svg>");
}

static void a_peer_that_fails_is_named_and_the_status_says_so(void **state) {
  (void)state;
  write_peer("clumsy",
             "#!/bin/sh\nmkdir -p \"$1\" && printf '#!/bin/sh\\necho fell >&2; exit 1\\n' "
             ">\"$1/count\" && chmod +x \"$1/count\"\n");
  struct process p;
  assert_int_equal(
      run(&p, (const char *[]){"--bench", "count", "--rounds", "2", "--set", "messages=2000",
                               "--peers", "clumsy", "--peers-from", peers, "--out", out, NULL}),
      1);
  expect(process_read(p.out), "clumsy, count: exit status 1: fell");
  expect(result("results.json"), "\"trouble\":\"exit status 1: fell\"");
  expect(result("results.json"), "\"runs\":2");
}

static void wrong_use_is_named(void **state) {
  (void)state;
  static const struct {
    const char *args[6], *told;
  } cases[] = {
      {{"--bogus", "1"}, "no such option"},
      {{"--rounds"}, "every option takes a value"},
      {{"--rounds", "0"}, "--rounds takes a number"},
      {{"--bench", "nothing"}, "no such question"},
      {{"--bench", "count", "--peers", "nobody"}, "no peer is called 'nobody'"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct process p;
    assert_int_equal(run(&p, cases[i].args), 2);
    expect(process_read(p.err), cases[i].told);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_question_is_measured_told_and_drawn),
      cmocka_unit_test(a_peer_that_fails_is_named_and_the_status_says_so),
      cmocka_unit_test(wrong_use_is_named),
  };
  return cmocka_run_group_tests(tests, find_harness, NULL);
}
