/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* An episode of a limit that held a service back. */

#include "lib/evidence/memory.h"

#define PINCHED(limit_, cause_, need_, at_)                    \
        PL_HAPPENED(PINCH, pinch = (&(const PlMemoryPinch){    \
                                           .limit = (limit_),  \
                                           .cause = (cause_),  \
                                           .need = (need_),    \
                                           .last_usec = (at_), \
                           }))
