/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each engine says, and what is made of it: rows per member, per engine's habit, per lie.
 */
#include <errno.h>
#include <jansson.h>

#include "lib/docker/answer.h"
#include "lib/docker/container.h"
#include "lib/base/json.h"
#include "unit.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct {
        const char *name, *body;
        int r;
        unsigned api_minor, min_minor;
        bool podman;
        const char *version;
} versions[] = {
        { "bookworm",
          "{\"Components\":[{\"Name\":\"Engine\"}],\"Version\":\"20.10.24+dfsg1\",\"ApiVersion\":"
          "\"1.41\","
          "\"MinAPIVersion\":\"1.12\"}",
          0, 41, 12, false, "20.10.24+dfsg1" },
        { "podman",
          "{\"Components\":[{\"Name\":\"Podman Engine\"}],\"Version\":\"4.3.1\","
          "\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.24\"}",
          0, 41, 24, true, "4.3.1" },
        { "29", "{\"Version\":\"29.0.0\",\"ApiVersion\":\"1.52\",\"MinAPIVersion\":\"1.44\"}", 0,
          52, 44, false, "29.0.0" },
        { "no minimum", "{\"ApiVersion\":\"1.30\"}", 0, 30, 24, false, "" },
        { "three parts", "{\"ApiVersion\":\"1.41.0\",\"MinAPIVersion\":\"1.24\"}", 0, 41, 24, false,
          "" },
        { "no version", "{\"Version\":\"1\"}", -EBADMSG },
        { "mistyped", "{\"ApiVersion\":1.41}", -EBADMSG },
        { "not a version", "{\"ApiVersion\":\"latest\"}", -EBADMSG },
        { "huge", "{\"ApiVersion\":\"1.99999999999\"}", -EBADMSG },
        { "signed", "{\"ApiVersion\":\"1.-2\"}", -EBADMSG },
        { "half", "{\"ApiVersion\":\"1.41\"", -EBADMSG },
        { "array", "[1]", -EBADMSG },
        { "not JSON", "<html>502</html>", -EBADMSG },
        { "two documents", "{\"ApiVersion\":\"1.41\"}{}", -EBADMSG },
        { "empty", "", -EBADMSG },
};

START_TEST(test_version) {
        const __typeof__(versions[0]) *t = &versions[_i];
        PlEngineInfo info = {};
        int r = pl_docker_parse_version(t->body, strlen(t->body), &info);

        ck_assert_msg(r == t->r, "%s: %d", t->name, r);
        if (r < 0) {
                ck_assert_msg(!*info.version, "%s: written on failure", t->name);
                return;
        }
        ck_assert_msg(info.api_max.major == 1 && info.api_max.minor == t->api_minor, "%s: %u",
                      t->name, info.api_max.minor);
        ck_assert_msg(info.api_min.minor == t->min_minor, "%s: %u", t->name, info.api_min.minor);
        ck_assert_msg(info.podman == t->podman, "%s: podman", t->name);
        ck_assert_str_eq(info.version, t->version);
}
END_TEST

static const struct {
        const char *name;
        PlApiVersion max, min, v;
} ranges[] = {
        { "20.10", { 1, 41 }, { 1, 12 }, { 1, 41 } },
        { "29.0", { 1, 52 }, { 1, 44 }, { 1, 52 } },
        { "newer than tested", { 1, 60 }, { 1, 44 }, { 1, 52 } },
        { "our floor", { 1, 24 }, { 1, 12 }, { 1, 24 } },
        { "too old", { 1, 23 }, { 1, 12 }, {} },
        { "too new", { 1, 70 }, { 1, 53 }, {} },
        { "next major", { 2, 0 }, { 2, 0 }, {} },
        { "2.0 still speaks 1", { 2, 0 }, { 1, 40 }, { 1, 52 } },
};

START_TEST(test_negotiate) {
        const __typeof__(ranges[0]) *t = &ranges[_i];
        PlEngineInfo info = {};
        char body[100];

        snprintf(body, sizeof(body), "{\"ApiVersion\":\"%u.%u\",\"MinAPIVersion\":\"%u.%u\"}",
                 t->max.major, t->max.minor, t->min.major, t->min.minor);
        ck_assert_msg(pl_docker_parse_version(body, strlen(body), &info) == 0, "%s", t->name);
        ck_assert_msg(info.api.major == t->v.major && info.api.minor == t->v.minor, "%s: %u.%u",
                      t->name, info.api.major, info.api.minor);
}
END_TEST

static const struct {
        const char *name, *body;
        int r;
        size_t n;
} lists[] = {
        { "none", "[]", 0, 0 },
        { "space", " [ ]\n", 0, 0 },
        { "one", "[{\"Id\":\"" A64 "\",\"Names\":[\"/a\"]}]", 0, 1 },
        { "two", "[{\"Id\":\"" A64 "\"} ,\n {\"Id\":\"" B64 "\"}]", 0, 2 },
        { "Health from 1.52", "[{\"Id\":\"" A64 "\",\"Health\":{\"Status\":\"healthy\"}}]", 0, 1 },
        { "brackets in text", "[{\"Id\":\"" A64 "\",\"Command\":\"]}\\\"[\"}]", 0, 1 },
        { "NUL in a label", "[{\"Labels\":{\"a\\u0000\":\"\\u0000\"},\"Id\":\"" A64 "\"}]", 0, 1 },
        { "escaped backslash", "[{\"Labels\":{\"a\":\"\\\\u0000\"},\"Id\":\"" A64 "\"}]", 0, 1 },
        { "array in an element", "[ {\"a\":[1,2],\"Id\":\"" A64 "\"}]", 0, 1 },
        { "behind an element", "[ {\"a\":[1,2],\"Id\":\"" A64 "\"} x]", -EBADMSG, 0 },
        { "number", "[  7]", -EBADMSG, 0 },
        { "no end of an array", "[{\"a\":[", -EBADMSG, 0 },
        { "no end of a string", "[{\"]}", -EBADMSG, 0 },
        { "empty", "", -EBADMSG, 0 },
        { "null", "null", -EBADMSG, 0 },
        { "object", "{}", -EBADMSG, 0 },
        { "no id", "[{\"Names\":[]}]", -EBADMSG, 0 },
        { "short id", "[{\"Id\":\"abc\"}]", -EBADMSG, 0 },
        { "path as id", "[{\"Id\":\"../../etc\"}]", -EBADMSG, 0 },
        { "half", "[{\"Id\":\"" A64 "\"},", -EBADMSG, 0 },
        { "no end", "[{\"Id\":\"" A64 "\"}", -EBADMSG, 0 },
        { "after the end", "[{\"Id\":\"" A64 "\"}]x", -EBADMSG, 0 },
        { "comma at the end", "[{\"Id\":\"" A64 "\"},]", -EBADMSG, 0 },
        { "no comma", "[{\"Id\":\"" A64 "\"}{\"Id\":\"" B64 "\"}]", -EBADMSG, 0 },
        { "half, then error", "[{\"Id\":\"" A64 "\"},{\"message\":\"x\"}]", -EBADMSG, 0 },
};

START_TEST(test_list) {
        const __typeof__(lists[0]) *t = &lists[_i];
        char(*ids)[PL_ID_MAX] = NULL;
        size_t n = 0;
        int r = pl_docker_parse_list(t->body, strlen(t->body), &ids, &n);

        ck_assert_msg(r == t->r && n == t->n, "%s: %d, %zu", t->name, r, n);
        if (n > 0)
                ck_assert_str_eq(ids[0], A64);
        if (n > 1)
                ck_assert_str_eq(ids[1], B64);
        free(ids);
}
END_TEST

/* Answers that would take hundreds of times their size in memory are refused unbuilt. */
START_TEST(test_amplification) {
        size_t size = MIB(4);
        _cleanup_free_ char *body = malloc(size);
        PlContainer *c = NULL;
        char(*ids)[PL_ID_MAX] = NULL;
        size_t n;

        memcpy(body, "{\"a\":[", 6);
        for (size_t i = 6; i < size; i++)
                body[i] = "[],"[i % 3];
        ck_assert_int_eq(pl_docker_parse_inspect(body, size, &c), -EBADMSG);
        memset(body, '[', size);
        ck_assert_int_eq(pl_docker_parse_inspect(body, size, &c), -EBADMSG);
        ck_assert_int_eq(pl_docker_parse_list(body, size, &ids, &n), -EBADMSG);
}
END_TEST

START_TEST(test_long_list) {
        enum { N = 5000 };
        char *body = NULL;
        size_t size, n = 0;
        char(*ids)[PL_ID_MAX] = NULL;
        FILE *f = open_memstream(&body, &size);

        for (unsigned i = 0; i < N; i++)
                fprintf(f, "%c{\"Id\":\"%064x\",\"Labels\":{\"n\":\"%u\"}}", i ? ',' : '[', i, i);
        fputc(']', f);
        fclose(f);
        ck_assert_int_eq(pl_docker_parse_list(body, size, &ids, &n), 0);
        ck_assert_uint_eq(n, N);
        ck_assert_uint_eq(strtoul(ids[N - 1] + 48, NULL, 16), N - 1);
        free(ids);
        free(body);
}
END_TEST

static const struct {
        const char *name, *body, *message;
} errors[] = {
        { "the engine's", "{\"message\":\"No such container: x\"}", "No such container: x" },
        { "escaped", "{\"message\":\"a\\u001b[31m\\nb\"}", "a\\x1b[31m\\x0ab" },
        { "empty", "{\"message\":\"\"}", NULL },
        { "mistyped", "{\"message\":{}}", NULL },
        { "not JSON", "Bad Gateway", NULL },
        { "nothing", "", NULL },
};

START_TEST(test_error) {
        const __typeof__(errors[0]) *t = &errors[_i];
        _cleanup_free_ char *message = pl_docker_parse_error(t->body, strlen(t->body));

        ck_assert_msg(pl_streq_null(message, t->message), "%s: %s", t->name, message);
}
END_TEST

START_TEST(test_warnings) {
        static const struct {
                const char *body, *warnings;
        } rows[] = {
                { "{\"Warnings\":null}", NULL },
                { "{\"Warnings\":[]}", NULL },
                { "{\"Warnings\":[\"one\"]}", "one" },
                { "{\"Warnings\":[\"one\",2,\"\",\"two\"]}", "one; two" },
        };

        for (size_t i = 0; i < PL_ARRAY_SIZE(rows); i++) {
                _cleanup_free_ char *w =
                                pl_docker_parse_warnings(rows[i].body, strlen(rows[i].body));

                ck_assert_msg(pl_streq_null(w, rows[i].warnings), "%s: %s", rows[i].body, w);
        }
}
END_TEST

#define EVENT(action, attributes)                                                      \
        "{\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" A64   \
        "\",\"Attributes\":{" attributes "}},\"scope\":\"local\",\"time\":1700000000," \
        "\"timeNano\":1700000000123456789}"

#define NETWORK_EVENT(action, id, attributes)                                      \
        "{\"Type\":\"network\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" id  \
        "\",\"Attributes\":{" attributes "\"name\":\"lan\",\"type\":\"bridge\"}}," \
        "\"time\":1700000000,\"timeNano\":1700000000123456789}"

static const struct {
        const char *name, *line;
        int r;
        PlEventAction action;
        int exit_code, signal;
        PlDockerHealth health;
} events[] = {
        { "create", EVENT("create", "\"name\":\"n\""), 0, PL_EVENT_CREATE, -1 },
        { "start", EVENT("start", "\"name\":\"n\""), 0, PL_EVENT_START, -1 },
        { "restart", EVENT("restart", "\"name\":\"n\""), 0, PL_EVENT_RESTART, -1 },
        { "update", EVENT("update", "\"name\":\"n\""), 0, PL_EVENT_UPDATE, -1 },
        { "rename", EVENT("rename", "\"name\":\"n\",\"oldName\":\"/o\""), 0, PL_EVENT_RENAME, -1 },
        { "pause", EVENT("pause", "\"name\":\"n\""), 0, PL_EVENT_PAUSE, -1 },
        { "unpause", EVENT("unpause", "\"name\":\"n\""), 0, PL_EVENT_UNPAUSE, -1 },
        { "kill", EVENT("kill", "\"name\":\"n\",\"signal\":\"15\""), 0, PL_EVENT_KILL, -1, 15 },
        { "stop", EVENT("stop", "\"name\":\"n\""), 0, PL_EVENT_STOP, -1 },
        { "die", EVENT("die", "\"name\":\"n\",\"exitCode\":\"137\",\"execDuration\":\"3\""), 0,
          PL_EVENT_DIE, 137 },
        { "die, nonsense", EVENT("die", "\"name\":\"n\",\"exitCode\":\"1x\""), 0, PL_EVENT_DIE,
          -1 },
        { "die, mistyped", EVENT("die", "\"name\":\"n\",\"exitCode\":7"), 0, PL_EVENT_DIE, -1 },
        { "podman died", EVENT("died", "\"name\":\"n\",\"containerExitCode\":\"3\""), 0,
          PL_EVENT_DIE, 3 },
        { "podman remove", EVENT("remove", "\"name\":\"n\""), 0, PL_EVENT_DESTROY, -1 },
        { "oom", EVENT("oom", "\"name\":\"n\""), 0, PL_EVENT_OOM, -1 },
        { "destroy", EVENT("destroy", "\"name\":\"n\""), 0, PL_EVENT_DESTROY, -1 },
        { "healthy", EVENT("health_status: healthy", "\"name\":\"n\""), 0, PL_EVENT_HEALTH_STATUS,
          -1, 0, PL_DOCKER_HEALTH_HEALTHY },
        { "unhealthy", EVENT("health_status: unhealthy", "\"name\":\"n\""), 0,
          PL_EVENT_HEALTH_STATUS, -1, 0, PL_DOCKER_HEALTH_UNHEALTHY },
        { "podman healthy", EVENT("health_status", "\"name\":\"n\",\"health_status\":\"healthy\""),
          0, PL_EVENT_HEALTH_STATUS, -1, 0, PL_DOCKER_HEALTH_HEALTHY },
        { "health, no word", EVENT("health_status", "\"name\":\"n\""), 0, PL_EVENT_HEALTH_STATUS,
          -1, 0, PL_DOCKER_HEALTH_NONE },
        { "exec, payload", EVENT("exec_create: start: die", "\"name\":\"n\""), 0, PL_EVENT_OTHER,
          -1 },
        { "starting", EVENT("starting", "\"name\":\"n\""), 0, PL_EVENT_OTHER, -1 },
        { "a volume's", "{\"Type\":\"volume\",\"Action\":\"mount\"}", -ENOMSG },
        { "a network's, of nobody", "{\"Type\":\"network\",\"Action\":\"connect\"}", -ENOMSG },
        { "a network's own", NETWORK_EVENT("create", B64, ""), -ENOMSG },
        { "legacy fields", "{\"status\":\"start\",\"id\":\"" A64 "\",\"time\":1}", -EBADMSG },
        { "no actor", "{\"Type\":\"container\",\"Action\":\"start\"}", -EBADMSG },
        { "short id", "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"ab\"}}",
          -EBADMSG },
        { "half", "{\"Type\":\"container\",\"Acti", -EBADMSG },
        { "an error", "{\"message\":\"x\"}", -EBADMSG },
        { "garbage", "\001\002{", -EBADMSG },
        { "nothing", "", -EBADMSG },
};

START_TEST(test_event) {
        const __typeof__(events[0]) *t = &events[_i];
        PlEvent e = { .exit_code = 42 };
        int r = pl_docker_parse_event(t->line, strlen(t->line), &e);

        ck_assert_msg(r == t->r, "%s: %d", t->name, r);
        if (r < 0) {
                ck_assert_msg(e.exit_code == 42, "%s: written on failure", t->name);
                return;
        }
        ck_assert_msg(e.action == t->action, "%s: action %d", t->name, e.action);
        ck_assert_msg(e.exit_code == t->exit_code, "%s: exit %d", t->name, e.exit_code);
        ck_assert_msg(e.signal == t->signal, "%s: signal %d", t->name, e.signal);
        ck_assert_msg(e.health == t->health, "%s: health %d", t->name, e.health);
        ck_assert_str_eq(e.id, A64);
        ck_assert_str_eq(e.name, "n");
        ck_assert_uint_eq(e.time_nsec, 1700000000123456789u);
        ck_assert_msg((e.action == PL_EVENT_CREATE) == (e.born != NULL), "%s: born", t->name);
        pl_event_deinit(&e);
}
END_TEST

/* A network's event is about the container that it gets or loses; Podman names that one alone. */
START_TEST(test_network_event) {
        static const char *const lines[] = {
                NETWORK_EVENT("connect", B64, "\"container\":\"" A64 "\","),
                NETWORK_EVENT("disconnect", B64, "\"container\":\"" A64 "\","),
                NETWORK_EVENT("connect", A64, ""),
        };
        PlEvent e;

        ck_assert_int_eq(pl_docker_parse_event(lines[_i], strlen(lines[_i]), &e), 0);
        ck_assert_int_eq(e.action, PL_EVENT_NETWORK);
        ck_assert_str_eq(e.id, A64);
        ck_assert_str_eq(e.name, "");
        ck_assert_uint_eq(e.time_nsec, 1700000000123456789u);
        pl_event_deinit(&e);
}
END_TEST

static const struct {
        const char *name, *body, *shown; /* "ID,NAME", '!': apart; NULL: -EBADMSG */
} networks[] = {
        { "none", "[]", "" },
        { "drivers",
          "[{\"Id\":\"1\",\"Name\":\"a\",\"Driver\":\"bridge\"},"
          "{\"Id\":\"2\",\"Name\":\"b\",\"Driver\":\"macvlan\"},"
          "{\"Id\":\"3\",\"Name\":\"c\",\"Driver\":\"ipvlan\"},"
          "{\"Id\":\"4\",\"Name\":\"d\",\"Driver\":\"overlay\"},"
          "{\"Id\":\"5\",\"Name\":\"e\",\"Driver\":\"weave\"}]",
          "1,a 2,b! 3,c! 4,d! 5,e " },
        { "mistyped", "[{\"Id\":1,\"Driver\":[]}]", ", " },
        { "no list", "{}", NULL },
        { "half", "[{\"Id\":\"1\"", NULL },
        { "no objects", "[1]", NULL },
};

START_TEST(test_networks) {
        _cleanup_free_ PlNetworkInfo *list = NULL;
        char shown[256] = "";
        size_t n = 0;
        int r = pl_docker_parse_networks(networks[_i].body, strlen(networks[_i].body), &list, &n);

        ck_assert_msg(r == (networks[_i].shown ? 0 : -EBADMSG), "%s: %d", networks[_i].name, r);
        for (size_t i = 0; i < n; i++)
                (void)snprintf(shown + strlen(shown), sizeof(shown) - strlen(shown), "%s,%s%s ",
                               list[i].id, list[i].name, list[i].apart ? "!" : "");
        ck_assert_msg(!networks[_i].shown || pl_streq(shown, networks[_i].shown), "%s: %s",
                      networks[_i].name, shown);
}
END_TEST

START_TEST(test_event_born) {
        static const char line[] =
                        EVENT("create", "\"name\":\"n\",\"image\":\"redis:7\",\"a\":\"b\","
                                        "\"com.docker.compose.service\":\"cache\",\"x\":7");
        PlEvent e;

        ck_assert_int_eq(pl_docker_parse_event(line, strlen(line), &e), 0);
        ck_assert_str_eq(e.born->id, A64);
        ck_assert_str_eq(e.born->name, "n");
        ck_assert_str_eq(e.born->image, "redis:7");
        ck_assert_int_eq(e.born->phase, PL_PHASE_CREATED);
        ck_assert_str_eq(pl_container_label(e.born, "com.docker.compose.service"), "cache");
        ck_assert_str_eq(pl_container_label(e.born, "a"), "b");
        ck_assert_ptr_null(pl_container_label(e.born, "x"));
        pl_event_deinit(&e);
}
END_TEST

#define NAMELESS "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" A64 "\"}}"

START_TEST(test_event_bounds) {
        char line[2048], name[400];
        PlEvent e;

        /* cut at a character's boundary: 255 bytes hold 127 of them */
        for (size_t i = 0; i + 1 < sizeof(name); i += 2)
                memcpy(name + i, "é", 2);
        name[sizeof(name) - 2] = '\0';
        snprintf(line, sizeof(line),
                 "{\"Type\":\"container\",\"Action\":\"start\",\"time\":12,\"Actor\":{\"ID\":\"" A64
                 "\",\"Attributes\":{\"name\":\"%s\"}}}",
                 name);
        ck_assert_int_eq(pl_docker_parse_event(line, strlen(line), &e), 0);
        ck_assert_uint_eq(strlen(e.name), 254);
        ck_assert_uint_eq(e.time_nsec, 12000000000u);
        pl_event_deinit(&e);

        /* three bytes each, and one before them: 254 and the first byte of the next are cut */
        for (size_t i = 1; i + 3 < sizeof(name); i += 3)
                memcpy(name + i, "…", 4);
        name[0] = 'a';
        snprintf(line, sizeof(line),
                 "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"" A64
                 "\",\"Attributes\":{\"name\":\"%s\"}}}",
                 name);
        ck_assert_int_eq(pl_docker_parse_event(line, strlen(line), &e), 0);
        ck_assert_uint_eq(strlen(e.name), 253);
        ck_assert_str_eq(e.name + 250, "…");
        pl_event_deinit(&e);

        ck_assert_int_eq(pl_docker_parse_event(NAMELESS, strlen(NAMELESS), &e), 0);
        ck_assert_str_eq(e.name, "");
        pl_event_deinit(&e);
}
END_TEST

int main(void) {
        TCase *c = tcase_create("parse");

        tcase_add_loop_test(c, test_version, 0, PL_ARRAY_SIZE(versions));
        tcase_add_loop_test(c, test_negotiate, 0, PL_ARRAY_SIZE(ranges));
        tcase_add_loop_test(c, test_list, 0, PL_ARRAY_SIZE(lists));
        tcase_add_test(c, test_amplification);
        tcase_add_test(c, test_long_list);
        tcase_add_loop_test(c, test_error, 0, PL_ARRAY_SIZE(errors));
        tcase_add_test(c, test_warnings);
        tcase_add_loop_test(c, test_event, 0, PL_ARRAY_SIZE(events));
        tcase_add_loop_test(c, test_network_event, 0, 3);
        tcase_add_loop_test(c, test_networks, 0, PL_ARRAY_SIZE(networks));
        tcase_add_test(c, test_event_bounds);
        tcase_add_test(c, test_event_born);
        return run_case(c);
}
