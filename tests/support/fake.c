/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Fake: child process, control requests and the loop, for tests against the fake engine.
 */

#include "fake.h"

#include <check.h>
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define ARGS_MAX 16

static uint64_t now_usec(void) {
        struct timespec ts;

        (void)clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * PL_USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

void fake_init(Fake *f) {
        *f = (Fake){ .dir = "/tmp/plimsoll-fake-XXXXXX" };
        ck_assert_msg(mkdtemp(f->dir) != NULL, "mkdtemp: %s", strerror(errno));
        (void)snprintf(f->path, sizeof(f->path), "%s/docker.sock", f->dir);
        (void)snprintf(f->url, sizeof(f->url), "unix://%s", f->path);
}

void fake_start(Fake *f, const char *const *args) {
        const char *argv[ARGS_MAX + 4] = { PL_TEST_SUPPORT "/fake-engine", "--socket", f->path };
        char answer[16] = "";
        pid_t parent = getpid();
        int out[2];

        for (size_t i = 0; args && args[i]; i++)
                argv[3 + i] = args[i];
        ck_assert(pipe(out) == 0);
        f->pid = fork();
        ck_assert(f->pid >= 0);
        if (f->pid == 0) {
                sigset_t none;

                (void)sigemptyset(&none);
                (void)sigprocmask(SIG_SETMASK, &none, NULL);
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent || dup2(out[1], STDOUT_FILENO) < 0)
                        _exit(127);
                (void)close(out[0]);
                (void)close(out[1]);
                execv(argv[0], (char *const *)argv);
                _exit(127);
        }
        (void)close(out[1]);
        ck_assert_msg(read(out[0], answer, sizeof(answer) - 1) > 0 &&
                                      pl_startswith(answer, "ready"),
                      "the fake engine does not start (python3?)");
        (void)close(out[0]);
}

void fake_kill(Fake *f, int signal) {
        if (f->pid <= 0)
                return;
        (void)kill(f->pid, signal);
        (void)waitpid(f->pid, NULL, 0);
        f->pid = 0;
}

void fake_deinit(Fake *f) {
        char path[128];

        fake_kill(f, SIGKILL);
        (void)unlink(f->path);
        (void)snprintf(path, sizeof(path), "%s/docker.pid", f->dir);
        (void)unlink(path);
        (void)rmdir(f->dir);
}

static size_t collect(char *data, size_t one, size_t size, void *userdata) {
        return fwrite(data, 1, size, userdata) == size ? size : 0;
}

static json_t *tell(const Fake *f, const char *text) {
        _cleanup_free_ char *answer = NULL;
        size_t size;
        FILE *into = open_memstream(&answer, &size);
        CURL *easy = curl_easy_init();
        json_error_t error;
        json_t *json;
        CURLcode code;

        ck_assert(easy && into);
        (void)curl_easy_setopt(easy, CURLOPT_URL, "http://fake/_fake");
        (void)curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, f->path);
        (void)curl_easy_setopt(easy, CURLOPT_PROXY, "");
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, text);
        (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
        (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, into);
        (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT, 60L);
        code = curl_easy_perform(easy);
        curl_easy_cleanup(easy);
        (void)fclose(into);
        ck_assert_msg(code == CURLE_OK, "the fake engine: %s", curl_easy_strerror(code));
        json = json_loadb(answer, size, 0, &error);
        ck_assert_msg(json != NULL, "the fake engine says: %s", answer);
        return json;
}

json_t *fake_tell(const Fake *f, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        ck_assert(vasprintf(&text, format, ap) >= 0);
        va_end(ap);
        return tell(f, text);
}

void fake_do(const Fake *f, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        json_t *answer;

        va_start(ap, format);
        ck_assert(vasprintf(&text, format, ap) >= 0);
        va_end(ap);
        answer = tell(f, text);
        ck_assert_msg(json_is_true(json_object_get(answer, "ok")), "%s: %s", text,
                      json_string_value(json_object_get(answer, "error")));
        json_decref(answer);
}

bool run_until(sd_event *event, const unsigned *flag, unsigned n, uint64_t timeout_usec) {
        uint64_t end = now_usec() + timeout_usec, now;

        while (*flag < n && (now = now_usec()) < end)
                ck_assert_int_ge(sd_event_run(event, end - now), 0);
        return *flag >= n;
}

void run_for(sd_event *event, uint64_t usec) {
        const unsigned never = 0;

        (void)run_until(event, &never, 1, usec);
}
