#include "runtime/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The runtime directory that the login gave us. After `su` the variable may name somebody else's:
 * then it is as if there were none. */
static const char *runtime_directory(void) {
  const char *given = getenv("XDG_RUNTIME_DIR");
  struct stat st;
  bool ours = given != NULL && given[0] == '/' && stat(given, &st) == 0 && S_ISDIR(st.st_mode) &&
              st.st_uid == geteuid();
  return ours ? given : NULL;
}

bool trp_folder_at(int i, char out[TRP_FOLDER_BYTES]) {
  const char *given = runtime_directory();
  int length;
  if (i == 0 && given != NULL) {
    length = snprintf(out, TRP_FOLDER_BYTES, "%s/troupe", given);
  } else if (i == (given != NULL ? 1 : 0)) {
    length = snprintf(out, TRP_FOLDER_BYTES, "/tmp/troupe-%u", (unsigned)geteuid());
  } else {
    return false;
  }
  return length > 0 && length < TRP_FOLDER_BYTES;
}

/* lstat, not stat: a link could be turned elsewhere by whoever made it. */
bool trp_folder_is_ours_alone(const char *folder) {
  struct stat st;
  return lstat(folder, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
         (st.st_mode & 077) == 0;
}

enum trp_err trp_folder_make(const char *folder, char *why, size_t why_bytes) {
  if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
    snprintf(why, why != NULL ? why_bytes : 0, "%s cannot be made: %s", folder, strerror(errno));
    return TRP_SYSTEM;
  }
  if (trp_folder_is_ours_alone(folder)) return TRP_OK;
  snprintf(why, why != NULL ? why_bytes : 0,
           "%s is not a directory of ours with mode 0700: whoever may enter it could give orders",
           folder);
  return TRP_NOT_ALLOWED;
}
