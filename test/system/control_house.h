/* control_house.h - a small system with a control socket, and hands to shake the socket with. */
#ifndef TRP_TEST_SYSTEM_CONTROL_HOUSE_H
#define TRP_TEST_SYSTEM_CONTROL_HOUSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/control.h"
#include "adapters/control_client.h"
#include "adapters/control_ipc.h"

/* supervisor, event_engine, control, feed, and a consumer of nothing. */
struct house {
  struct trp_control_ipc *ipc;
  struct trp_system *system;
  struct trp_control_client *client;
  struct trp_control_options control;
};

/* What the feed was told, over all its incarnations. */
struct house_heard {
  atomic_int texts;
  atomic_int commands;
};

extern struct house_heard house_heard;

/* The runtime directory of these tests: made at the first call, named in the environment. */
const char *house_folder(void);
void house_remove_folder(void);

/* Opens the socket and adds the actors; does not start. CHECKs that all works. */
void house_build(struct house *house, const char *name, bool allow_faults, const char *report);

/* Builds, starts and connects a client. */
void house_open(struct house *house, bool allow_faults);
void house_close(struct house *house);

/* Asks with the house's client; the answer's status, and -1 where none came. */
int house_ask(struct house *house, const struct trp_request *request, struct trp_answer *answer);
int house_order(struct house *house, const char *verb, const char *name, const char *argument);

/* The incarnation that runs under a name, after waiting up to 2 s for it to be that or later. */
uint64_t house_incarnation(struct house *house, const char *name, uint64_t at_least);

/* The element of an answer's list that has this name. */
bool house_find(const struct trp_value *body, const char *list, const char *name,
                struct trp_value *out);

/* Whether the member is this text. */
bool house_says(const struct trp_value *map, const char *key, const char *text);

uint64_t house_now_ms(void);
void house_nap_ms(uint32_t ms);

/* A plain connection to a socket, without nng; -1 where refused. */
int raw_connect(const char *path);
/* The same with the greeting of a REQ exchanged. */
int raw_greet(const char *path);
bool raw_send(int fd, const void *data, size_t bytes);
/* A request in a frame, behind a way back of one word. */
bool raw_request(int fd, uint32_t word, const struct trp_request *request);
/* Reads exactly so many bytes, within 3 s. */
bool raw_read(int fd, void *data, size_t bytes);
/* Whether the other side hangs up within so many milliseconds; reads what comes before. */
bool raw_ends(int fd, int timeout_ms);

#endif
