#include "runtime/timer.h"

#include <stdlib.h>

static bool earlier(const struct trp_timer_entry *a, const struct trp_timer_entry *b) {
  return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->id < b->id;
}

static void swap(struct trp_timers *t, uint32_t i, uint32_t j) {
  struct trp_timer_entry e = t->heap[i];
  t->heap[i] = t->heap[j];
  t->heap[j] = e;
}

static void sift_up(struct trp_timers *t, uint32_t i) {
  while (i > 0 && earlier(&t->heap[i], &t->heap[(i - 1) / 2])) {
    swap(t, i, (i - 1) / 2);
    i = (i - 1) / 2;
  }
}

static void sift_down(struct trp_timers *t, uint32_t i) {
  for (;;) {
    uint32_t least = i, left = 2 * i + 1, right = left + 1;
    if (left < t->count && earlier(&t->heap[left], &t->heap[least])) least = left;
    if (right < t->count && earlier(&t->heap[right], &t->heap[least])) least = right;
    if (least == i) return;
    swap(t, i, least);
    i = least;
  }
}

static void remove_at(struct trp_timers *t, uint32_t i) {
  t->count--;
  if (i == t->count) return;
  t->heap[i] = t->heap[t->count];
  sift_up(t, i);
  sift_down(t, i);
}

static enum trp_err push(struct trp_timers *t, const struct trp_timer_entry *entry) {
  if (t->count == TRP_TIMERS_MAX) return TRP_LIMIT;
  if (t->count == t->room) {
    uint32_t room = t->room == 0 ? 4 : t->room * 2;
    struct trp_timer_entry *heap = realloc(t->heap, room * sizeof *heap);
    if (heap == NULL) return TRP_NO_MEMORY;
    t->heap = heap;
    t->room = room;
  }
  t->heap[t->count++] = *entry;
  sift_up(t, t->count - 1);
  return TRP_OK;
}

enum trp_err trp_timers_add(struct trp_timers *timers, struct trp_timer_entry entry, uint64_t *id) {
  entry.id = timers->last_id + 1;
  enum trp_err err = push(timers, &entry);
  if (err != TRP_OK) return err;
  timers->last_id = entry.id;
  if (id != NULL) *id = entry.id;
  return TRP_OK;
}

bool trp_timers_take_due(struct trp_timers *timers, uint64_t now_ns, struct trp_timer_entry *out) {
  if (timers->count == 0 || timers->heap[0].due_ns > now_ns) return false;
  *out = timers->heap[0];
  if (out->period_ns == 0) {
    remove_at(timers, 0);
    return true;
  }
  /* The next beat that is still to come: missed ones are not made up, the rhythm is kept. */
  uint64_t missed = (now_ns - out->due_ns) / out->period_ns;
  uint64_t last = out->due_ns + missed * out->period_ns; /* the one that is told now */
  timers->heap[0].due_ns = out->period_ns > UINT64_MAX - last ? UINT64_MAX : last + out->period_ns;
  sift_down(timers, 0);
  return true;
}

bool trp_timers_remove(struct trp_timers *timers, uint64_t id) {
  for (uint32_t i = 0; i < timers->count; i++) {
    if (timers->heap[i].id != id || timers->heap[i].kind != TRP_TIMER_USER) continue;
    remove_at(timers, i);
    return true;
  }
  return false;
}

bool trp_timers_remove_ask(struct trp_timers *timers, uint64_t token) {
  for (uint32_t i = 0; i < timers->count; i++) {
    if (timers->heap[i].tag != token || timers->heap[i].kind != TRP_TIMER_ASK) continue;
    remove_at(timers, i);
    return true;
  }
  return false;
}

void trp_timers_remove_user(struct trp_timers *timers) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < timers->count; i++) {
    if (timers->heap[i].kind == TRP_TIMER_USER) continue;
    timers->heap[kept++] = timers->heap[i];
  }
  timers->count = kept;
  for (uint32_t i = kept / 2; i-- > 0;) sift_down(timers, i);
}

uint64_t trp_timers_next_ns(const struct trp_timers *timers) {
  return timers->count == 0 ? UINT64_MAX : timers->heap[0].due_ns;
}

size_t trp_timers_count(const struct trp_timers *timers, enum trp_timer_kind kind) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < timers->count; i++) n += timers->heap[i].kind == kind;
  return n;
}

void trp_timers_fini(struct trp_timers *timers) {
  free(timers->heap);
  timers->heap = NULL;
  timers->count = timers->room = 0;
}
