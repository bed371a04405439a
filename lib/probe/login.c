/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Login: see the header.
 */

#include "lib/probe/login.h"

/*
 * Names separated by spaces, the first that is set counts. Sources: the images' documentation:
 * postgres, bitnami/postgresql, sclorg/postgresql; bitnami/redis, bitnami/valkey, keydb;
 * grafana/grafana (GF_SECTION_KEY); MLflow's "Authentication"; apache/airflow's entrypoint.
 */
static const struct {
        const char *kind;
        const char *users, *user; /* user: where none is set */
        const char *passwords;
} rows[] = {
        { "postgres", "POSTGRES_USER POSTGRESQL_USERNAME POSTGRESQL_USER", "postgres",
          "POSTGRES_PASSWORD POSTGRESQL_PASSWORD" },
        { "redis", "", "", "REDIS_PASSWORD VALKEY_PASSWORD KEYDB_PASSWORD" },
        { "grafana", "GF_SECURITY_ADMIN_USER", "admin", "GF_SECURITY_ADMIN_PASSWORD" },
        { "mlflow", "MLFLOW_TRACKING_USERNAME", NULL, "MLFLOW_TRACKING_PASSWORD" },
        { "airflow", "_AIRFLOW_WWW_USER_USERNAME", "airflow", "_AIRFLOW_WWW_USER_PASSWORD" },
};

/* The value of a variable, borrowed; NULL: it is not set, or empty. */
static const char *value_of(char *const *environment, const char *name, size_t n) {
        const char *value = NULL;

        for (; environment && *environment; environment++)
                if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
                        value = *environment + n + 1;
        return value && *value ? value : NULL;
}

static const char *first_of(char *const *environment, const char *names) {
        const char *value = NULL;

        for (size_t n; *names && !value; names += n + strspn(names + n, " ")) {
                n = strcspn(names, " ");
                value = value_of(environment, names, n);
        }
        return value;
}

PlLogin *pl_login_new(const char *kind, char *const *environment) {
        const char *user, *password;
        PlLogin *l;
        size_t i = 0;

        while (i < PL_ARRAY_SIZE(rows) && !pl_streq(rows[i].kind, kind))
                i++;
        if (i == PL_ARRAY_SIZE(rows))
                return NULL;
        user = first_of(environment, rows[i].users);
        if (!user)
                user = rows[i].user;
        password = first_of(environment, rows[i].passwords);
        if (!user || !password || strlen(user) > PL_LOGIN_MAX || strlen(password) > PL_LOGIN_MAX)
                return NULL;
        l = calloc(1, sizeof(*l));
        if (!l)
                return NULL;
        memcpy(l->user, user, strlen(user));
        memcpy(l->password, password, strlen(password));
        return l;
}

PlLogin *pl_login_copy(const PlLogin *l) {
        PlLogin *copy = l ? malloc(sizeof(*copy)) : NULL;

        if (copy)
                *copy = *l;
        return copy;
}

PlLogin *pl_login_free(PlLogin *l) {
        if (!l)
                return NULL;
        explicit_bzero(l, sizeof(*l));
        free(l);
        return NULL;
}

size_t pl_login_basic(const PlLogin *l, char buf[static PL_LOGIN_BASIC_MAX]) {
        static const char digits[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        char pair[2 * PL_LOGIN_MAX + 4] = { 0 };
        size_t n, size;

        n = (size_t)snprintf(pair, sizeof(pair), "%s:%s", l->user, l->password);
        size = (size_t)snprintf(buf, PL_LOGIN_BASIC_MAX, "Authorization: Basic ");
        for (size_t i = 0; i < n; i += 3) {
                uint32_t three = (uint32_t)(uint8_t)pair[i] << 16 |
                                 (uint32_t)(uint8_t)pair[i + 1] << 8 | (uint8_t)pair[i + 2];

                for (size_t j = 0; j < 4; j++)
                        buf[size++] = i + j > n ? '=' : digits[three >> (18 - 6 * j) & 63];
        }
        buf[size] = '\0';
        explicit_bzero(pair, sizeof(pair));
        return size;
}
