#include "runtime/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/altstack.h"
#include "runtime/check.h"
#include "runtime/deadline.h"
#include "runtime/fdcount.h"

struct trp_thread_slot {
  struct trp_thread_info info; /* beat_ns lies below; cpu_ns is the last known */
  _Atomic uint64_t beat_ns;    /* relaxed throughout: a time stamp that publishes nothing */
  clockid_t cpu_clock;
  struct trp_thread_slot *next_free;
};

static struct {
  pthread_mutex_t lock;
  struct trp_thread_slot slots[TRP_THREADS_MAX];  /* zero pages until used */
  struct trp_thread_slot *order[TRP_THREADS_MAX]; /* the used ones, in the order of entering */
  struct trp_thread_slot *free;
  size_t touched; /* slots ever used */
  size_t count;
  uint64_t refused;
} threads = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The calling thread's slot; the key is there for its destructor, which hears of the end. */
static _Thread_local struct trp_thread_slot *own;
static pthread_key_t end_key;

static uint64_t read_clock(clockid_t clock, uint64_t otherwise) {
  struct timespec t;
  if (clock_gettime(clock, &t) != 0) return otherwise;
  return (uint64_t)t.tv_sec * TRP_NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Runs on a thread that ends, by return or by exit, without having left. */
static void thread_ended(void *arg) {
  struct trp_thread_slot *slot = arg;
  own = NULL;
  trp_altstack_leave();
  pthread_mutex_lock(&threads.lock);
  slot->info.ended = true;
  slot->info.cpu_ns = read_clock(CLOCK_THREAD_CPUTIME_ID, slot->info.cpu_ns);
  pthread_mutex_unlock(&threads.lock);
}

static void make_key(void) {
  int failed = pthread_key_create(&end_key, thread_ended);
  ASSERT(failed == 0);
}

static void copy_text(char *out, size_t bytes, const char *text) {
  snprintf(out, bytes, "%s", text == NULL ? "" : text);
}

/* ---- entering and leaving ----------------------------------------------------------------- */

static struct trp_thread_slot *take_slot(void) {
  struct trp_thread_slot *slot = threads.free;
  if (slot != NULL) {
    threads.free = slot->next_free;
  } else if (threads.touched < TRP_THREADS_MAX) {
    slot = &threads.slots[threads.touched++];
  } else {
    threads.refused++;
    return NULL;
  }
  threads.order[threads.count++] = slot;
  return slot;
}

static void give_slot_back(size_t i) {
  struct trp_thread_slot *slot = threads.order[i];
  threads.count--;
  memmove(&threads.order[i], &threads.order[i + 1], (threads.count - i) * sizeof threads.order[0]);
  slot->next_free = threads.free;
  threads.free = slot;
}

static struct trp_thread_slot *enter(const char *name, const char *role, const char *owner,
                                     bool foreign) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_key);
  uint64_t now_ns = trp_deadline_now_ns();
  struct trp_thread_info info = {
      .tid = (int)syscall(SYS_gettid), .foreign = foreign, .started_ns = now_ns};
  copy_text(info.name, sizeof info.name, name);
  copy_text(info.role, sizeof info.role, role);
  copy_text(info.owner, sizeof info.owner, owner);
  clockid_t cpu_clock;
  int failed = pthread_getcpuclockid(pthread_self(), &cpu_clock);
  ASSERT(failed == 0);

  pthread_mutex_lock(&threads.lock);
  struct trp_thread_slot *slot = take_slot();
  if (slot != NULL) {
    slot->info = info;
    slot->cpu_clock = cpu_clock;
    atomic_store_explicit(&slot->beat_ns, now_ns, memory_order_relaxed);
  }
  pthread_mutex_unlock(&threads.lock);
  own = slot;
  if (slot == NULL) return NULL;
  pthread_setspecific(end_key, slot);
  trp_altstack_enter();
  return slot;
}

struct trp_thread_slot *trp_thread_enter(const char *name, const char *role, const char *owner) {
  char comm[TRP_THREAD_COMM_BYTES];
  snprintf(comm, sizeof comm, "%s", name);
  pthread_setname_np(pthread_self(), comm);
  return own != NULL ? NULL : enter(name, role, owner, false);
}

void trp_thread_touch(struct trp_thread_slot *slot, uint64_t now_ns) {
  if (slot != NULL) atomic_store_explicit(&slot->beat_ns, now_ns, memory_order_relaxed);
}

void trp_thread_leave(struct trp_thread_slot *slot) {
  if (slot == NULL) return;
  ASSERT(slot == own);
  own = NULL;
  trp_altstack_leave();
  pthread_setspecific(end_key, NULL);
  pthread_mutex_lock(&threads.lock);
  size_t i = 0;
  while (i < threads.count && threads.order[i] != slot) i++;
  ASSERT(i < threads.count);
  give_slot_back(i);
  pthread_mutex_unlock(&threads.lock);
}

enum trp_err trp_thread_register(const char *name, const char *role) {
  if (name == NULL || name[0] == '\0') return TRP_INVALID;
  if (own != NULL) return TRP_EXISTS;
  return enter(name, role, "", true) == NULL ? TRP_LIMIT : TRP_OK;
}

void trp_thread_beat(void) { trp_thread_touch(own, trp_deadline_now_ns()); }

void trp_thread_deregister(void) { trp_thread_leave(own); }

bool trp_thread_forget(int tid) {
  bool forgotten = false;
  pthread_mutex_lock(&threads.lock);
  for (size_t i = 0; i < threads.count && !forgotten; i++) {
    if (threads.order[i]->info.tid != tid || !threads.order[i]->info.ended) continue;
    give_slot_back(i);
    forgotten = true;
  }
  pthread_mutex_unlock(&threads.lock);
  return forgotten;
}

/* ---- looking ------------------------------------------------------------------------------ */

/* Under the lock, without which nobody leaves: whoever is on the register and not ended has run no
 * destructor, and yet the kernel does not know it. */
static bool has_vanished(const struct trp_thread_info *info) {
  return syscall(SYS_tgkill, getpid(), info->tid, 0) != 0 && errno == ESRCH;
}

bool trp_thread_at(size_t i, struct trp_thread_info *out) {
  pthread_mutex_lock(&threads.lock);
  bool found = i < threads.count;
  if (found) {
    struct trp_thread_slot *slot = threads.order[i];
    if (!slot->info.ended && has_vanished(&slot->info)) {
      slot->info.ended = slot->info.vanished = true;
    }
    /* Only the living are asked: the clock of a thread that has gone may name another one. */
    if (!slot->info.ended) {
      slot->info.cpu_ns = read_clock(slot->cpu_clock, slot->info.cpu_ns);
    }
    *out = slot->info;
    out->beat_ns = atomic_load_explicit(&slot->beat_ns, memory_order_relaxed);
  }
  pthread_mutex_unlock(&threads.lock);
  return found;
}

size_t trp_thread_count(void) {
  pthread_mutex_lock(&threads.lock);
  size_t count = threads.count;
  pthread_mutex_unlock(&threads.lock);
  return count;
}

uint64_t trp_thread_refused(void) {
  pthread_mutex_lock(&threads.lock);
  uint64_t refused = threads.refused;
  pthread_mutex_unlock(&threads.lock);
  return refused;
}

/* ---- strangers ---------------------------------------------------------------------------- */

static int compare_ints(const void *left, const void *right) {
  int a = *(const int *)left, b = *(const int *)right;
  return a < b ? -1 : a > b;
}

/* The ids of the living on the register, sorted. */
static size_t registered_tids(int *out) {
  size_t count = 0;
  pthread_mutex_lock(&threads.lock);
  for (size_t i = 0; i < threads.count; i++) {
    if (!threads.order[i]->info.ended) out[count++] = threads.order[i]->info.tid;
  }
  pthread_mutex_unlock(&threads.lock);
  qsort(out, count, sizeof *out, compare_ints);
  return count;
}

/* The kernel's name of a thread; false where it has gone. */
static bool read_comm(int tid, char *out, size_t bytes) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, out, bytes - 1);
  close(fd);
  if (n <= 0) return false;
  out[n] = '\0';
  out[strcspn(out, "\n")] = '\0';
  return true;
}

static const char LIBRARY_PREFIX[] = "lib:";

/* Role and owner, from how it is called. */
static void recognise(struct trp_thread_stranger *stranger) {
  static const char *const named[] = {"nng"}; /* libraries that name their threads NAME:... */
  size_t prefix = sizeof LIBRARY_PREFIX - 1;
  stranger->role = "library";
  if (strncmp(stranger->comm, LIBRARY_PREFIX, prefix) == 0) {
    copy_text(stranger->owner, sizeof stranger->owner, stranger->comm + prefix);
    return;
  }
  for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
    size_t length = strlen(named[i]);
    if (strncmp(stranger->comm, named[i], length) != 0 || stranger->comm[length] != ':') continue;
    copy_text(stranger->owner, sizeof stranger->owner, named[i]);
    return;
  }
  bool is_main = stranger->tid == (int)getpid();
  stranger->role = is_main ? "main" : "unknown";
  copy_text(stranger->owner, sizeof stranger->owner, is_main ? "process" : "");
}

/* The kernel's clock of any thread of the process: MAKE_THREAD_CPUCLOCK of its posix-timers.h,
 * which is also what pthread_getcpuclockid makes of a tid. */
static uint64_t cpu_of(int tid) {
  enum { PER_THREAD_SCHED = 6 };
  return read_clock((clockid_t)((~(unsigned)tid << 3) | PER_THREAD_SCHED), 0);
}

void trp_thread_library_begin(struct trp_thread_library *call, const char *library) {
  char comm[TRP_THREAD_COMM_BYTES];
  if (pthread_getname_np(pthread_self(), call->comm, sizeof call->comm) != 0) call->comm[0] = '\0';
  snprintf(comm, sizeof comm, "%s%s", LIBRARY_PREFIX, library);
  pthread_setname_np(pthread_self(), comm);
}

void trp_thread_library_end(const struct trp_thread_library *call) {
  pthread_setname_np(pthread_self(), call->comm);
}

size_t trp_thread_unknown(struct trp_thread_stranger *out, size_t max) {
  enum { TASKS_MAX = 2 * TRP_THREADS_MAX }; /* what is beyond is not looked at */
  int *tasks = malloc((TASKS_MAX + TRP_THREADS_MAX) * sizeof *tasks);
  if (tasks == NULL) return 0;
  int *known = tasks + TASKS_MAX;
  size_t task_count = trp_task_list(tasks, TASKS_MAX);
  if (task_count > TASKS_MAX) task_count = TASKS_MAX;
  size_t known_count = registered_tids(known);
  size_t count = 0;
  for (size_t i = 0; i < task_count; i++) {
    struct trp_thread_stranger stranger = {.tid = tasks[i]};
    if (bsearch(&tasks[i], known, known_count, sizeof *known, compare_ints) != NULL) continue;
    if (!read_comm(stranger.tid, stranger.comm, sizeof stranger.comm)) continue;
    recognise(&stranger);
    stranger.cpu_ns = cpu_of(stranger.tid);
    if (count < max) out[count] = stranger;
    count++;
  }
  free(tasks);
  return count;
}
