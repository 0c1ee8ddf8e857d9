/* net_tls_peer.h - a TLS server on loopback with an authority of its own, made on the spot.
 *
 * A thread serves one connection after the other: a WebSocket handshake is answered, followed by
 * the text "hello" and a ping, and then read until its end; any other request is answered with 200
 * and the body "ok". Thread: start and stop: the test's. */
#ifndef TRP_TEST_SUPPORT_NET_TLS_PEER_H
#define TRP_TEST_SUPPORT_NET_TLS_PEER_H

#include <stdbool.h>
#include <stdint.h>

struct trp_tls_peer;

/* `subject` is a certificate's subjectAltName: "DNS:localhost,IP:127.0.0.1". The authority's
 * certificate is written to `ca_file`. A handshake is begun `delay_ms` after the connection. NULL
 * where something fails. */
struct trp_tls_peer *trp_tls_peer_start(const char *subject, const char *ca_file,
                                        unsigned delay_ms);

/* The same certificates without a server: chain and key of one are written too. */
bool trp_tls_peer_files(const char *subject, const char *ca_file, const char *cert_file,
                        const char *key_file);
void trp_tls_peer_stop(struct trp_tls_peer **peer);
uint16_t trp_tls_peer_port(const struct trp_tls_peer *peer);

#endif
