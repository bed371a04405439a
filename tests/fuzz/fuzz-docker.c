/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an answer of the engine, to every parser of answers: what is accepted keeps the
 * promises of the headers, and can be asked everything that a container is asked.
 */
#include "lib/docker/answer.h"
#include "lib/docker/container.h"
#include "lib/docker/update.h"
#include "lib/limits/resource.h"
#include "lib/probe/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition) {
        if (!condition)
                abort();
}

static void check_place(const PlContainer *c) {
        PlPlace p;

        for (PlProbeKind k = 0; k < _PL_PROBE_N; k++) {
                pl_place_find(c, k % 2 ? c : NULL, k, 0, &p);
                expect(p.kind == PL_PROBE_NONE ? p.addresses.n == 0 : p.addresses.n > 0 && !p.why);
                expect(!*p.prefix || (*p.prefix == '/' && p.prefix[1]));
        }
}

static void check_inspect(const char *body, size_t size) {
        _cleanup_(pl_container_freep) PlContainer *c = NULL;
        _cleanup_free_ char *update = NULL;
        PlLimits limits;
        size_t iter = 0;
        uint32_t not ;

        if (pl_docker_parse_inspect(body, size, &c) < 0)
                return;
        expect(pl_is_id(c->id) && c->name && c->name[0] && c->image && c->log.path);
        expect(c->n_labels <= PL_DOCKER_LABELS_MAX && c->pid >= 0);
        for (size_t i = 0; i < c->n_labels; i++) {
                expect(strlen(c->labels[i].value) <= PL_DOCKER_STRING_MAX);
                expect(i == 0 || strcmp(c->labels[i - 1].key, c->labels[i].key) <= 0);
                expect(pl_container_label(c, c->labels[i].key));
        }
        for (size_t i = 0; i < c->reach.n_ports; i++)
                expect(c->reach.ports[i].container_port > 0);
        for (size_t i = 0; i < c->launch.n_env; i++)
                expect(c->launch.env[i].key &&
                       strlen(c->launch.env[i].value) <= PL_LAUNCH_WORD_MAX);
        for (PlLaunchCommand command; pl_launch_next(&c->launch, &iter, &command);)
                expect(*command.program && strlen(command.program) < PL_LAUNCH_WORD_MAX &&
                       command.n_words < PL_LAUNCH_WORDS_MAX);

        check_place(c);
        for (PlHierarchy h = 0; h < _PL_HIERARCHY_N; h++) {
                PlDockerHost host = { .hierarchy = h };

                expect(pl_container_limits(c, h, &limits) == 0);
                expect(pl_docker_format_update(&limits, &c->host, &host, &update, &not ) == 0);
                pl_limits_deinit(&limits);
                free(TAKE_PTR(update));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *body = (const char *)data;
        char(*ids)[PL_ID_MAX] = NULL;
        PlEngineInfo info = {};
        PlNetworkInfo *networks = NULL;
        size_t n = 0;

        check_inspect(body, size);
        if (pl_docker_parse_networks(body, size, &networks, &n) == 0)
                free(networks);
        if (pl_docker_parse_list(body, size, &ids, &n) == 0) {
                for (size_t i = 0; i < n; i++)
                        expect(pl_is_id(ids[i]));
                free(ids);
        }
        if (pl_docker_parse_version(body, size, &info) == 0) {
                expect(info.api.major == 0 || info.api.major == 1);
        }
        free(pl_docker_parse_error(body, size));
        free(pl_docker_parse_warnings(body, size));
        return 0;
}
