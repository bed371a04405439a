/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Command lines and environments, reduced: through wrappers and shells, and without secrets.
 */

#include "launch-text.h"

/* "program word option=value" of each command, with '/' between them; '?': there is more. */
static void show(const PlLaunch *l, char *buf, size_t size) {
        FILE *f = fmemopen(buf, size, "w");
        PlLaunchCommand c;
        size_t iter = 0;

        for (unsigned k = 0; pl_launch_next(l, &iter, &c); k++) {
                fprintf(f, "%s%s", k > 0 ? " ; " : "", c.program);
                for (size_t i = 0; i < c.n_words; i++)
                        fprintf(f, " %s", c.words[i]);
        }
        for (size_t i = 0; i < l->n_env; i++)
                fprintf(f, " [%s=%s]", l->env[i].key, l->env[i].value);
        if (l->shell)
                fputs(" sh", f);
        if (l->unsure)
                fputs(" ?", f);
        (void)fclose(f);
}

/* clang-format off */
static const struct {
        const char *name, *words, *env, *shown;
} rows[] = {
        { "nothing", "", "", "" },
        { "a program", "/bin/prometheus", "", "/bin/prometheus" },
        { "options, four forms", "postgres~-p~5433~--port=5434~-c~port=5435~-cport=5436", "",
          "postgres p=5433 port=5434 port=5435 port=5436" },
        { "the value sticks to the letter", "postgres~-p5433", "", "postgres p=5433" },
        { "'_' is '-'", "postgres~-c~listen_addresses=~--listen-addresses=a", "",
          "postgres listen-addresses= listen-addresses=a" },
        { "blanks around '='", "postgres~-c~port = 5433", "", "postgres port=5433" },
        { "case", "redis-server~--PORT~7000~-H~x", "", "redis-server port=7000 H=x" },
        { "several values", "redis-server~--bind~127.0.0.1~-::1~--port~7", "",
          "redis-server bind=127.0.0.1 -::1 port=7" },
        { "an option in one word", "redis-server~--port 7000", "", "redis-server port=7000" },
        { "an option without its value", "redis-server~--port", "", "redis-server" },
        { "flags", "postgres~--single~-i~-V", "", "postgres single= i= V=" },
        { "subcommands, before options alone", "airflow~db~migrate~--yes~now", "", "airflow db migrate" },
        { "a file", "redis-server~/etc/redis.conf", "", "redis-server /etc/redis.conf" },
        { "Grafana's", "grafana-server~cfg:server.http_port=3001~cfg:default.log.mode=x", "",
          "grafana-server server.http-port=3001" },
        { "of a URL the path", "prometheus~--web.external-url=http://u:secret@h:1/prom", "",
          "prometheus web.external-url=/prom" },
        { "no secrets", "redis-server~--requirepass~secret~--masterauth=secret~--port~7", "",
          "redis-server port=7" },
        { "no secret of a client", "psql~postgres://u:secret@h/d~-c~select 1", "", "psql" },
        { "what an option hides", "mlflow~server~--gunicorn-opts~-b secret", "", "mlflow server gunicorn-opts=" },

        { "tini", "/sbin/tini~-s~--~postgres~-p~1", "", "postgres p=1" },
        { "dumb-init and an entry script", "/usr/bin/dumb-init~--~/entrypoint~webserver", "", "webserver" },
        { "an entry script", "docker-entrypoint.sh~postgres", "", "postgres" },
        { "an entry script with options alone", "docker-entrypoint.sh~-c~port=5433", "",
          "docker-entrypoint.sh port=5433" },
        { "an entry script with a file", "docker-entrypoint.sh~/redis.conf", "", "docker-entrypoint.sh /redis.conf" },
        { "an entry script alone", "/entrypoint.sh", "", "/entrypoint.sh" },
        { "one of its own", "/my-entrypoint.sh~postgres", "", "postgres" },
        { "no entry script", "/entrypoints/start~postgres", "", "/entrypoints/start postgres" },
        { "gosu", "gosu~postgres~postgres~-p~1", "", "postgres p=1" },
        { "su-exec and setpriv", "su-exec~redis~setpriv~--reuid=1~--regid~2~--~redis-server", "", "redis-server" },
        { "env", "env~-u~X~PGPORT=5433~SECRET=x~postgres", "", "postgres [PGPORT=5433]" },
        { "nice, timeout", "nice~-n~5~timeout~-s~INT~60~postgres", "", "postgres" },
        { "python -m", "python3.11~-u~-m~mlflow~server~-p~1", "", "mlflow server p=1" },
        { "python and a script", "python~/opt/bin/mlflow~server", "", "/opt/bin/mlflow server" },
        { "python and code", "python~-c~import time", "", "python" },
        { "uv run", "uv~run~--frozen~mlflow~server", "", "mlflow server" },
        { "a waiter", "./wait-for-it.sh~db:5432~-t~30~--~airflow~webserver", "", "airflow webserver" },
        { "a waiter that waits alone", "./wait-for-it.sh~db:5432", "", "./wait-for-it.sh" },
        { "dockerize", "dockerize~-wait~tcp://db:5432~postgres", "", "postgres" },

        { "a shell's string", "sh~-c~exec postgres -c port=5433", "", "postgres port=5433 sh" },
        { "flags of the shell", "/bin/bash~-euo~pipefail~-c~postgres -p 1", "", "postgres p=1 sh" },
        { "a login shell", "bash~-lc~postgres", "", "postgres sh" },
        { "a script", "bash~/start.sh~x", "", "/start.sh x" },
        { "an interactive shell", "bash", "", "bash" },
        { "su", "su~-~postgres~-c~postgres -p 1", "", "postgres p=1 sh" },
        { "a shell in a shell", "sh~-c~bash -c 'exec postgres -p 1'", "", "postgres p=1 sh" },
        { "several commands", "sh~-c~airflow db migrate && exec airflow webserver", "",
          "airflow db migrate ; airflow webserver sh" },
        { "in the background", "sh~-c~ollama serve & sleep 5; ollama pull x; wait", "",
          "ollama serve ; sleep 5 ; ollama pull x ; wait sh" },
        { "quotes", "sh~-c~postgres -c 'port=5433' -c \"listen_addresses=\"''", "",
          "postgres port=5433 listen-addresses= sh" },
        { "what only a shell knows", "sh~-c~postgres -p $PORT -c port=\"${P:-1}\" -c port=`x` -c port=$(a (b))", "",
          "postgres p=$ port=$ port=$ port=$ sh" },
        { "a program that only a shell knows", "sh~-c~exec \"$@\"~sh~postgres", "", "$ sh ?" },
        { "assignments", "sh~-c~SECRET=x PGPORT=5433 exec postgres", "", "postgres [PGPORT=5433] sh" },
        { "an export", "sh~-c~export PGPORT=5433; postgres", "", "postgres [PGPORT=5433] sh" },
        { "conditions", "sh~-c~if [ -f x ]; then postgres -p 1; else sleep 9; fi", "",
          "[ ; postgres p=1 ; sleep 9 sh" },
        { "a loop", "sh~-c~while true; do pg_dump -h db >/x 2>&1; sleep 1d; done", "",
          "true ; pg_dump h=db ; sleep 1d sh" },
        { "redirections", "sh~-c~postgres -p 1 2>/dev/null >>x <y &>z", "", "postgres p=1 sh" },
        { "a here-document", "sh~-c~psql <<E\npostgres -p 7\nE\nexec postgres -p 1", "", "psql ; postgres p=1 sh" },
        { "comments and continued lines", "sh~-c~# postgres -p 7\npostgres \\\n -p 1 # -p 2", "", "postgres p=1 sh" },
        { "braces", "sh~-c~{ postgres -p 1; } || exit 1", "", "postgres p=1 ; exit 1 sh" },
        { "too deep", "sh~-c~sh -c 'sh -c \"sh -c \\\"sh -c \\\\\\\"sh -c x\\\\\\\"\\\"\"'", "", " sh ?" },
        { "an open quote", "sh~-c~postgres -p '1", "", "postgres p=1 sh" },
        { "an open bracket", "sh~-c~postgres -p $(1", "", "postgres p=$ sh" },

        { "variables, no secrets", "x", "PGPORT=1~PGPASSWORD=s~PGPORT=2~PATH=/~PGPORTS=3~OLLAMA_HOST= 'a' ", "x [OLLAMA_HOST= 'a' ] [PGPORT=2]" },
        { "of a URL the path, again", "x", "GF_SERVER_ROOT_URL=%(protocol)s://u:s@%(domain)s:%(http_port)s/g/",
          "x [GF_SERVER_ROOT_URL=/g/]" },
        { "a URL without a path", "x", "AIRFLOW__API__BASE_URL=http://h:8080", "x [AIRFLOW__API__BASE_URL=]" },
        { "of a database URL the login", "x", "DATABASE_URL=postgres://me:secret@db:5432/shop?x=y",
          "x [DATABASE_URL=me/shop]" },
        { "a password with signs", "x", "DATABASE_URL=postgres://me:se@/cret@db/shop", "x [DATABASE_URL=me/shop]" },
        { "a database URL without a login", "x", "DATABASE_URL=postgres://db/shop", "x [DATABASE_URL=/shop]" },
        { "options in a variable", "x", "REDIS_ARGS=--requirepass secret --port 7000", "REDIS_ARGS port=7000 ; x" },
        { "that it is there", "x", "AIRFLOW_HOME=/secret", "x [AIRFLOW_HOME=]" },
        { "no assignments", "x", "PGPORT~=1~1PGPORT=2", "x" },
};
/* clang-format on */

START_TEST(reduced) {
        char shown[512] = "";
        PlLaunch l;

        read_launch(rows[_i].words, rows[_i].env, &l);
        show(&l, shown, sizeof(shown));
        ck_assert_msg(pl_streq(shown, rows[_i].shown), "%s: %s", rows[_i].name, shown);
        pl_launch_deinit(&l);
}
END_TEST

START_TEST(looked_up) {
        PlLaunchCommand c;
        size_t iter = 0;
        PlLaunch l;

        read_launch("/usr/bin/airflow~celery~flower~-p~1~--port=2~-c~host=h", "PGPORT=3", &l);
        ck_assert_str_eq(pl_launch_env(&l, "PGPORT"), "3");
        ck_assert_ptr_null(pl_launch_env(&l, "PGPOR"));
        ck_assert(pl_launch_next(&l, &iter, &c));
        ck_assert_str_eq(pl_launch_name(&c), "airflow");
        ck_assert_str_eq(pl_launch_word(&c, 1), "flower");
        ck_assert_ptr_null(pl_launch_word(&c, 2));
        ck_assert_str_eq(pl_launch_value(&c, "p port"), "2");
        ck_assert_str_eq(pl_launch_value(&c, "p"), "1");
        ck_assert_ptr_null(pl_launch_value(&c, "por"));
        ck_assert(!pl_launch_next(&l, &iter, &c));
        pl_launch_deinit(&l);
}
END_TEST

/* A command line of any length leaves a bounded one. */
START_TEST(bounded) {
        static char text[100000];
        const char *words[3] = { "sh", "-c", text };
        PlLaunchCommand c;
        size_t iter = 0, n = 0;
        PlLaunch l;

        for (size_t i = 0; i + 12 < sizeof(text); i += 11)
                memcpy(text + i, "x -p 12345;", 11);
        ck_assert_int_eq(pl_launch_read(words, 3, NULL, 0, &l), 0);
        while (pl_launch_next(&l, &iter, &c))
                n += 2 + c.n_words;
        ck_assert(l.unsure);
        ck_assert_uint_le(n, PL_LAUNCH_WORDS_MAX + 2);
        pl_launch_deinit(&l);

        memset(text, 'x', sizeof(text) - 1);
        words[0] = text;
        ck_assert_int_eq(pl_launch_read(words, 1, NULL, 0, &l), 0);
        iter = 0;
        ck_assert(pl_launch_next(&l, &iter, &c));
        ck_assert_uint_lt(strlen(c.program), PL_LAUNCH_WORD_MAX);
        pl_launch_deinit(&l);
}
END_TEST

int main(void) {
        TCase *t = tcase_create("table");

        tcase_add_loop_test(t, reduced, 0, PL_ARRAY_SIZE(rows));
        tcase_add_test(t, looked_up);
        tcase_add_test(t, bounded);
        return run_case(t);
}
