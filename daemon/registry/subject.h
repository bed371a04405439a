/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Subject: one container, as far as the engine and the policy tell.
 *
 * Its values, health and logs belong to those who look after them, and nobody else sees them.
 */

#include "lib/docker/container.h"
#include "lib/policy/document.h"
#include "report/reporter.h"

typedef struct PlSubject {
        char id[PL_ID_MAX];
        PlContainer *facts;       /* NULL until the first inspection, or its create event */
        size_t bytes;             /* of facts, and of those that wait for its image */
        bool refused;             /* newer facts were too large, see PL_REGISTRY_BYTES */
        bool provisional;         /* facts are those of the create event: name, image, labels */
        const PlService *service; /* borrowed from the policy in force; NULL: leave alone */

        struct PlImage *image; /* once it was asked for; registry/containers.c */
        char **labels;         /* its creator's settings, see lib/policy/labels.h */
        bool labels_known;     /* its image has told which are */
        bool labels_asked;     /* … or is going to */
        char *labels_error;    /* why it does not; NULL: it does */
        PlContainer *waits;    /* facts that wait for that */
        PlService *labelled;   /* its sections with those labels, the one in force first */

        bool inspect_in_flight, inspect_again;
        uint64_t again_sent; /* of inspect_again: pl_engine_n_sent() when something happened last */
        bool inspect_due;    /* inspect it once the kernel has its values, which must not wait for a
                                request */
        bool inspect_for_sync; /* the inspection under way completes a list */
        bool seen;             /* in the last list */

        struct PlHeld *held; /* enforce/: the values that it is held to */
} PlSubject;

/** pl_subject_name() - for people: container name, or its id where none is known. Return: never
 * NULL, nor empty. */
const char *pl_subject_name(const PlSubject *s);

/** pl_subject_is_known() - do we know more than its create event said? */
static inline bool pl_subject_is_known(const PlSubject *s) {
        return s->facts && !s->provisional;
}

/** pl_subject_report_of_many() - the same, of what may be true of many containers for one cause:
 * the text, without a name, is told once for all of them. */
void pl_subject_report_of_many(const PlReporter *r, const PlSubject *s, int priority,
                               const char *message_id, const char *reason, const char *format, ...)
                PL_PRINTF(6, 7);

/**
 * pl_subject_report() - an entry about a container
 * @message_id: of lib/base/message.h, or NULL
 * @reason:     PLIMSOLL_REASON=, or NULL
 * @fields:     more of them, ended by a NULL name; or NULL
 */
void pl_subject_report(const PlReporter *r, const PlSubject *s, int priority,
                       const char *message_id, const char *reason, const PlLogField *fields,
                       const char *format, ...) PL_PRINTF(7, 8);
