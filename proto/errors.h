/* errors.h - every failure the world can cause, as one must-use enumeration.
 *
 * The list and the texts live in errors.def. A programmer's mistake is no error but a failed CHECK
 * (runtime/check.h). Numbers travel over the wire, so they are never reused. */
#ifndef TRP_PROTO_ERRORS_H
#define TRP_PROTO_ERRORS_H

#ifdef __cplusplus
extern "C" {
#endif

enum trp_err {
#define ERROR(NAME, number, text) TRP_##NAME = (number),
#include "proto/errors.def"
#undef ERROR
};

#define TRP_MUST_USE __attribute__((warn_unused_result))

/* The text of an error, never NULL; "unknown error" for a number not in the list. Thread: any. */
const char *trp_err_text(enum trp_err err);

/* The error's name without its prefix ("FULL"), never NULL. Thread: any. */
const char *trp_err_name(enum trp_err err);

#ifdef __cplusplus
}
#endif
#endif
