#include "adapters/net_url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct scheme {
  const char *prefix;
  bool websocket;
  bool tls;
} schemes[] = {
    {"ws://", true, false},
    {"wss://", true, true},
    {"http://", false, false},
    {"https://", false, true},
};

static uint16_t usual_port(bool tls) { return tls ? 443 : 80; }

/* Takes the scheme; NULL where it is none of ours. */
static const char *take_scheme(struct trp_net_url *url, const char *text) {
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
    size_t n = strlen(schemes[i].prefix);
    if (strncasecmp(text, schemes[i].prefix, n) != 0) {
      continue;
    }
    url->websocket = schemes[i].websocket;
    url->tls = schemes[i].tls;
    return text + n;
  }
  return NULL;
}

static bool host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* Copies the host in lower case; false where it is empty, too long or no host. */
static bool copy_host(struct trp_net_url *url, const char *from, size_t n) {
  if (n == 0 || n > TRP_NET_HOST_MAX) {
    return false;
  }
  for (size_t i = 0; i < n; i++) {
    char c = from[i];
    url->host[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  url->host[n] = '\0';
  return true;
}

static const char *take_host(struct trp_net_url *url, const char *text) {
  unsigned char address[16];
  if (*text == '[') {
    const char *end = strchr(text, ']');
    if (end == NULL || !copy_host(url, text + 1, (size_t)(end - text - 1)) ||
        inet_pton(AF_INET6, url->host, address) != 1) {
      return NULL;
    }
    url->family = 6;
    return end + 1;
  }
  size_t n = strcspn(text, ":/?");
  if (!copy_host(url, text, n)) {
    return NULL;
  }
  for (size_t i = 0; i < n; i++) {
    if (!host_byte(url->host[i])) {
      return NULL;
    }
  }
  url->family = inet_pton(AF_INET, url->host, address) == 1 ? 4 : 0;
  return text + n;
}

static const char *take_port(struct trp_net_url *url, const char *text) {
  url->port = usual_port(url->tls);
  if (*text != ':') {
    return text;
  }
  uint32_t port = 0;
  const char *digit = text + 1;
  for (; *digit >= '0' && *digit <= '9'; digit++) {
    port = port * 10 + (uint32_t)(*digit - '0');
    if (port > UINT16_MAX) {
      return NULL;
    }
  }
  if (port == 0) { /* also where there was no digit */
    return NULL;
  }
  url->port = (uint16_t)port;
  return digit;
}

static bool copy_path(struct trp_net_url *url, const char *text) {
  if (*text != '\0' && *text != '/' && *text != '?') {
    return false;
  }
  size_t n = strnlen(text, TRP_NET_PATH_MAX + 1);
  if (n > TRP_NET_PATH_MAX) {
    return false;
  }
  for (size_t i = 0; i < n; i++) {
    if (text[i] <= ' ' || text[i] > '~' || text[i] == '#') {
      return false;
    }
  }
  char *to = url->path;
  if (*text != '/') {
    *to++ = '/';
  }
  memcpy(to, text, n + 1);
  return true;
}

enum trp_err trp_net_url_parse(struct trp_net_url *url, const char *text) {
  if (text == NULL) {
    return TRP_INVALID;
  }
  const char *rest = take_scheme(url, text);
  if (rest != NULL) {
    rest = take_host(url, rest);
  }
  if (rest != NULL) {
    rest = take_port(url, rest);
  }
  if (rest == NULL || !copy_path(url, rest)) {
    return TRP_INVALID;
  }
  const char *open = url->family == 6 ? "[" : "";
  const char *close = url->family == 6 ? "]" : "";
  if (url->port == usual_port(url->tls)) {
    snprintf(url->authority, sizeof url->authority, "%s%s%s", open, url->host, close);
  } else {
    snprintf(url->authority, sizeof url->authority, "%s%s%s:%u", open, url->host, close,
             (unsigned)url->port);
  }
  return TRP_OK;
}
