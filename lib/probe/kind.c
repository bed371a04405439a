/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe kind: the rows, and which of them an image is known by.
 */

#include "lib/probe/kind.h"

#include <strings.h>

#define TALK_NONE(talk)
#define TALK_CONNECT(talk)
#define TALK_TCP(talk)  .tcp = &pl_tcp_##talk,
#define TALK_HTTP(talk) .http = &pl_http_##talk,
/* clang-format off */
#define ROW(constant, name, transport_, port_, talk, images_)                             \
        [PL_PROBE_##constant] = { .word = name, .transport = PL_TRANSPORT_##transport_,  \
                                  .port = port_, .images = images_, TALK_##transport_(talk) },
#define WORD(constant, name, ...) { name, PL_PROBE_##constant },
/* clang-format on */

static const PlProbeKindInfo kinds[_PL_PROBE_N] = { PL_PROBE_KINDS(ROW) };
const PlWord pl_probe_kind_words[] = { PL_PROBE_KINDS(WORD){ NULL } };

const PlProbeKindInfo *pl_probe_kind_info(PlProbeKind k) {
        return &kinds[(unsigned)k < _PL_PROBE_N ? k : PL_PROBE_NONE];
}

static PlProbeKind from_word(const char *s) {
        for (PlProbeKind k = PL_PROBE_NONE; k < _PL_PROBE_N; k++)
                if (strcasecmp(s, kinds[k].word) == 0)
                        return k;
        return PL_PROBE_AUTO;
}

/* Is it one of the words? */
static bool is_among(const char *words, const char *s, size_t size) {
        for (size_t n; *words; words += n + strspn(words + n, " ")) {
                n = strcspn(words, " ");
                if (n == size && strncasecmp(words, s, n) == 0)
                        return true;
        }
        return false;
}

/* The last component of the image's name, without registry, tag and digest. */
static PlProbeKind from_image(const char *image) {
        const char *base = strrchr(image, '/');

        base = base ? base + 1 : image;
        for (PlProbeKind k = 0; k < _PL_PROBE_N; k++)
                if (is_among(kinds[k].images, base, strcspn(base, ":@")))
                        return k;
        return PL_PROBE_AUTO;
}

/* Does this container of an Airflow deployment serve HTTP? By what people call it. */
static bool is_airflow_server(const PlContainer *c, const char *service) {
        static const char *const servers[] = { "webserver",  "web-server", "web",       "apiserver",
                                               "api-server", "api",        "standalone" };
        const char *names[] = { service, c->name };

        for (size_t i = 0; i < PL_ARRAY_SIZE(names); i++) {
                const char *name = names[i];

                if (!name || !*name)
                        continue;
                if (strcasecmp(name, "airflow") == 0)
                        return true;
                for (size_t j = 0; j < PL_ARRAY_SIZE(servers); j++)
                        if (strcasestr(name, servers[j]))
                                return true;
                if (name == service)
                        break; /* the compose service is the better word; the name repeats it */
        }
        return false;
}

PlProbeKind pl_probe_kind_infer(PlProbeKind policy, const PlContainer *c) {
        const char *label = pl_container_label(c, PL_PROBE_LABEL);
        const char *service = pl_container_label(c, "com.docker.compose.service");
        PlProbeKind k;

        if (policy != PL_PROBE_AUTO)
                return policy;
        if (label) {
                k = from_word(label);
                if (k != PL_PROBE_AUTO)
                        return k;
        }
        k = c->image ? from_image(c->image) : PL_PROBE_AUTO;
        if (k == PL_PROBE_AIRFLOW && !is_airflow_server(c, service))
                return PL_PROBE_NONE;
        if (k != PL_PROBE_AUTO)
                return k;
        /* an image with a name of its own behind a service called "redis" */
        k = service ? from_word(service) : PL_PROBE_AUTO;
        return k == PL_PROBE_AUTO || k == PL_PROBE_HTTP || k == PL_PROBE_TCP ? PL_PROBE_NONE : k;
}
