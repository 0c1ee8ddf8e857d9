/* panic.c - what cannot go on: a panic unwinds to the turn's boundary, a broken runtime ends the
 * process with last words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/actor.h"
#include "runtime/check.h"
#include "runtime/last_words.h"

static _Thread_local unsigned no_unwind;

void trp_no_unwind_begin(void) { no_unwind++; }
void trp_no_unwind_end(void) {
  ASSERT(no_unwind > 0);
  no_unwind--;
}

__attribute__((noreturn)) static void last_words(const char *what) {
  char line[512];
  struct trp_actor *a = trp_turn_current();
  snprintf(line, sizeof line, "troupe: %s: %s\n", a != NULL ? a->name : "outside", what);
  trp_last_words_say(line);
  abort(); /* whose signal says the rest, where the handler is installed */
}

/* skip: the frames of this file. */
__attribute__((noreturn)) static void panic_in_turn(const char *reason) {
  struct trp_actor *a = trp_turn_current();
  if (a == NULL || !a->self.in_turn || no_unwind > 0) last_words(reason);
  struct trp_stack stack;
  trp_stack_capture(&stack, 2);
  trp_crash_note(a, TRP_CAUSE_PANIC, TRP_PANIC, reason, &stack);
  longjmp(*trp_turning.boundary, 1);
}

void trp_panic(const char *format, ...) {
  char reason[160];
  va_list args;
  va_start(args, format);
  vsnprintf(reason, sizeof reason, format, args);
  va_end(args);
  panic_in_turn(reason);
}

void trp_check_failed(const char *expression, const char *file, int line) {
  char reason[160];
  snprintf(reason, sizeof reason, "CHECK(%s) failed at %s:%d", expression, file, line);
  panic_in_turn(reason);
}

void trp_assert_failed(const char *expression, const char *file, int line) {
  char words[256];
  snprintf(words, sizeof words, "the runtime's own ASSERT(%s) failed at %s:%d", expression, file,
           line);
  last_words(words);
}
