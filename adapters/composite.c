#include "adapters/composite.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct composite {
  struct trp_system *system;
  const struct trp_part *parts;
  size_t count;
  bool added[TRP_COMPOSITE_PARTS_MAX];
  size_t order[TRP_COMPOSITE_PARTS_MAX];
  char *why;
  size_t why_bytes;
};

__attribute__((format(printf, 3, 4))) static enum trp_err wrong(struct composite *c,
                                                                enum trp_err err,
                                                                const char *format, ...) {
  va_list list;
  va_start(list, format);
  vsnprintf(c->why, c->why_bytes, format, list);
  va_end(list);
  return err;
}

/* ---- names -------------------------------------------------------------------------------- */

/* The part's number; count where it is none. */
static size_t find(const struct composite *c, const char *name) {
  size_t i = 0;
  while (i < c->count && strcmp(c->parts[i].spec.name, name) != 0) i++;
  return i;
}

static bool is_in_system(const struct composite *c, const char *name) {
  struct trp_actor_info info;
  for (size_t i = 0; trp_system_actor(c->system, i, &info); i++)
    if (strcmp(info.name, name) == 0) return true;
  return false;
}

static enum trp_err check_names(struct composite *c, size_t part, const char *const *names,
                                const char *verb) {
  for (; names != NULL && *names != NULL; names++)
    if (find(c, *names) == c->count && !is_in_system(c, *names))
      return wrong(c, TRP_NO_ACTOR, "%s %s '%s', which is no part and not in the system",
                   c->parts[part].spec.name, verb, *names);
  return TRP_OK;
}

static enum trp_err check(struct composite *c) {
  if (c->count > TRP_COMPOSITE_PARTS_MAX)
    return wrong(c, TRP_INVALID, "a composite has at most %d parts, not %zu",
                 TRP_COMPOSITE_PARTS_MAX, c->count);
  for (size_t i = 0; i < c->count; i++)
    if (c->parts[i].spec.name == NULL)
      return wrong(c, TRP_INVALID, "part %zu of the composite has no name", i);
  for (size_t i = 0; i < c->count; i++) {
    const struct trp_spec *spec = &c->parts[i].spec;
    if (find(c, spec->name) != i || is_in_system(c, spec->name))
      return wrong(c, TRP_EXISTS, "there are two actors named '%s'", spec->name);
    const char *const supervisor[] = {spec->supervisor, NULL};
    enum trp_err err = check_names(c, i, supervisor, "is supervised by");
    if (err == TRP_OK) err = check_names(c, i, c->parts[i].needs, "needs");
    if (err == TRP_OK) err = check_names(c, i, c->parts[i].tells, "tells");
    if (err != TRP_OK) return err;
  }
  return TRP_OK;
}

/* ---- order -------------------------------------------------------------------------------- */

/* A part that must be there before this one and is not; count where there is none. */
static size_t lacks(const struct composite *c, size_t part) {
  const struct trp_part *p = &c->parts[part];
  size_t supervisor = p->spec.supervisor != NULL ? find(c, p->spec.supervisor) : c->count;
  if (supervisor < c->count && !c->added[supervisor]) return supervisor;
  for (const char *const *name = p->needs; name != NULL && *name != NULL; name++) {
    size_t need = find(c, *name);
    if (need < c->count && !c->added[need]) return need;
  }
  return c->count;
}

/* Nobody can be next: from one to what it lacks, again and again, ends in a circle. */
static enum trp_err tell_circle(struct composite *c) {
  size_t at = 0;
  while (c->added[at]) at++;
  for (size_t i = 0; i < c->count; i++) at = lacks(c, at); /* on the circle now */
  size_t first = at;
  int used = snprintf(c->why, c->why_bytes, "a circle: '%s'", c->parts[at].spec.name);
  do {
    at = lacks(c, at);
    if (used > 0 && (size_t)used < c->why_bytes)
      used += snprintf(c->why + used, c->why_bytes - (size_t)used, " needs '%s'",
                       c->parts[at].spec.name);
  } while (at != first);
  return TRP_INVALID;
}

static enum trp_err sort(struct composite *c) {
  for (size_t n = 0; n < c->count; n++) {
    size_t next = 0;
    while (next < c->count && (c->added[next] || lacks(c, next) < c->count)) next++;
    if (next == c->count) return tell_circle(c);
    c->added[next] = true;
    c->order[n] = next;
  }
  return TRP_OK;
}

/* ---- adding ------------------------------------------------------------------------------- */

static enum trp_err add_edges(struct composite *c, const char *from, const char *const *names) {
  for (; names != NULL && *names != NULL; names++) {
    enum trp_err err = trp_system_edge(c->system, from, *names);
    if (err != TRP_OK)
      return wrong(c, err, "no edge from %s to %s: %s", from, *names, trp_err_text(err));
  }
  return TRP_OK;
}

static enum trp_err add(struct composite *c) {
  enum trp_err err = TRP_OK;
  for (size_t i = 0; i < c->count; i++) {
    const struct trp_spec *spec = &c->parts[c->order[i]].spec;
    err = trp_system_add(c->system, spec);
    if (err != TRP_OK) return wrong(c, err, "%s: %s", spec->name, trp_err_text(err));
  }
  for (size_t i = 0; err == TRP_OK && i < c->count; i++) {
    const struct trp_part *part = &c->parts[i];
    err = add_edges(c, part->spec.name, part->needs);
    if (err == TRP_OK) err = add_edges(c, part->spec.name, part->tells);
  }
  return err;
}

enum trp_err trp_composite_add(struct trp_system *system, const struct trp_part *parts,
                               size_t count, char *why, size_t why_bytes) {
  struct composite c = {
      .system = system, .parts = parts, .count = count, .why = why, .why_bytes = why_bytes};
  snprintf(why, why_bytes, "%s", "");
  enum trp_err err = check(&c);
  if (err == TRP_OK) err = sort(&c);
  return err == TRP_OK ? add(&c) : err;
}
