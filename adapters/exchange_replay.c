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
#include "runtime/troupe.h"

enum {
  NAME_SIZE = TRP_REPLAY_NAME_SIZE,
  SYMBOL_SIZE = 24,
  TABLE = TRP_REPLAY_STREAMS_MAX * 2 /* open addressing: never more than half full */
};

struct frame {
  uint64_t at_ns;
  const char *bytes, *data;
  uint32_t size, data_size;
  bool combined, binary;
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
  const struct trp_replay_grammar *grammar;
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

static char *keep(struct arena *arena, const char *bytes, size_t size) {
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

static enum trp_err add_stream(struct trp_replay *replay, const char *name, const char *of,
                               struct stream **out) {
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
  struct symbol *symbol;
  return of[0] != '\0' ? add_symbol(replay, of, strlen(of), &symbol) : TRP_OK;
}

static enum trp_err add_frame(struct trp_replay *replay, const struct frame *frame,
                              const char *name, const char *symbol) {
  struct stream *stream = NULL;
  enum trp_err err = add_stream(replay, name, symbol, &stream);
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

/* ---- reading -----------------------------------------------------------------------------------
 */

/* hex:DIGITS becomes what it says, in place; false where it is no such text. */
static bool unhex(char *bytes, size_t *size) {
  static const char digits[] = "0123456789abcdef";
  if (*size < 4 || memcmp(bytes, "hex:", 4) != 0 || *size % 2 != 0) {
    return false;
  }
  size_t count = 0;
  for (size_t i = 4; i < *size; i += 2) {
    const char *high = memchr(digits, tolower((unsigned char)bytes[i]), 16);
    const char *low = memchr(digits, tolower((unsigned char)bytes[i + 1]), 16);
    if (high == NULL || low == NULL) {
      return false;
    }
    bytes[count++] = (char)((high - digits) * 16 + (low - digits));
  }
  *size = count;
  return true;
}

static enum trp_err take_received(struct trp_replay *replay, const struct trp_capture_line *line,
                                  uint64_t *first_ns) {
  char name[NAME_SIZE] = "";
  char symbol[NAME_SIZE] = "";
  size_t size = line->size;
  char *bytes = keep(&replay->frames_text, line->text, size);
  if (bytes == NULL) {
    return TRP_TOO_BIG;
  }
  bool binary = replay->grammar->hex && unhex(bytes, &size);
  struct trp_replay_frame frame = {
      .bytes = bytes, .size = size, .data = bytes, .data_size = size, .binary = binary};
  if (!replay->grammar->stream_of(&frame, name, symbol)) {
    replay->skipped++; /* an acknowledgement, or nothing that we know */
    return TRP_OK;
  }
  if (*first_ns == 0) {
    *first_ns = line->at_ns;
  }
  return add_frame(replay,
                   &(struct frame){.at_ns = line->at_ns > *first_ns ? line->at_ns - *first_ns : 0,
                                   .bytes = frame.bytes,
                                   .data = frame.data,
                                   .size = (uint32_t)frame.size,
                                   .data_size = (uint32_t)frame.data_size,
                                   .combined = frame.combined,
                                   .binary = frame.binary},
                   name, symbol);
}

/* Where a symbol was recorded more than once, the first answer is it. */
static enum trp_err take_response(struct trp_replay *replay, const struct trp_capture_line *line) {
  const struct trp_replay_grammar *grammar = replay->grammar;
  const char *name = strstr(line->url, grammar->symbol_key);
  if (strstr(line->url, grammar->snapshot_path) == NULL || name == NULL) {
    replay->skipped++;
    return TRP_OK;
  }
  name += strlen(grammar->symbol_key);
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
  replay->grammar = options->grammar != NULL ? options->grammar : &trp_replay_binance;
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
                                   .binary = frame->binary,
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
