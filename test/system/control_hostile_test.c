/* Peers that wish the control socket ill, or do not know better: after each, the next question is
 * answered as if nothing had been. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test/system/control_house.h"

static const char *path;

static int open_house(void **state) {
  struct house *house = calloc(1, sizeof *house);
  house_open(house, true);
  trp_control_client_close(
      &house->client); /* it would be shown out for its silence, and come back */
  path = trp_control_ipc_path(house->ipc);
  *state = house;
  return 0;
}

static int close_house(void **state) {
  house_close(*state);
  free(*state);
  return 0;
}

/* What troupe ctl status would do: a new connection, one question, 2 s. */
static void assert_answers_somebody_new(void) {
  struct trp_control_client *client = NULL;
  struct trp_request request = {.id = trp_control_client_id(), .verb = "status"};
  struct trp_answer answer;
  uint64_t began = house_now_ms();
  assert_int_equal(trp_control_client_open(&client, path), TRP_OK);
  assert_int_equal(trp_control_client_ask(client, &request, 2000, &answer), TRP_OK);
  assert_int_equal(answer.status, TRP_OK);
  assert_true(house_now_ms() - began < 2000);
  trp_control_client_close(&client);
}

static void a_hundred_that_hang_up_at_once_leave_it_listening(void **state) {
  (void)state;
  for (int i = 0; i < 100; i++) {
    int fd = raw_connect(path);
    assert_true(fd >= 0);
    close(fd);
  }
  assert_answers_somebody_new();
}

static void a_hundred_that_connect_and_say_nothing_make_room(void **state) {
  enum { SILENT = 100 };
  int fds[SILENT];
  (void)state;
  for (int i = 0; i < SILENT; i++) assert_true((fds[i] = raw_connect(path)) >= 0);
  assert_answers_somebody_new();
  for (int i = 0; i < SILENT; i++) close(fds[i]);
}

static void a_hundred_that_greet_and_ask_nothing_make_room(void **state) {
  enum { SILENT = 100 };
  int fds[SILENT];
  (void)state;
  for (int i = 0; i < SILENT; i++) fds[i] = raw_greet(path);
  assert_true(fds[SILENT - 1] >= 0);
  assert_answers_somebody_new();
  for (int i = 0; i < SILENT; i++) close(fds[i]);
}

static void somebody_who_does_not_greet_is_shown_out(void **state) {
  (void)state;
  int fd = raw_connect(path);
  assert_true(raw_ends(fd, 3500));
  close(fd);
}

static void a_megabyte_of_random_bytes_is_not_listened_to(void **state) {
  enum { BYTES = 1 << 20 };
  (void)state;
  uint8_t *bytes = malloc(BYTES);
  uint64_t seed = 88172645463325252u;
  for (int i = 0; i < BYTES; i++) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    bytes[i] = (uint8_t)seed;
  }
  int fd = raw_connect(path);
  raw_send(fd, bytes, BYTES);
  assert_true(raw_ends(fd, 1000));
  close(fd);
  fd = raw_greet(path); /* and behind a good greeting */
  raw_send(fd, bytes, BYTES);
  assert_true(raw_ends(fd, 1000));
  close(fd);
  free(bytes);
  assert_answers_somebody_new();
}

static void another_protocol_is_shown_out(void **state) {
  static const uint8_t sub[8] = {0, 'S', 'P', 0, 0, 0x21, 0, 0};
  (void)state;
  int fd = raw_connect(path);
  assert_true(raw_send(fd, sub, sizeof sub));
  assert_true(raw_ends(fd, 1000));
  close(fd);
  assert_answers_somebody_new();
}

static void a_length_of_eight_gigabytes_is_shown_out(void **state) {
  static const uint8_t head[9] = {1, 0, 0, 0, 2};
  (void)state;
  int fd = raw_greet(path);
  assert_true(raw_send(fd, head, sizeof head));
  assert_true(raw_ends(fd, 1000));
  close(fd);
  assert_answers_somebody_new();
}

static void a_frame_that_never_ends_is_shown_out(void **state) {
  static const uint8_t head[12] = {1, 0, 0, 0, 0, 0, 0, 0, 100, 0x80, 0, 0};
  (void)state;
  int fd = raw_greet(path);
  assert_true(raw_send(fd, head, sizeof head));
  assert_true(raw_ends(fd, 3500));
  close(fd);
}

static void a_way_back_that_never_ends_is_shown_out(void **state) {
  uint8_t frame[9 + 64] = {1, 0, 0, 0, 0, 0, 0, 0, 64};
  (void)state;
  int fd = raw_greet(path);
  assert_true(raw_send(fd, frame, sizeof frame));
  assert_true(raw_ends(fd, 1000));
  close(fd);
}

/* ---- answers on the wire --------------------------------------------------------------------- */

/* Reads an answer and gives the bytes of its frame. */
static size_t read_answer(int fd, uint8_t *frame, size_t room) {
  uint8_t head[9];
  if (!raw_read(fd, head, sizeof head)) return 0;
  size_t bytes = (size_t)head[6] << 16 | (size_t)head[7] << 8 | head[8];
  return bytes <= room && raw_read(fd, frame, bytes) ? bytes : 0;
}

static void the_way_back_is_repeated_in_the_answer(void **state) {
  uint8_t frame[9 + 8 + TRP_REQUEST_BYTES_MAX] = {1}, answer_frame[4096];
  static const uint8_t way[8] = {0, 0, 0, 7, 0x80, 1, 2, 3};
  struct trp_request request = {.id = 42, .verb = "log", .argument = "none"};
  struct trp_answer answer;
  size_t bytes = TRP_REQUEST_BYTES_MAX;
  (void)state;
  memcpy(frame + 9, way, sizeof way);
  assert_int_equal(trp_request_encode(&request, frame + 17, &bytes), TRP_OK);
  frame[8] = (uint8_t)(bytes + 8);
  int fd = raw_greet(path);
  /* Byte by byte: what is whole does not depend on how it comes. */
  for (size_t i = 0; i < 17 + bytes; i++) assert_true(raw_send(fd, frame + i, 1));
  size_t got = read_answer(fd, answer_frame, sizeof answer_frame);
  assert_true(got > sizeof way);
  assert_memory_equal(answer_frame, way, sizeof way);
  assert_int_equal(trp_answer_decode(answer_frame + 8, got - 8, &answer), TRP_OK);
  assert_int_equal(answer.id, 42);
  assert_int_equal(answer.status, TRP_OK);
  close(fd);
}

static void a_request_beyond_its_limit_is_refused_in_words(void **state) {
  enum { BYTES = 2000 };
  uint8_t frame[9 + BYTES] = {1, 0, 0, 0, 0, 0, 0, BYTES >> 8, BYTES & 255, 0x80};
  uint8_t answer_frame[4096];
  struct trp_answer answer;
  (void)state;
  int fd = raw_greet(path);
  assert_true(raw_send(fd, frame, sizeof frame));
  size_t got = read_answer(fd, answer_frame, sizeof answer_frame);
  assert_true(got > 4);
  assert_int_equal(trp_answer_decode(answer_frame + 4, got - 4, &answer), TRP_OK);
  assert_int_equal(answer.status, TRP_TOO_BIG);
  assert_int_equal(answer.id, 0);
  close(fd);
}

static void requests_sent_ahead_are_all_answered(void **state) {
  enum { AHEAD = 40 };
  uint8_t frame[16384];
  bool seen[AHEAD] = {false};
  (void)state;
  int fd = raw_greet(path);
  for (uint32_t i = 0; i < AHEAD; i++) {
    struct trp_request request = {.id = i + 1, .verb = "status"};
    assert_true(raw_request(fd, i, &request));
  }
  for (int i = 0; i < AHEAD; i++) {
    struct trp_answer answer;
    size_t got = read_answer(fd, frame, sizeof frame);
    assert_true(got > 4);
    assert_int_equal(trp_answer_decode(frame + 4, got - 4, &answer), TRP_OK);
    assert_in_range(answer.id, 1, AHEAD);
    seen[answer.id - 1] = true;
  }
  for (int i = 0; i < AHEAD; i++) assert_true(seen[i]);
  close(fd);
}

static bool can_write(int fd) {
  struct pollfd poller = {.fd = fd, .events = POLLOUT};
  return poll(&poller, 1, 0) == 1 && (poller.revents & POLLOUT) != 0;
}

static void one_who_asks_and_never_reads_takes_nothing_from_others(void **state) {
  (void)state;
  int fd = raw_greet(path);
  for (uint32_t i = 0; i < 1000; i++) {
    struct trp_request request = {.id = i + 1, .verb = "threads"};
    if (!can_write(fd) || !raw_request(fd, i, &request)) break;
    if (i % 100 == 0) assert_answers_somebody_new();
  }
  assert_answers_somebody_new();
  close(fd);
}

static void many_who_watch_and_go_leave_room(void **state) {
  (void)state;
  for (uint32_t i = 0; i < 100; i++) {
    struct trp_request request = {.id = i + 1, .verb = "watch", .wait_ms = 60000};
    request.after = UINT32_MAX;
    int fd = raw_greet(path);
    assert_true(fd >= 0);
    assert_true(raw_request(fd, i, &request));
    close(fd);
  }
  assert_answers_somebody_new();
}

/* Somebody else, even where the folder lets him through. */
static void another_user_is_shown_out(void **state) {
  enum { NOBODY = 65534 };
  char folder[256];
  (void)state;
  if (geteuid() != 0) skip();
  snprintf(folder, sizeof folder, "%s/troupe", house_folder());
  assert_int_equal(chmod(house_folder(), 0711) | chmod(folder, 0711) | chmod(path, 0666), 0);
  pid_t child = fork();
  if (child == 0) {
    int fd = setuid(NOBODY) == 0 ? raw_connect(path) : -1;
    _exit(fd >= 0 && raw_ends(fd, 1000) ? 0 : 1);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  chmod(folder, 0700);
  assert_int_equal(status, 0);
  assert_answers_somebody_new();
}

static void the_folder_and_the_socket_are_for_us_alone(void **state) {
  char folder[256];
  struct stat st;
  (void)state;
  snprintf(folder, sizeof folder, "%s/troupe", house_folder());
  assert_int_equal(stat(folder, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0700);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_second_start_is_refused_and_leaves_the_first_alone(void **state) {
  struct trp_control_ipc *second = NULL;
  char why[256];
  (void)state;
  for (int i = 0; i < 10; i++) {
    assert_int_equal(trp_control_ipc_open(&second, "house", why, sizeof why), TRP_EXISTS);
  }
  assert_non_null(strstr(why, "is running"));
  assert_answers_somebody_new();
}

#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void) {
  const struct CMUnitTest tests[] = {
      IN_HOUSE(a_hundred_that_hang_up_at_once_leave_it_listening),
      IN_HOUSE(a_hundred_that_connect_and_say_nothing_make_room),
      IN_HOUSE(a_hundred_that_greet_and_ask_nothing_make_room),
      IN_HOUSE(somebody_who_does_not_greet_is_shown_out),
      IN_HOUSE(a_megabyte_of_random_bytes_is_not_listened_to),
      IN_HOUSE(another_protocol_is_shown_out),
      IN_HOUSE(a_length_of_eight_gigabytes_is_shown_out),
      IN_HOUSE(a_frame_that_never_ends_is_shown_out),
      IN_HOUSE(a_way_back_that_never_ends_is_shown_out),
      IN_HOUSE(the_way_back_is_repeated_in_the_answer),
      IN_HOUSE(a_request_beyond_its_limit_is_refused_in_words),
      IN_HOUSE(requests_sent_ahead_are_all_answered),
      IN_HOUSE(one_who_asks_and_never_reads_takes_nothing_from_others),
      IN_HOUSE(many_who_watch_and_go_leave_room),
      IN_HOUSE(another_user_is_shown_out),
      IN_HOUSE(the_folder_and_the_socket_are_for_us_alone),
      IN_HOUSE(a_second_start_is_refused_and_leaves_the_first_alone),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  house_remove_folder();
  return failed;
}
