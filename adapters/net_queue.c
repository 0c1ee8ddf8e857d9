#include "adapters/net_queue.h"

#include <stdlib.h>
#include <string.h>

#define FRAMES_MAX 4096u    /* events that wait before reading is held */
#define EVENTS_A_LINK 5u    /* room() itself; opened, one frame past the hold, a pong, the end */
#define OVERHEAD_BYTES 128u /* an event's own weight in the account of bytes */

struct trp_net_queue_record {
  struct trp_net_event event; /* kind 0: forgotten */
  void *heap;                 /* frees with the record; NULL */
  size_t end;                 /* in the ring: one past this record's bytes; 0: not in the ring */
};

enum trp_err trp_net_queue_init(struct trp_net_queue *queue, size_t bytes_max, uint32_t links_max) {
  *queue = (struct trp_net_queue){
      .capacity = FRAMES_MAX + EVENTS_A_LINK * links_max,
      .reserve = links_max,
      .ring_bytes = bytes_max,
      .bytes_max = bytes_max,
  };
  queue->records = calloc(queue->capacity, sizeof *queue->records);
  queue->ring = malloc(queue->ring_bytes);
  if (queue->records == NULL || queue->ring == NULL) {
    trp_net_queue_fini(queue);
    return TRP_NO_MEMORY;
  }
  return TRP_OK;
}

static struct trp_net_queue_record *record_at(const struct trp_net_queue *queue, uint32_t i) {
  uint32_t at = queue->first + i;
  return &queue->records[at < queue->capacity ? at : at - queue->capacity];
}

static void release_first(struct trp_net_queue *queue) {
  struct trp_net_queue_record *record = record_at(queue, 0);
  free(record->heap);
  record->heap = NULL;
  if (record->end != 0) {
    queue->tail = record->end;
  }
  queue->bytes -= record->event.size + OVERHEAD_BYTES;
  queue->first = queue->first + 1 == queue->capacity ? 0 : queue->first + 1;
  queue->count--;
  queue->lent = false;
  if (queue->count == 0) { /* back to the part that the cache knows */
    queue->head = queue->tail = 0;
    queue->first = 0;
  }
}

void trp_net_queue_fini(struct trp_net_queue *queue) {
  while (queue->records != NULL && queue->count > 0) {
    release_first(queue);
  }
  free(queue->records);
  free(queue->ring);
  queue->records = NULL;
  queue->ring = NULL;
}

/* A piece of the ring, or of the heap where the ring has no such piece. Full and empty must differ:
 * head never catches up with tail from behind. */
static uint8_t *take_bytes(struct trp_net_queue *queue, size_t size,
                           struct trp_net_queue_record *record) {
  size = (size + 7u) & ~(size_t)7u;
  bool wrapped = queue->head < queue->tail;
  size_t start = queue->head;
  size_t end = wrapped ? queue->tail - 1 : queue->ring_bytes;
  if (!wrapped && (size > queue->ring_bytes || start > end - size) && size < queue->tail) {
    start = 0;
    end = queue->tail - 1;
  }
  if (size > queue->ring_bytes / 4 || size > end || start > end - size) {
    record->end = 0;
    return record->heap = malloc(size);
  }
  record->heap = NULL;
  queue->head = record->end = start + size;
  return queue->ring + start;
}

static const char *put_text(uint8_t **to, const char *text, size_t size) {
  if (size == 0) {
    return text == NULL ? NULL : "";
  }
  char *copy = memcpy(*to, text, size);
  *to += size;
  return copy;
}

static size_t text_size(const char *text) {
  return text == NULL || *text == '\0' ? 0 : strlen(text) + 1;
}

/* The record for a new event; NULL where there is none for its kind. */
static struct trp_net_queue_record *take_record(struct trp_net_queue *queue,
                                                enum trp_net_event_kind kind) {
  bool traffic = kind == TRP_NET_FRAME || kind == TRP_NET_PING || kind == TRP_NET_PONG;
  uint32_t limit = queue->capacity - (traffic ? queue->reserve : 0);
  return queue->count < limit ? record_at(queue, queue->count) : NULL;
}

static void put_record(struct trp_net_queue *queue, const struct trp_net_queue_record *record) {
  queue->count++;
  queue->bytes += record->event.size + OVERHEAD_BYTES;
}

bool trp_net_queue_push(struct trp_net_queue *queue, const struct trp_net_event *event) {
  struct trp_net_queue_record *record = take_record(queue, event->kind);
  if (record == NULL) {
    return false;
  }
  size_t method = text_size(event->method);
  size_t path = text_size(event->path);
  size_t reason = text_size(event->reason);
  size_t size = event->size + method + path + reason;
  record->event = *event;
  record->heap = NULL;
  record->end = 0;
  if (size > 0) {
    uint8_t *to = take_bytes(queue, size, record);
    if (to == NULL) {
      return false;
    }
    if (event->size > 0) {
      record->event.bytes = memcpy(to, event->bytes, event->size);
      to += event->size;
    }
    record->event.method = put_text(&to, event->method, method);
    record->event.path = put_text(&to, event->path, path);
    record->event.reason = put_text(&to, event->reason, reason);
  }
  put_record(queue, record);
  return true;
}

/* Its strings are not copied: there are none in the events that use it. */
bool trp_net_queue_push_owned(struct trp_net_queue *queue, const struct trp_net_event *event) {
  struct trp_net_queue_record *record = take_record(queue, event->kind);
  if (record == NULL || event->method != NULL || event->path != NULL) {
    bool pushed = trp_net_queue_push(queue, event);
    free((void *)(uintptr_t)event->bytes);
    return pushed;
  }
  *record = (struct trp_net_queue_record){.event = *event, .heap = (void *)(uintptr_t)event->bytes};
  record->event.reason = event->reason == NULL ? NULL : "";
  put_record(queue, record);
  return true;
}

bool trp_net_queue_full(const struct trp_net_queue *queue) {
  return queue->bytes >= queue->bytes_max || queue->count >= FRAMES_MAX;
}

bool trp_net_queue_room(const struct trp_net_queue *queue) {
  return queue->count < FRAMES_MAX + queue->reserve;
}

bool trp_net_queue_low(const struct trp_net_queue *queue) {
  return queue->bytes < queue->bytes_max / 2 && queue->count < FRAMES_MAX / 2;
}

bool trp_net_queue_empty(const struct trp_net_queue *queue) {
  return queue->count == (queue->lent ? 1u : 0u);
}

bool trp_net_queue_next(struct trp_net_queue *queue, struct trp_net_event *out) {
  if (queue->lent) {
    release_first(queue);
  }
  while (queue->count > 0 && record_at(queue, 0)->event.kind == 0) {
    release_first(queue);
  }
  if (queue->count == 0) {
    return false;
  }
  queue->lent = true;
  *out = record_at(queue, 0)->event;
  return true;
}

void trp_net_queue_forget(struct trp_net_queue *queue, uint64_t link) {
  for (uint32_t i = queue->lent ? 1 : 0; i < queue->count; i++) {
    struct trp_net_queue_record *record = record_at(queue, i);
    if (record->event.link == link) {
      record->event.kind = 0;
    }
  }
}
