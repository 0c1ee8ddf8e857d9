/* troupe decode DIALECT [--snapshots FILE] FILE...: a recording in, one JSON object a line out.
 *
 * Quotes and trades are printed as they come. With snapshots (of the file, or HTTP responses in the
 * capture itself) each symbol's book is kept by the exchange's rules and printed after every diff
 * applied; where continuity is lost a gap is printed, and the next snapshot that fits is taken. */
#include "adapters/cli/decode.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/capture.h"
#include "adapters/cli/cli.h"
#include "adapters/cli/options.h"

#define FRAME_FILE_MAX (2u << 20) /* more than any dialect takes as a frame */

static const struct trp_decode_dialect *const dialects[] = {&trp_decode_binance, &trp_decode_gateio,
                                                            &trp_decode_mexc};

struct decoder {
  const struct trp_decode_dialect *dialect;
  void *state;
  const char *file_name;
  bool bad;
};

/* ---- captures ----------------------------------------------------------------------------- */

static const char *take_line(struct decoder *decoder, const struct trp_capture_line *line) {
  switch (line->kind) {
    case TRP_CAPTURE_RECEIVED:
      return decoder->dialect->line(decoder->state, line->text, line->size);
    case TRP_CAPTURE_RESPONSE:
      return decoder->dialect->response(decoder->state, line->url, line->text, line->size);
    case TRP_CAPTURE_BAD:
      return line->reason;
    default:
      return NULL;
  }
}

static void complain(struct decoder *decoder, uint64_t number, const char *reason) {
  decoder->bad = true;
  fprintf(stderr, "%s:%llu: %s\n", decoder->file_name, (unsigned long long)number, reason);
}

static enum trp_err decode_capture(struct decoder *decoder, FILE *file) {
  struct trp_capture *capture = NULL;
  struct trp_capture_line line;
  enum trp_err err = trp_capture_new(&capture, file);
  while (err == TRP_OK) {
    err = trp_capture_next(capture, &line);
    if (err != TRP_OK || line.kind == TRP_CAPTURE_END) break;
    const char *reason = take_line(decoder, &line);
    if (reason != NULL) complain(decoder, line.number, reason);
  }
  trp_capture_destroy(&capture);
  return err;
}

/* ---- frames that are files ---------------------------------------------------------------- */

/* A capture is text and begins with a time or a URL. */
static bool is_frame(const unsigned char *bytes, size_t size) {
  if (size != 0 && bytes[0] == '{') return true;
  for (size_t i = 0; i < size && i < 4096; i++)
    if (bytes[i] < ' ' && bytes[i] != '\t' && bytes[i] != '\n' && bytes[i] != '\r') return true;
  return false;
}

/* Takes the whole file as a frame, where it is one; `*taken` says so. */
static enum trp_err decode_frame(struct decoder *decoder, FILE *file, bool *taken) {
  *taken = false;
  if (!decoder->dialect->frame_files || fseek(file, 0, SEEK_SET) != 0) return TRP_OK;
  unsigned char *bytes = malloc(FRAME_FILE_MAX);
  if (bytes == NULL) return TRP_NO_MEMORY;
  size_t size = fread(bytes, 1, FRAME_FILE_MAX, file);
  *taken = is_frame(bytes, size);
  if (*taken) {
    const char *reason = decoder->dialect->file(decoder->state, bytes, size);
    if (reason != NULL) complain(decoder, 1, reason);
  }
  free(bytes);
  if (ferror(file)) return TRP_SYSTEM;
  return fseek(file, 0, SEEK_SET) == 0 ? TRP_OK : TRP_SYSTEM;
}

/* Reads a whole file. false: it could not be read. */
static bool decode_file(struct decoder *decoder, const char *name) {
  FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
  bool taken;
  if (file == NULL) {
    fprintf(stderr, "troupe decode: %s: %s\n", name, strerror(errno));
    return false;
  }
  decoder->file_name = name;
  errno = 0;
  enum trp_err err = decode_frame(decoder, file, &taken);
  if (err == TRP_OK && !taken) err = decode_capture(decoder, file);
  if (err != TRP_OK) {
    const char *why = err == TRP_SYSTEM && errno != 0 ? strerror(errno) : trp_err_text(err);
    fprintf(stderr, "troupe decode: %s: %s\n", name, why);
  }
  if (file != stdin) fclose(file);
  return err == TRP_OK;
}

/* ---- the subcommand ----------------------------------------------------------------------- */

static int usage(FILE *out) {
  fputs(
      "usage: troupe decode binance|gateio|mexc [--snapshots FILE] FILE\n"
      "  FILE           a capture, - for standard input; for mexc also frames, one a file\n"
      "  --snapshots    the capture's HTTP responses, with a depth snapshot a symbol\n",
      out);
  return TRP_CLI_WRONG_USE;
}

static int run(const struct trp_decode_dialect *dialect, const char *snapshots, char **files,
               int count) {
  struct decoder decoder = {.dialect = dialect, .state = dialect->open(), .file_name = ""};
  if (decoder.state == NULL) {
    fputs("troupe decode: out of memory\n", stderr);
    return 1;
  }
  bool read = snapshots == NULL || decode_file(&decoder, snapshots);
  for (int i = 0; read && i < count; i++) read = decode_file(&decoder, files[i]);
  dialect->close(decoder.state);
  if (fflush(stdout) != 0 || ferror(stdout)) {
    fputs("troupe decode: standard output cannot be written\n", stderr);
    return 1;
  }
  return !read ? 2 : decoder.bad ? 1 : 0;
}

static const struct trp_decode_dialect *dialect_of(const char *name) {
  for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++)
    if (strcmp(dialects[i]->name, name) == 0) return dialects[i];
  return NULL;
}

int trp_cli_decode(int argc, char **argv) {
  static const struct option options[] = {{"snapshots", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  const char *snapshots = NULL;
  int option;
  opterr = 0;
  optind = 0; /* main may have looked at its own options before */
  while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
    if (option == 'h') return usage(stdout), 0;
    if (option == '?') return trp_cli_wrong_option("decode", argv), TRP_CLI_WRONG_USE;
    snapshots = optarg;
  }
  int files = argc - optind - 1;
  if (files < 1) return usage(stderr);
  const struct trp_decode_dialect *dialect = dialect_of(argv[optind]);
  if (dialect == NULL) {
    fprintf(stderr, "troupe decode: unknown dialect: %s\n", argv[optind]);
    return usage(stderr);
  }
  if (files > 1 && !dialect->frame_files) return usage(stderr);
  return run(dialect, snapshots, argv + optind + 1, files);
}
