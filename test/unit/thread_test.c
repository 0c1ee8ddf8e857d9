/* The register of threads: who is on it, who has died on it, and who is not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/fdcount.h"
#include "runtime/thread.h"

/* A thread that does `begin`, says so, waits, and does `end`. */
struct subject {
  pthread_t thread;
  void (*begin)(struct subject *self);
  void (*end)(struct subject *self);
  struct trp_thread_slot *slot;
  enum trp_err err;
  _Atomic int tid;
  _Atomic bool stop;
};

static void *subject_main(void *arg) {
  struct subject *self = arg;
  if (self->begin != NULL) self->begin(self);
  atomic_store(&self->tid, (int)syscall(SYS_gettid));
  while (!atomic_load(&self->stop)) nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  if (self->end != NULL) self->end(self);
  return NULL;
}

static int subject_start(struct subject *self) {
  atomic_store(&self->stop, false);
  atomic_store(&self->tid, 0);
  if (pthread_create(&self->thread, NULL, subject_main, self) != 0) fail();
  while (atomic_load(&self->tid) == 0) sched_yield();
  return atomic_load(&self->tid);
}

static void subject_end(struct subject *self) {
  atomic_store(&self->stop, true);
  pthread_join(self->thread, NULL);
}

static void registers(struct subject *self) {
  self->err = trp_thread_register("price_feed", "feed");
}
static void deregisters(struct subject *self) {
  (void)self;
  trp_thread_deregister();
}
static void enters(struct subject *self) {
  self->slot = trp_thread_enter("an_actor_with_a_long_name", "actor", "an_actor_with_a_long_name");
}
static void leaves(struct subject *self) { trp_thread_leave(self->slot); }
static void exits(struct subject *self) {
  (void)self;
  pthread_exit(NULL);
}

static bool find(int tid, struct trp_thread_info *out) {
  for (size_t i = 0; trp_thread_at(i, out); i++) {
    if (out->tid == tid) return true;
  }
  return false;
}

static void a_foreign_thread_is_on_the_register_until_it_deregisters(void **state) {
  (void)state;
  struct subject foreign = {.begin = registers, .end = deregisters};
  struct trp_thread_info info;
  uint64_t begin_ns = trp_deadline_now_ns();
  int tid = subject_start(&foreign);
  assert_int_equal(foreign.err, TRP_OK);
  assert_true(find(tid, &info));
  assert_string_equal(info.name, "price_feed");
  assert_string_equal(info.role, "feed");
  assert_string_equal(info.owner, "");
  assert_true(info.foreign);
  assert_false(info.ended);
  assert_true(info.started_ns >= begin_ns && info.started_ns <= trp_deadline_now_ns());
  assert_false(trp_thread_forget(tid)); /* it lives */
  subject_end(&foreign);
  assert_false(find(tid, &info));
  assert_int_equal(trp_thread_count(), 0);
}

static void a_thread_of_the_runtime_bears_its_name_for_the_kernel_too(void **state) {
  (void)state;
  struct subject actor = {.begin = enters, .end = leaves};
  struct trp_thread_info info;
  char comm[16];
  int tid = subject_start(&actor);
  assert_non_null(actor.slot);
  assert_int_equal(pthread_getname_np(actor.thread, comm, sizeof comm), 0);
  assert_string_equal(comm, "an_actor_with_a");
  assert_true(find(tid, &info));
  assert_string_equal(info.name, "an_actor_with_a_long_name");
  assert_string_equal(info.owner, "an_actor_with_a_long_name");
  assert_false(info.foreign);
  trp_thread_touch(actor.slot, 12345);
  assert_true(find(tid, &info));
  assert_int_equal(info.beat_ns, 12345);
  subject_end(&actor);
  assert_false(find(tid, &info));
}

static void a_thread_that_ends_without_leaving_stays_until_it_is_forgotten(void **state) {
  (void)state;
  void (*const ways[])(struct subject *) = {NULL, exits};
  void (*const begins[])(struct subject *) = {registers, enters};
  for (size_t i = 0; i < 4; i++) {
    struct subject mortal = {.begin = begins[i / 2], .end = ways[i % 2]};
    struct trp_thread_info info;
    int tid = subject_start(&mortal);
    subject_end(&mortal);
    assert_true(find(tid, &info));
    assert_true(info.ended);
    assert_true(trp_thread_forget(tid));
    assert_false(trp_thread_forget(tid));
    assert_false(find(tid, &info));
  }
}

static void deregisters_early(struct subject *self) {
  registers(self);
  trp_thread_deregister();
}

static void a_thread_that_has_left_does_not_end_who_has_its_slot_now(void **state) {
  (void)state;
  struct subject first = {.begin = deregisters_early},
                 second = {.begin = registers, .end = deregisters};
  struct trp_thread_info info;
  subject_start(&first);
  int tid = subject_start(&second);
  subject_end(&first);
  assert_true(find(tid, &info));
  assert_false(info.ended);
  subject_end(&second);
}

static void a_name_is_needed_and_once_is_enough(void **state) {
  (void)state;
  assert_int_equal(trp_thread_register("", "role"), TRP_INVALID);
  assert_int_equal(trp_thread_register(NULL, "role"), TRP_INVALID);
  trp_thread_deregister(); /* nothing to do */
  trp_thread_beat();
  assert_int_equal(trp_thread_register("test", NULL), TRP_OK);
  assert_int_equal(trp_thread_register("test", "again"), TRP_EXISTS);
  assert_int_equal(trp_thread_count(), 1);
  struct trp_thread_info info;
  assert_true(trp_thread_at(0, &info));
  assert_string_equal(info.role, "");
  uint64_t before_ns = trp_deadline_now_ns();
  trp_thread_beat();
  assert_true(trp_thread_at(0, &info));
  assert_true(info.beat_ns >= before_ns);
  trp_thread_deregister();
  assert_false(trp_thread_at(0, &info));
}

static void long_texts_are_cut(void **state) {
  (void)state;
  char text[200];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  assert_int_equal(trp_thread_register(text, text), TRP_OK);
  struct trp_thread_info info;
  assert_true(trp_thread_at(0, &info));
  assert_int_equal(strlen(info.name), TRP_NAME_MAX);
  assert_int_equal(strlen(info.role), sizeof info.role - 1);
  trp_thread_deregister();
}

/* ---- cpu time ---- */

static void works(struct subject *self) {
  registers(self);
  struct timespec t;
  do {
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  } while (t.tv_sec == 0 && t.tv_nsec < 10000000);
}

static void cpu_time_is_counted_and_outlives_the_thread(void **state) {
  (void)state;
  struct subject worker = {.begin = works};
  struct trp_thread_info info;
  int tid = subject_start(&worker);
  assert_true(find(tid, &info));
  assert_true(info.cpu_ns >= 10000000);
  assert_true(info.cpu_ns < 10 * TRP_NS_PER_S);
  uint64_t before_ns = info.cpu_ns;
  subject_end(&worker);
  assert_true(find(tid, &info));
  assert_true(info.cpu_ns >= before_ns);
  assert_true(trp_thread_forget(tid));
}

/* ---- strangers ---- */

static void is_a_library(struct subject *self) {
  (void)self;
  pthread_setname_np(pthread_self(), "nng:task");
}
static void is_nobody(struct subject *self) {
  (void)self;
  pthread_setname_np(pthread_self(), "nobody");
}

static const struct trp_thread_stranger *stranger(int tid) {
  static struct trp_thread_stranger list[64];
  size_t count = trp_thread_unknown(list, 64);
  for (size_t i = 0; i < count && i < 64; i++) {
    if (list[i].tid == tid) return &list[i];
  }
  return NULL;
}

static void a_thread_that_is_not_on_the_register_is_a_stranger(void **state) {
  (void)state;
  struct subject library = {.begin = is_a_library}, nobody = {.begin = is_nobody};
  struct subject known = {.begin = registers, .end = deregisters};
  int library_tid = subject_start(&library), nobody_tid = subject_start(&nobody);
  int known_tid = subject_start(&known);
  assert_non_null(stranger(library_tid));
  assert_string_equal(stranger(library_tid)->role, "library");
  assert_string_equal(stranger(library_tid)->owner, "nng");
  assert_string_equal(stranger(library_tid)->comm, "nng:task");
  assert_non_null(stranger(nobody_tid));
  assert_string_equal(stranger(nobody_tid)->role, "unknown");
  assert_null(stranger(known_tid));
  assert_non_null(stranger((int)getpid()));
  assert_string_equal(stranger((int)getpid())->role, "main");
  assert_int_equal(trp_thread_unknown(NULL, 0), trp_task_count() - 1);
  subject_end(&library);
  subject_end(&nobody);
  subject_end(&known);
}

static void *first_of_two(void *arg) {
  pthread_t second;
  struct subject *inner = arg;
  if (pthread_create(&second, NULL, subject_main, inner) != 0) fail();
  pthread_join(second, NULL);
  return NULL;
}

static void who_a_library_starts_is_known_and_whom_they_start_too(void **state) {
  (void)state;
  struct trp_thread_library call;
  struct subject starts = {.begin = NULL}, inner = {.begin = NULL}, later = {.begin = NULL};
  pthread_t first;
  trp_thread_library_begin(&call, "nats");
  int tid = subject_start(&starts);
  assert_int_equal(pthread_create(&first, NULL, first_of_two, &inner), 0);
  trp_thread_library_end(&call);
  while (atomic_load(&inner.tid) == 0) sched_yield();
  int later_tid = subject_start(&later);
  assert_string_equal(stranger(tid)->role, "library");
  assert_string_equal(stranger(tid)->owner, "nats");
  assert_string_equal(stranger(atomic_load(&inner.tid))->owner, "nats");
  assert_string_equal(stranger(later_tid)->role, "unknown");
  assert_string_equal(stranger(later_tid)->comm, "thread_test");
  subject_end(&starts);
  subject_end(&later);
  atomic_store(&inner.stop, true);
  pthread_join(first, NULL);
}

/* ---- a raw exit ---- */

static void *vanishes(void *arg) {
  _Atomic int *tid = arg;
  if (trp_thread_register("ghost", "test") != TRP_OK) fail();
  atomic_store(tid, (int)syscall(SYS_gettid));
  syscall(SYS_exit, 0); /* no destructor runs, and nobody is told */
  return NULL;
}

static void a_thread_that_vanishes_is_found_to_have_ended(void **state) {
  (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  print_message("  a raw exit is more than a sanitizer can follow: skipped\n");
  skip();
#endif
  pthread_t thread;
  _Atomic int tid = 0;
  struct trp_thread_info info;
  assert_int_equal(pthread_create(&thread, NULL, vanishes, (void *)&tid), 0);
  pthread_join(thread, NULL);
  bool gone = false; /* the joiner is told a moment before the kernel forgets the thread */
  for (int ms = 0; ms < 5000 && !gone; ms++) {
    assert_true(find(atomic_load(&tid), &info));
    gone = info.ended && info.vanished;
    if (!gone) usleep(1000);
  }
  assert_true(gone);
  assert_true(trp_thread_forget(atomic_load(&tid)));
}

/* ---- the bound ---- */

static void *dies_registered(void *arg) {
  enum trp_err *err = arg;
  *err = trp_thread_register("mortal", "test");
  return NULL;
}

static enum trp_err one_dies_registered(void) {
  pthread_t thread;
  enum trp_err err = TRP_OK;
  if (pthread_create(&thread, NULL, dies_registered, &err) != 0) fail();
  pthread_join(thread, NULL);
  return err;
}

static void a_full_register_refuses_and_counts(void **state) {
  (void)state;
  struct trp_thread_info info;
  for (size_t i = trp_thread_count(); i < TRP_THREADS_MAX; i++) {
    assert_int_equal(one_dies_registered(), TRP_OK);
  }
  assert_int_equal(trp_thread_refused(), 0);
  assert_int_equal(one_dies_registered(), TRP_LIMIT);
  assert_int_equal(trp_thread_refused(), 1);
  assert_int_equal(trp_thread_count(), TRP_THREADS_MAX);
  assert_null(trp_thread_enter("thread_test", "test", "")); /* NULL is fine for the rest: */
  trp_thread_touch(NULL, 1);
  trp_thread_leave(NULL);
  assert_true(trp_thread_at(0, &info));
  assert_true(trp_thread_forget(info.tid));
  assert_int_equal(one_dies_registered(), TRP_OK);
  for (size_t i = TRP_THREADS_MAX; i > 0; i--) {
    assert_true(trp_thread_at(i - 1, &info));
    assert_true(trp_thread_forget(info.tid));
  }
  assert_int_equal(trp_thread_count(), 0);
}

/* ---- descriptors ---- */

static void an_open_descriptor_is_counted_and_named(void **state) {
  (void)state;
  size_t before = trp_fd_count();
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(trp_fd_count(), before + 2);
  struct trp_fd list[64];
  size_t count = trp_fd_list(list, 64), named = 0;
  for (size_t i = 0; i < count && i < 64; i++) {
    named += (list[i].fd == ends[0] || list[i].fd == ends[1]) &&
             strncmp(list[i].target, "pipe:[", 6) == 0;
  }
  assert_int_equal(named, 2);
  close(ends[0]);
  close(ends[1]);
  assert_int_equal(trp_fd_count(), before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_foreign_thread_is_on_the_register_until_it_deregisters),
      cmocka_unit_test(a_thread_of_the_runtime_bears_its_name_for_the_kernel_too),
      cmocka_unit_test(a_thread_that_ends_without_leaving_stays_until_it_is_forgotten),
      cmocka_unit_test(a_thread_that_has_left_does_not_end_who_has_its_slot_now),
      cmocka_unit_test(a_name_is_needed_and_once_is_enough),
      cmocka_unit_test(long_texts_are_cut),
      cmocka_unit_test(cpu_time_is_counted_and_outlives_the_thread),
      cmocka_unit_test(a_thread_that_is_not_on_the_register_is_a_stranger),
      cmocka_unit_test(who_a_library_starts_is_known_and_whom_they_start_too),
      cmocka_unit_test(a_thread_that_vanishes_is_found_to_have_ended),
      cmocka_unit_test(a_full_register_refuses_and_counts),
      cmocka_unit_test(an_open_descriptor_is_counted_and_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
