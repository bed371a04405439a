/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Log spool.
 *
 * The engine's answer is a stream of messages with a header of eight bytes (the stream, three
 * zeros, the size, big endian); that of a container with a terminal has no headers. Each message
 * begins with its time and, where they are asked for, with its attributes. (Source: moby,
 * api/swagger.yaml, ContainerAttach; api/server/httputils/write_log_stream.go.)
 *
 * In the journal a message has no newline, and a line that the engine has cut is several entries
 * with one CONTAINER_PARTIAL_ID. (Source: moby, daemon/logger/journald.)
 */

#include "ctl/logs/spool.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/fs.h"
#include "ctl/client.h"
#include "lib/base/time.h"

#define HEADER_BYTES 8
#define MESSAGE_MAX  MIB(4) /* the engine cuts lines after 16 KiB; the rest are attributes */
#define TIMEOUT_MSEC 5000
#define WAIT_USEC    PL_USEC_PER_SEC

struct PlLogSpool {
        int fd;
        bool tty;
        PlLogForeign from;
        char *socket;
        PlLogSpoolAsked asked;
        PlLogText in, out; /* bytes that are no message yet; a record */
        char partial_id[80];
        uint64_t partial_nsec;
        uint64_t n_records;
        CURL *curl;
        char error[256];
        pthread_t thread;
        bool threaded;
        atomic_bool over;
};

void pl_log_foreign_deinit(PlLogForeign *f) {
        free(f->name);
        free(f->driver);
        free(f->path);
        *f = (PlLogForeign){ 0 };
}

static const char *text_at(const json_t *j, const char *a, const char *b, const char *c) {
        j = json_object_get(j, a);
        if (b)
                j = json_object_get(j, b);
        if (c)
                j = json_object_get(j, c);
        return json_string_value(j);
}

static int take_container(const json_t *j, PlLogForeign *ret) {
        const char *id = text_at(j, "Id", NULL, NULL), *name = text_at(j, "Name", NULL, NULL);
        const char *driver = text_at(j, "HostConfig", "LogConfig", "Type");
        const char *path = text_at(j, "LogPath", NULL, NULL);
        PlLogForeign f = { 0 };

        if (!id || strlen(id) != PL_ID_MAX - 1 || !name || !driver)
                return -EPROTO;
        memcpy(f.id, id, PL_ID_MAX);
        f.name = strdup(name + (*name == '/'));
        f.driver = strdup(driver);
        f.path = path && *path ? strdup(path) : NULL;
        f.tty = json_is_true(json_object_get(json_object_get(j, "Config"), "Tty"));
        if (!f.name || !f.driver || (path && *path && !f.path)) {
                pl_log_foreign_deinit(&f);
                return -ENOMEM;
        }
        *ret = f;
        return 0;
}

int pl_log_foreign_find(const char *socket, const char *name, PlLogForeign *ret) {
        _cleanup_(pl_ctl_client_freep) PlCtlClient *client = NULL;
        _cleanup_free_ char *path = NULL;
        json_t *j = NULL;
        long code = 0;
        int r;

        /* moby, daemon/names: what else a name could hold means something in a URL */
        if (!*name ||
            name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789_.-")] ||
            *name == '.')
                return -ENOENT;
        r = pl_ctl_client_new(socket, TIMEOUT_MSEC, &client);
        if (r < 0)
                return r;
        if (asprintf(&path, "/containers/%s/json", name) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        r = pl_ctl_client_request(client, "GET", path, &code, &j);
        if (r >= 0)
                r = code == 200 ? take_container(j, ret) : code == 404 ? -ENOENT : -EPROTO;
        json_decref(j);
        return r;
}

/* --- records -------------------------------------------------------------------------------------
 */

static int put(PlLogText *t, const char *s, size_t size) {
        if (t->n + size + 1 > t->allocated) {
                size_t want = PL_MAX(t->n + size + 1, t->allocated * 2);
                char *bigger = realloc(t->data, want);

                if (!bigger)
                        return -ENOMEM;
                t->data = bigger;
                t->allocated = want;
        }
        memcpy(t->data + t->n, s, size);
        t->n += size;
        t->data[t->n] = '\0';
        return 0;
}

/* As it is but for what JSON cannot hold: bytes that are no UTF-8 stay what they are. */
static int put_escaped(PlLogText *t, const char *s, size_t size) {
        int r = 0;

        for (size_t i = 0; i < size && r >= 0; i++) {
                const unsigned char c = (unsigned char)s[i];
                char text[8];

                if (c == '"' || c == '\\')
                        r = put(t, (const char[]){ '\\', s[i] }, 2);
                else if (c == '\n')
                        r = put(t, "\\n", 2);
                else if (c < 0x20)
                        r = put(t, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c));
                else
                        r = put(t, s + i, 1);
        }
        return r;
}

static int put_word(PlLogText *t, const char *s) {
        return put(t, s, strlen(s));
}

/* @attrs: a JSON object; NULL: none */
static int write_record(PlLogSpool *s, const char *text, size_t size, const char *stream,
                        uint64_t nsec, const char *attrs) {
        char when[PL_TIME_TEXT_MAX];
        PlLogText *out = &s->out;
        int r;

        out->n = 0;
        pl_format_time(nsec, when);
        r = put_word(out, "{\"log\":\"");
        if (r >= 0)
                r = put_escaped(out, text, size);
        if (r >= 0)
                r = put_word(out, "\",\"stream\":\"");
        if (r >= 0)
                r = put_word(out, stream);
        if (r >= 0)
                r = put_word(out, "\",");
        if (r >= 0 && attrs)
                r = put_word(out, "\"attrs\":");
        if (r >= 0 && attrs)
                r = put_word(out, attrs);
        if (r >= 0)
                r = put_word(out, attrs ? ",\"time\":\"" : "\"time\":\"");
        if (r >= 0)
                r = put_word(out, when);
        if (r >= 0)
                r = put_word(out, "\"}\n");
        if (r >= 0)
                r = pl_fs_write_all(s->fd, out->data, out->n, NULL);
        s->n_records++;
        return r;
}

/* --- the engine's answer -------------------------------------------------------------------------
 */

/* "k=v,k=v", each as in a query, as a JSON object; owned by the caller, NULL: out of memory. */
static char *attrs_of(const char *text, size_t size) {
        json_t *j = json_object();
        char *out;

        while (size > 0) {
                const char *comma = memchr(text, ',', size);
                size_t n = comma ? (size_t)(comma - text) : size;
                const char *equals = memchr(text, '=', n);
                size_t n_key = equals ? (size_t)(equals - text) : n;
                char *key, *value;
                int n_value = 0;

                /* "+" is a space */
                _cleanup_free_ char *pair = strndup(text, n);
                for (char *p = pair; p && *p; p++)
                        *p = *p == '+' ? ' ' : *p;
                key = pair ? curl_easy_unescape(NULL, pair, (int)n_key, NULL) : NULL;
                value = pair && equals ? curl_easy_unescape(NULL, pair + n_key + 1,
                                                            (int)(n - n_key - 1), &n_value)
                                       : NULL;
                if (key)
                        (void)json_object_set_new(j, key,
                                                  json_stringn(value ?: "", (size_t)n_value));
                curl_free(key);
                curl_free(value);
                text += comma ? n + 1 : n;
                size -= comma ? n + 1 : n;
        }
        out = json_dumps(j, JSON_COMPACT | JSON_PRESERVE_ORDER);
        json_decref(j);
        return out;
}

static int take_message(PlLogSpool *s, const char *stream, const char *text, size_t size) {
        _cleanup_free_ char *attrs = NULL;
        const char *space = memchr(text, ' ', size);
        uint64_t nsec = 0;

        if (!space || pl_parse_time(text, (size_t)(space - text), PL_TIME_RFC3339, &nsec) < 0)
                return -EPROTO;
        size -= (size_t)(space + 1 - text);
        text = space + 1;
        if (s->asked.details) {
                space = memchr(text, ' ', size);
                if (!space)
                        return -EPROTO;
                if (space > text)
                        attrs = attrs_of(text, (size_t)(space - text));
                size -= (size_t)(space + 1 - text);
                text = space + 1;
        }
        return write_record(s, text, size, stream, nsec, attrs);
}

/* Return: bytes that were a message; 0 more is needed; -EPROTO, as take_message(). */
static ssize_t take_some(PlLogSpool *s, const char *data, size_t size) {
        static const char *const streams[] = { "stdout", "stdout", "stderr" };
        const unsigned char *h = (const unsigned char *)data;
        size_t n;
        int r;

        if (s->tty) {
                const char *nl = memchr(data, '\n', size);

                n = nl ? (size_t)(nl - data) + 1 : 0;
                r = n > 0 ? take_message(s, "stdout", data, n) : 0;
                return r < 0 ? r : (ssize_t)n;
        }
        if (size < HEADER_BYTES)
                return 0;
        n = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
        if (h[0] == 3) { /* the engine's reader has failed */
                (void)snprintf(s->error, sizeof(s->error), "the engine: %.*s",
                               (int)PL_MIN(size - HEADER_BYTES, PL_MIN(n, (size_t)200)),
                               data + HEADER_BYTES);
                return size < HEADER_BYTES + n ? 0 : (ssize_t)(HEADER_BYTES + n);
        }
        if (h[0] >= PL_ARRAY_SIZE(streams) || h[1] || h[2] || h[3] || n > MESSAGE_MAX)
                return -EPROTO;
        if (size < HEADER_BYTES + n)
                return 0;
        r = take_message(s, streams[h[0]], data + HEADER_BYTES, n);
        return r < 0 ? r : (ssize_t)(HEADER_BYTES + n);
}

int pl_log_spool_feed(PlLogSpool *s, const char *data, size_t size) {
        size_t at = 0;
        ssize_t n = 0;
        int r;

        r = put(&s->in, data, size);
        if (r < 0)
                return r;
        while (at < s->in.n && (n = take_some(s, s->in.data + at, s->in.n - at)) > 0)
                at += (size_t)n;
        if (n < 0)
                return (int)n;
        s->in.n -= at;
        memmove(s->in.data, s->in.data + at, s->in.n);
        return s->in.n > HEADER_BYTES + MESSAGE_MAX ? -EPROTO : 0;
}

static size_t on_bytes(char *data, size_t one, size_t n, void *userdata) {
        PlLogSpool *s = userdata;
        long code = 0;
        int r;

        (void)curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &code);
        if (code != 200) {
                json_t *j = json_loadb(data, n, 0, NULL);
                const char *message = json_string_value(json_object_get(j, "message"));

                (void)snprintf(s->error, sizeof(s->error), "the engine: %s",
                               message ?: "no answer");
                json_decref(j);
                return 0;
        }
        r = pl_log_spool_feed(s, data, n);
        if (r < 0)
                (void)snprintf(s->error, sizeof(s->error), "what the engine sends: %s",
                               strerror(-r));
        return r < 0 ? 0 : n;
}

static void put_time(char *buf, size_t size, const char *key, uint64_t nsec) {
        (void)snprintf(buf, size, "&%s=%" PRIu64 ".%09" PRIu64, key, nsec / UINT64_C(1000000000),
                       nsec % UINT64_C(1000000000));
}

static int from_engine(PlLogSpool *s) {
        char url[512], since[64] = "", until[64] = "", tail[40] = "";
        CURLcode code;

        if (s->asked.since_nsec > 0)
                put_time(since, sizeof(since), "since", s->asked.since_nsec);
        if (s->asked.until_nsec != UINT64_MAX)
                put_time(until, sizeof(until), "until", s->asked.until_nsec);
        if (s->asked.tail != UINT64_MAX)
                (void)snprintf(tail, sizeof(tail), "&tail=%" PRIu64, s->asked.tail);
        (void)snprintf(url, sizeof(url),
                       "http://localhost/containers/%s/logs?stdout=1&stderr=1&timestamps=1"
                       "&details=%d&follow=%d%s%s%s",
                       s->from.id, s->asked.details, s->asked.follow, since, until, tail);
        s->curl = curl_easy_init();
        if (!s->curl)
                return -ENOMEM;
        (void)curl_easy_setopt(s->curl, CURLOPT_UNIX_SOCKET_PATH, s->socket);
        (void)curl_easy_setopt(s->curl, CURLOPT_URL, url);
        (void)curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
        (void)curl_easy_setopt(s->curl, CURLOPT_PROXY, "");
        (void)curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, on_bytes);
        (void)curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, s);
        code = curl_easy_perform(s->curl);
        curl_easy_cleanup(s->curl);
        s->curl = NULL;
        if (code != CURLE_OK && !*s->error)
                (void)snprintf(s->error, sizeof(s->error), "the engine: %s",
                               curl_easy_strerror(code));
        if (s->in.n > 0 && s->tty) /* last words without a newline */
                (void)take_message(s, "stdout", s->in.data, s->in.n);
        return *s->error ? -EREMOTEIO : 0;
}

/* --- the journal ---------------------------------------------------------------------------------
 */

static const char *field(sd_journal *j, const char *name, size_t *ret_size) {
        const void *data;
        size_t size, n = strlen(name) + 1;

        *ret_size = 0;
        if (sd_journal_get_data(j, name, &data, &size) < 0 || size < n)
                return NULL;
        *ret_size = size - n;
        return (const char *)data + n;
}

/* Labels and variables of the logging options: what is neither the engine's nor the journal's. */
static bool is_attr(const char *data, size_t size) {
        static const char *const known[] = { "MESSAGE",    "PRIORITY", "CODE_",
                                             "SYSLOG_",    "ERRNO",    "CONTAINER_",
                                             "IMAGE_NAME", "TID",      "_" };

        for (size_t i = 0; i < PL_ARRAY_SIZE(known); i++)
                if (size >= strlen(known[i]) && memcmp(data, known[i], strlen(known[i])) == 0)
                        return false;
        return true;
}

static char *journal_attrs(sd_journal *j) {
        json_t *o = json_object();
        const void *data;
        size_t size;
        char *out = NULL;

        SD_JOURNAL_FOREACH_DATA(j, data, size) {
                const char *equals = memchr(data, '=', size);

                if (equals && is_attr(data, size))
                        (void)json_object_setn_new(
                                        o, data, (size_t)(equals - (const char *)data),
                                        json_stringn(equals + 1,
                                                     size - 1 -
                                                                     (size_t)(equals -
                                                                              (const char *)data)));
        }
        if (json_object_size(o) > 0)
                out = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(o);
        return out;
}

/* When the engine had the line; of its later parts, when it had the first. */
static uint64_t entry_time(PlLogSpool *s, sd_journal *j) {
        size_t size;
        const char *text = field(j, "SYSLOG_TIMESTAMP", &size), *id;
        uint64_t usec = 0, nsec = 0;

        if (!text || pl_parse_time(text, size, PL_TIME_RFC3339, &nsec) < 0) {
                (void)sd_journal_get_realtime_usec(j, &usec);
                nsec = usec * PL_NSEC_PER_USEC;
        }
        id = field(j, "CONTAINER_PARTIAL_ID", &size);
        if (!id || size >= sizeof(s->partial_id)) {
                s->partial_id[0] = '\0';
                return nsec;
        }
        if (strlen(s->partial_id) == size && memcmp(s->partial_id, id, size) == 0)
                return s->partial_nsec;
        memcpy(s->partial_id, id, size);
        s->partial_id[size] = '\0';
        s->partial_nsec = nsec;
        return nsec;
}

static int take_entry(PlLogSpool *s, sd_journal *j) {
        _cleanup_free_ char *attrs = s->asked.details ? journal_attrs(j) : NULL, *text = NULL;
        const char *message, *priority;
        size_t size, n;
        bool partial, error;

        message = field(j, "MESSAGE", &size);
        if (!message)
                return 0;
        text = malloc(size + 1);
        if (!text)
                return -ENOMEM;
        memcpy(text, message, size);
        partial = field(j, "CONTAINER_PARTIAL_MESSAGE", &n) != NULL;
        if (!partial)
                text[size++] = '\n';
        priority = field(j, "PRIORITY", &n);
        error = priority && n == 1 && *priority == '3';
        return write_record(s, text, size, error ? "stderr" : "stdout", entry_time(s, j), attrs);
}

static int from_journal(PlLogSpool *s) {
        char match[sizeof("CONTAINER_ID_FULL=") + PL_ID_MAX];
        sd_journal *j = NULL;
        int r = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);

        (void)snprintf(match, sizeof(match), "CONTAINER_ID_FULL=%s", s->from.id);
        if (r >= 0)
                r = sd_journal_add_match(j, match, 0);
        if (r >= 0)
                r = s->asked.since_nsec > 0
                                    ? sd_journal_seek_realtime_usec(
                                                      j, s->asked.since_nsec / PL_NSEC_PER_USEC)
                                    : sd_journal_seek_head(j);
        while (r >= 0) {
                r = sd_journal_next(j);
                if (r > 0)
                        r = take_entry(s, j);
                else if (r == 0 && s->asked.follow)
                        r = sd_journal_wait(j, WAIT_USEC);
                else
                        break;
        }
        sd_journal_close(j);
        if (r < 0)
                (void)snprintf(s->error, sizeof(s->error), "the journal: %s", strerror(-r));
        return r;
}

/* --- either --------------------------------------------------------------------------------------
 */

static bool is_in_journal(const PlLogSpool *s) {
        return pl_streq(s->from.driver, "journald");
}

static int fill(PlLogSpool *s) {
        int r = is_in_journal(s) ? from_journal(s) : from_engine(s);

        if (is_in_journal(s) && s->n_records == 0) { /* it may not be ours to read */
                s->error[0] = '\0';
                r = from_engine(s);
        }
        return r;
}

static void *run(void *userdata) {
        PlLogSpool *s = userdata;

        (void)fill(s);
        atomic_store(&s->over, true);
        /* a byte that no record is made of wakes whoever waits for the file to change */
        (void)pl_fs_write_all(s->fd, "\n", 1, NULL);
        return NULL;
}

PlLogSpool *pl_log_spool_make(int fd, bool tty, bool details) {
        PlLogSpool *s = calloc(1, sizeof(*s));

        if (!s)
                return NULL;
        s->fd = fd;
        s->tty = tty;
        s->asked = (PlLogSpoolAsked){ .tail = UINT64_MAX,
                                      .until_nsec = UINT64_MAX,
                                      .details = details };
        return s;
}

int pl_log_spool_new(const char *socket, const PlLogForeign *f, const PlLogSpoolAsked *asked,
                     PlLogSpool **ret, int *ret_fd) {
        const char *dir = getenv("TMPDIR");
        /* whoever reads it looks for data, and moves the descriptor's place */
        _cleanup_close_ int fd =
                        open(dir ?: "/var/tmp", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
        PlLogSpool *s;
        int r = 0;

        if (fd < 0)
                return -errno;
        s = pl_log_spool_make(fd, f->tty, asked->details);
        if (!s)
                return -ENOMEM;
        *ret = s;
        s->asked = *asked;
        s->socket = strdup(socket);
        s->from.driver = strdup(f->driver);
        memcpy(s->from.id, f->id, PL_ID_MAX);
        s->fd = dup(fd);
        if (!s->socket || !s->from.driver || s->fd < 0)
                return -ENOMEM;
        (void)curl_global_init(CURL_GLOBAL_DEFAULT);
        if (asked->follow) {
                r = -pthread_create(&s->thread, NULL, run, s);
                s->threaded = r == 0;
        } else {
                r = fill(s);
                atomic_store(&s->over, true);
        }
        if (r >= 0 || s->n_records > 0)
                *ret_fd = TAKE_FD(fd);
        return r < 0 && s->n_records == 0 ? r : 0;
}

bool pl_log_spool_is_over(const PlLogSpool *s) {
        return atomic_load(&s->over);
}

const char *pl_log_spool_error(const PlLogSpool *s) {
        return s->error;
}

PlLogSpool *pl_log_spool_free(PlLogSpool *s) {
        if (!s)
                return NULL;
        if (s->threaded && !atomic_load(&s->over))
                return NULL;
        if (s->threaded)
                (void)pthread_join(s->thread, NULL);
        pl_closep(&s->fd);
        pl_log_foreign_deinit(&s->from);
        free(s->socket);
        free(s->in.data);
        free(s->out.data);
        free(s);
        return NULL;
}
