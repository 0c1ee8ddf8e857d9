/* net_peer.h - the other end of a connection by hand: a socket that says what a test wants.
 *
 * Everything is on loopback; reads wait two seconds at most. Thread: the test's. */
#ifndef TRP_TEST_SUPPORT_NET_PEER_H
#define TRP_TEST_SUPPORT_NET_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A listening socket (or a bound one for datagrams) on a port of its own. */
int trp_net_peer_listen(uint16_t *port);
int trp_net_peer_bind_udp(uint16_t *port);

/* A connection to that port of 127.0.0.1. */
int trp_net_peer_connect(uint16_t port);

/* The next connection; -1 where there is none now. Does not wait. */
int trp_net_peer_accept(int listener);

/* What is there to read now, terminated; the number of bytes, 0 where nothing, -1 at the end. */
long trp_net_peer_read(int fd, char *out, size_t bytes);

bool trp_net_peer_write(int fd, const void *bytes, size_t size);

/* The answer to a WebSocket handshake whose request is `request`; false where it is none. */
bool trp_net_peer_upgrade(const char *request, char *answer, size_t bytes);

#endif
