#include <inttypes.h>
#include <string.h>

#include "adapters/cli/ctl.h"

enum { COLUMNS_MAX = 16, CELL_BYTES = 192 };

/* A column of a table whose rows are maps. */
struct column {
  const char *title;
  const char *map; /* the member is inside this one; NULL: it is the row's own */
  const char *key;
  bool number; /* to the right */
};

static void cell_text(const struct trp_value *row, const struct column *column,
                      char out[CELL_BYTES]) {
  struct trp_value inner = *row, value;
  out[0] = '\0';
  if (column->map != NULL && !trp_value_find(row, column->map, &inner)) return;
  if (!trp_value_find(&inner, column->key, &value)) return;
  if (value.kind == TRP_VALUE_UNSIGNED) {
    snprintf(out, CELL_BYTES, "%" PRIu64, value.as.u64);
  } else if (value.kind == TRP_VALUE_NEGATIVE) {
    snprintf(out, CELL_BYTES, "%" PRId64, value.as.i64);
  } else if (!trp_value_text(&value, out, CELL_BYTES)) {
    snprintf(out, CELL_BYTES, "?");
  }
}

static void print_line(FILE *out, const struct column *columns, size_t count, const int *widths,
                       const struct trp_value *row) {
  char cell[CELL_BYTES];
  int owed = 0; /* spaces are written in front of what follows, so that no line ends in one */
  for (size_t i = 0; i < count; i++) {
    snprintf(cell, sizeof cell, "%s", columns[i].title);
    if (row != NULL) cell_text(row, &columns[i], cell);
    int length = (int)strlen(cell), fill = widths[i] > length ? widths[i] - length : 0;
    if (length > 0) fprintf(out, "%*s%s", owed + (columns[i].number ? fill : 0), "", cell);
    bool written = length > 0;
    owed = written ? (columns[i].number ? 0 : fill) + 2 : owed + fill + 2;
  }
  fputc('\n', out);
}

static void print_table(FILE *out, const struct trp_value *rows, const struct column *columns,
                        size_t count) {
  int widths[COLUMNS_MAX];
  char cell[CELL_BYTES];
  struct trp_walk walk;
  struct trp_value row;
  for (size_t i = 0; i < count; i++) {
    widths[i] = (int)strlen(columns[i].title);
    trp_walk_init(&walk, rows);
    while (trp_walk_next(&walk, &row)) {
      cell_text(&row, &columns[i], cell);
      if ((int)strlen(cell) > widths[i]) widths[i] = (int)strlen(cell);
    }
  }
  print_line(out, columns, count, widths, NULL);
  trp_walk_init(&walk, rows);
  while (trp_walk_next(&walk, &row)) print_line(out, columns, count, widths, &row);
}

static const struct column ACTORS[] = {{"ACTOR", NULL, "name", false},
                                       {"KIND", NULL, "kind", false},
                                       {"PLACEMENT", NULL, "placement", false},
                                       {"STATE", NULL, "state", false},
                                       {"INCARNATION", NULL, "incarnation", true},
                                       {"RESTARTS", NULL, "restarts", true},
                                       {"DEPTH", NULL, "depth", true},
                                       {"MAX", NULL, "depth_max", true},
                                       {"OLDEST MS", NULL, "oldest_ms", true},
                                       {"HANDLED", "ledger", "handled", true},
                                       {"REFUSED", "ledger", "refused", true},
                                       {"EVICTED", "ledger", "evicted", true},
                                       {"CONFLATED", "ledger", "conflated", true},
                                       {"DEAD", "ledger", "dead", true},
                                       {"DEADLINE MS", NULL, "deadline_ms", true}};

static const struct column ACTIVITIES[] = {{"ACTOR", NULL, "name", false},
                                           {"STATE", NULL, "state", false},
                                           {"TID", NULL, "tid", true},
                                           {"INCARNATION", NULL, "incarnation", true},
                                           {"TURNS", NULL, "turns", true},
                                           {"IN TURN", NULL, "in_turn", false},
                                           {"LIMIT MS", NULL, "turn_limit_ms", true},
                                           {"DEPTH", NULL, "depth", true},
                                           {"CPU MS", NULL, "cpu_ms", true},
                                           {"TIMERS", "held", "timers", true},
                                           {"ASKS", "held", "asks", true},
                                           {"SUBSCRIPTIONS", "held", "subscriptions", true},
                                           {"SOCKETS", "held", "sockets", true},
                                           {"DESCRIPTORS", "held", "descriptors", true},
                                           {"THREADS", "held", "threads", true}};

static const struct column FEEDS[] = {
    {"FEED", NULL, "name", false},      {"STATE", NULL, "state", false},
    {"MODE", NULL, "mode", false},      {"SYMBOLS", NULL, "symbols", true},
    {"UPDATES", NULL, "updates", true}, {"RECONNECTS", NULL, "reconnects", true},
    {"GAPS", NULL, "gaps", true},       {"CONFLATED", NULL, "conflated", true},
    {"ERROR", NULL, "error", false},    {"REASON", NULL, "reason", false}};

static const struct column THREADS[] = {
    {"THREAD", NULL, "name", false},        {"ROLE", NULL, "role", false},
    {"OWNER", NULL, "owner", false},        {"TID", NULL, "tid", true},
    {"STATE", NULL, "state", false},        {"AGE MS", NULL, "age_ms", true},
    {"SILENT MS", NULL, "silent_ms", true}, {"CPU MS", NULL, "cpu_ms", true}};

static int64_t number_of(const struct trp_value *map, const char *key) {
  struct trp_value value;
  if (!trp_value_find(map, key, &value)) return 0;
  if (value.kind == TRP_VALUE_NEGATIVE) return value.as.i64;
  return value.kind == TRP_VALUE_UNSIGNED ? (int64_t)value.as.u64 : 0;
}

/* What the process holds: now, growth per hour, and the verdict on it. */
static void print_process(FILE *out, const struct trp_value *process) {
  static const struct {
    const char *key, *title;
    int64_t unit;
  } figures[] = {{"memory_bytes", "memory KiB", 1024},
                 {"descriptors", "descriptors", 1},
                 {"threads", "threads", 1},
                 {"actors", "actors", 1}};
  static const char *const orphans[] = {"timers", "asks", "subscriptions", "monitors", "others"};
  char verdict[32], error[32];
  struct trp_value figure, owned;
  int64_t without_owner = 0;
  trp_value_find_text(process, "error", error, sizeof error);
  if (error[0] != '\0') {
    fprintf(out, "\nprocess: the thread monitor gave no answer: %s\n", error);
    return;
  }
  fputs("\nprocess:", out);
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
    if (!trp_value_find(process, figures[i].key, &figure)) continue;
    trp_value_find_text(&figure, "verdict", verdict, sizeof verdict);
    fprintf(out, "%s %s %" PRId64 " (%s", i > 0 ? "," : "", figures[i].title,
            number_of(&figure, "now") / figures[i].unit, verdict);
    if (strcmp(verdict, "learning") != 0) {
      fprintf(out, ", %+" PRId64 " an hour", number_of(&figure, "per_hour") / figures[i].unit);
    }
    fputc(')', out);
  }
  if (trp_value_find(process, "orphans", &owned)) {
    for (size_t i = 0; i < sizeof orphans / sizeof *orphans; i++) {
      without_owner += number_of(&owned, orphans[i]);
    }
  }
  fprintf(out,
          "\n         stalled %" PRId64 ", inactive %" PRId64 ", unknown threads %" PRId64
          ", without an owner %" PRId64 "\n",
          number_of(process, "stalled"), number_of(process, "inactive"),
          number_of(process, "unknown_threads"), without_owner);
}

void trp_ctl_show_status(FILE *out, const struct trp_value *body) {
  char system[64], version[32], state[32];
  struct trp_value rows;
  uint64_t up_ms = trp_value_find_u64(body, "uptime_ms", 0);
  trp_value_find_text(body, "system", system, sizeof system);
  trp_value_find_text(body, "version", version, sizeof version);
  trp_value_find_text(body, "state", state, sizeof state);
  fprintf(out, "%s, troupe %s: %s, up %" PRIu64 ".%" PRIu64 " s\n\n", system, version, state,
          up_ms / 1000, up_ms % 1000 / 100);
  if (trp_value_find(body, "actors", &rows)) {
    print_table(out, &rows, ACTORS, sizeof ACTORS / sizeof *ACTORS);
  }
  if (trp_value_find(body, "feeds", &rows) && rows.kind == TRP_VALUE_ARRAY && rows.count > 0) {
    fputc('\n', out);
    print_table(out, &rows, FEEDS, sizeof FEEDS / sizeof *FEEDS);
  }
  if (trp_value_find(body, "process", &rows) && rows.kind == TRP_VALUE_MAP) {
    print_process(out, &rows);
  }
}

void trp_ctl_show_actors(FILE *out, const struct trp_value *body) {
  struct trp_value rows;
  if (trp_value_find(body, "actors", &rows)) {
    print_table(out, &rows, ACTIVITIES, sizeof ACTIVITIES / sizeof *ACTIVITIES);
  }
}

void trp_ctl_show_threads(FILE *out, const struct trp_value *body) {
  struct trp_value rows;
  if (trp_value_find(body, "threads", &rows)) {
    print_table(out, &rows, THREADS, sizeof THREADS / sizeof *THREADS);
  }
  uint64_t more = trp_value_find_u64(body, "not_shown", 0);
  if (more > 0) fprintf(out, "and %" PRIu64 " more that are not on the register\n", more);
}
