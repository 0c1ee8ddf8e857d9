#include "adapters/net.h"

void trp_net_destroy(struct trp_net **net) {
  if (*net == NULL) {
    return;
  }
  (*net)->ops->destroy(*net);
  *net = NULL;
}
