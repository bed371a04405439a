/* SPDX-License-Identifier: Apache-2.0 */
#include "subject.h"

PlSubject *pl_subject_new(const char *id) {
        PlSubject *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        (void)snprintf(s->id, sizeof(s->id), "%s", id);
        memcpy(s->state.id, s->id, sizeof(s->state.id));
        return s;
}

PlSubject *pl_subject_free(PlSubject *s) {
        if (!s)
                return NULL;
        pl_subject_drop_cgroup(s);
        pl_container_free(s->facts);
        pl_limits_deinit(&s->want);
        pl_container_state_deinit(&s->state);
        for (PlResource r = 0; s->owner_errors && r < _PL_RESOURCE_N; r++)
                for (PlOwner o = 0; o < _PL_OWNER_N; o++)
                        free(s->owner_errors[r][o]);
        free(s->owner_errors);
        free(s->dry_run_said);
        free(s->engine_told);
        free(s->engine_failed);
        free(s->oom_history);
        free(s->ollama);
        free(s->log_paths_said);
        free(s);
        return NULL;
}

const char *pl_subject_name(const PlSubject *s) {
        return s->facts && s->facts->name ? s->facts->name : s->id;
}

void pl_subject_drop_cgroup(PlSubject *s) {
        s->cgroup = pl_cgroup_free(s->cgroup);
        s->cgroup_started_usec = 0;
        s->watch_due = false;
        pl_reading_deinit(&s->reading);
        s->reading = (PlReading){ 0 };
        s->fresh = false;
        s->held = 0;
        s->waiting = 0;
        s->withheld = s->engine_withheld = 0;
        s->squeeze = (PlSqueeze){ 0 };
        s->retry_usec = s->retry_delay_usec = 0;
        s->read_mask = 0;
}

bool pl_subject_set_error(PlSubject *s, PlResource r, PlOwner o, const char *text) {
        char **slot;

        if (!s->owner_errors && text)
                s->owner_errors = calloc(_PL_RESOURCE_N, sizeof(*s->owner_errors));
        if (!s->owner_errors)
                return text != NULL;
        slot = &s->owner_errors[r][o];
        if (pl_streq_null(*slot, text))
                return false;
        free(*slot);
        *slot = text ? strdup(text) : NULL;
        return true;
}

bool pl_subject_has_error(const PlSubject *s, uint32_t mask, PlOwner o) {
        for (PlResource r = 0; s->owner_errors && r < _PL_RESOURCE_N; r++)
                if (mask & (1U << r) && s->owner_errors[r][o])
                        return true;
        return false;
}

uint32_t pl_subject_wanted(const PlSubject *s) {
        uint32_t mask = 0;

        for (PlResource r = 0; r < _PL_RESOURCE_N; r++)
                if (s->want.v[r].set)
                        mask |= 1U << r;
        return mask;
}

void pl_subject_forget_told(PlSubject *s) {
        free(s->engine_told);
        s->engine_told = NULL;
}
