/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Originals: what was there before plimsoll, captured once and kept on disk before the first write.
 */

#include "enforce/context.h"

/** pl_originals_capture() - of all wanted values. Return: 0, on disk; -ENOMEM, -errno (reported),
 * -EOPNOTSUPP (reported when it was read), -EAGAIN (nobody knows yet what there is, and whoever
 * will know leads here again): nothing may be written. */
int pl_originals_capture(PlEnforcer *e, PlHeld *h);

/** pl_originals_ask() - the engine is about to be told the body of an update. Return: 0, on disk,
 * through a loss of power; -EAGAIN: not yet, an earlier plimsolld has told it something else;
 * -ENOMEM, -errno (reported): it may not be told. */
int pl_originals_ask(PlEnforcer *e, PlHeld *h, const char *body);

/** pl_originals_answered() - the engine has taken the update, or refused it; not: it was lost.
 * @last: nobody will inspect the container any more */
void pl_originals_answered(PlHeld *h, bool taken, bool last);

/** pl_originals_inspected() - HostConfig was seen. */
void pl_originals_inspected(PlEnforcer *e, PlHeld *h);

/** pl_originals_keep() - the record has changed, and less is ours than before: on disk while
 * anything is, else gone. */
void pl_originals_keep(PlEnforcer *e, PlHeld *h);
