/* SPDX-License-Identifier: Apache-2.0 */

/*
 * plimsollctl top: status again and again, with the CPU in use.
 *
 * The terminal is given back as it was however this ends: by a key, a signal, or the shell's job
 * control. Signals only raise a flag and interrupt poll(2).
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "ctl/cli.h"

#include "base/clock.h"

/* xterm's alternate screen and cursor, DECSET 1049 and 25; every terminal of today has them */
#define SCREEN_ENTER "\033[?1049h\033[?25l\033[2J"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"
#define LINE_END     "\033[K\r\n"
#define SCREEN_REST  "\033[J"

static struct termios saved;
static bool taken; /* is the terminal ours? */
static volatile sig_atomic_t got_end, got_stop;

static void on_signal(int sig) {
        if (sig == SIGTSTP)
                got_stop = 1;
        else if (sig != SIGWINCH)
                got_end = sig;
}

static void screen_leave(void) {
        if (!taken)
                return;
        taken = false;
        (void)fputs(SCREEN_LEAVE, stdout);
        (void)fflush(stdout);
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

static void screen_enter(void) {
        struct termios raw;

        if (tcgetattr(STDIN_FILENO, &saved) < 0)
                return;
        raw = saved;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
        (void)fputs(SCREEN_ENTER, stdout);
        taken = true;
}

static void catch_signals(void) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGWINCH };
        struct sigaction action = { .sa_handler = on_signal }; /* no SA_RESTART: poll returns */

        for (size_t i = 0; i < PL_ARRAY_SIZE(signals); i++)
                (void)sigaction(signals[i], &action, NULL);
}

static void draw(const char *text, const char *footer, const PlLook *look) {
        struct winsize size = {};
        unsigned rows = 24;

        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2)
                rows = size.ws_row;
        (void)fputs("\033[H", stdout);
        for (unsigned i = 0; i + 1 < rows; i++) {
                size_t n = strcspn(text, "\n");
                (void)fprintf(stdout, "%.*s" LINE_END, (int)n, text);
                text += n + (text[n] == '\n');
        }
        pl_text_tint(stdout, look, PL_TINT_DIM, footer);
        (void)fputs(SCREEN_REST, stdout);
        (void)fflush(stdout);
}

typedef struct Top {
        PlCtl *ctl;
        json_t *last, *previous;
        uint64_t last_usec, previous_usec;
        PlViewSort sort;
        bool quit;
        int error; /* of the last request */
} Top;

static int fetch(Top *t) {
        json_t *status = NULL;
        long code = 0;
        int r = pl_ctl_client_request(t->ctl->client, "GET", "/v1/status", &code, &status);

        if (r == 0 && code != 200) {
                json_decref(status);
                r = -EPROTO;
        }
        t->error = r;
        if (r < 0)
                return r;
        json_decref(t->previous);
        t->previous = t->last;
        t->previous_usec = t->last_usec;
        t->last = status;
        t->last_usec = pl_clock_usec(CLOCK_MONOTONIC);
        return 0;
}

static void show(Top *t) {
        PlViewOptions o = pl_ctl_view_options();
        _cleanup_free_ char *text = NULL;

        o.previous = t->previous;
        o.elapsed_usec = t->last_usec - t->previous_usec;
        o.sort = t->sort;
        if (t->ctl->json) {
                pl_ctl_print_json_line(t->last);
                (void)fflush(stdout);
        } else if (pl_view_status(t->last, &o, &text) < 0)
                t->quit = true;
        else if (taken)
                draw(text,
                     t->error < 0 ? "plimsolld does not answer; trying again    q quit"
                                  : "q quit   c by CPU   m by memory   n by name",
                     &o.look);
        else {
                (void)printf("%s\n", text);
                (void)fflush(stdout);
        }
}

static void on_key(Top *t, char key) {
        switch (key) {
        case 'q':
        case 'Q':
                t->quit = true;
                break;
        case 'c':
                t->sort = PL_VIEW_SORT_CPU;
                break;
        case 'm':
                t->sort = PL_VIEW_SORT_MEMORY;
                break;
        case 'n':
                t->sort = PL_VIEW_SORT_NAME;
                break;
        default:
                break;
        }
}

/* Ctrl-Z: the shell gets its terminal back, and we get ours when it says fg. */
static void stop_here(void) {
        got_stop = 0;
        screen_leave();
        (void)raise(SIGSTOP);
        screen_enter();
}

/* Until the next fetch is due; keys and a new size are answered at once. */
static void pass_time(Top *t, uint64_t until_usec) {
        for (uint64_t now;
             !t->quit && !got_end && (now = pl_clock_usec(CLOCK_MONOTONIC)) < until_usec;) {
                struct pollfd p = { .fd = taken ? STDIN_FILENO : -1, .events = POLLIN };
                char key;
                int n = poll(&p, 1, (int)PL_MIN((until_usec - now) / 1000 + 1, UINT64_C(60000)));

                if (got_stop)
                        stop_here();
                if (n > 0 && read(STDIN_FILENO, &key, 1) == 1)
                        on_key(t, key);
                else if (n > 0)
                        t->quit = true; /* the terminal is gone */
                if (n != 0 && !t->quit && !got_end)
                        show(t);
        }
}

int pl_ctl_cmd_top(PlCtl *ctl) {
        Top t = { .ctl = ctl };
        bool live = !ctl->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
        int r = fetch(&t);

        if (r < 0)
                return pl_ctl_failed(ctl, r);
        if (live) {
                catch_signals();
                (void)atexit(screen_leave);
                screen_enter();
        }
        for (unsigned i = 1; !t.quit && !got_end; i++) {
                show(&t);
                if (ctl->iterations > 0 && i >= ctl->iterations)
                        break;
                pass_time(&t, pl_clock_usec(CLOCK_MONOTONIC) + ctl->interval_usec);
                if (t.quit || got_end)
                        break;
                r = fetch(&t);
                if (r < 0 && !live)
                        break;
        }
        screen_leave();
        json_decref(t.last);
        json_decref(t.previous);
        if (got_end && got_end != SIGINT)
                return 128 + got_end;
        return r < 0 && !live ? pl_ctl_failed(ctl, r) : PL_EXIT_GOOD;
}
