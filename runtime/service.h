/* service.h - a program under a service manager (systemd, Type=notify): what it is told, and when.
 *
 *   READY=1, MAINPID    when the last actor has started
 *   STOPPING=1          when the stop has begun, with EXTEND_TIMEOUT_USEC: what is left until the
 *                       stop's own deadline and the account; both again each second while it lasts,
 *                       so that the manager's stop time-out need not know the budget
 *   STATUS              in a sentence, with each change
 *   WATCHDOG=1          twice in $WATCHDOG_USEC, but only while every critical actor beats
 *                       (pulse.h); so a stuck one lets the manager restart the program
 *
 * Nothing at all happens without $NOTIFY_SOCKET. trp_system_run drives it from the main thread,
 * which no actor can hold up. Thread: that one. */
#ifndef TRP_RUNTIME_SERVICE_H
#define TRP_RUNTIME_SERVICE_H

#include "runtime/pulse.h"
#include "runtime/service_socket.h"
#include "runtime/system.h"

struct trp_service {
  struct trp_system *system;
  struct trp_service_socket socket;
  struct trp_pulse pulse;
  enum trp_stage told;    /* the last stage the manager has heard of */
  uint64_t watchdog_ns;   /* between two pings; 0: none are wanted */
  uint64_t ping_due_ns;   /* CLOCK_MONOTONIC, like all times here */
  uint64_t stop_until_ns; /* while stopping: the deadline, with the account */
  uint64_t word_due_ns;   /* while stopping: the next word of it */
  bool silent;            /* the watchdog gets no pings, and it has been said why */
};

/* Reads the environment. What is wrong there is a line in the log, no reason not to run. */
void trp_service_open(struct trp_service *service, struct trp_system *system);

/* Tells what there is to tell; returns by when it must be called again (at the latest; sooner when
 * the system's stage has changed), TRP_FOREVER for never. */
uint64_t trp_service_step(struct trp_service *service);

/* The last word, the verdict; gives back what open took. */
void trp_service_close(struct trp_service *service);

#endif
