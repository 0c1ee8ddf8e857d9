#include "runtime/last_words_text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "runtime/flight.h"
#include "runtime/ledger.h"
#include "runtime/phrase.h"
#include "runtime/stack.h"
#include "runtime/write.h"

enum {
  LINE_BYTES = 4096,
  EVENTS_SAID = 24,
  ACTORS_SAID = 256,       /* of a system; the rest are counted */
  NEAR_BYTES = 256 * 1024, /* a fault so near to the stack's end is one of the stack */
  COMM_BYTES = 16          /* of a thread's name in the kernel */
};

struct speech {
  int fd;
  uint64_t deadline_ns;
  bool broken; /* nobody reads: what follows is left out */
  struct trp_phrase line;
  char text[LINE_BYTES];
};

/* One process speaks once; its handler's stack is small. */
static struct speech speech;

static void begin(struct speech *s) {
  trp_phrase_init(&s->line, s->text, sizeof s->text - 1);
  trp_phrase_text(&s->line, "troupe: ");
}

static void say(struct speech *s, const char *text) { trp_phrase_text(&s->line, text); }

static void say_count(struct speech *s, const char *what, uint64_t n) {
  say(s, what);
  trp_phrase_u64(&s->line, n);
}

static void end(struct speech *s) {
  s->text[s->line.length++] = '\n'; /* begin has left a byte for it */
  if (s->broken) return;
  s->broken = trp_write_all(s->fd, s->text, s->line.length, s->deadline_ns) != TRP_OK;
}

/* ---- who and where ---- */

#if defined(__x86_64__)
static uintptr_t stack_pointer(const ucontext_t *context) {
  return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
}
#elif defined(__aarch64__)
static uintptr_t stack_pointer(const ucontext_t *context) {
  return (uintptr_t)context->uc_mcontext.sp;
}
#else
static uintptr_t stack_pointer(const ucontext_t *context) {
  (void)context;
  return 0;
}
#endif

static void say_address(struct speech *s, const siginfo_t *info, const void *context) {
  if (info->si_code <= 0 || info->si_signo == SIGABRT) {
    say(s, info->si_pid == getpid() ? " raised by itself" : " sent by process ");
    if (info->si_pid != getpid()) trp_phrase_u64(&s->line, (uint64_t)info->si_pid);
    return;
  }
  uintptr_t address = (uintptr_t)info->si_addr, pointer = stack_pointer(context);
  say(s, " at address ");
  trp_phrase_hex(&s->line, address);
  bool near = pointer != 0 && address < pointer + NEAR_BYTES && address + NEAR_BYTES > pointer;
  if (near && info->si_signo == SIGSEGV) say(s, " (its stack is used up)");
}

static void say_who(struct speech *s, const struct trp_actor *a) {
  if (a != NULL) {
    say(s, a->self.in_turn ? " in a turn of actor " : " in the thread of actor ");
    say(s, a->name);
    say(s, " of system ");
    say(s, a->system->name);
    say_count(s, ", incarnation ", a->self.incarnation);
  } else {
    char comm[COMM_BYTES] = "";
    prctl(PR_GET_NAME, comm);
    say(s, " in thread ");
    say(s, comm);
    say(s, ", which is no actor's");
  }
  say_count(s, ", thread id ", (uint64_t)syscall(SYS_gettid));
}

static void say_stack(struct speech *s, const void *context) {
  struct trp_stack stack;
  trp_stack_capture_interrupted(&stack, context);
  begin(s);
  say(s, "stack: ");
  struct trp_phrase *line = &s->line;
  line->length += trp_stack_text(&stack, line->text + line->length, line->bytes - line->length);
  end(s);
  begin(s);
  say(s, "program counters:");
  for (uint32_t i = 0; i < stack.depth; i++) {
    trp_phrase_char(line, ' ');
    trp_phrase_hex(line, stack.pc[i] - (i == 0)); /* the first was made like a return address */
  }
  end(s);
}

/* ---- the flight recorder ---- */

static void say_what(struct speech *s, uint16_t what) {
  const char *name = trp_flight_turn_name(what);
  if (name != NULL) {
    say(s, name);
  } else {
    say_count(s, "USER ", what);
  }
}

static void say_turns(struct speech *s, const struct trp_actor *a) {
  uint64_t counted = atomic_load_explicit(&a->turns, memory_order_relaxed);
  uint64_t n = (counted + 1) / 2; /* the one under way is counted by half */
  begin(s);
  say_count(s, "its last turns of ", n);
  say(s, counted % 2 != 0 ? ", the one under way first:" : ", the last one first:");
  for (int i = 0; i < TRP_FLIGHT_TURNS && n > 0; i++) {
    say(s, i == 0 ? " " : ", ");
    say_what(s, trp_flight_turn_at(&a->recent, --n));
  }
  end(s);
}

static void say_event(struct speech *s, const struct trp_flight_event *event) {
  begin(s);
  say(s, "  ");
  trp_phrase_seconds(&s->line, event->at_ns);
  trp_phrase_char(&s->line, ' ');
  say(s, event->system);
  if (event->actor[0] != '\0') say(s, "/");
  say(s, event->actor);
  trp_phrase_char(&s->line, ' ');
  if (event->type != 0) {
    say_what(s, event->type);
  } else {
    say(s, trp_actor_state_text((enum trp_actor_state)event->state));
    say_count(s, ", incarnation ", event->incarnation);
  }
  end(s);
}

static void say_events(struct speech *s, const struct trp_system *system) {
  uint64_t count = trp_flight_count();
  uint64_t n = count > EVENTS_SAID ? count - EVENTS_SAID : 0;
  begin(s);
  say_count(s, "the last events of ", count);
  say(s, ", by the clock at which it is now ");
  trp_phrase_seconds(&s->line, system != NULL ? trp_env_now_ns(&system->env) : 0);
  say(s, ":");
  end(s);
  struct trp_flight_event event;
  for (; n < count; n++) {
    if (trp_flight_at(n, &event)) say_event(s, &event);
  }
}

/* ---- the account so far ---- */

static void say_actor(struct speech *s, struct trp_actor *a) {
  struct trp_ledger ledger;
  uint64_t turns = atomic_load_explicit(&a->turns, memory_order_relaxed);
  trp_ledger_read(a, &ledger);
  begin(s);
  say(s, "  ");
  say(s, a->name);
  say(s, " ");
  say(s, trp_actor_state_text(trp_actor_state(a)));
  if (turns % 2 != 0) {
    say(s, ", in a turn of ");
    say_what(s, trp_flight_turn_at(&a->recent, turns / 2));
  }
  say_count(s, ": accepted ", ledger.accepted);
  say_count(s, " = handled ", ledger.handled);
  say_count(s, " + evicted ", ledger.evicted);
  say_count(s, " + conflated ", ledger.conflated);
  say_count(s, " + dead ", trp_ledger_dead(&ledger));
  say_count(s, " + pending ", ledger.pending);
  say_count(s, "; refused ", trp_ledger_refused(&ledger));
  end(s);
}

static void say_account(struct speech *s, struct trp_system *system) {
  uint32_t count = atomic_load_explicit(&system->slots.count, memory_order_acquire);
  begin(s);
  say(s, "system ");
  say(s, system->name);
  say(s, " is ");
  say(s, trp_system_state(system));
  say(s, "; the account so far:");
  end(s);
  for (uint32_t i = 0; i < count && i < ACTORS_SAID; i++) {
    struct trp_actor *a = trp_slots_at(&system->slots, i);
    if (a != NULL) say_actor(s, a);
  }
  if (count <= ACTORS_SAID) return;
  begin(s);
  say_count(s, "  and more actors: ", count - ACTORS_SAID);
  end(s);
}

void trp_last_words_write(int fd, const siginfo_t *info, const void *context,
                          struct trp_system *system, uint64_t deadline_ns) {
  struct speech *s = &speech;
  const struct trp_actor *a = trp_turn_current();
  s->fd = fd;
  s->deadline_ns = deadline_ns;
  s->broken = false;
  if (a != NULL) system = a->system;
  begin(s);
  say(s, "last words: fatal signal SIG");
  say(s, sigabbrev_np(info->si_signo));
  say_address(s, info, context);
  say_who(s, a);
  end(s); /* before anything that may fault itself */
  say_stack(s, context);
  if (a != NULL) say_turns(s, a);
  say_events(s, system);
  if (system != NULL) say_account(s, system);
}
