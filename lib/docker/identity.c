/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Identity: see the header. Two services never share a key by accident: what a key shows is cut and
 * cleaned, but its hash is over the whole, with the parts kept apart.
 */

#include "lib/docker/identity.h"

#include "lib/docker/compose.h"

/* Sources: docker/compose, pkg/api/labels.go; moby, daemon/cluster/executor/container. */
#define COMPOSE_NUMBER  "com.docker.compose.container-number"
#define COMPOSE_HASH    "com.docker.compose.config-hash"
#define COMPOSE_ONEOFF  "com.docker.compose.oneoff"
#define COMPOSE_VERSION "com.docker.compose.version"
#define SWARM_SERVICE   "com.docker.swarm.service.name"

#define SECTION_SHOWN 32
#define ORIGIN_SHOWN  56
/* "shop-web-run-0123456789ab" (compose 2), "shop_web_run_0123456789ab" (1) */
#define RUN_DIGITS 12

/* Of what a service is made. Borrowed; not used: NULL. */
typedef struct Origin {
        const char *project; /* of compose */
        const char *name;    /* of the service, or of the container */
        size_t n_name;       /* so much of it counts */
        bool run;            /* a one-off run */
} Origin;

static const char *label_of(const PlContainer *c, const char *key) {
        const char *value = pl_container_label(c, key);

        return value && *value ? value : NULL;
}

/* `docker compose build` writes project, service and version into the image, and so onto what
 * `docker run` makes of that image; a container that compose itself makes has more. */
static bool is_from_image(const PlContainer *c) {
        return pl_container_label(c, COMPOSE_VERSION) && !pl_container_label(c, COMPOSE_NUMBER) &&
               !pl_container_label(c, COMPOSE_HASH) && !pl_container_label(c, COMPOSE_ONEOFF);
}

static bool by_compose(const PlContainer *c, Origin *ret) {
        const char *project = label_of(c, PL_COMPOSE_PROJECT),
                   *service = label_of(c, PL_COMPOSE_SERVICE),
                   *oneoff = label_of(c, COMPOSE_ONEOFF);

        if (!project || !service || is_from_image(c))
                return false;
        *ret = (Origin){ .project = project,
                         .name = service,
                         .n_name = strlen(service),
                         .run = oneoff && strcasecmp(oneoff, "true") == 0 };
        return true;
}

/* "-run-" and twelve hexadecimal digits at the end are no part of it. */
static size_t without_run(const char *name) {
        size_t n = strlen(name), end = RUN_DIGITS + 1;

        if (n <= end + 4 || strspn(name + n - RUN_DIGITS, "0123456789abcdef") != RUN_DIGITS)
                return n;
        n -= end; /* the separator before the digits */
        if (!strchr("-_", name[n]) || !strchr("-_", name[n - 4]) ||
            strncmp(name + n - 3, "run", 3) != 0)
                return n + end;
        return n;
}

static bool by_name(const PlContainer *c, Origin *ret) {
        const char *swarm = label_of(c, SWARM_SERVICE);

        if (swarm)
                *ret = (Origin){ .name = swarm, .n_name = strlen(swarm) };
        else if (c->name && *c->name)
                *ret = (Origin){ .name = c->name, .n_name = without_run(c->name) };
        else
                return false;
        return true;
}

/* FNV-1a. */
static uint64_t hash_part(uint64_t h, const char *part, size_t n) {
        for (size_t i = 0; i < n; i++)
                h = (h ^ (unsigned char)part[i]) * UINT64_C(0x100000001b3);
        return h * UINT64_C(0x100000001b3); /* as by a zero byte: where a part ends */
}

static uint64_t hash_of(const char *section, const Origin *o) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        h = hash_part(h, section, strlen(section));
        h = hash_part(h, o->project ?: "", o->project ? strlen(o->project) : 0);
        h = hash_part(h, o->name, o->n_name);
        return hash_part(h, "run", o->run ? 3 : 0);
}

static void clean(char *s) {
        for (char *p = s; *p; p++)
                if (!(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z') &&
                    !(*p >= '0' && *p <= '9') && !strchr("_-.", *p))
                        *p = '_';
        if (*s == '.')
                *s = '_';
}

bool pl_identity_of(const char *section, const PlContainer *c, PlIdentity *ret) {
        char shown[ORIGIN_SHOWN + 1], first[SECTION_SHOWN + 2] = "";
        const char *run;
        Origin o;

        if (!by_compose(c, &o) && !by_name(c, &o))
                return false;
        run = o.run ? "-run" : "";
        if (o.project)
                (void)snprintf(shown, sizeof(shown), "%.24s-%.*s%s", o.project,
                               PL_MIN((int)o.n_name, 26), o.name, run);
        else
                (void)snprintf(shown, sizeof(shown), "%.*s", PL_MIN((int)o.n_name, ORIGIN_SHOWN),
                               o.name);
        clean(shown);
        if (section && *section)
                (void)snprintf(first, sizeof(first), "%.*s.", SECTION_SHOWN, section);
        clean(first);
        (void)snprintf(ret->key, sizeof(ret->key), "%s%s-%016" PRIx64, first, shown,
                       hash_of(section ?: "", &o));
        (void)snprintf(ret->origin, sizeof(ret->origin), "%s-%016" PRIx64, shown, hash_of("", &o));
        if (o.project)
                (void)snprintf(ret->title, sizeof(ret->title), "%.64s/%.*s%s", o.project,
                               PL_MIN((int)o.n_name, 64), o.name, o.run ? " run" : "");
        else
                (void)snprintf(ret->title, sizeof(ret->title), "%.*s", PL_MIN((int)o.n_name, 130),
                               o.name);
        return true;
}

unsigned pl_identity_number(const PlContainer *c) {
        const char *text = label_of(c, COMPOSE_NUMBER);
        char *end = NULL;
        unsigned long n = text && *text >= '1' && *text <= '9' ? strtoul(text, &end, 10) : 0;

        return end && !*end && n <= UINT16_MAX ? (unsigned)n : 0;
}
