/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Probe kind: see the header. A new product is a new row.
 */

#include "lib/probe/kind.h"

#include <strings.h>

/* The last component of the image's name, without registry, tag and digest. */
static const struct {
        const char *image;
        PlProbeKind kind;
} images[] = {
        { "postgres", PL_PROBE_POSTGRES },
        { "postgresql", PL_PROBE_POSTGRES }, /* bitnami */
        { "postgis", PL_PROBE_POSTGRES },
        { "pgvector", PL_PROBE_POSTGRES },
        { "timescaledb", PL_PROBE_POSTGRES },
        { "timescaledb-ha", PL_PROBE_POSTGRES },
        { "redis", PL_PROBE_REDIS },
        { "redis-stack", PL_PROBE_REDIS },
        { "redis-stack-server", PL_PROBE_REDIS },
        { "valkey", PL_PROBE_REDIS },
        { "keydb", PL_PROBE_REDIS },
        { "airflow", PL_PROBE_AIRFLOW },
        { "ollama", PL_PROBE_OLLAMA },
        { "grafana", PL_PROBE_GRAFANA },
        { "grafana-oss", PL_PROBE_GRAFANA },
        { "grafana-enterprise", PL_PROBE_GRAFANA },
        { "mlflow", PL_PROBE_MLFLOW },
        { "prometheus", PL_PROBE_PROMETHEUS },
};

const PlWord pl_probe_kind_words[] = {
        { "auto", PL_PROBE_AUTO },
        { "none", PL_PROBE_NONE },
        { "postgres", PL_PROBE_POSTGRES },
        { "redis", PL_PROBE_REDIS },
        { "airflow", PL_PROBE_AIRFLOW },
        { "ollama", PL_PROBE_OLLAMA },
        { "grafana", PL_PROBE_GRAFANA },
        { "mlflow", PL_PROBE_MLFLOW },
        { "prometheus", PL_PROBE_PROMETHEUS },
        { "http", PL_PROBE_HTTP },
        { "tcp", PL_PROBE_TCP },
        { NULL },
};

const char *pl_probe_kind_to_string(PlProbeKind k) {
        return pl_word_of(pl_probe_kind_words, (int)k);
}

static PlProbeKind from_word(const char *s) {
        for (PlProbeKind k = PL_PROBE_NONE; k < _PL_PROBE_N; k++)
                if (strcasecmp(s, pl_probe_kind_to_string(k)) == 0)
                        return k;
        return PL_PROBE_AUTO;
}

static PlProbeKind from_image(const char *image) {
        const char *base = strrchr(image, '/');
        size_t n;

        base = base ? base + 1 : image;
        n = strcspn(base, ":@");
        for (size_t i = 0; i < PL_ARRAY_SIZE(images); i++)
                if (strlen(images[i].image) == n && strncasecmp(base, images[i].image, n) == 0)
                        return images[i].kind;
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
