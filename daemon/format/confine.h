/* What signet-format may still do. */
#ifndef SIGNET_FORMAT_CONFINE_H
#define SIGNET_FORMAT_CONFINE_H

#include "base/base.h"

/* Dies with the broker, leaves no core, gains nothing by exec, has no descriptor but its own. */
void format_confine_process(int fd);
/* Reads below `folder` (may be "") and nowhere else, writes nowhere, has no network. False: `reason` says why not. */
must_check bool format_confine(const char *folder, char *reason, size_t size);

#endif
