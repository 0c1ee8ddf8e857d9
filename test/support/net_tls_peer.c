#include "test/support/net_tls_peer.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "test/support/net_peer.h"

struct trp_tls_peer {
  SSL_CTX *context;
  pthread_t thread;
  int listener;
  int stop[2]; /* a pipe: readable when the thread shall end */
  uint16_t port;
  unsigned delay_ms;
};

/* ---- certificates --------------------------------------------------------------------------- */

static bool add_extension(X509 *certificate, X509 *issuer, int what, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, what, value);
  bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

/* A certificate of `key`, signed by `issuer`'s key; its own issuer where that is NULL. */
static X509 *make_certificate(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key,
                              int what, const char *value) {
  X509 *certificate = X509_new();
  X509_NAME *subject = X509_get_subject_name(certificate);
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), issuer == NULL ? 1 : 2);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer != NULL ? issuer : certificate));
  if (!add_extension(certificate, issuer != NULL ? issuer : certificate, what, value) ||
      X509_sign(certificate, issuer_key, EVP_sha256()) == 0) {
    X509_free(certificate);
    return NULL;
  }
  return certificate;
}

static bool write_certificate(const char *path, X509 *certificate) {
  FILE *file = fopen(path, "w");
  bool written = file != NULL && PEM_write_X509(file, certificate) == 1;
  return file != NULL && fclose(file) == 0 && written;
}

/* What a server shows, signed by an authority of its own, whose certificate is written. */
struct identity {
  EVP_PKEY *key;
  X509 *certificate; /* NULL: something failed */
};

static struct identity make_identity(const char *subject, const char *ca_file) {
  struct identity made = {.key = EVP_EC_gen("P-256")};
  EVP_PKEY *ca_key = EVP_EC_gen("P-256");
  X509 *ca = make_certificate(ca_key, "test authority", NULL, ca_key, NID_basic_constraints,
                              "critical,CA:TRUE");
  if (ca != NULL && write_certificate(ca_file, ca)) {
    made.certificate =
        make_certificate(made.key, "test server", ca, ca_key, NID_subject_alt_name, subject);
  }
  X509_free(ca);
  EVP_PKEY_free(ca_key);
  return made;
}

static void free_identity(struct identity *identity) {
  X509_free(identity->certificate);
  EVP_PKEY_free(identity->key);
}

bool trp_tls_peer_files(const char *subject, const char *ca_file, const char *cert_file,
                        const char *key_file) {
  struct identity identity = make_identity(subject, ca_file);
  FILE *file = fopen(key_file, "w");
  bool written = file != NULL && identity.certificate != NULL &&
                 PEM_write_PrivateKey(file, identity.key, NULL, NULL, 0, NULL, NULL) == 1;
  written = file != NULL && fclose(file) == 0 && written &&
            write_certificate(cert_file, identity.certificate);
  free_identity(&identity);
  return written;
}

static SSL_CTX *make_context(const char *subject, const char *ca_file) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  struct identity identity = make_identity(subject, ca_file);
  bool made = identity.certificate != NULL &&
              SSL_CTX_use_certificate(context, identity.certificate) == 1 &&
              SSL_CTX_use_PrivateKey(context, identity.key) == 1;
  free_identity(&identity);
  if (!made) {
    SSL_CTX_free(context);
    return NULL;
  }
  return context;
}

/* ---- serving -------------------------------------------------------------------------------- */

static void talk(SSL *ssl) {
  static const char frames[] = "\x81\x05hello\x89\x04ping";
  static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  char request[4096];
  char reply[512];
  int n = SSL_read(ssl, request, sizeof request - 1);
  request[n > 0 ? n : 0] = '\0';
  if (!trp_net_peer_upgrade(request, reply, sizeof reply)) {
    SSL_write(ssl, ok, sizeof ok - 1);
    SSL_shutdown(ssl);
    return;
  }
  SSL_write(ssl, reply, (int)strlen(reply));
  SSL_write(ssl, frames, sizeof frames - 1);
  while (SSL_read(ssl, request, sizeof request) > 0) {
  }
}

static void serve_one(struct trp_tls_peer *peer, int fd) {
  struct timeval patience = {.tv_sec = 2};
  SSL *ssl = SSL_new(peer->context);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  SSL_set_fd(ssl, fd);
  usleep(peer->delay_ms * 1000);
  if (SSL_accept(ssl) == 1) {
    talk(ssl);
  }
  SSL_free(ssl);
  close(fd);
}

static void *serve(void *arg) {
  struct trp_tls_peer *peer = arg;
  struct pollfd polls[2] = {{.fd = peer->listener, .events = POLLIN},
                            {.fd = peer->stop[0], .events = POLLIN}};
  while (poll(polls, 2, -1) > 0 && polls[1].revents == 0) {
    int fd = accept(peer->listener, NULL, NULL);
    if (fd >= 0) {
      serve_one(peer, fd);
    }
  }
  return NULL;
}

struct trp_tls_peer *trp_tls_peer_start(const char *subject, const char *ca_file,
                                        unsigned delay_ms) {
  struct trp_tls_peer *peer = calloc(1, sizeof *peer);
  if (peer == NULL) {
    return NULL;
  }
  peer->delay_ms = delay_ms;
  peer->context = make_context(subject, ca_file);
  peer->listener = trp_net_peer_listen(&peer->port);
  if (peer->context == NULL || peer->listener < 0 || pipe(peer->stop) != 0 ||
      pthread_create(&peer->thread, NULL, serve, peer) != 0) {
    free(peer);
    return NULL;
  }
  return peer;
}

void trp_tls_peer_stop(struct trp_tls_peer **peer) {
  if (*peer == NULL) {
    return;
  }
  close((*peer)->stop[1]);
  pthread_join((*peer)->thread, NULL);
  close((*peer)->stop[0]);
  close((*peer)->listener);
  SSL_CTX_free((*peer)->context);
  free(*peer);
  *peer = NULL;
}

uint16_t trp_tls_peer_port(const struct trp_tls_peer *peer) { return peer->port; }
