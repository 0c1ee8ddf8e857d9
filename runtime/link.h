/* link.h - the way between a slot and the process that its actor is placed in: a stream of
 * nng's over ipc://, and frames in both directions.
 *
 * The process listens, on a path of this one incarnation, and the slot's side dials once: an ipc
 * listener of nng 1.5.2 dies of a peer that hangs up at once, so it is never on the side that
 * outlives the other. Frames that are sent while others are under way travel together after
 * them. What is not yet out is bounded: a frame that finds no room is refused, apart from the few
 * that must not be (they are small).
 *
 * Who owns what: the link owns what is queued on either side; a frame that was taken borrows from
 * it until the next take. `news` is called from nng's threads, two at once it may be: frames
 * have come, or there is room again after somebody found none. Thread: send, depth, is_tight: any.
 * take: one at a time. open, close: the owner, with no other call under way. */
#ifndef TRP_RUNTIME_LINK_H
#define TRP_RUNTIME_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/errors.h"

struct trp_link;

/* What lies before each body, in the byte order of the machine: both ends are the same binary. */
struct trp_frame_head {
  uint16_t kind;  /* of the frame: the users' own */
  uint16_t type;  /* of a message that it carries */
  uint32_t bytes; /* of the body that follows */
  uint64_t a, b, c;
};

struct trp_frame {
  struct trp_frame_head head;
  const void *body; /* not aligned */
};

struct trp_link_options {
  const char *path; /* of the socket; up to 107 bytes with its end */
  bool listen;
  void (*news)(void *arg);
  void *arg;
};

/* Errors: NO_MEMORY, SYSTEM, INVALID (the path). Does not wait for the other side. */
TRP_MUST_USE enum trp_err trp_link_open(struct trp_link **out,
                                        const struct trp_link_options *options);

/* Sends a frame; `must`: one of those that are not refused for want of room. Errors: FULL,
 * NO_MEMORY, CLOSED (the other side has gone). */
enum trp_err trp_link_send(struct trp_link *link, const struct trp_frame_head *head,
                           const void *body, bool must);

/* How many frames wait to go out; those under way are not counted. */
uint32_t trp_link_depth(struct trp_link *link);

/* Many bytes wait to go out, or more than so many frames. Then news comes once they are out. */
bool trp_link_is_tight(struct trp_link *link, uint32_t frames_max);

/* The next frame that has come; false where there is none. */
bool trp_link_take(struct trp_link *link, struct trp_frame *frame);

/* Something waits to be taken. */
bool trp_link_has_frames(struct trp_link *link);

/* Closes at once and nulls; what is queued is lost. NULL is fine. */
void trp_link_close(struct trp_link **link);

#endif
