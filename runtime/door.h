/* door.h - the mailbox's other entrance: an nng PULL socket on inproc://<system>/<actor>, and where
 * the spec says so also on ipc:// or tcp://. Whoever speaks nng and MessagePack may write to it.
 *
 * A receive is armed only while the door's hands are empty: what has been received goes into the
 * mailbox at once, and while that is full, or the actor is between two lives, the door holds the
 * rest and receives no more; nng then holds back the sender. Mail is accepted (ledger) when it
 * enters the mailbox. The door belongs to the slot and survives restarts.
 *
 * Thread: open, close: coordinator; resume: keeper. Callbacks run in nng's threads. */
#ifndef TRP_RUNTIME_DOOR_H
#define TRP_RUNTIME_DOOR_H

#include "proto/errors.h"

struct trp_actor;
struct trp_door;

enum { TRP_DOOR_MESSAGE_MAX = 4 << 20 }; /* bytes of one nng message, a batch of ours */

/* Sets actor->door. Errors: SYSTEM, EXISTS (the address is taken), NO_MEMORY, INVALID (the url). */
TRP_MUST_USE enum trp_err trp_door_open(struct trp_actor *actor);

/* A new life, or room in the mailbox: gives on what is held and receives again. */
void trp_door_resume(struct trp_door *door);

/* Stops receiving, closes the socket, and nulls the pointer. The socket is closed by nobody else.
 */
void trp_door_close(struct trp_door **door);

#endif
