/* net_url.h - the one reader of URLs: ws, wss, http, https.
 *
 * scheme "://" host [":" port] [path] ["?" query]; the host is a name, an IPv4 address or an IPv6
 * address in brackets. No user info, no fragment, nothing but printable ASCII. A URL that passes is
 * safe to put on a request line: it holds no blanks and no control characters.
 *
 * The bounds are those of libwebsockets 4.1.6, which cuts a longer Host header (128 bytes) and a
 * longer request line (2,048 bytes) off in silence; here they are errors instead. */
#ifndef TRP_ADAPTERS_NET_URL_H
#define TRP_ADAPTERS_NET_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/errors.h"

#define TRP_NET_HOST_MAX 110u  /* bytes of a host */
#define TRP_NET_PATH_MAX 1900u /* bytes of path and query */

struct trp_net_url {
  bool websocket;                       /* ws, wss */
  bool tls;                             /* wss, https */
  uint8_t family;                       /* 4 or 6: the host is an address; 0: a name */
  uint16_t port;                        /* the scheme's own where the URL names none */
  char host[TRP_NET_HOST_MAX + 1];      /* lower case, without brackets */
  char authority[TRP_NET_HOST_MAX + 9]; /* for the Host header: brackets, port where not usual */
  char path[TRP_NET_PATH_MAX + 2];      /* path and query, from its slash */
};

/* Reads `text` into `url`. Errors: INVALID; `url` is then undefined. Thread: any. */
TRP_MUST_USE enum trp_err trp_net_url_parse(struct trp_net_url *url, const char *text);

#endif
