#include "runtime/altstack.h"

#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STACK_BYTES = 64 * 1024 };

static _Thread_local void *own; /* the guard page and the stack above it */

static size_t guard_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

void trp_altstack_enter(void) {
  stack_t now;
  if (own != NULL || sigaltstack(NULL, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;
  size_t guard = guard_bytes();
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  char *memory = mmap(NULL, guard + STACK_BYTES, PROT_NONE, flags, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t stack = {.ss_sp = memory + guard, .ss_size = STACK_BYTES};
  if (mprotect(stack.ss_sp, STACK_BYTES, PROT_READ | PROT_WRITE) != 0 ||
      sigaltstack(&stack, NULL) != 0) {
    munmap(memory, guard + STACK_BYTES);
    return;
  }
  own = memory;
}

void trp_altstack_leave(void) {
  if (own == NULL) return;
  stack_t none = {.ss_flags = SS_DISABLE};
  if (sigaltstack(&none, NULL) != 0) return; /* a handler runs on it: it stays */
  munmap(own, guard_bytes() + STACK_BYTES);
  own = NULL;
}
