/* net_queue.h - the events of a net that wait for its actor, in order, bounded.
 *
 * A push copies the event with its strings and bytes, or takes bytes that lie in the heap already.
 * Small ones go into a ring of bytes that is made once, so that a frame costs no allocation; what
 * the ring has no room for is allocated. The net asks full() after each push and stops reading
 * then; each link may still add a little, for which there is a reserve: the end of a link always
 * finds room.
 *
 * Ownership: an event's bytes and strings belong to the queue until the next call of next().
 * Thread: the net's. */
#ifndef TRP_ADAPTERS_NET_QUEUE_H
#define TRP_ADAPTERS_NET_QUEUE_H

#include "adapters/net.h"

struct trp_net_queue_record;

struct trp_net_queue {
  struct trp_net_queue_record *records;
  uint32_t capacity; /* of records */
  uint32_t reserve;  /* records kept for the ends of links */
  uint32_t first;
  uint32_t count;
  bool lent; /* records[first] was given out by next() */
  uint8_t *ring;
  size_t ring_bytes;
  size_t head; /* where the next bytes go */
  size_t tail; /* where the oldest ones begin */
  size_t bytes;
  size_t bytes_max;
};

/* Errors: NO_MEMORY. */
TRP_MUST_USE enum trp_err trp_net_queue_init(struct trp_net_queue *queue, size_t bytes_max,
                                             uint32_t links_max);
void trp_net_queue_fini(struct trp_net_queue *queue);

/* Appends a copy. False where there is no memory, or no record but the reserve's and the event is
 * a FRAME, PING or PONG. */
bool trp_net_queue_push(struct trp_net_queue *queue, const struct trp_net_event *event);

/* The same, but event->bytes is a heap block which now belongs to the queue, also on failure. */
bool trp_net_queue_push_owned(struct trp_net_queue *queue, const struct trp_net_event *event);

/* Reading should stop; and may go on again. */
bool trp_net_queue_full(const struct trp_net_queue *queue);
bool trp_net_queue_low(const struct trp_net_queue *queue);

/* Another link's events would find room, whatever it does. */
bool trp_net_queue_room(const struct trp_net_queue *queue);

/* No event waits to be given out. */
bool trp_net_queue_empty(const struct trp_net_queue *queue);

/* The oldest event; false where there is none. */
bool trp_net_queue_next(struct trp_net_queue *queue, struct trp_net_event *out);

/* The waiting events of that link are never given out. */
void trp_net_queue_forget(struct trp_net_queue *queue, uint64_t link);

#endif
