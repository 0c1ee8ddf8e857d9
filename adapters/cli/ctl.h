/* ctl.h - the parts of `troupe ctl`: tables for a person, and the watch. Thread: main. */
#ifndef TRP_ADAPTERS_CLI_CTL_H
#define TRP_ADAPTERS_CLI_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "adapters/control_client.h"
#include "proto/value.h"

/* Exit statuses. */
enum { TRP_CTL_OK, TRP_CTL_FAILED, TRP_CTL_WRONG_USE };

/* The body of a status, actors or threads answer as tables. */
void trp_ctl_show_status(FILE *out, const struct trp_value *body);
void trp_ctl_show_actors(FILE *out, const struct trp_value *body);
void trp_ctl_show_threads(FILE *out, const struct trp_value *body);

struct trp_ctl_watch {
  bool json;
  bool only_new;        /* leave out what the journal holds already */
  uint64_t count;       /* end after so many events; 0: never */
  uint64_t duration_ms; /* end after so long; 0: never */
};

/* Prints events, a line each, until one of the ends, Ctrl-C, or the system's end. Returns the exit
 * status. */
int trp_ctl_watch(struct trp_control_client *client, const struct trp_ctl_watch *watch);

#endif
