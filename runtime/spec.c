#include "runtime/spec.h"

#include <stdlib.h>

struct trp_shared_spec {
  struct trp_spec spec;
  struct trp_shared_spec *next;
};

static void fill_restart(struct trp_restart_policy *r) {
  if (r->intensity == 0) r->intensity = 5;
  if (r->window_ms == 0) r->window_ms = 60000;
  if (r->backoff_min_ms == 0) r->backoff_min_ms = 50;
  if (r->backoff_max_ms == 0) r->backoff_max_ms = 5000;
  if (r->stable_ms == 0) r->stable_ms = 10000;
}

static struct trp_spec filled(const struct trp_spec *given) {
  struct trp_spec spec = *given;
  spec.name = spec.listen = spec.supervisor = NULL;
  spec.args = NULL;
  spec.args_bytes = 0;
  if (spec.start_timeout_ms == 0) spec.start_timeout_ms = 5000;
  if (spec.budget_ms == 0) spec.budget_ms = 2000;
  if (spec.turn_limit_ms == 0) spec.turn_limit_ms = 2000;
  if (spec.outbox_max == 0) spec.outbox_max = 256;
  fill_restart(&spec.restart);
  return spec;
}

static bool same_restart(const struct trp_restart_policy *a, const struct trp_restart_policy *b) {
  return a->restart == b->restart && a->intensity == b->intensity && a->window_ms == b->window_ms &&
         a->backoff_min_ms == b->backoff_min_ms && a->backoff_max_ms == b->backoff_max_ms &&
         a->stable_ms == b->stable_ms;
}

static bool same(const struct trp_spec *a, const struct trp_spec *b) {
  return a->kind == b->kind && a->mailbox.capacity == b->mailbox.capacity &&
         a->mailbox.policy == b->mailbox.policy && a->mailbox.key == b->mailbox.key &&
         a->placement == b->placement && a->loop == b->loop &&
         same_restart(&a->restart, &b->restart) && a->start_timeout_ms == b->start_timeout_ms &&
         a->budget_ms == b->budget_ms && a->turn_limit_ms == b->turn_limit_ms &&
         a->outbox_max == b->outbox_max && a->door == b->door;
}

const struct trp_spec *trp_specs_share(struct trp_specs *specs, const struct trp_spec *given,
                                       enum trp_err *err) {
  struct trp_spec spec = filled(given);
  struct trp_shared_spec **link = &specs->first, *found = *link;
  while (found != NULL && !same(&found->spec, &spec)) {
    link = &found->next;
    found = found->next;
  }
  if (found != NULL) *link = found->next;
  if (found == NULL) {
    *err = specs->count == TRP_SPECS_MAX ? TRP_LIMIT : TRP_NO_MEMORY;
    if (specs->count == TRP_SPECS_MAX || (found = malloc(sizeof *found)) == NULL) return NULL;
    found->spec = spec;
    specs->count++;
  }
  found->next = specs->first;
  specs->first = found;
  return &found->spec;
}

void trp_specs_fini(struct trp_specs *specs) {
  while (specs->first != NULL) {
    struct trp_shared_spec *first = specs->first;
    specs->first = first->next;
    free(first);
  }
  specs->count = 0;
}
