#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "adapters/net_queue.h"

#define RING_BYTES 4096
#define LINKS 4

static struct trp_net_queue queue;

static int set_up(void **state) {
  (void)state;
  return trp_net_queue_init(&queue, RING_BYTES, LINKS) == TRP_OK ? 0 : -1;
}

static int tear_down(void **state) {
  (void)state;
  trp_net_queue_fini(&queue);
  return 0;
}

static bool push_frame(uint64_t link, const void *bytes, size_t size) {
  return trp_net_queue_push(
      &queue, &(struct trp_net_event){
                  .kind = TRP_NET_FRAME, .link = link, .bytes = bytes, .size = size, .reason = ""});
}

static unsigned chance(unsigned *seed) { return *seed = *seed * 1103515245u + 12345u, *seed >> 16; }

/* Sizes and moments by chance: whatever wraps, each event keeps its own bytes. */
static void bytes_survive_any_order_of_pushes_and_takes(void **state) {
  (void)state;
  uint8_t bytes[2000];
  unsigned seed = 1;
  uint64_t in = 0, out = 0;
  for (int step = 0; step < 200000; step++) {
    struct trp_net_event event;
    if (chance(&seed) % 2 == 0 && in - out < 40) { /* far beyond what the ring holds */
      size_t size = chance(&seed) % (chance(&seed) % 8 == 0 ? sizeof bytes : 300);
      memset(bytes, (int)(in & 255), size);
      assert_true(push_frame(++in, bytes, size));
    } else if (trp_net_queue_next(&queue, &event)) {
      assert_int_equal(event.link, ++out);
      for (size_t i = 0; i < event.size; i++) {
        assert_int_equal(((const uint8_t *)event.bytes)[i], (out - 1) & 255);
      }
    }
  }
  assert_true(out > 50000);
}

static void strings_are_copied(void **state) {
  (void)state;
  char path[] = "/a?b", reason[] = "why";
  struct trp_net_event event = {.kind = TRP_NET_REQUEST,
                                .method = "GET",
                                .path = path,
                                .reason = reason,
                                .bytes = "body",
                                .size = 4};
  assert_true(trp_net_queue_push(&queue, &event));
  memset(path, 'x', 4);
  memset(reason, 'x', 3);
  assert_true(trp_net_queue_next(&queue, &event));
  assert_string_equal(event.method, "GET");
  assert_string_equal(event.path, "/a?b");
  assert_string_equal(event.reason, "why");
  assert_memory_equal(event.bytes, "body", 4);
  assert_false(trp_net_queue_next(&queue, &event));
}

static void a_full_queue_says_so_and_keeps_room_for_every_links_end(void **state) {
  (void)state;
  struct trp_net_event event;
  unsigned pushed = 0;
  while (!trp_net_queue_full(&queue)) {
    assert_true(push_frame(1, "x", 1));
    pushed++;
  }
  assert_false(trp_net_queue_low(&queue));
  while (push_frame(1, NULL, 0)) {
    pushed++;
  }
  for (unsigned i = 0; i < LINKS; i++) {
    assert_true(trp_net_queue_push(
        &queue, &(struct trp_net_event){.kind = TRP_NET_CLOSED, .reason = "lost"}));
  }
  for (unsigned i = 0; i < pushed + LINKS; i++) {
    assert_true(trp_net_queue_next(&queue, &event));
  }
  assert_string_equal(event.reason, "lost");
  assert_true(trp_net_queue_low(&queue));
  assert_false(trp_net_queue_next(&queue, &event));
}

static void a_forgotten_links_events_are_skipped(void **state) {
  (void)state;
  struct trp_net_event event;
  for (uint64_t i = 0; i < 10; i++) {
    assert_true(push_frame(1 + i % 2, "abc", 3));
  }
  assert_true(trp_net_queue_next(&queue, &event)); /* lent: stays as it is */
  trp_net_queue_forget(&queue, 1);
  assert_memory_equal(event.bytes, "abc", 3);
  for (int i = 0; i < 5; i++) {
    assert_true(trp_net_queue_next(&queue, &event));
    assert_int_equal(event.link, 2);
  }
  assert_false(trp_net_queue_next(&queue, &event));
  assert_true(trp_net_queue_empty(&queue));
}

static void an_owned_block_is_given_out_and_freed(void **state) {
  (void)state;
  struct trp_net_event event = {.kind = TRP_NET_RESPONSE, .bytes = strdup("body"), .size = 4};
  assert_true(trp_net_queue_push_owned(&queue, &event));
  assert_true(trp_net_queue_next(&queue, &event));
  assert_memory_equal(event.bytes, "body", 4);
  event.bytes = strdup("left in the queue");
  assert_true(trp_net_queue_push_owned(&queue, &event));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(bytes_survive_any_order_of_pushes_and_takes),
      TEST(strings_are_copied),
      TEST(a_full_queue_says_so_and_keeps_room_for_every_links_end),
      TEST(a_forgotten_links_events_are_skipped),
      TEST(an_owned_block_is_given_out_and_freed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
