/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Kernel log reader: see the header. The descriptor stays open at the place read last; the kernel
 * keeps the records for us.
 */

#include "oom/kmsg.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/journal.h"

/* Kills that wait for somebody to ask: those of other groups stay until they are pushed out. */
#define KILLS_MAX          32
#define DELAY_DEVICE_USEC  (100 * PL_USEC_PER_MSEC)
#define DELAY_JOURNAL_USEC (150 * PL_USEC_PER_MSEC)
/* Of one poll: several times what the kernel's ring holds. */
#define RECORDS_MAX 20000

struct PlKmsg {
        int fd;
        sd_journal *journal; /* open while records are awaited */
        char *cursor;        /* of the journal's entry read last */
        uint64_t since_usec; /* CLOCK_REALTIME, until there is a cursor */
        bool journal_failed;
        PlKmsgFold fold;
        PlKmsgRecord record;
        struct {
                PlKmsgKill kill;
                bool taken;
        } kills[KILLS_MAX];
        unsigned n_kills; /* ever */
};

/* systemd's OpenFile=/dev/kmsg:kmsg: who has no CAP_SYSLOG may read it, but not open it. Return: a
 * descriptor that is the caller's from now on, -ENOENT. */
static int passed(void) {
        char **names = NULL;
        int n = sd_listen_fds_with_names(false, &names), fd = -ENOENT;

        for (int i = 0; i < n; i++) {
                struct stat st;

                if (pl_streq(names[i], "kmsg") && fstat(SD_LISTEN_FDS_START + i, &st) >= 0 &&
                    S_ISCHR(st.st_mode))
                        fd = SD_LISTEN_FDS_START + i;
                free(names[i]);
        }
        free(names);
        if (fd >= 0 && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        return fd;
}

int pl_kmsg_new(const char *path, PlKmsg **ret) {
        PlKmsg *k = calloc(1, sizeof(*k));

        if (!k)
                return -ENOMEM;
        k->fd = passed();
        if (k->fd < 0)
                k->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
        if (k->fd < 0)
                pl_log_debug("Cannot read %s (%s); reading the journal instead", path,
                             strerror(errno));
        else
                (void)lseek(k->fd, 0, SEEK_END);
        k->since_usec = pl_clock_usec(CLOCK_REALTIME);
        *ret = k;
        return 0;
}

PlKmsg *pl_kmsg_free(PlKmsg *k) {
        if (!k)
                return NULL;
        pl_closep(&k->fd);
        if (k->journal)
                sd_journal_close(k->journal);
        free(k->cursor);
        free(k);
        return NULL;
}

/* The kernel limits its reports to ten within five seconds, but not the line that names the
 * victim, which is still there for a moment, dead or not. */
static void find_group(PlKmsgKill *kill) {
        _cleanup_free_ char *text = NULL;
        char path[32], *line, *rest;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)kill->pid);
        if (pl_fs_read(AT_FDCWD, path, KIB(64), &text, NULL) < 0)
                return;
        rest = text;
        while ((line = strsep(&rest, "\n")) != NULL) {
                char *controllers = strchr(line, ':'), *group;

                group = controllers ? strchr(controllers + 1, ':') : NULL;
                if (!group || (!pl_startswith(line, "0::") && !strstr(controllers, "memory:")))
                        continue;
                (void)snprintf(kill->group, sizeof(kill->group), "%s", group + 1);
                if (!pl_startswith(line, "0::"))
                        return; /* v1's memory hierarchy decides where there is one */
        }
}

static void take_record(PlKmsg *k) {
        PlKmsgKill *slot = &k->kills[k->n_kills % KILLS_MAX].kill;

        if (!pl_kmsg_fold(&k->fold, &k->record, slot))
                return;
        if (!slot->group[0])
                find_group(slot);
        k->kills[k->n_kills % KILLS_MAX].taken = false;
        if (++k->n_kills == 2 * KILLS_MAX)
                k->n_kills = KILLS_MAX;
}

static void poll_device(PlKmsg *k) {
        char buf[KIB(8)]; /* CONSOLE_EXT_LOG_MAX: a record is never larger */

        for (unsigned i = 0; i < RECORDS_MAX; i++) {
                ssize_t n = read(k->fd, buf, sizeof(buf));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EPIPE) { /* overwritten before we came */
                        pl_kmsg_fold_lost(&k->fold);
                        continue;
                }
                if (n <= 0)
                        return;
                if (pl_kmsg_parse(buf, (size_t)n, &k->record) == 0)
                        take_record(k);
        }
}

static int open_journal(PlKmsg *k) {
        int r;

        if (k->journal)
                return 0;
        r = sd_journal_open(&k->journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
        if (r >= 0 && sd_journal_has_runtime_files(k->journal) <= 0 &&
            sd_journal_has_persistent_files(k->journal) <= 0)
                r = -ENOENT;
        if (r >= 0)
                r = sd_journal_add_match(k->journal, "_TRANSPORT=kernel", 0);
        if (r >= 0)
                r = k->cursor ? sd_journal_seek_cursor(k->journal, k->cursor)
                              : sd_journal_seek_realtime_usec(k->journal, k->since_usec);
        if (r >= 0 && k->cursor)
                r = sd_journal_next(k->journal); /* the one read last */
        if (r >= 0)
                r = sd_journal_get_fd(k->journal); /* so that new files are noticed */
        if (r >= 0)
                return 0;
        pl_kmsg_rest(k);
        if (!k->journal_failed)
                pl_log_notice("Neither the kernel log nor a journal can be read (%s): reports of "
                              "OOM kills do not tell which process was killed",
                              strerror(-r));
        k->journal_failed = true;
        return r;
}

static void poll_journal(PlKmsg *k) {
        bool any = false;

        if (open_journal(k) < 0)
                return;
        (void)sd_journal_process(k->journal);
        for (unsigned i = 0; i < RECORDS_MAX && sd_journal_next(k->journal) > 0; i++) {
                const void *data;
                size_t size;
                const size_t key = strlen("MESSAGE=");

                any = true;
                if (sd_journal_get_data(k->journal, "MESSAGE", &data, &size) < 0 || size < key)
                        continue;
                /* journald has cut prefix and facility off; what processes write to /dev/kmsg has
                 * no facility 0 there either, and is not _TRANSPORT=kernel's but theirs */
                k->record = (PlKmsgRecord){
                        .from_kernel = true,
                        .sequence = k->fold.last_sequence + 1,
                };
                (void)snprintf(k->record.text, sizeof(k->record.text), "%.*s", (int)(size - key),
                               (const char *)data + key);
                take_record(k);
        }
        if (any) {
                free(k->cursor);
                k->cursor = NULL;
                (void)sd_journal_get_cursor(k->journal, &k->cursor);
        }
}

void pl_kmsg_poll(PlKmsg *k) {
        if (k->fd >= 0)
                poll_device(k);
        else
                poll_journal(k);
}

bool pl_kmsg_take(PlKmsg *k, const char *id, PlKmsgKill *ret) {
        unsigned n = PL_MIN(k->n_kills, (unsigned)KILLS_MAX);

        for (unsigned i = k->n_kills - n; i < k->n_kills; i++) {
                if (k->kills[i % KILLS_MAX].taken ||
                    !pl_kmsg_is_about(&k->kills[i % KILLS_MAX].kill, id))
                        continue;
                k->kills[i % KILLS_MAX].taken = true;
                *ret = k->kills[i % KILLS_MAX].kill;
                return true;
        }
        return false;
}

uint64_t pl_kmsg_delay(const PlKmsg *k) {
        return k->fd >= 0 ? DELAY_DEVICE_USEC : DELAY_JOURNAL_USEC;
}

void pl_kmsg_rest(PlKmsg *k) {
        if (k->journal)
                sd_journal_close(k->journal);
        k->journal = NULL;
}
