#include "test/conformance/fault_sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/types.h>

static _Atomic int64_t left[2]; /* calls until one fails; 0 and below: none does any more */
static _Atomic bool lasts;
static _Atomic(const char *) victim;
static _Atomic int64_t blocks;

void sweep_arm(enum sweep_kind kind, uint64_t n, bool lasting) {
  atomic_store(&victim, NULL);
  atomic_store(&lasts, lasting);
  atomic_store(&left[kind], (int64_t)n);
}

bool sweep_disarm(void) {
  atomic_store(&left[SWEEP_MEMORY], 0);
  atomic_store(&left[SWEEP_SYSTEM], 0);
  return atomic_load(&victim) != NULL;
}

const char *sweep_victim(void) {
  const char *name = atomic_load(&victim);
  return name != NULL ? name : "none";
}

int64_t sweep_blocks(void) { return atomic_load(&blocks); }

static bool fails(enum sweep_kind kind, const char *name) {
  int64_t now = atomic_load(&left[kind]);
  if (now <= 0) return false;
  if (now == 1 && atomic_load(&lasts)) { /* stays at one */
    const char *none = NULL;
    atomic_compare_exchange_strong(&victim, &none, name);
    return true;
  }
  if (atomic_fetch_sub(&left[kind], 1) != 1) return false;
  atomic_store(&victim, name);
  return true;
}

/* ---- memory ---- */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
void __real_free(void *block);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *block);

static void *counted(void *block) {
  if (block != NULL) atomic_fetch_add(&blocks, 1);
  return block;
}

static bool no_memory(const char *name) {
  if (!fails(SWEEP_MEMORY, name)) return false;
  errno = ENOMEM;
  return true;
}

void *__wrap_malloc(size_t bytes) {
  return no_memory("malloc") ? NULL : counted(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes) {
  return no_memory("calloc") ? NULL : counted(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *old, size_t bytes) {
  if (no_memory("realloc")) return NULL;
  void *block = __real_realloc(old, bytes);
  return old == NULL ? counted(block) : block;
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
  return no_memory("aligned_alloc") ? NULL : counted(__real_aligned_alloc(alignment, bytes));
}

char *__wrap_strdup(const char *text) {
  return no_memory("strdup") ? NULL : counted(__real_strdup(text));
}

void __wrap_free(void *block) {
  if (block != NULL) atomic_fetch_sub(&blocks, 1);
  __real_free(block);
}

/* ---- the system ---- */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __real_eventfd(unsigned initial, int flags);
int __real_socket(int domain, int type, int protocol);
int __real_listen(int fd, int backlog);
int __real_bind(int fd, const struct sockaddr *address, socklen_t bytes);
int __real_epoll_create1(int flags);
int __real_open(const char *path, int flags, ...);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg);
int __wrap_eventfd(unsigned initial, int flags);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_listen(int fd, int backlog);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t bytes);
int __wrap_epoll_create1(int flags);
int __wrap_open(const char *path, int flags, ...);

static bool refused(const char *name, int why) {
  if (!fails(SWEEP_SYSTEM, name)) return false;
  errno = why;
  return true;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                          void *arg) {
  if (refused("pthread_create", EAGAIN)) return EAGAIN;
  return __real_pthread_create(thread, attr, run, arg);
}

int __wrap_eventfd(unsigned initial, int flags) {
  return refused("eventfd", EMFILE) ? -1 : __real_eventfd(initial, flags);
}

int __wrap_socket(int domain, int type, int protocol) {
  return refused("socket", EMFILE) ? -1 : __real_socket(domain, type, protocol);
}

int __wrap_listen(int fd, int backlog) {
  return refused("listen", EADDRINUSE) ? -1 : __real_listen(fd, backlog);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t bytes) {
  return refused("bind", EADDRINUSE) ? -1 : __real_bind(fd, address, bytes);
}

int __wrap_epoll_create1(int flags) {
  return refused("epoll_create1", EMFILE) ? -1 : __real_epoll_create1(flags);
}

int __wrap_open(const char *path, int flags, ...) {
  va_list args;
  va_start(args, flags);
  int mode = (flags & O_CREAT) != 0 ? va_arg(args, int) : 0;
  va_end(args);
  return refused("open", EMFILE) ? -1 : __real_open(path, flags, mode);
}

/* ---- what a process is made of ---- */

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __real_memfd_create(const char *name, unsigned flags);
int __real_socketpair(int domain, int type, int protocol, int *pair);
int __real_pidfd_open(pid_t pid, unsigned flags);
int __real_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
                       const posix_spawnattr_t *attributes, char *const *args,
                       char *const *environment);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_socketpair(int domain, int type, int protocol, int *pair);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
                       const posix_spawnattr_t *attributes, char *const *args,
                       char *const *environment);

void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset) {
  if (refused("mmap", ENOMEM)) return MAP_FAILED;
  return __real_mmap(at, bytes, protection, flags, fd, offset);
}

int __wrap_memfd_create(const char *name, unsigned flags) {
  return refused("memfd_create", EMFILE) ? -1 : __real_memfd_create(name, flags);
}

int __wrap_socketpair(int domain, int type, int protocol, int *pair) {
  return refused("socketpair", EMFILE) ? -1 : __real_socketpair(domain, type, protocol, pair);
}

int __wrap_pidfd_open(pid_t pid, unsigned flags) {
  return refused("pidfd_open", EMFILE) ? -1 : __real_pidfd_open(pid, flags);
}

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *files,
                       const posix_spawnattr_t *attributes, char *const *args,
                       char *const *environment) {
  if (refused("posix_spawn", EAGAIN)) return EAGAIN;
  return __real_posix_spawn(pid, path, files, attributes, args, environment);
}
