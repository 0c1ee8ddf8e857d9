/* tick_exchange.h - the other end of the tick path: an exchange on a plain loopback socket that
 * says nothing but bookTicker frames, as fast as the socket takes them or at a steady pace.
 *
 * It is not the embedded exchange and not a library's server, since either costs more for each
 * frame than what is measured. Frames are built once; only the bid's size changes: it carries a
 * number by which the receiver knows the frame again. Whoever connects is served in the calling
 * thread: the WebSocket handshake, one acknowledged subscription, then frames. */
#ifndef TRP_BENCH_TICK_EXCHANGE_H
#define TRP_BENCH_TICK_EXCHANGE_H

#include <arpa/inet.h>
#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/bench.h"

enum {
  TICK_NUMBER_BASE = 1000000, /* seven digits, the first never 0 */
  TICK_BULK = 1,              /* the number of every frame that is only counted */
  TICK_MARKS = 1000,          /* numbers below it: the end of a run; from here up: timed frames */
  TICK_BLOCK = 256            /* frames in one write */
};

#define TICK_TEXT                                                                                  \
  "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":400900217,\"s\":\"BTCUSDT\","                \
  "\"b\":\"65000.01000000\",\"B\":\"1000001.00000000\",\"a\":\"65000.02000000\","                  \
  "\"A\":\"0.75000000\"}}"
#define TICK_TEXT_BYTES (sizeof TICK_TEXT - 1)
#define TICK_HEAD_BYTES 4 /* FIN and text; a length of 16 bits */
#define TICK_FRAME_BYTES (TICK_HEAD_BYTES + TICK_TEXT_BYTES)
_Static_assert(TICK_TEXT_BYTES >= 126 && TICK_TEXT_BYTES < 65536, "the head has four bytes");

/* Where in the text the number's seven digits are. */
static inline size_t tick_number_at(void) {
  return (size_t)(strstr(TICK_TEXT, "\"B\":\"") - TICK_TEXT) + 5;
}

static inline void tick_write_number(uint8_t *digits, uint32_t number) {
  number += TICK_NUMBER_BASE;
  for (int i = 7; i-- > 0; number /= 10) digits[i] = (uint8_t)('0' + number % 10);
}

static inline uint32_t tick_read_number(const uint8_t *digits) {
  uint32_t number = 0;
  for (int i = 0; i < 7; i++) number = number * 10 + (uint32_t)(digits[i] - '0');
  return number - TICK_NUMBER_BASE;
}

static inline void tick_build(uint8_t *frame, uint32_t number) {
  frame[0] = 0x81;
  frame[1] = 126;
  frame[2] = (uint8_t)(TICK_TEXT_BYTES >> 8);
  frame[3] = (uint8_t)(TICK_TEXT_BYTES & 0xff);
  memcpy(frame + TICK_HEAD_BYTES, TICK_TEXT, TICK_TEXT_BYTES);
  tick_write_number(frame + TICK_HEAD_BYTES + tick_number_at(), number);
}

/* ---- sockets ---- */

static inline void tick_must(bool fine, const char *what) {
  if (fine) return;
  perror(what);
  exit(1);
}

/* Listens on a free port of loopback. */
static inline int tick_listen(uint16_t *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  tick_must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                listen(fd, 4) == 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0,
            "listen");
  *port = ntohs(address.sin_port);
  prctl(PR_SET_TIMERSLACK, 1UL); /* of this thread: it paces */
  return fd;
}

static inline void tick_write(int fd, const void *bytes, size_t size) {
  const uint8_t *at = bytes;
  while (size > 0) {
    ssize_t n = send(fd, at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    tick_must(n > 0, "write");
    at += n;
    size -= (size_t)n;
  }
}

static inline void tick_read(int fd, void *bytes, size_t size) {
  uint8_t *at = bytes;
  while (size > 0) {
    ssize_t n = recv(fd, at, size, 0);
    if (n < 0 && errno == EINTR) continue;
    tick_must(n > 0, "read");
    at += n;
    size -= (size_t)n;
  }
}

/* Accepts one client and shakes hands (RFC 6455, section 4.2.2). */
static inline int tick_accept(int listener) {
  static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
  struct timeval patience = {.tv_sec = 5};
  tick_must(fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
                setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0,
            "accept");
  char request[4096] = "";
  for (size_t size = 0; strstr(request, "\r\n\r\n") == NULL; size++) {
    tick_must(size < sizeof request - 1, "handshake");
    tick_read(fd, request + size, 1);
  }
  const char *key = strcasestr(request, "Sec-WebSocket-Key: ");
  tick_must(key != NULL, "Sec-WebSocket-Key");
  key += strlen("Sec-WebSocket-Key: ");
  char both[128], accepted[64], answer[256];
  unsigned char digest[20];
  int n = snprintf(both, sizeof both, "%.*s%s", (int)strcspn(key, " \r"), key, guid);
  lws_SHA1((const unsigned char *)both, (size_t)n, digest);
  lws_b64_encode_string((const char *)digest, sizeof digest, accepted, sizeof accepted);
  n = snprintf(answer, sizeof answer,
               "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
               "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
               accepted);
  tick_write(fd, answer, (size_t)n);
  return fd;
}

/* Reads one frame of the client's; returns its opcode, the text unmasked and terminated. */
static inline int tick_read_frame(int fd, char *text, size_t room) {
  uint8_t head[2], mask[4], more[2];
  tick_read(fd, head, sizeof head);
  size_t size = head[1] & 0x7f;
  if (size == 126) {
    tick_read(fd, more, sizeof more);
    size = (size_t)(more[0] << 8 | more[1]);
  }
  tick_must(size < room && (head[1] & 0x80) != 0, "frame");
  tick_read(fd, mask, sizeof mask);
  tick_read(fd, text, size);
  for (size_t i = 0; i < size; i++) text[i] = (char)(text[i] ^ mask[i % 4]);
  text[size] = '\0';
  return head[0] & 0x0f;
}

/* Waits for one SUBSCRIBE and acknowledges it. */
static inline void tick_acknowledge(int fd) {
  char text[1024];
  tick_read_frame(fd, text, sizeof text);
  const char *id = strstr(text, "\"id\":");
  tick_must(id != NULL, "a subscription's id");
  uint8_t frame[64];
  int n = snprintf((char *)frame + 2, sizeof frame - 2, "{\"result\":null,\"id\":%lld}",
                   strtoll(id + 5, NULL, 10));
  frame[0] = 0x81;
  frame[1] = (uint8_t)n;
  tick_write(fd, frame, (size_t)n + 2);
}

/* Answers the client's close frame, so that the close is a proper one. */
static inline void tick_farewell(int fd) {
  char text[1024];
  while (tick_read_frame(fd, text, sizeof text) != 8) {
  }
  tick_write(fd, "\x88\x02\x03\xe8", 4);
  close(fd);
}

/* ---- sending ---- */

static inline void tick_send(int fd, uint32_t number) {
  uint8_t frame[TICK_FRAME_BYTES];
  tick_build(frame, number);
  tick_write(fd, frame, sizeof frame);
}

/* As many frames as fast as the socket takes them; a multiple of TICK_BLOCK. */
static inline void tick_blast(int fd, uint32_t frames) {
  static uint8_t block[TICK_BLOCK * TICK_FRAME_BYTES];
  for (size_t i = 0; i < TICK_BLOCK; i++) tick_build(block + i * TICK_FRAME_BYTES, TICK_BULK);
  for (uint32_t sent = 0; sent < frames; sent += TICK_BLOCK) tick_write(fd, block, sizeof block);
}

/* A frame each `period_ns`, whatever the receiver does; sent_ns[i] is when frame i was written.
 * What the machine's own sleep adds is thereby no part of a frame's latency. */
static inline void tick_pace(int fd, uint32_t frames, uint64_t period_ns, uint64_t *sent_ns) {
  uint64_t begin_ns = bench_now_ns();
  for (uint32_t i = 0; i < frames; i++) {
    uint64_t due_ns = begin_ns + i * period_ns;
    struct timespec due = {.tv_sec = (time_t)(due_ns / TRP_NS_PER_S),
                           .tv_nsec = (long)(due_ns % TRP_NS_PER_S)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    uint8_t frame[TICK_FRAME_BYTES];
    tick_build(frame, TICK_MARKS + i);
    sent_ns[i] = bench_now_ns();
    tick_write(fd, frame, sizeof frame);
  }
}

#endif
