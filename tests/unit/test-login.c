/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Logins: which variables of an environment count for which kind, and their form in HTTP.
 */

#include "lib/probe/login.h"
#include "unit.h"

/* clang-format off */
static const struct {
        const char *name;
        const char *kind;
        const char *environment[6];
        const char *user, *password; /* NULL: there is none */
} rows[] = {
        { "Postgres", "postgres", { "A=1", "POSTGRES_USER=app", "POSTGRES_PASSWORD=pw=1" }, "app", "pw=1" },
        { "Postgres' own user", "postgres", { "POSTGRES_PASSWORD=pw" }, "postgres", "pw" },
        { "bitnami's Postgres", "postgres", { "POSTGRESQL_USERNAME=u", "POSTGRESQL_PASSWORD=p" }, "u", "p" },
        { "a file is not read", "postgres", { "POSTGRES_PASSWORD_FILE=/run/secrets/pw" }, NULL, NULL },
        { "an empty one is none", "postgres", { "POSTGRES_PASSWORD=" }, NULL, NULL },
        { "of another kind", "redis", { "POSTGRES_PASSWORD=pw" }, NULL, NULL },
        { "Redis", "redis", { "REDIS_PASSWORD=pw" }, "", "pw" },
        { "Valkey", "redis", { "VALKEY_PASSWORD=pw" }, "", "pw" },
        { "the last one counts", "redis", { "REDIS_PASSWORD=old", "REDIS_PASSWORD=new" }, "", "new" },
        { "a longer name is another one", "redis", { "REDIS_PASSWORDS=x", "XREDIS_PASSWORD=y" }, NULL, NULL },
        { "Grafana", "grafana", { "GF_SECURITY_ADMIN_PASSWORD=pw" }, "admin", "pw" },
        { "MLflow", "mlflow", { "MLFLOW_TRACKING_USERNAME=u", "MLFLOW_TRACKING_PASSWORD=p" }, "u", "p" },
        { "MLflow without a user", "mlflow", { "MLFLOW_TRACKING_PASSWORD=p" }, NULL, NULL },
        { "Airflow", "airflow", { "_AIRFLOW_WWW_USER_PASSWORD=p" }, "airflow", "p" },
        { "a kind that has none", "tcp", { "REDIS_PASSWORD=pw" }, NULL, NULL },
        { "nothing at all", "redis", { NULL }, NULL, NULL },
};
/* clang-format on */

START_TEST(environments) {
        _cleanup_(pl_login_freep) PlLogin *l =
                        pl_login_new(rows[_i].kind, (char *const *)rows[_i].environment);

        ck_assert_msg((l != NULL) == (rows[_i].password != NULL), "%s", rows[_i].name);
        if (!l)
                return;
        ck_assert_msg(pl_streq(l->user, rows[_i].user), "%s: %s", rows[_i].name, l->user);
        ck_assert_msg(pl_streq(l->password, rows[_i].password), "%s: %s", rows[_i].name,
                      l->password);
}
END_TEST

START_TEST(too_long) {
        char entry[PL_LOGIN_MAX + 32] = "REDIS_PASSWORD=";
        char *environment[] = { entry, NULL };
        _cleanup_(pl_login_freep) PlLogin *l = NULL;
        size_t n = strlen(entry);

        memset(entry + n, 'x', PL_LOGIN_MAX);
        l = pl_login_new("redis", environment);
        ck_assert_ptr_nonnull(l);
        ck_assert_uint_eq(strlen(l->password), PL_LOGIN_MAX);
        entry[n + PL_LOGIN_MAX] = 'x';
        ck_assert_ptr_null(pl_login_new("redis", environment));
}
END_TEST

/* RFC 7617 has the first one; RFC 4648 the padding. */
static const struct {
        const char *user, *password, *header;
} basics[] = {
        { "Aladdin", "open sesame", "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
        { "a", "b", "Authorization: Basic YTpi" },
        { "a", "bc", "Authorization: Basic YTpiYw==" },
        { "a", "bcd", "Authorization: Basic YTpiY2Q=" },
        { "test", "123\xc2\xa3", "Authorization: Basic dGVzdDoxMjPCow==" },
};

START_TEST(basic) {
        PlLogin l = { 0 };
        char buf[PL_LOGIN_BASIC_MAX];
        size_t n;

        strcpy(l.user, basics[_i].user);
        strcpy(l.password, basics[_i].password);
        n = pl_login_basic(&l, buf);
        ck_assert_str_eq(buf, basics[_i].header);
        ck_assert_uint_eq(n, strlen(buf));
}
END_TEST

START_TEST(longest) {
        PlLogin l = { 0 };
        char buf[PL_LOGIN_BASIC_MAX];

        memset(l.user, 'u', PL_LOGIN_MAX);
        memset(l.password, 'p', PL_LOGIN_MAX);
        ck_assert_uint_lt(pl_login_basic(&l, buf), sizeof(buf));
}
END_TEST

int main(void) {
        TCase *t = tcase_create("tables");

        tcase_add_loop_test(t, environments, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, too_long);
        tcase_add_loop_test(t, basic, 0, PL_ARRAY_SIZE(basics));
        tcase_add_test(t, longest);
        return run_case(t);
}
