/* A capture is read once: every frame's text lies in one arena as large as the file, a table knows
 * the streams by name, and each stream lists its frames. */
#include "adapters/exchange_replay.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "adapters/capture.h"
#include "adapters/json_lejp.h"
#include "adapters/json_scan.h"
#include "runtime/troupe.h"

enum {
  NAME_SIZE = 64,
  SYMBOL_SIZE = 24,
  TABLE = TRP_REPLAY_STREAMS_MAX * 2 /* open addressing: never more than half full */
};

struct frame {
  uint64_t at_ns;
  const char *bytes, *data;
  uint32_t size, data_size;
  bool combined;
};

struct stream {
  char name[NAME_SIZE];
  uint32_t *frames; /* their orders */
  uint32_t count, capacity;
};

struct symbol {
  char name[SYMBOL_SIZE];
  const char *snapshot; /* NULL: none */
  size_t snapshot_size;
};

/* Where one file's texts lie. */
struct arena {
  char *bytes;
  size_t size, used;
};

struct trp_replay {
  double speed;
  struct arena frames_text, snapshots_text;
  struct frame *frames;
  uint32_t count, capacity;
  struct stream *streams;
  uint32_t stream_count, stream_capacity;
  uint32_t table[TABLE]; /* stream + 1 */
  struct symbol *symbols;
  uint32_t symbol_count, symbol_capacity;
  uint64_t skipped;
};

/* One element more in an array that doubles; NULL where memory is out. */
static void *grown(void *array, uint32_t count, uint32_t *capacity, size_t size) {
  if (count < *capacity) {
    return array;
  }
  uint32_t wanted = *capacity != 0 ? *capacity * 2 : 16;
  void *more = realloc(array, wanted * size);
  if (more != NULL) {
    *capacity = wanted;
  }
  return more;
}

static const char *keep(struct arena *arena, const char *bytes, size_t size) {
  if (size >= arena->size - arena->used) {
    return NULL; /* the file grew while it was read */
  }
  char *to = arena->bytes + arena->used;
  memcpy(to, bytes, size);
  to[size] = '\0';
  arena->used += size + 1;
  return to;
}

/* ---- streams and symbols --------------------------------------------------------------------- */

/* FNV-1a. */
static uint32_t slot_of(const struct trp_replay *replay, const char *name) {
  uint32_t hash = 2166136261u;
  for (const char *c = name; *c != '\0'; c++) {
    hash = (hash ^ (unsigned char)*c) * 16777619u;
  }
  uint32_t slot = hash % TABLE;
  while (replay->table[slot] != 0 &&
         strcmp(replay->streams[replay->table[slot] - 1].name, name) != 0) {
    slot = (slot + 1) % TABLE;
  }
  return slot;
}

static enum trp_err add_symbol(struct trp_replay *replay, const char *name, size_t size,
                               struct symbol **out) {
  char upper[SYMBOL_SIZE] = "";
  if (size == 0 || size >= sizeof upper) {
    return TRP_INVALID;
  }
  for (size_t i = 0; i < size; i++) {
    upper[i] = (char)toupper((unsigned char)name[i]);
  }
  for (uint32_t i = 0; i < replay->symbol_count; i++) {
    if (strcmp(replay->symbols[i].name, upper) == 0) {
      *out = &replay->symbols[i];
      return TRP_OK;
    }
  }
  if (replay->symbol_count == TRP_REPLAY_SYMBOLS_MAX) {
    return TRP_LIMIT;
  }
  struct symbol *symbols =
      grown(replay->symbols, replay->symbol_count, &replay->symbol_capacity, sizeof *symbols);
  if (symbols == NULL) {
    return TRP_NO_MEMORY;
  }
  replay->symbols = symbols;
  *out = &symbols[replay->symbol_count++];
  **out = (struct symbol){0};
  memcpy((*out)->name, upper, sizeof upper);
  return TRP_OK;
}

static enum trp_err add_stream(struct trp_replay *replay, const char *name, struct stream **out) {
  uint32_t slot = slot_of(replay, name);
  if (replay->table[slot] != 0) {
    *out = &replay->streams[replay->table[slot] - 1];
    return TRP_OK;
  }
  if (replay->stream_count == TRP_REPLAY_STREAMS_MAX) {
    return TRP_LIMIT;
  }
  struct stream *streams =
      grown(replay->streams, replay->stream_count, &replay->stream_capacity, sizeof *streams);
  if (streams == NULL) {
    return TRP_NO_MEMORY;
  }
  replay->streams = streams;
  *out = &streams[replay->stream_count];
  **out = (struct stream){0};
  snprintf((*out)->name, sizeof(*out)->name, "%s", name);
  replay->table[slot] = ++replay->stream_count;
  const char *at = strchr(name, '@');
  struct symbol *symbol;
  return at != NULL && at != name ? add_symbol(replay, name, (size_t)(at - name), &symbol) : TRP_OK;
}

static enum trp_err add_frame(struct trp_replay *replay, const struct frame *frame,
                              const char *name) {
  struct stream *stream = NULL;
  enum trp_err err = add_stream(replay, name, &stream);
  if (err != TRP_OK) {
    return err;
  }
  struct frame *frames = grown(replay->frames, replay->count, &replay->capacity, sizeof *frames);
  if (frames == NULL) {
    return TRP_NO_MEMORY;
  }
  replay->frames = frames;
  uint32_t *orders = grown(stream->frames, stream->count, &stream->capacity, sizeof *orders);
  if (orders == NULL) {
    return TRP_NO_MEMORY;
  }
  stream->frames = orders;
  stream->frames[stream->count++] = replay->count;
  replay->frames[replay->count++] = *frame;
  return TRP_OK;
}

/* ---- what a frame is ---------------------------------------------------------------------------
 */

/* {"stream":"NAME","data":...}, as the exchange writes it. */
static bool is_combined(struct frame *frame, char name[NAME_SIZE]) {
  struct trp_json_scan scan = {frame->bytes, frame->bytes + frame->size};
  if (!TRP_JSON_SCAN(&scan, "{\"stream\":\"")) {
    return false;
  }
  const char *from = scan.at;
  const char *to = memchr(from, '"', (size_t)(scan.end - from));
  size_t size = to != NULL ? (size_t)(to - from) : 0;
  if (size == 0 || size >= NAME_SIZE || memchr(from, '\\', size) != NULL) {
    return false;
  }
  scan.at = to;
  if (!TRP_JSON_SCAN(&scan, "\",\"data\":") || scan.at == scan.end || scan.end[-1] != '}') {
    return false;
  }
  memcpy(name, from, size);
  name[size] = '\0';
  frame->combined = true;
  frame->data = scan.at;
  frame->data_size = (uint32_t)(scan.end - 1 - scan.at);
  return true;
}

struct raw {
  char event[32], symbol[SYMBOL_SIZE], interval[8];
  bool update, bid;
};

static void copy_text(char *out, size_t size, const struct trp_json_value *value) {
  if (value->kind == TRP_JSON_TEXT && value->size < size) {
    memcpy(out, value->text, value->size + 1);
  }
}

static bool look(void *arg, const struct trp_json_value *value) {
  struct raw *raw = arg;
  if (value->kind == TRP_JSON_OBJECT_END) {
    return true;
  }
  if (strcmp(value->path, "e") == 0) {
    copy_text(raw->event, sizeof raw->event, value);
  } else if (strcmp(value->path, "s") == 0) {
    copy_text(raw->symbol, sizeof raw->symbol, value);
  } else if (strcmp(value->path, "k.i") == 0) {
    copy_text(raw->interval, sizeof raw->interval, value);
  }
  raw->update = raw->update || (strcmp(value->path, "u") == 0 && value->kind == TRP_JSON_NUMBER);
  raw->bid = raw->bid || (strcmp(value->path, "b") == 0 && value->kind == TRP_JSON_TEXT);
  return true;
}

/* A payload without wrapping says by itself which stream it is of; depth is taken for @100ms. */
static bool is_raw(struct frame *frame, char name[NAME_SIZE]) {
  static const char *const streams[][2] = {
      {"depthUpdate", "depth@100ms"},   {"aggTrade", "aggTrade"}, {"trade", "trade"},
      {"24hrMiniTicker", "miniTicker"}, {"24hrTicker", "ticker"}, {"kline", "kline_"}};
  struct raw raw = {0};
  const char *reason;
  if (trp_json_walk(frame->bytes, frame->size, look, &raw, &reason) != TRP_OK ||
      raw.symbol[0] == '\0') {
    return false;
  }
  const char *stream = raw.event[0] == '\0' && raw.update && raw.bid ? "bookTicker" : NULL;
  for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
    stream = strcmp(raw.event, streams[i][0]) == 0 ? streams[i][1] : stream;
  }
  if (stream == NULL) {
    return false;
  }
  for (char *c = raw.symbol; *c != '\0'; c++) {
    *c = (char)tolower((unsigned char)*c);
  }
  snprintf(name, NAME_SIZE, "%s@%s%s", raw.symbol, stream, raw.interval);
  frame->data = frame->bytes;
  frame->data_size = frame->size;
  return true;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static enum trp_err take_received(struct trp_replay *replay, const struct trp_capture_line *line,
                                  uint64_t *first_ns) {
  struct frame frame = {.bytes = keep(&replay->frames_text, line->text, line->size),
                        .size = (uint32_t)line->size};
  char name[NAME_SIZE] = "";
  if (frame.bytes == NULL) {
    return TRP_TOO_BIG;
  }
  if (!is_combined(&frame, name) && !is_raw(&frame, name)) {
    replay->skipped++; /* an acknowledgement, or nothing that we know */
    return TRP_OK;
  }
  if (*first_ns == 0) {
    *first_ns = line->at_ns;
  }
  frame.at_ns = line->at_ns > *first_ns ? line->at_ns - *first_ns : 0;
  return add_frame(replay, &frame, name);
}

/* Where a symbol was recorded more than once, the first answer is it. */
static enum trp_err take_response(struct trp_replay *replay, const struct trp_capture_line *line) {
  const char *name = strstr(line->url, "symbol=");
  if (strstr(line->url, "/depth?") == NULL || name == NULL) {
    replay->skipped++;
    return TRP_OK;
  }
  name += strlen("symbol=");
  struct symbol *symbol;
  enum trp_err err = add_symbol(replay, name, strcspn(name, "&"), &symbol);
  if (err != TRP_OK || symbol->snapshot != NULL) {
    return err;
  }
  symbol->snapshot = keep(&replay->snapshots_text, line->text, line->size);
  symbol->snapshot_size = line->size;
  return symbol->snapshot != NULL ? TRP_OK : TRP_TOO_BIG;
}

static enum trp_err read_lines(struct trp_replay *replay, struct trp_capture *capture,
                               bool snapshots) {
  struct trp_capture_line line;
  uint64_t first_ns = 0;
  for (;;) {
    enum trp_err err = trp_capture_next(capture, &line);
    if (err == TRP_OK && line.kind == TRP_CAPTURE_END) {
      return TRP_OK;
    }
    if (err == TRP_OK && line.kind == TRP_CAPTURE_RECEIVED && !snapshots) {
      err = take_received(replay, &line, &first_ns);
    } else if (err == TRP_OK && line.kind == TRP_CAPTURE_RESPONSE && snapshots) {
      err = take_response(replay, &line);
    } else if (err == TRP_OK && line.kind == TRP_CAPTURE_BAD) {
      replay->skipped++;
    }
    if (err != TRP_OK) {
      return err;
    }
  }
}

/* NULL: errno says why. */
static FILE *open_regular(const char *path, struct stat *about) {
  FILE *file = fopen(path, "re");
  if (file == NULL) {
    return NULL;
  }
  bool known = fstat(fileno(file), about) == 0;
  if (known && S_ISREG(about->st_mode)) {
    return file;
  }
  int why = !known ? errno : S_ISDIR(about->st_mode) ? EISDIR : ESPIPE;
  fclose(file);
  errno = why;
  return NULL;
}

static enum trp_err read_file(struct trp_replay *replay, const char *path, bool snapshots) {
  struct arena *arena = snapshots ? &replay->snapshots_text : &replay->frames_text;
  struct trp_capture *capture = NULL;
  struct stat about;
  FILE *file = open_regular(path, &about);
  if (file == NULL) {
    return TRP_SYSTEM;
  }
  enum trp_err err = TRP_OK;
  if ((uint64_t)about.st_size > TRP_REPLAY_BYTES_MAX) {
    err = TRP_TOO_BIG;
    goto out;
  }
  arena->size = (size_t)about.st_size + 2; /* a text is never longer than its line, and the NUL */
  arena->bytes = malloc(arena->size);
  err = arena->bytes != NULL ? trp_capture_new(&capture, file) : TRP_NO_MEMORY;
  if (err == TRP_OK) {
    err = read_lines(replay, capture, snapshots);
  }
out:
  trp_capture_destroy(&capture);
  fclose(file); /* only read from: errno stays */
  return err;
}

enum trp_err trp_replay_open(struct trp_replay **out, const struct trp_replay_options *options,
                             char *why, size_t why_size) {
  *out = NULL;
  struct trp_replay *replay = calloc(1, sizeof *replay);
  if (replay == NULL) {
    snprintf(why, why_size, "%s", trp_err_text(TRP_NO_MEMORY));
    return TRP_NO_MEMORY;
  }
  replay->speed = options->speed;
  const char *path = options->capture;
  enum trp_err err = read_file(replay, path, false);
  if (err == TRP_OK && options->snapshots != NULL) {
    path = options->snapshots;
    err = read_file(replay, path, true);
  }
  if (err != TRP_OK) {
    snprintf(why, why_size, "%s: %s", path,
             err == TRP_SYSTEM ? strerror(errno) : trp_err_text(err));
    if (err == TRP_SYSTEM) {
      err = TRP_INVALID;
    }
  } else if (replay->count == 0) {
    snprintf(why, why_size, "%s: no frame of a known stream in it", options->capture);
    err = TRP_INVALID;
  }
  if (err != TRP_OK) {
    trp_replay_close(&replay);
    return err;
  }
  *out = replay;
  return TRP_OK;
}

void trp_replay_close(struct trp_replay **replay) {
  struct trp_replay *r = *replay;
  if (r == NULL) {
    return;
  }
  for (uint32_t i = 0; i < r->stream_count; i++) {
    free(r->streams[i].frames);
  }
  free(r->streams);
  free(r->symbols);
  free(r->frames);
  free(r->frames_text.bytes);
  free(r->snapshots_text.bytes);
  free(r);
  *replay = NULL;
}

/* ---- playing -----------------------------------------------------------------------------------
 */

uint32_t trp_replay_find(const struct trp_replay *replay, const char *name) {
  uint32_t found = replay->table[slot_of(replay, name)];
  return found != 0 ? found - 1 : TRP_REPLAY_NONE;
}

uint32_t trp_replay_stream_count(const struct trp_replay *replay) { return replay->stream_count; }

const char *trp_replay_stream(const struct trp_replay *replay, uint32_t stream) {
  CHECK(stream < replay->stream_count);
  return replay->streams[stream].name;
}

struct trp_replay_cursor trp_replay_start(uint32_t stream, uint64_t now_ns) {
  return (struct trp_replay_cursor){.stream = stream, .base_ns = now_ns};
}

/* NULL at the end. */
static const struct frame *frame_at(const struct trp_replay *replay,
                                    const struct trp_replay_cursor *cursor, uint32_t *order) {
  if (cursor->stream >= replay->stream_count ||
      cursor->next >= replay->streams[cursor->stream].count) {
    return NULL;
  }
  *order = replay->streams[cursor->stream].frames[cursor->next];
  return &replay->frames[*order];
}

uint64_t trp_replay_due_ns(const struct trp_replay *replay,
                           const struct trp_replay_cursor *cursor) {
  uint32_t order;
  const struct frame *frame = frame_at(replay, cursor, &order);
  if (frame == NULL) {
    return UINT64_MAX;
  }
  if (!(replay->speed > 0)) {
    return cursor->base_ns;
  }
  double after = (double)frame->at_ns / replay->speed;
  return after < 1e18 ? cursor->base_ns + (uint64_t)after : UINT64_MAX;
}

struct trp_replay_frame trp_replay_frame(const struct trp_replay *replay,
                                         const struct trp_replay_cursor *cursor) {
  uint32_t order = 0;
  const struct frame *frame = frame_at(replay, cursor, &order);
  CHECK(frame != NULL);
  return (struct trp_replay_frame){.order = order,
                                   .at_ns = frame->at_ns,
                                   .combined = frame->combined,
                                   .bytes = frame->bytes,
                                   .size = frame->size,
                                   .data = frame->data,
                                   .data_size = frame->data_size};
}

uint32_t trp_replay_symbol_count(const struct trp_replay *replay) { return replay->symbol_count; }

const char *trp_replay_symbol(const struct trp_replay *replay, uint32_t i) {
  return i < replay->symbol_count ? replay->symbols[i].name : NULL;
}

const char *trp_replay_snapshot(const struct trp_replay *replay, const char *symbol, size_t *size) {
  for (uint32_t i = 0; i < replay->symbol_count; i++) {
    if (strcmp(replay->symbols[i].name, symbol) == 0) {
      *size = replay->symbols[i].snapshot_size;
      return replay->symbols[i].snapshot;
    }
  }
  return NULL;
}

uint64_t trp_replay_skipped(const struct trp_replay *replay) { return replay->skipped; }
