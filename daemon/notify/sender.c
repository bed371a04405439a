/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sender: see the header.
 *
 * A secret is read just before it is used, goes to libcurl alone, and is in no text that is said
 * or kept: reasons are made of what this file and lib/notify say, never of what a server answered.
 *
 * Before a try it is noted that the answer may get lost, so a message that comes twice after a
 * crash in between says that it may.
 */

#include "notify/sender.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/journal.h"
#include "base/lock.h"
#include "lib/base/strv.h"
#include "lib/base/unit.h"
#include "lib/notify/message.h"
#include "lib/notify/url.h"

#define CONNECT_MSEC   10000L
#define ANSWER_MAX     KIB(64)
#define REDIRECTS_MAX  3
#define CREDENTIAL_MAX KIB(8)
#define SUFFIX         ".json"
#define SECTION_FILES  64 /* more of them are not plimsolld's doing */
#define TEST_TEXT      "this is a test: messages of this section arrive"

typedef struct Sender {
        const PlSenderOptions *options;
        int queue_fd, sent_fd, lock_fd, watch_fd;
        CURL *curl;
        bool failed;        /* something of this round could not be sent */
        uint64_t next_usec; /* CLOCK_REALTIME, of the next message; PL_TIME_INFINITY: none */
} Sender;

/* One section, while it is looked at. */
typedef struct Work {
        const char *file;
        PlNotifyQueue *queue;
        PlNotifySection *section;
        PlNotifyProgress progress;
} Work;

/* --- files --- */

static int save(Sender *s, const Work *w, bool durable) {
        _cleanup_free_ char *text = pl_notify_progress_format(&w->progress);
        int r = text ? pl_fs_replace(s->sent_fd, w->file, text, strlen(text), 0644, durable)
                     : -ENOMEM;

        if (r < 0)
                pl_log_error("Cannot note what is sent in %s (%s): nothing is sent",
                             s->options->sent_dir, strerror(-r));
        return r;
}

static void load_progress(Sender *s, Work *w) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        int r = pl_fs_read(s->sent_fd, w->file, KIB(16), &text, &size);

        if (r >= 0)
                r = pl_notify_progress_parse(text, size, &w->progress);
        pl_notify_progress_claim(&w->progress, w->queue);
        /* then nobody knows what was sent */
        if (r < 0 && r != -ENOENT)
                w->progress.unsure_id = w->queue->last_id;
}

static void wipe(char *secret) {
        if (secret)
                explicit_bzero(secret, strlen(secret));
        free(secret);
}

static void wipep(char **secret) {
        wipe(*secret);
}

/* What is in the file of a credential, owned by the caller. Return: 0, -errno with the reason. */
static int read_credential(const Sender *s, const char *name, char **ret,
                           char reason[static PL_NOTIFY_REASON_MAX]) {
        static const char *const prefixes[] = { "", "notify_" };
        _cleanup_(wipep) char *text = NULL;
        size_t n = 0;
        int r = -ENOENT;

        for (size_t i = 0; i < PL_ARRAY_SIZE(prefixes) && r == -ENOENT; i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/%s%s", s->options->credentials_dir, prefixes[i], name) <
                    0) {
                        path = NULL;
                        return -ENOMEM;
                }
                r = pl_fs_read(AT_FDCWD, path, CREDENTIAL_MAX, &text, &n);
        }
        while (r >= 0 && n > 0 && strchr(" \t\r\n", text[n - 1]))
                text[--n] = '\0';
        if (r >= 0 && (n == 0 || strlen(text) != n))
                r = -ENODATA;
        if (r < 0) {
                (void)snprintf(reason, PL_NOTIFY_REASON_MAX, "credential %.60s: %s", name,
                               r == -ENOENT    ? "there is no such file; plimsoll-notify(8) says "
                                                 "where"
                               : r == -ENODATA ? "nothing is in its file"
                                               : strerror(-r));
                return r;
        }
        *ret = TAKE_PTR(text);
        return 0;
}

/* --- one request --- */

typedef struct Answer {
        size_t bytes;
        char retry_after[64];
} Answer;

static size_t on_body(char *data, size_t size, size_t n, void *userdata) {
        Answer *a = userdata;

        a->bytes += size * n;
        return a->bytes > ANSWER_MAX ? 0 : size * n; /* nobody reads it */
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata) {
        static const char name[] = "retry-after:";
        Answer *a = userdata;
        size_t length = size * n, skip = sizeof(name) - 1;

        if (length <= skip || strncasecmp(data, name, skip) != 0)
                return length;
        while (skip < length && (data[skip] == ' ' || data[skip] == '\t'))
                skip++;
        (void)snprintf(a->retry_after, sizeof(a->retry_after), "%.*s", (int)(length - skip),
                       data + skip);
        a->retry_after[strcspn(a->retry_after, "\r\n")] = '\0';
        return length;
}

/* Scheme, host and port are the same. */
static bool same_origin(const char *a, const char *b) {
        static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
        CURLU *x = curl_url(), *y = curl_url();
        bool same = x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
                    curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK;

        for (size_t i = 0; same && i < PL_ARRAY_SIZE(parts); i++) {
                char *p = NULL, *q = NULL;

                same = curl_url_get(x, parts[i], &p, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                       curl_url_get(y, parts[i], &q, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                       strcasecmp(p, q) == 0;
                curl_free(p);
                curl_free(q);
        }
        curl_url_cleanup(x);
        curl_url_cleanup(y);
        return same;
}

static void prepare(const Sender *s, const char *url, const PlNotifyMessage *m,
                    const struct curl_slist *headers, Answer *answer) {
        CURL *c = s->curl;

        curl_easy_reset(c);
        *answer = (Answer){ 0 };
        (void)curl_easy_setopt(c, CURLOPT_URL, url);
        (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
        (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
        (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MSEC);
        (void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS,
                               (long)(s->options->timeout_usec / PL_USEC_PER_MSEC));
        (void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
        (void)curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
        (void)curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
        if (s->options->ca_file)
                (void)curl_easy_setopt(c, CURLOPT_CAINFO, s->options->ca_file);
        (void)curl_easy_setopt(c, CURLOPT_USERAGENT, "plimsoll-notify/" PLIMSOLL_VERSION);
        (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
        (void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, m->body);
        (void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(m->body));
        (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
        (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
        (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
        (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, answer);
}

/* What libcurl says of a request, in our words: its own may have the address in them. */
static void judge(const Sender *s, CURLcode code, const Answer *answer, size_t size,
                  PlNotifyOutcome *ret) {
        curl_off_t sent = 0;
        long status = 0;

        (void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(s->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
        if (status >= 200) {
                /* whatever became of the rest: the server has said what it did */
                pl_notify_outcome(status, *answer->retry_after ? answer->retry_after : NULL,
                                  pl_clock_usec(CLOCK_REALTIME), ret);
                return;
        }
        *ret = (PlNotifyOutcome){ .result = (size_t)sent >= size ? PL_NOTIFY_UNSURE
                                                                 : PL_NOTIFY_LATER };
        (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                       code == CURLE_PEER_FAILED_VERIFICATION
                                       ? "the server's certificate is not valid for its address, "
                                         "or "
                                         "nobody that this host trusts has signed it"
                                       : curl_easy_strerror(code));
}

/* One message to one address, which may send on to another one of the same host. */
static void post(Sender *s, const char *address, const PlNotifyMessage *m, PlNotifyOutcome *ret) {
        struct curl_slist *headers = curl_slist_append(NULL, "Expect:"), *grown = headers;
        char *url = strdup(address), *next;
        Answer answer;

        *ret = (PlNotifyOutcome){ .result = PL_NOTIFY_LATER, .reason = "out of memory" };
        for (char **v = m->headers; grown && *v; v++) {
                grown = curl_slist_append(headers, *v);
                headers = grown ?: headers;
        }
        for (int i = 0; url && grown && i <= REDIRECTS_MAX; i++) {
                CURLcode code;

                prepare(s, url, m, headers, &answer);
                code = curl_easy_perform(s->curl);
                judge(s, code, &answer, strlen(m->body), ret);
                next = NULL;
                (void)curl_easy_getinfo(s->curl, CURLINFO_REDIRECT_URL, &next);
                if (!next || !same_origin(url, next))
                        break;
                next = strdup(next);
                wipe(url);
                url = next;
        }
        wipe(url);
        curl_slist_free_all(headers);
        curl_easy_reset(s->curl); /* it has a copy of the address */
}

/* --- one message --- */

/* Address and token of a section. Return: 0, -errno with the reason. */
static int resolve(const Sender *s, const PlNotifySection *n, const char *path, char **ret_url,
                   char **ret_token, char reason[static PL_NOTIFY_REASON_MAX]) {
        _cleanup_(wipep) char *secret = NULL;
        const char *base = n->url, *fault = NULL;
        size_t length;
        int r = 0;

        if (n->credential)
                r = read_credential(s, n->credential, &secret, reason);
        if (r < 0)
                return r;
        if (!base) {
                base = secret ?: "";
                fault = pl_notify_url_fault(base, true);
        }
        if (fault) {
                (void)snprintf(reason, PL_NOTIFY_REASON_MAX,
                               "the address in credential %.60s: %.200s", n->credential, fault);
                return -EINVAL;
        }
        length = strlen(base);
        while (*path && length > 0 && base[length - 1] == '/')
                length--;
        if (strlen(path) < length && pl_streq(base + length - strlen(path), path))
                path = "";
        if (asprintf(ret_url, "%.*s%s", (int)length, base, path) < 0) {
                *ret_url = NULL;
                return -ENOMEM;
        }
        if (n->url)
                *ret_token = TAKE_PTR(secret);
        return 0;
}

static void send_batch(Sender *s, const PlNotifySection *n, const PlNotifyBatch *b,
                       PlNotifyOutcome *ret) {
        _cleanup_(pl_notify_message_deinit) PlNotifyMessage m = { 0 };
        _cleanup_(wipep) char *url = NULL, *token = NULL;
        const char *path = n->format == PL_NOTIFY_GOTIFY ? "/message" : "";
        int r;

        *ret = (PlNotifyOutcome){ .result = PL_NOTIFY_LATER };
        r = resolve(s, n, path, &url, &token, ret->reason);
        if (r >= 0)
                r = pl_notify_message(n->format, b, token, &m);
        if (r >= 0) {
                post(s, url, &m, ret);
        } else if (!*ret->reason) {
                (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                               r == -EINVAL ? "the credential has white space or other characters "
                                              "in it that no header can have"
                                            : strerror(-r));
        }
        for (char **v = m.headers; v && *v; v++)
                explicit_bzero(*v, strlen(*v));
}

static uint64_t jitter(void) {
        uint64_t random = 0;

        (void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
        return random;
}

/* A change is told, and how long it takes. */
static void tell(const Work *w, const PlNotifyProgress *before, uint64_t now_usec) {
        const PlNotifyProgress *p = &w->progress;
        char wait[PL_FORMAT_MAX];

        if (*p->reason && (!pl_streq(p->reason, before->reason) || before->failures == 0))
                pl_log_warning("[Notify %s]: not sent: %s; trying again in %s", w->section->name,
                               p->reason, pl_format_sec(p->retry_usec - now_usec, wait));
        else if (!*p->reason && before->failures > 0)
                pl_log_notice("[Notify %s]: sent again, after %u tr%s", w->section->name,
                              before->failures, before->failures == 1 ? "y" : "ies");
}

static int send_events(Sender *s, Work *w) {
        PlNotifyQueue *q = w->queue;
        size_t first = pl_notify_first(q, &w->progress);
        const PlNotifyProgress before = w->progress;
        PlNotifyProgress *p = &w->progress;
        const PlNotifyBatch batch = {
                .host = q->host,
                .section = w->section->name,
                .events = q->events + first,
                .n = q->n - first,
                .lost = pl_notify_lost(q, p),
                .may_repeat = p->unsure_id >= q->events[first]->id,
        };
        uint64_t through = q->events[q->n - 1]->id, now;
        PlNotifyOutcome outcome;
        int r;

        p->unsure_id = through;
        r = save(s, w, false);
        if (r < 0)
                return r;
        send_batch(s, w->section, &batch, &outcome);
        now = pl_clock_usec(CLOCK_REALTIME);
        p->unsure_id = before.unsure_id;
        pl_notify_apply(p, q, through, &outcome, now, jitter());
        s->failed = s->failed || outcome.result != PL_NOTIFY_SENT;
        tell(w, &before, now);
        return save(s, w, true);
}

static int send_test(Sender *s, Work *w) {
        PlNotifyEvent event = { .usec = pl_clock_usec(CLOCK_REALTIME),
                                .kind = PL_NOTIFY_TEST,
                                .times = 1,
                                .text = (char *)TEST_TEXT };
        PlNotifyEvent *const events[] = { &event };
        const PlNotifyBatch batch = {
                .host = w->queue->host, .section = w->section->name, .events = events, .n = 1
        };
        PlNotifyProgress *p = &w->progress;
        PlNotifyOutcome outcome;
        int r;

        /* tried once, whatever comes of it */
        p->test_id = w->queue->test_id;
        (void)snprintf(p->test_reason, sizeof(p->test_reason), "its end is not known");
        r = save(s, w, false);
        if (r < 0)
                return r;
        send_batch(s, w->section, &batch, &outcome);
        memcpy(p->test_reason, outcome.reason, sizeof(p->test_reason));
        if (outcome.result == PL_NOTIFY_SENT)
                p->retry_usec = 0; /* what waits need not wait any more */
        else
                s->failed = true;
        return save(s, w, true);
}

/* --- rounds --- */

static void work_deinit(Work *w) {
        pl_notify_queue_free(w->queue);
        pl_notify_section_free(w->section);
}

static int serve(Sender *s, const char *file) {
        _cleanup_(work_deinit) Work w = { .file = file };
        _cleanup_free_ char *text = NULL;
        uint64_t now = pl_clock_usec(CLOCK_REALTIME), due;
        size_t size;
        int r = pl_fs_read(s->queue_fd, file, PL_NOTIFY_FILE_MAX, &text, &size);

        if (r >= 0)
                r = pl_notify_queue_parse(text, size, &w.queue, &w.section);
        if (r < 0) {
                if (r != -ENOENT)
                        pl_log_warning("Cannot read the queue %s/%s: %s", s->options->queue_dir,
                                       file, strerror(-r));
                return 0;
        }
        load_progress(s, &w);
        if (w.queue->test_id > w.progress.test_id)
                r = send_test(s, &w);
        due = pl_notify_due(w.queue, &w.section->quiet, &w.progress, now);
        if (r >= 0 && due > 0 && due <= now) {
                r = send_events(s, &w);
                due = pl_notify_due(w.queue, &w.section->quiet, &w.progress,
                                    pl_clock_usec(CLOCK_REALTIME));
        }
        if (due > 0)
                s->next_usec = PL_MIN(s->next_usec, due);
        return r;
}

static bool has_suffix(const char *name) {
        size_t n = strlen(name), m = strlen(SUFFIX);

        return n > m && name[0] != '.' && pl_streq(name + n - m, SUFFIX);
}

static DIR *open_again(int dir_fd) {
        int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

        if (!dir)
                pl_closep(&fd);
        return dir;
}

/* How far we had got with sections that are no more. */
static void forget_gone(Sender *s) {
        DIR *dir = open_again(s->sent_fd);
        const struct dirent *e;

        while (dir && (e = readdir(dir)))
                if (has_suffix(e->d_name) && faccessat(s->queue_fd, e->d_name, F_OK, 0) < 0 &&
                    errno == ENOENT)
                        (void)unlinkat(s->sent_fd, e->d_name, 0);
        if (dir)
                (void)closedir(dir);
}

static int serve_all(Sender *s) {
        DIR *dir = open_again(s->queue_fd);
        const struct dirent *e;
        int r = 0, n = 0;

        if (!dir)
                return -errno;
        s->failed = false;
        s->next_usec = PL_TIME_INFINITY;
        while (r >= 0 && n < SECTION_FILES && (e = readdir(dir)))
                if (has_suffix(e->d_name)) {
                        _cleanup_free_ char *file = strdup(e->d_name);

                        r = file ? serve(s, file) : -ENOMEM;
                        n++;
                }
        (void)closedir(dir);
        return r;
}

/* Until a queue is written anew, or the next message is due. Return: false: that takes too long. */
static bool wait_for_more(Sender *s) {
        uint64_t now = pl_clock_usec(CLOCK_REALTIME);
        struct pollfd p = { .fd = s->watch_fd, .events = POLLIN };
        char events[4096];
        uint64_t wait;

        if (s->options->once || s->next_usec > now + PL_SENDER_LINGER_USEC)
                return false;
        wait = s->next_usec > now ? s->next_usec - now : 0;
        (void)poll(&p, 1, (int)(wait / PL_USEC_PER_MSEC) + 1);
        while (read(s->watch_fd, events, sizeof(events)) > 0)
                ;
        return true;
}

static int open_directories(Sender *s) {
        const PlSenderOptions *o = s->options;
        pid_t pid;
        int r;

        s->queue_fd = open(o->queue_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        s->sent_fd = s->queue_fd >= 0 ? open(o->sent_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                                      : -EBADF;
        if (s->queue_fd < 0 || s->sent_fd < 0) {
                r = -errno;
                pl_log_error("Cannot use %s: %s", s->queue_fd < 0 ? o->queue_dir : o->sent_dir,
                             strerror(-r));
                return r;
        }
        r = pl_lock_directory(o->sent_dir, &s->lock_fd, &pid);
        if (r < 0)
                return r;
        s->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (s->watch_fd >= 0 && inotify_add_watch(s->watch_fd, o->queue_dir, IN_MOVED_TO) < 0)
                pl_log_debug("Cannot watch %s: %s", o->queue_dir, strerror(errno));
        return 0;
}

int pl_sender_run(const PlSenderOptions *options) {
        Sender s = { .options = options,
                     .queue_fd = -EBADF,
                     .sent_fd = -EBADF,
                     .lock_fd = -EBADF,
                     .watch_fd = -EBADF };
        int r = open_directories(&s);

        if (r >= 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                r = -ENOMEM;
        s.curl = r >= 0 ? curl_easy_init() : NULL;
        if (r >= 0 && !s.curl)
                r = -ENOMEM;
        if (r >= 0)
                forget_gone(&s);
        while (r >= 0) {
                r = serve_all(&s);
                if (r < 0 || !wait_for_more(&s))
                        break;
        }
        curl_easy_cleanup(s.curl);
        curl_global_cleanup();
        pl_closep(&s.queue_fd);
        pl_closep(&s.sent_fd);
        pl_closep(&s.lock_fd);
        pl_closep(&s.watch_fd);
        return r < 0 ? r : s.failed;
}
