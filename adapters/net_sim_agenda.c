#include "adapters/net_sim_agenda.h"

#include <stdlib.h>

static bool before(const struct trp_due *a, const struct trp_due *b) {
  return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->number < b->number;
}

static void set(struct trp_agenda *agenda, size_t place, struct trp_due *due) {
  agenda->heap[place] = due;
  due->place = place;
}

static void rise(struct trp_agenda *agenda, struct trp_due *due) {
  size_t place = due->place;
  for (; place > 1 && before(due, agenda->heap[place / 2]); place /= 2) {
    set(agenda, place, agenda->heap[place / 2]);
  }
  set(agenda, place, due);
}

static void sink(struct trp_agenda *agenda, struct trp_due *due) {
  size_t place = due->place;
  for (;;) {
    size_t child = place * 2;
    if (child > agenda->count) break;
    if (child < agenda->count && before(agenda->heap[child + 1], agenda->heap[child])) child++;
    if (!before(agenda->heap[child], due)) break;
    set(agenda, place, agenda->heap[child]);
    place = child;
  }
  set(agenda, place, due);
}

enum trp_err trp_agenda_reserve(struct trp_agenda *agenda, size_t count) {
  if (count < agenda->room) return TRP_OK;
  size_t room = agenda->room == 0 ? 64 : agenda->room;
  while (room <= count) room *= 2;
  struct trp_due **heap = realloc(agenda->heap, room * sizeof *heap);
  if (heap == NULL) return TRP_NO_MEMORY;
  agenda->heap = heap;
  agenda->room = room;
  return TRP_OK;
}

void trp_agenda_fini(struct trp_agenda *agenda) {
  free(agenda->heap);
  *agenda = (struct trp_agenda){0};
}

void trp_agenda_put(struct trp_agenda *agenda, struct trp_due *due, uint64_t at_ns,
                    uint64_t number) {
  if (due->place == 0) set(agenda, ++agenda->count, due);
  due->at_ns = at_ns;
  due->number = number;
  rise(agenda, due);
  sink(agenda, due);
}

void trp_agenda_remove(struct trp_agenda *agenda, struct trp_due *due) {
  if (due->place == 0) return;
  struct trp_due *last = agenda->heap[agenda->count--];
  if (last != due) {
    set(agenda, due->place, last);
    rise(agenda, last);
    sink(agenda, last);
  }
  due->place = 0;
}

struct trp_due *trp_agenda_first(const struct trp_agenda *agenda) {
  return agenda->count == 0 ? NULL : agenda->heap[1];
}
