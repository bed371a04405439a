/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The logs as the manager has them: one container's, an archive directory, and what is reported.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>

#include "base/clock.h"
#include "lib/base/message.h"
#include "logs/live.h"
#include "logs/worker.h"
#include "tmp.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char archive[128], log_path[512];
static sd_event *event;
static PlLogs *logs;
static PlContainer container;
static PlLogPolicy policy;
static unsigned n_rotated, n_findings, n_method_said, n_archive_said, n_dropped_said;
static uint64_t lines;
static char method_said[512];

/* The one reporter: what the journal gets is heard here. */
static inline void on_entry(void *userdata, const PlEntry *entry, const char *text) {
        if (pl_streq_null(entry->message_id, PL_MESSAGE_LOG_ROTATED)) {
                ck_assert_str_eq(entry->container_id, ID);
                ck_assert_str_eq(entry->container_name, "web");
                ck_assert_str_eq(entry->service, "front");
                ck_assert_str_eq(entry->fields[0].name, "PLIMSOLL_LOG_LINES");
                n_rotated++;
                lines += strtoull(entry->fields[0].value, NULL, 10);
        }
        if (pl_streq_null(entry->message_id, PL_MESSAGE_LOG_FAILED))
                n_findings++;
        n_dropped_said += pl_streq_null(entry->message_id, PL_MESSAGE_LOG_DROPPED);
        n_archive_said += entry->priority == LOG_ERR && !entry->container_id;
        if (entry->priority == LOG_NOTICE && !entry->container_id) {
                n_method_said++;
                (void)snprintf(method_said, sizeof(method_said), "%s", text);
        }
}

static const PlReporter reporter = { .listen = on_entry };

static inline PlLogFinding finding_now(void) {
        PlLogStatus status;

        return pl_logs_status(logs, ID, &status) ? status.finding : PL_LOG_FINDING_NONE;
}

static inline void make_logs(void) {
        ck_assert_int_eq(pl_logs_new(event, archive, &reporter, NULL, NULL, &logs), 0);
}

static inline void setup(void) {
        pl_log_setup(LOG_EMERG);
        tmp_make("/var/tmp");
        snprintf(archive, sizeof(archive), "%s/archive", tmp);
        snprintf(log_path, sizeof(log_path), "%s/" ID, tmp);
        ck_assert_int_eq(mkdir(log_path, 0710), 0);
        strcat(log_path, "/" ID "-json.log");
        ck_assert_int_eq(sd_event_new(&event), 0);
        make_logs();
        container = (PlContainer){ .id = ID,
                                   .name = (char *)"web",
                                   .phase = PL_PHASE_RUNNING,
                                   .pid = 1,
                                   .log = { .driver = (char *)"json-file", .path = log_path } };
        policy = (PlLogPolicy){ .max_size_bytes = KIB(64), .max_age_usec = PL_TIME_INFINITY };
        n_rotated = n_findings = n_method_said = n_archive_said = n_dropped_said = 0;
        lines = 0;
}

static inline void teardown(void) {
        logs = pl_logs_free(logs);
        event = sd_event_unref(event);
        tmp_remove();
}

static inline void append(unsigned n) {
        FILE *f = fopen(log_path, "ae");

        for (unsigned i = 0; i < n; i++)
                fprintf(f,
                        "{\"log\":\"line %u of "
                        "many\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T"
                        "03:04:05Z\"}\n",
                        i);
        ck_assert_int_eq(fclose(f), 0);
}

/* The loop, until nothing happens for so long. Return: iterations that did something. */
static inline unsigned loop(uint64_t quiet_msec) {
        unsigned n = 0;

        while (sd_event_run(event, quiet_msec * 1000) > 0)
                n++;
        return n;
}

/* The loop, until something holds that must come to hold, however slow the disk is. */
#define LOOP_UNTIL(condition)                                         \
        do {                                                          \
                for (unsigned i_ = 0; !(condition) && i_ < 300; i_++) \
                        (void)sd_event_run(event, 100000);            \
                ck_assert(condition);                                 \
        } while (0)

static inline bool settled(void) {
        PlLogStatus s;

        return pl_logs_status(logs, ID, &s) && !pl_streq(s.method, "auto");
}

static inline void update(unsigned major) {
        PlEngineInfo info = {};

        snprintf(info.version, sizeof(info.version), "%u.0.1", major);
        pl_logs_set_engine(logs, major ? &info : NULL);
        ck_assert_int_eq(pl_logs_update(logs, &container, "front", &policy), 0);
}

static inline void remove_directory(void) {
        char command[2048];

        snprintf(command, sizeof(command), "rm -r %s/%s", tmp, ID);
        ck_assert_int_eq(system(command), 0);
}

/* Lines in archives of the container. */
static inline uint64_t lines_archived(void) {
        _cleanup_free_ char *command = NULL;
        uint64_t n = 0;
        FILE *f;

        ck_assert_int_ge(asprintf(&command, "zstdcat %s/front/*.zst 2>/dev/null | wc -l", archive),
                         0);
        f = popen(command, "r");
        ck_assert_int_eq(fscanf(f, "%" SCNu64, &n), 1);
        ck_assert_int_eq(pclose(f), 0);
        return n;
}

static inline bool is_forgotten(void) {
        char state[512];

        snprintf(state, sizeof(state), "%s/.state/" ID, archive);
        return access(state, F_OK) < 0;
}
