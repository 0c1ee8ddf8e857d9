#include "test/support/net_peer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bind_any(int type, uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
    return -1;
  }
  *port = ntohs(address.sin_port);
  return fd;
}

int trp_net_peer_listen(uint16_t *port) {
  int fd = bind_any(SOCK_STREAM, port);
  return fd >= 0 && listen(fd, 64) == 0 ? fd : -1;
}

int trp_net_peer_bind_udp(uint16_t *port) { return bind_any(SOCK_DGRAM, port); }

int trp_net_peer_connect(uint16_t port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    return -1;
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

int trp_net_peer_accept(int listener) {
  return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

long trp_net_peer_read(int fd, char *out, size_t bytes) {
  ssize_t n = recv(fd, out, bytes - 1, 0);
  out[n > 0 ? n : 0] = '\0';
  return n > 0 ? n : n == 0 ? -1 : 0;
}

bool trp_net_peer_write(int fd, const void *bytes, size_t size) {
  return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* RFC 6455, 4.2.2: the hash of the client's key and a constant, in base 64. */
bool trp_net_peer_upgrade(const char *request, char *answer, size_t bytes) {
  static const char header[] = "Sec-WebSocket-Key:";
  const char *key = strstr(request, header);
  if (key == NULL) {
    return false;
  }
  key += sizeof header - 1;
  key += strspn(key, " ");
  char text[128];
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned char base64[64];
  unsigned size = 0;
  int n = snprintf(text, sizeof text, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11",
                   (int)strcspn(key, "\r "), key);
  if (n <= 0 || EVP_Digest(text, (size_t)n, hash, &size, EVP_sha1(), NULL) != 1) {
    return false;
  }
  EVP_EncodeBlock(base64, hash, (int)size);
  n = snprintf(answer, bytes,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
               (const char *)base64);
  return n > 0 && (size_t)n < bytes;
}
