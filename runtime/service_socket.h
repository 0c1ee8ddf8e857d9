/* service_socket.h - one datagram at a time to whoever manages this process as a service: the
 * protocol of sd_notify(3), lines of NAME=VALUE to the AF_UNIX socket in $NOTIFY_SOCKET.
 *
 * Written here rather than taken from libsystemd, which would bring its own libraries for
 * compression and cryptography into every program for the sake of one sendto; its manual page
 * recommends as much. Thread: owner. */
#ifndef TRP_RUNTIME_SERVICE_SOCKET_H
#define TRP_RUNTIME_SERVICE_SOCKET_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "proto/errors.h"

struct trp_service_socket {
  int fd; /* -1: closed */
  struct sockaddr_un address;
  socklen_t address_bytes;
};

/* `path` as in $NOTIFY_SOCKET: absolute, or "@name" for an abstract one.
 * Errors: INVALID (neither, or too long), SYSTEM. */
TRP_MUST_USE enum trp_err trp_service_socket_open(struct trp_service_socket *s, const char *path);

/* Nobody waits for long: a receiver that takes nothing for a tenth of a second misses it.
 * Errors: TIMEOUT, SYSTEM (errno tells), WRONG_STATE (closed). */
TRP_MUST_USE enum trp_err trp_service_socket_send(struct trp_service_socket *s, const char *text);
void trp_service_socket_close(struct trp_service_socket *s);

#endif
