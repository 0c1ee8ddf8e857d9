#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapters/control_path.h"

static char base[64], folder[96], why[256];

static int make_base(void **state) {
  (void)state;
  snprintf(base, sizeof base, "/tmp/troupe-path-XXXXXX");
  if (mkdtemp(base) == NULL) return 1;
  snprintf(folder, sizeof folder, "%s/troupe", base);
  why[0] = '\0';
  return setenv("XDG_RUNTIME_DIR", base, 1);
}

static int remove_base(void **state) {
  char command[160];
  (void)state;
  snprintf(command, sizeof command, "rm -rf '%s'", base);
  return system(command);
}

static enum trp_err open_path(struct trp_control_path *path, const char *name) {
  return trp_control_path_open(path, name, why, sizeof why);
}

/* A socket at the path, listening or left behind by somebody who did. */
static int put_socket(const char *at, bool listening) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", at);
  assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(fd, 8), 0);
  if (listening) return fd;
  close(fd);
  return -1;
}

static bool exists(const char *at) {
  struct stat st;
  return lstat(at, &st) == 0;
}

static void the_folder_is_made_for_us_alone(void **state) {
  struct trp_control_path path;
  struct stat st;
  (void)state;
  assert_int_equal(open_path(&path, "demo"), TRP_OK);
  assert_int_equal(stat(folder, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0700);
  assert_true(strncmp(path.socket, folder, strlen(folder)) == 0);
  assert_string_equal(path.socket + strlen(folder), "/demo.sock");
  trp_control_path_close(&path);
}

static void a_folder_that_others_may_enter_is_refused(void **state) {
  struct trp_control_path path;
  (void)state;
  assert_int_equal(mkdir(folder, 0700), 0);
  assert_int_equal(chmod(folder, 0750), 0);
  assert_int_equal(open_path(&path, "demo"), TRP_NOT_ALLOWED);
  assert_non_null(strstr(why, folder));
  trp_control_path_close(&path); /* is fine after a failure */
  assert_int_equal(chmod(folder, 0700), 0);
  assert_int_equal(open_path(&path, "demo"), TRP_OK);
  trp_control_path_close(&path);
}

static void a_folder_that_is_a_link_is_refused(void **state) {
  struct trp_control_path path;
  char real[96];
  (void)state;
  snprintf(real, sizeof real, "%s/real", base);
  assert_int_equal(mkdir(real, 0700), 0);
  assert_int_equal(symlink(real, folder), 0);
  assert_int_equal(open_path(&path, "demo"), TRP_NOT_ALLOWED);
}

static void a_folder_of_somebody_else_is_refused(void **state) {
  struct trp_control_path path;
  (void)state;
  if (geteuid() != 0) skip();
  assert_int_equal(mkdir(folder, 0700), 0);
  assert_int_equal(chown(folder, 65534, 65534), 0);
  assert_int_equal(open_path(&path, "demo"), TRP_NOT_ALLOWED);
}

static void a_runtime_directory_of_somebody_else_is_not_ours(void **state) {
  struct trp_control_path path;
  char expected[64];
  (void)state;
  if (geteuid() != 0) skip();
  assert_int_equal(chown(base, 65534, 65534), 0);
  snprintf(expected, sizeof expected, "/tmp/troupe-%u", (unsigned)geteuid());
  bool was_there = exists(expected);
  assert_int_equal(open_path(&path, "path-test"), TRP_OK);
  assert_memory_equal(path.socket, expected, strlen(expected));
  trp_control_path_close(&path);
  if (!was_there) rmdir(expected);
}

static void a_second_start_finds_the_lock_and_touches_nothing(void **state) {
  struct trp_control_path first, second;
  (void)state;
  assert_int_equal(open_path(&first, "demo"), TRP_OK);
  int fd = put_socket(first.socket, true);
  assert_int_equal(open_path(&second, "demo"), TRP_EXISTS);
  assert_non_null(strstr(why, "is running"));
  trp_control_path_close(&second);
  assert_true(exists(first.socket));
  assert_true(exists(first.lock));
  close(fd);
  trp_control_path_close(&first);
}

static void two_systems_live_side_by_side(void **state) {
  struct trp_control_path one, two;
  (void)state;
  assert_int_equal(open_path(&one, "one"), TRP_OK);
  assert_int_equal(open_path(&two, "two"), TRP_OK);
  trp_control_path_close(&one);
  trp_control_path_close(&two);
}

static void a_socket_left_by_a_killed_system_is_cleared_away(void **state) {
  struct trp_control_path path;
  char left[128];
  (void)state;
  assert_int_equal(mkdir(folder, 0700), 0);
  snprintf(left, sizeof left, "%s/demo.sock", folder);
  put_socket(left, false);
  assert_int_equal(open_path(&path, "demo"), TRP_OK);
  assert_false(exists(path.socket));
  trp_control_path_close(&path);
}

static void the_lock_of_a_killed_process_is_free(void **state) {
  struct trp_control_path path;
  (void)state;
  pid_t child = fork();
  if (child == 0) _exit(open_path(&path, "demo") == TRP_OK ? 0 : 1);
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(open_path(&path, "demo"), TRP_OK);
  trp_control_path_close(&path);
}

static void what_is_no_socket_is_never_removed(void **state) {
  struct trp_control_path path;
  char precious[128];
  (void)state;
  assert_int_equal(mkdir(folder, 0700), 0);
  snprintf(precious, sizeof precious, "%s/demo.sock", folder);
  int fd = open(precious, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  close(fd);
  assert_int_equal(open_path(&path, "demo"), TRP_EXISTS);
  assert_non_null(strstr(why, "no socket"));
  assert_true(exists(precious));
  unlink(precious);
  assert_int_equal(open_path(&path, "demo"), TRP_OK); /* the failure kept no lock */
  trp_control_path_close(&path);
}

static void closing_leaves_nothing_and_may_be_done_twice(void **state) {
  struct trp_control_path path;
  char lock[TRP_SOCKET_PATH_BYTES];
  (void)state;
  assert_int_equal(open_path(&path, "demo"), TRP_OK);
  memcpy(lock, path.lock, sizeof lock);
  put_socket(path.socket, false);
  trp_control_path_close(&path);
  trp_control_path_close(&path);
  assert_false(exists(path.socket));
  assert_false(exists(lock));
}

static void a_name_that_leads_elsewhere_or_is_too_long_is_refused(void **state) {
  struct trp_control_path path;
  char name[200];
  (void)state;
  memset(name, 'a', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  assert_int_equal(open_path(&path, "../demo"), TRP_INVALID);
  assert_int_equal(open_path(&path, ".demo"), TRP_INVALID);
  assert_int_equal(open_path(&path, ""), TRP_INVALID);
  assert_int_equal(open_path(&path, name), TRP_TOO_BIG);
}

static void a_probe_tells_living_dead_and_neither(void **state) {
  char at[128];
  (void)state;
  snprintf(at, sizeof at, "%s/probed", base);
  assert_int_equal(trp_control_path_probe(at), TRP_NO_ACTOR);
  int fd = put_socket(at, true);
  assert_int_equal(trp_control_path_probe(at), TRP_OK);
  close(fd);
  assert_int_equal(trp_control_path_probe(at), TRP_CONNECT);
  assert_int_equal(trp_control_path_probe(base), TRP_INVALID);
}

static void a_search_finds_the_living_in_order_and_says_where_it_looked(void **state) {
  char sockets[TRP_SOCKETS_MAX][TRP_SOCKET_PATH_BYTES], looked[400], at[128];
  size_t ours = 0;
  (void)state;
  assert_int_equal(mkdir(folder, 0700), 0);
  static const char *const names[] = {"b.sock", "dead.sock", "a.sock", "other"};
  int fds[4];
  for (int i = 0; i < 4; i++) {
    snprintf(at, sizeof at, "%s/%s", folder, names[i]);
    fds[i] = put_socket(at, i != 1);
  }
  size_t count = trp_control_path_find(sockets, looked, sizeof looked);
  assert_non_null(strstr(looked, folder));
  for (size_t i = 0; i < count; i++) { /* others' systems may run under /tmp meanwhile */
    if (strncmp(sockets[i], folder, strlen(folder)) != 0) continue;
    assert_string_equal(sockets[i] + strlen(folder), ours == 0 ? "/a.sock" : "/b.sock");
    ours++;
  }
  assert_int_equal(ours, 2);
  for (int i = 0; i < 4; i++) {
    if (fds[i] >= 0) close(fds[i]);
  }
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, make_base, remove_base)

int main(void) {
  const struct CMUnitTest tests[] = {
      ON_DISK(the_folder_is_made_for_us_alone),
      ON_DISK(a_folder_that_others_may_enter_is_refused),
      ON_DISK(a_folder_that_is_a_link_is_refused),
      ON_DISK(a_folder_of_somebody_else_is_refused),
      ON_DISK(a_runtime_directory_of_somebody_else_is_not_ours),
      ON_DISK(a_second_start_finds_the_lock_and_touches_nothing),
      ON_DISK(two_systems_live_side_by_side),
      ON_DISK(a_socket_left_by_a_killed_system_is_cleared_away),
      ON_DISK(the_lock_of_a_killed_process_is_free),
      ON_DISK(what_is_no_socket_is_never_removed),
      ON_DISK(closing_leaves_nothing_and_may_be_done_twice),
      ON_DISK(a_name_that_leads_elsewhere_or_is_too_long_is_refused),
      ON_DISK(a_probe_tells_living_dead_and_neither),
      ON_DISK(a_search_finds_the_living_in_order_and_says_where_it_looked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
